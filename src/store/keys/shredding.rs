//! Destroying the keys of who is erased, so that no copy of what they sealed can be read again.
//!
//! The transaction that takes the rows away notes which keys are to go; the keys go after it. What a crash leaves
//! between is done when the store is next opened, and whoever an older copy of the data brings back, of whom the keyring
//! knows that they were erased, is erased again.

use time::OffsetDateTime;

use super::user_keys::Purpose;
use crate::store::database::{Tx, query, query_as};
use crate::store::secrets::Generation;
use crate::store::values::{now, sha256, time_text};
use crate::store::{Store, StoreError};
use crate::units::{UserId, hex};

/// A generation after all others.
const ALL: i64 = i64::MAX;
/// How long the key before the one in use stays, for who began to read before it was renewed.
pub(in crate::store) const GRACE: time::Duration = time::Duration::seconds(10);

/// Notes that all keys of a user are to be destroyed, in the transaction that erases them.
pub(in crate::store) async fn condemn_user(conn: &mut Tx, user: UserId) -> Result<(), StoreError> {
    for purpose in Purpose::ALL {
        condemn(conn, &user.to_string(), purpose, ALL, now()).await?;
    }
    Ok(())
}

/// Notes that a user's keys before `generation` are to be destroyed, once those who read with them are done.
pub(in crate::store) async fn condemn_before(
    conn: &mut Tx,
    user: &str,
    purpose: Purpose,
    generation: Generation,
) -> Result<(), StoreError> {
    condemn(conn, user, purpose, i64::from(generation), now() + GRACE).await
}

async fn condemn(
    conn: &mut Tx,
    user: &str,
    purpose: Purpose,
    before: i64,
    from: OffsetDateTime,
) -> Result<(), StoreError> {
    // A renewal that was under way when its user was erased takes nothing back.
    query(
        "INSERT INTO condemned_keys (user_id, purpose, before_generation, not_before) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, purpose) DO UPDATE SET before_generation = excluded.before_generation, \
         not_before = excluded.not_before WHERE excluded.before_generation >= condemned_keys.before_generation",
    )
    .bind(user)
    .bind(purpose.name())
    .bind(before)
    .bind(time_text(from))
    .execute(conn)
    .await?;
    Ok(())
}

/// Stands for a purpose where it is noted that a user's voice is to get another key.
const RENEWAL: &str = "renewal";

/// Notes that a user's voice is to get another key, in the transaction that erases some of it: what a crash leaves between
/// that and the key is done when the store is next opened.
pub(in crate::store) async fn note_renewal(conn: &mut Tx, user: UserId) -> Result<(), StoreError> {
    query(
        "INSERT INTO condemned_keys (user_id, purpose, before_generation, not_before) VALUES ($1, $2, 0, $3) \
         ON CONFLICT (user_id, purpose) DO NOTHING",
    )
    .bind(user.to_string())
    .bind(RENEWAL)
    .bind(time_text(now()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that it has got one, in the transaction that seals what is left of it.
pub(in crate::store) async fn note_renewed(conn: &mut Tx, user: &str) -> Result<(), StoreError> {
    query("DELETE FROM condemned_keys WHERE user_id = $1 AND purpose = $2")
        .bind(user)
        .bind(RENEWAL)
        .execute(conn)
        .await?;
    Ok(())
}

impl Store {
    /// Destroys the keys whose time has come; with `all` those too whose last readers may still be at it. Says whether there
    /// were any.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; they go the next time.
    pub(in crate::store) async fn destroy_condemned(&self, all: bool) -> Result<bool, StoreError> {
        let until = if all { now() + GRACE * 10 } else { now() };
        let due = "SELECT user_id, purpose, before_generation FROM condemned_keys \
                   WHERE not_before <= $1 AND purpose <> $2";
        let rows: Vec<(String, String, i64)> = query_as(due)
            .bind(time_text(until))
            .bind(RENEWAL)
            .fetch_all(self.pool())
            .await?;
        if rows.is_empty() {
            return Ok(false);
        }
        let mut tx = self.write().await?;
        for (user, purpose, before) in &rows {
            query("DELETE FROM keyring_users WHERE user_id = $1 AND purpose = $2 AND generation < $3")
                .bind(user)
                .bind(purpose)
                .bind(*before)
                .execute(&mut tx)
                .await?;
            if *before == ALL {
                bury(&mut tx, user).await?;
            }
        }
        tx.commit().await?;
        let mut tx = self.write().await?;
        for (user, purpose, before) in &rows {
            query(
                "DELETE FROM condemned_keys WHERE user_id = $1 AND purpose = $2 AND before_generation = $3",
            )
            .bind(user)
            .bind(purpose)
            .bind(*before)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Whether keys of an erased user are still to be destroyed.
pub(in crate::store) async fn is_condemned(conn: &mut Tx, user: UserId) -> Result<bool, StoreError> {
    let row: Option<(bool,)> =
        query_as("SELECT TRUE FROM condemned_keys WHERE user_id = $1 AND before_generation = $2 LIMIT 1")
            .bind(user.to_string())
            .bind(ALL)
            .fetch_optional(conn)
            .await?;
    Ok(row.is_some())
}

/// The users whose voice is to get another key and has not got it.
pub(in crate::store) async fn users_to_renew(conn: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = query_as("SELECT user_id FROM condemned_keys WHERE purpose = $1")
        .bind(RENEWAL)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// The users of whom the keyring has no key.
pub(in crate::store) async fn users_without_keys(conn: &mut Tx) -> Result<Vec<String>, StoreError> {
    // Not `NOT IN`: PostgreSQL compares every user with every key once the keys are too many for its `work_mem`.
    let without = "SELECT id FROM users \
                   WHERE NOT EXISTS (SELECT 1 FROM keyring_users k WHERE k.user_id = users.id)";
    let rows: Vec<(String,)> = query_as(without).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Whether the keyring knows that a user was erased.
pub(in crate::store) async fn is_buried(conn: &mut Tx, user: &str) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = query_as("SELECT generation FROM keyring_users WHERE user_id = $1")
        .bind(buried_as(user))
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

/// What the keyring knows an erased user by: who has it alone does not learn their id.
fn buried_as(user: &str) -> String {
    hex(&sha256(format!("voxline erased 1\0{user}").as_bytes()))
}

/// Writes down that a user was erased, so that no older copy of the data brings them back.
async fn bury(conn: &mut Tx, user: &str) -> Result<(), StoreError> {
    query(
        "INSERT INTO keyring_users (user_id, purpose, generation, wrapped, destroyed_at) \
         VALUES ($1, 'erased', 0, NULL, $2) ON CONFLICT DO NOTHING",
    )
    .bind(buried_as(user))
    .bind(time_text(now()))
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_renewal_that_is_under_way_keeps_no_key_of_who_is_erased() {
        let (_folder, store) = Store::in_a_folder().await;
        let user = UserId::fresh();
        store.make_user_keys(&[user]).await.unwrap();
        let mut tx = store.write().await.unwrap();
        condemn_user(&mut tx, user).await.unwrap();
        for purpose in Purpose::ALL {
            condemn_before(&mut tx, &user.to_string(), purpose, 2)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        store.destroy_condemned(false).await.unwrap();
        let mut tx = store.read().await.unwrap();
        let keys: Vec<(i64,)> = query_as("SELECT generation FROM keyring_users WHERE user_id = $1")
            .bind(user.to_string())
            .fetch_all(&mut tx)
            .await
            .unwrap();
        assert_eq!(keys, []);
        assert!(is_buried(&mut tx, &user.to_string()).await.unwrap());
    }
}
