//! Adding to the chain. Whoever adds holds the head until their transaction ends, so that two nodes at one store make one
//! chain.

use time::Duration;

use super::entry::{Act, NewAudit, hash_of, row_of};
use crate::store::database::{Tx, query, query_as};
use crate::store::last_use::note_use;
use crate::store::values::{read_time, time_text};
use crate::store::{Store, StoreError};

/// How much older than its call an entry may be: nodes' clocks differ, and a call is stored once something was said of it.
const OLDER: Duration = Duration::days(1);

/// Adds an entry, in the transaction of what it tells of.
pub(in crate::store) async fn append(conn: &mut Tx, new: &NewAudit) -> Result<(), StoreError> {
    // The update takes the head's row for itself on PostgreSQL; SQLite has one writer anyway.
    let (seq, before): (i64, Vec<u8>) =
        query_as("UPDATE audit_head SET seq = seq + 1 WHERE one = 1 RETURNING seq, hash")
            .fetch_one(&mut *conn)
            .await?;
    let row = row_of(seq, new);
    let hash = hash_of(&before, &row)?;
    let (_, at, actor, actor_id, address, act, user_id, object, outcome, detail, _) = row;
    query(
        "INSERT INTO audit (seq, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(seq)
    .bind(at)
    .bind(actor)
    .bind(actor_id)
    .bind(address)
    .bind(act)
    .bind(user_id)
    .bind(object)
    .bind(outcome)
    .bind(detail)
    .bind(&hash[..])
    .execute(&mut *conn)
    .await?;
    query("UPDATE audit_head SET hash = $1 WHERE one = 1")
        .bind(&hash[..])
        .execute(conn)
        .await?;
    Ok(())
}

impl Store {
    /// Adds entries of what writes nothing else, all or none, in their order. Of a call that is served there is one,
    /// whoever writes it first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn audit(&self, entries: &[NewAudit]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for entry in entries {
            if !is_told_already(&mut tx, entry).await? {
                append(&mut tx, entry).await?;
            }
            // A voice that a recording was recognised by is of use.
            if let (Act::Identify, Some(user)) = (entry.act, entry.user) {
                note_use(&mut tx, Some(&user.to_string()), entry.at).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// Whether there is an entry on this call. One that is much older than the call is on another with the same id, which was
/// removed when its time was over.
async fn is_told_already(conn: &mut Tx, entry: &NewAudit) -> Result<bool, StoreError> {
    if entry.act != Act::CallServe {
        return Ok(false);
    }
    let began: Option<(String,)> = query_as("SELECT started_at FROM calls WHERE call_id = $1")
        .bind(&entry.object)
        .fetch_optional(&mut *conn)
        .await?;
    let began = began.map(|(at,)| read_time(&at)).transpose()?;
    let since = began.unwrap_or(entry.at).min(entry.at) - OLDER;
    let told = "SELECT TRUE FROM audit WHERE object = $1 AND act = $2 AND at >= $3 LIMIT 1";
    let told: Option<(bool,)> = query_as(told)
        .bind(&entry.object)
        .bind(Act::CallServe.name())
        .bind(time_text(since))
        .fetch_optional(conn)
        .await?;
    Ok(told.is_some())
}
