//! Keys that are renewed while the store is in use: the master key, by wrapping the others anew; and the keys of the data
//! themselves, by sealing every row anew, some users at a time.
//!
//! Whoever has the keys in memory learns of it by the keyring's epoch, which each transaction that needs a key reads first.

use std::sync::Arc;

use serde::Serialize;

use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{
    GRACE, Purpose, UserKeys, Whose, add_scope, add_user_key, condemn_before, name_of, note_generation,
    note_renewed, noted_generation, raise_epoch, read_generation,
};
use crate::store::people::{open_name, phones_of, seal_name, set_phones};
use crate::store::secrets::{DEPLOYMENT, DataKey, Generation, Place, fingerprint, unwrap, wrap, wrapping_of};
use crate::store::values::{read, read_u64};
use crate::store::voices::{frames_place, print_place, salt_place};
use crate::store::{Store, StoreError};
use crate::units::UserId;

/// Users whose rows are sealed anew in one transaction.
const BATCH: usize = 32;

/// What a change of keys did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Renewal {
    /// How many keys the new master key wraps.
    pub keys_wrapped: u64,
    /// Of how many users everything was sealed anew.
    pub users_sealed: u64,
}

impl Store {
    /// Wraps every key by the master key to come, and puts it in the place of the one in use. A new file is made where the
    /// master key is a file; elsewhere both have to be given, and where the second is in use already, by a change that was
    /// cut off after it was done, nothing is left to do. A service that runs goes on. Says how many keys it wraps.
    ///
    /// # Errors
    /// [`StoreError::Master`]; the key in use stays the one it was.
    pub async fn change_master_key(&self) -> Result<u64, StoreError> {
        let keyring = Arc::clone(&self.keyring);
        let mut tx = self.write().await?;
        let before = tx.keys().await?;
        let (used,): (Vec<u8>,) = query_as("SELECT fingerprint FROM keyring_master")
            .fetch_one(&mut tx)
            .await?;
        let given = keyring.masters().await?;
        if let [_, second] = &given[..]
            && fingerprint(&second.key) == used
        {
            return count_wrapped(&mut tx).await;
        }
        let mut after_used = given
            .into_iter()
            .skip_while(|master| fingerprint(&master.key) != used);
        let next = match after_used.nth(1) {
            Some(next) => next.key,
            None => {
                let keyring = Arc::clone(&keyring);
                tokio::task::spawn_blocking(move || keyring.source.make_successor())
                    .await
                    .map_err(|_| StoreError::Interrupted)??
            }
        };
        let after = wrapping_of(&next);
        let mut wrapped = wrap_scopes(&mut tx, &before.wrapping, &after).await?;
        wrapped += wrap_users(&mut tx, &before.wrapping, &after).await?;
        query("UPDATE keyring_master SET fingerprint = $1")
            .bind(fingerprint(&next))
            .execute(&mut tx)
            .await?;
        raise_epoch(&mut tx).await?;
        append(&mut tx, &NewAudit::new(Act::StoreRotateKey).object("master key")).await?;
        tx.commit().await?;
        // Also takes the file to its place.
        self.read().await?.keys().await?;
        if !self.is_shared() {
            // Keys that the old one wraps are in no file any more.
            self.overwrite().await;
        }
        Ok(wrapped)
    }

    /// Gives the deployment and every user a new key and seals all that theirs sealed anew, some users at a time; the old
    /// keys are destroyed then. A service that runs goes on. What was begun and cut off is begun anew.
    ///
    /// # Errors
    /// [`StoreError`]; what was sealed anew stays so, and nothing is lost.
    pub async fn change_data_keys(&self) -> Result<u64, StoreError> {
        let generation = self.add_deployment_key().await?;
        let (mut seen, mut done) = (String::new(), 0);
        loop {
            let page: Vec<(String,)> = query_as("SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(&seen)
                .bind(BATCH as i64)
                .fetch_all(self.pool())
                .await?;
            let users: Vec<String> = page.into_iter().map(|(user,)| user).collect();
            let Some(last) = users.last() else { break };
            seen.clone_from(last);
            self.renew_users(&users, &Purpose::ALL).await?;
            done += users.len() as u64;
        }
        self.seal_calls_anew().await?;
        let mut tx = self.write().await?;
        // By this change's own key, or that of one that was begun after it and is not done yet.
        note_generation(&mut tx, generation).await?;
        append(&mut tx, &NewAudit::new(Act::StoreRotateKey).object("data keys")).await?;
        tx.commit().await?;
        tokio::time::sleep(GRACE.unsigned_abs()).await;
        self.drop_old_deployment_keys().await?;
        self.destroy_condemned(true).await?;
        self.overwrite().await;
        Ok(done)
    }

    /// Gives users a new key each for their voice, so that an older copy of the data does not show what is erased of it now;
    /// the old ones are destroyed when those who read with them are done, or when the store is next opened.
    pub(in crate::store) async fn renew_voices(&self, users: &[UserId]) -> Result<(), StoreError> {
        for users in users.chunks(BATCH) {
            let users: Vec<String> = users.iter().map(UserId::to_string).collect();
            self.renew_users(&users, &[Purpose::Voice]).await?;
        }
        let store = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE.unsigned_abs()).await;
            let done = store.destroy_condemned(false).await;
            store.overwrite().await;
            if let Err(error) = done {
                tracing::debug!(%error, "old keys are destroyed when the store is next opened");
            }
        });
        Ok(())
    }

    /// Gives users a new key each and seals their rows with it. The keys are committed first (see
    /// `store/secrets/keyring.rs`).
    async fn renew_users(&self, users: &[String], purposes: &[Purpose]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for user in users {
            let keys = UserKeys::read(&mut tx, Whose::User(user)).await?;
            // Who has none was erased meanwhile.
            for purpose in purposes.iter().filter(|_| keys.has(user)) {
                let newest = keys.generation(user, *purpose)?;
                add_user_key(&mut tx, user, *purpose, newest + 1).await?;
            }
        }
        tx.commit().await?;
        let mut tx = self.write().await?;
        for user in users {
            let keys = UserKeys::read(&mut tx, Whose::User(user)).await?;
            for purpose in purposes.iter().filter(|_| keys.has(user)) {
                match purpose {
                    Purpose::Voice => seal_voice_anew(&mut tx, &keys, user).await?,
                    Purpose::Person => seal_person_anew(&mut tx, &keys, user).await?,
                }
                condemn_before(&mut tx, user, *purpose, keys.generation(user, *purpose)?).await?;
            }
            if purposes.contains(&Purpose::Voice) {
                note_renewed(&mut tx, user).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn add_deployment_key(&self) -> Result<Generation, StoreError> {
        let mut tx = self.write().await?;
        let keys = tx.keys().await?;
        let (newest, _) = keys.newest(DEPLOYMENT)?;
        add_scope(
            &mut tx,
            &keys.wrapping,
            DEPLOYMENT,
            newest + 1,
            &DataKey::fresh()?,
        )
        .await?;
        raise_epoch(&mut tx).await?;
        tx.commit().await?;
        Ok(newest + 1)
    }

    /// Destroys those of the deployment's keys by which nothing is sealed any more, by the note of the last change that
    /// was done: of one that goes on beside it both keys are needed.
    async fn drop_old_deployment_keys(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let Some(noted) = noted_generation(&mut tx).await? else {
            return Ok(());
        };
        query("DELETE FROM keyring_scopes WHERE scope = $1 AND generation < $2")
            .bind(DEPLOYMENT)
            .bind(i64::from(noted))
            .execute(&mut tx)
            .await?;
        raise_epoch(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}

async fn count_wrapped(conn: &mut Tx) -> Result<u64, StoreError> {
    let (count,): (i64,) = query_as(
        "SELECT (SELECT COUNT(*) FROM keyring_scopes) + (SELECT COUNT(*) FROM keyring_users WHERE wrapped IS NOT NULL)",
    )
    .fetch_one(conn)
    .await?;
    read_u64(count, "count of keys")
}

async fn wrap_scopes(conn: &mut Tx, before: &DataKey, after: &DataKey) -> Result<u64, StoreError> {
    let rows: Vec<(String, i64, Vec<u8>)> = query_as("SELECT scope, generation, wrapped FROM keyring_scopes")
        .fetch_all(&mut *conn)
        .await?;
    let count = rows.len() as u64;
    for (scope, generation, wrapped) in rows {
        let known = read_generation(generation)?;
        let key = unwrap(before, &scope, known, &wrapped).ok_or_else(|| conn.keyring.damaged())?;
        query("UPDATE keyring_scopes SET wrapped = $3 WHERE scope = $1 AND generation = $2")
            .bind(&scope)
            .bind(generation)
            .bind(wrap(after, &scope, known, &key)?)
            .execute(&mut *conn)
            .await?;
    }
    Ok(count)
}

async fn wrap_users(conn: &mut Tx, before: &DataKey, after: &DataKey) -> Result<u64, StoreError> {
    let rows: Vec<(String, String, i64, Vec<u8>)> =
        query_as("SELECT user_id, purpose, generation, wrapped FROM keyring_users WHERE wrapped IS NOT NULL")
            .fetch_all(&mut *conn)
            .await?;
    let count = rows.len() as u64;
    for (user, purpose, generation, wrapped) in rows {
        let known = read_generation(generation)?;
        let name = name_of(&user, &purpose);
        let key = unwrap(before, &name, known, &wrapped).ok_or_else(|| conn.keyring.damaged())?;
        query(
            "UPDATE keyring_users SET wrapped = $4 WHERE user_id = $1 AND purpose = $2 AND generation = $3",
        )
        .bind(&user)
        .bind(&purpose)
        .bind(generation)
        .bind(wrap(after, &name, known, &key)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(count)
}

/// Values of one kind that are sealed by a user's key for their voice.
struct OfVoice {
    /// The rows of a user: each one's id and its value.
    select: &'static str,
    /// Puts a value in the place of that of an id.
    update: &'static str,
    place: fn(&str) -> Place<'_>,
    what: &'static str,
}

const OF_VOICE: [OfVoice; 3] = [
    OfVoice {
        select: "SELECT id, embedding FROM prints WHERE user_id = $1",
        update: "UPDATE prints SET embedding = $2 WHERE id = $1",
        place: print_place,
        what: "voiceprint",
    },
    OfVoice {
        select: "SELECT clip_id, salt FROM recordings WHERE user_id = $1",
        update: "UPDATE recordings SET salt = $2 WHERE clip_id = $1",
        place: salt_place,
        what: "salt",
    },
    OfVoice {
        select: "SELECT id, frames FROM fingerprints WHERE user_id = $1",
        update: "UPDATE fingerprints SET frames = $2 WHERE id = $1",
        place: frames_place,
        what: "fingerprint",
    },
];

/// Seals what there is of a user's voice with their newest key. What does not open is of a key that was destroyed.
async fn seal_voice_anew(conn: &mut Tx, keys: &UserKeys, user: &str) -> Result<(), StoreError> {
    for kind in &OF_VOICE {
        let rows: Vec<(String, Vec<u8>)> = query_as(kind.select).bind(user).fetch_all(&mut *conn).await?;
        for (id, sealed) in rows {
            let place = (kind.place)(&id);
            let Some(plain) = keys.open(user, Purpose::Voice, place, &sealed, kind.what)? else {
                continue;
            };
            query(kind.update)
                .bind(&id)
                .bind(keys.seal(user, Purpose::Voice, place, &plain)?)
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok(())
}

/// Seals a user's name and phones with their newest key.
async fn seal_person_anew(conn: &mut Tx, keys: &UserKeys, user: &str) -> Result<(), StoreError> {
    let row: Option<(Vec<u8>,)> = query_as("SELECT name FROM users WHERE id = $1")
        .bind(user)
        .fetch_optional(&mut *conn)
        .await?;
    let name = row.map(|(sealed,)| open_name(keys, user, &sealed)).transpose()?;
    let Some(name) = name.flatten() else { return Ok(()) };
    query("UPDATE users SET name = $2 WHERE id = $1")
        .bind(user)
        .bind(seal_name(keys, user, &name)?)
        .execute(&mut *conn)
        .await?;
    let phones = phones_of(conn, user).await?;
    set_phones(conn, read(user, "user id")?, &phones).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;
    use crate::store::CallRecord;

    #[tokio::test]
    async fn a_change_of_keys_that_is_done_leaves_one_that_goes_on_its_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voxline.db");
        let store = Store::open(&path).await.unwrap();
        let call = CallRecord {
            call_id: "CA1".parse().unwrap(),
            number: "+12025550102".parse().unwrap(),
            started_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            version: 1,
            is_final: true,
            verdict: json!({}),
            evidence: None,
        };
        store.put_verdict(&call).await.unwrap();
        let first = store.add_deployment_key().await.unwrap();
        store.seal_calls_anew().await.unwrap();
        let mut tx = store.write().await.unwrap();
        note_generation(&mut tx, first).await.unwrap();
        tx.commit().await.unwrap();
        // The second is begun, and has sealed nothing yet, when the first destroys what it has replaced.
        store.add_deployment_key().await.unwrap();
        store.drop_old_deployment_keys().await.unwrap();
        assert!(store.call(&call.call_id).await.unwrap().is_some());
        store.close().await;
        Store::open(&path).await.unwrap();
    }
}
