//! The next version of what is said of a call, put in the place of the one before.
//!
//! Several nodes may say something of one call at a time. Nothing that was said is lost by that: a version takes the place of
//! just that one which it was made over, and who was too late takes in what is there and says theirs anew. The last word on a
//! call is never too late, but for another last word.

use serde_json::Value;
use time::OffsetDateTime;

use super::by_claims::at_rest;
use super::call_records::CallRecord;
use super::redaction::{leave_out_the_removed, note_users};
use super::sealed_verdicts::{evidence_place, searched_by, verdict_place, version_place, version_row};
use crate::store::database::{Tx, query, query_as};
use crate::store::last_use::note_use;
use crate::store::values::time_text;
use crate::store::{Store, StoreError};

/// Most bytes of a verdict's JSON; one with ten candidates has some two kilobytes.
const MAX_VERDICT_BYTES: usize = 256 * 1024;
/// Most versions that are kept of a call. A call has a handful: one for each word that is new.
const MAX_VERSIONS: i64 = 200;

/// A version of a call's verdict that is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// What is said, and of which call.
    pub record: CallRecord,
    /// What it was made over.
    pub over: MadeOver,
    /// Whether it says something new. One that does not is the latest word on the call, and none of its history.
    pub is_news: bool,
}

/// What was known to be on record of a call when a version was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeOver {
    /// Whatever has a lower number: nobody else says anything of the call.
    Any,
    /// Nothing.
    Nothing,
    /// The version of this number that was reached at this time; two nodes may give one number to different ones.
    Version(u64, OffsetDateTime),
}

impl MadeOver {
    /// Whether it is any, and else the number and the time of the one that it is.
    fn columns(self) -> Result<(bool, Option<i64>, Option<String>), StoreError> {
        Ok(match self {
            Self::Any => (true, None, None),
            Self::Nothing => (false, None, None),
            Self::Version(number, at) => (false, Some(version_column(number)?), Some(time_text(at))),
        })
    }
}

fn version_column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::OutOfRange {
        what: "verdict's version",
    })
}

/// Who was recognised by voice.
fn recognised(verdict: &Value) -> Option<&str> {
    let named = verdict.get("outcome").and_then(Value::as_str) == Some("identified");
    verdict.get("user_id").filter(|_| named)?.as_str()
}

/// Writes the latest word on a call, where it is one; gives its number then. One that was written already, and of which no
/// answer came, is written again.
async fn write_latest(
    conn: &mut Tx,
    NewVersion { record, over, .. }: &NewVersion,
    sealed: (Vec<u8>, Option<Vec<u8>>),
    [status, speaker, owner]: [Option<String>; 3],
) -> Result<Option<i64>, StoreError> {
    let (is_over_any, over_number, over_time) = over.columns()?;
    let written = query_as(
        "INSERT INTO calls (call_id, number, started_at, updated_at, version, final, verdict, evidence, \
         speaker_status, speaker_id, owner_id, tenant_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
         COALESCE((SELECT tenant_id FROM numbers WHERE number = $2), '')) \
         ON CONFLICT (call_id) DO UPDATE SET updated_at = excluded.updated_at, \
         version = CASE WHEN excluded.final AND calls.version >= excluded.version THEN calls.version + 1 \
         ELSE excluded.version END, \
         final = excluded.final, verdict = excluded.verdict, \
         evidence = excluded.evidence, speaker_status = excluded.speaker_status, \
         speaker_id = excluded.speaker_id, owner_id = excluded.owner_id \
         WHERE NOT calls.final AND (excluded.final \
         OR (calls.version < excluded.version AND ($12 OR (calls.version = $13 AND calls.updated_at = $14))) \
         OR (calls.version = excluded.version AND calls.updated_at = excluded.updated_at AND NOT $12)) \
         RETURNING version",
    )
    .bind(record.call_id.as_str())
    .bind(record.number.as_e164())
    .bind(time_text(record.started_at))
    .bind(time_text(record.updated_at))
    .bind(version_column(record.version)?)
    .bind(record.is_final)
    .bind(sealed.0)
    .bind(sealed.1)
    .bind(status)
    .bind(speaker)
    .bind(owner)
    .bind(is_over_any)
    .bind(over_number)
    .bind(over_time);
    let row: Option<(i64,)> = written.fetch_optional(conn).await?;
    Ok(row.map(|(version,)| version))
}

/// Writes a version among those that stay to be read, and lets the oldest go where there are too many.
async fn keep_version(
    conn: &mut Tx,
    call: &str,
    (version, at): (i64, OffsetDateTime),
    verdict: &str,
) -> Result<(), StoreError> {
    let row = version_row(call, version);
    let sealed = conn.keys().await?.seal(version_place(&row), verdict.as_bytes())?;
    query(
        "INSERT INTO verdicts (call_id, version, at, verdict) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (call_id, version) DO UPDATE SET at = excluded.at, verdict = excluded.verdict",
    )
    .bind(call)
    .bind(version)
    .bind(time_text(at))
    .bind(sealed)
    .execute(&mut *conn)
    .await?;
    query(
        "DELETE FROM verdicts WHERE call_id = $1 AND version < (SELECT MIN(version) FROM (SELECT version \
         FROM verdicts WHERE call_id = $1 ORDER BY version DESC LIMIT $2) AS kept)",
    )
    .bind(call)
    .bind(MAX_VERSIONS)
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// As [`Store::put_version`], of news over whatever has a lower number.
    ///
    /// # Errors
    /// Likewise.
    pub async fn put_verdict(&self, record: &CallRecord) -> Result<bool, StoreError> {
        let new = NewVersion {
            record: record.clone(),
            over: MadeOver::Any,
            is_news: true,
        };
        self.put_version(&new).await
    }

    /// Stores a version of a call's verdict where what is on record is what it was made over; says whether it was stored. A
    /// final one is stored over anything that is not final, with a number above that one's: nothing else follows it. Putting one
    /// twice is harmless. The call keeps the number and the
    /// beginning of its first verdict, and the evidence of its last one until that is final; every version that says something
    /// new stays to be read by [`Store::verdicts`]. It is of its number's tenant; of a number that is not here (any more) it is
    /// nobody's, and no [`Access`](crate::store::Access) sees it.
    ///
    /// Who is no user (any more) is left out, as an erasure would have left them out: a verdict that was reached
    /// before somebody was removed may be stored after.
    ///
    /// # Errors
    /// [`StoreError::VerdictTooLarge`], of the verdict or its evidence; [`StoreError::OutOfRange`].
    pub async fn put_version(&self, new: &NewVersion) -> Result<bool, StoreError> {
        let record = &new.record;
        version_column(record.version)?;
        let mut verdict = record.verdict.clone();
        let mut evidence = record.evidence.clone().filter(|_| !record.is_final);
        let mut tx = self.write_beside().await?;
        leave_out_the_removed(&mut tx, &mut verdict, evidence.as_mut()).await?;
        let named = verdict;
        let call = record.call_id.as_str();
        let (verdict, evidence) = (
            at_rest(&named).to_string(),
            evidence.map(|evidence| evidence.to_string()),
        );
        let bytes = verdict.len().max(evidence.as_ref().map_or(0, String::len));
        if bytes > MAX_VERDICT_BYTES {
            return Err(StoreError::VerdictTooLarge {
                call: record.call_id.clone(),
                bytes,
                max: MAX_VERDICT_BYTES,
            });
        }
        let keys = tx.keys().await?;
        let sealed = keys.seal(verdict_place(call), verdict.as_bytes())?;
        let evidence = evidence.map(|text| keys.seal(evidence_place(call), text.as_bytes()));
        let sealed = (sealed, evidence.transpose()?);
        let Some(version) = write_latest(&mut tx, new, sealed, searched_by(&named)).await? else {
            return Ok(false);
        };
        if new.is_news {
            keep_version(&mut tx, call, (version, record.updated_at), &verdict).await?;
        }
        // Also of what is no news: among its likeliest there may be others than in the version before.
        note_users(&mut tx, call, &named).await?;
        note_use(&mut tx, recognised(&named), record.updated_at).await?;
        if record.is_final {
            // Half a PIN is nobody's any more.
            query("DELETE FROM keypads WHERE call_id = $1")
                .bind(call)
                .execute(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
