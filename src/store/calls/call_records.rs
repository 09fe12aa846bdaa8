//! Calls and what was said of them, version by version. A verdict only moves forward.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::redaction::{leave_out_the_removed, note_users};
use super::sealed_verdicts::{
    evidence_place, open_one, searched_by, verdict_place, version_place, version_row,
};
use crate::store::database::{Tx, each, query, query_as};
use crate::store::last_use::note_use;
use crate::store::values::{now, read, read_time, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::{CallId, DialedNumber};

/// Most bytes of a verdict's JSON; one with ten candidates has some two kilobytes.
const MAX_VERDICT_BYTES: usize = 256 * 1024;
/// Most calls of one page.
pub(super) const MAX_PAGE: u32 = 500;
/// Most versions that are kept of a call. A call has a handful: one for each word that is new.
const MAX_VERSIONS: i64 = 200;
/// After so long without news a call that never ended is lost.
const LOST: Duration = Duration::days(1);

/// The latest verdict of a call. Nothing biometric belongs in it: no audio, no embedding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRecord {
    /// Id of the call.
    pub call_id: CallId,
    /// The dialed number.
    pub number: DialedNumber,
    /// When the call began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When this verdict was reached.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Which verdict of the call this is; rises.
    pub version: u64,
    /// Whether no other will follow.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The verdict, as JSON.
    pub verdict: serde_json::Value,
    /// What it rests on, for whoever takes the call up after a restart; `None` of a call that is over. Nobody is
    /// shown it, and lists of calls are without.
    #[serde(skip)]
    pub evidence: Option<serde_json::Value>,
}

/// One version of a call's verdict, with the evidence that it rested on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictVersion {
    /// The verdict's version, from 1.
    pub version: u64,
    /// When it was reached.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was said.
    pub verdict: serde_json::Value,
}

/// Who was recognised by voice.
fn recognised(verdict: &serde_json::Value) -> Option<&str> {
    let named = verdict.get("outcome").and_then(serde_json::Value::as_str) == Some("identified");
    verdict.get("user_id").filter(|_| named)?.as_str()
}

pub(super) type Row = (String, String, String, String, i64, bool, Vec<u8>);
type WholeRow = (
    String,
    String,
    String,
    String,
    i64,
    bool,
    Vec<u8>,
    Option<Vec<u8>>,
);

/// Writes the latest word on a call, where it is one; gives how many rows that changed.
async fn write_latest(
    conn: &mut Tx,
    record: &CallRecord,
    version: i64,
    verdict: Vec<u8>,
    evidence: Option<Vec<u8>>,
    [status, speaker, owner]: [Option<String>; 3],
) -> Result<u64, StoreError> {
    let done = query(
        "INSERT INTO calls (call_id, number, started_at, updated_at, version, final, verdict, evidence, \
         speaker_status, speaker_id, owner_id, tenant_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
         COALESCE((SELECT tenant_id FROM numbers WHERE number = $2), '')) \
         ON CONFLICT (call_id) DO UPDATE SET updated_at = excluded.updated_at, \
         version = excluded.version, final = excluded.final, verdict = excluded.verdict, \
         evidence = excluded.evidence, speaker_status = excluded.speaker_status, \
         speaker_id = excluded.speaker_id, owner_id = excluded.owner_id \
         WHERE NOT calls.final AND (excluded.version > calls.version \
         OR (excluded.final AND excluded.version = calls.version))",
    )
    .bind(record.call_id.as_str())
    .bind(record.number.as_e164())
    .bind(time_text(record.started_at))
    .bind(time_text(record.updated_at))
    .bind(version)
    .bind(record.is_final)
    .bind(verdict)
    .bind(evidence)
    .bind(status)
    .bind(speaker)
    .bind(owner);
    Ok(done.execute(conn).await?)
}

/// A call whose last word was opened.
pub(super) fn read_call(row: Row, verdict: serde_json::Value) -> Result<CallRecord, StoreError> {
    let (call_id, number, started_at, updated_at, version, is_final, _) = row;
    Ok(CallRecord {
        verdict,
        call_id: read(&call_id, "call id")?,
        number: read(&number, "number")?,
        started_at: read_time(&started_at)?,
        updated_at: read_time(&updated_at)?,
        version: read_u64(version, "verdict version")?,
        is_final,
        evidence: None,
    })
}

impl Store {
    /// Stores a verdict unless one of the same or a higher version is there, or a final one; a final one stands over another of
    /// its version, which a second node may have reached at that very moment. Says whether it was stored, so that
    /// putting one twice is harmless. The call keeps the number and the
    /// beginning of its first verdict, and the evidence of its last one until that is final; every version stays
    /// to be read by [`Store::verdicts`]. It is of its number's tenant; of a number that is not here (any more) it is
    /// nobody's, and no [`Access`](crate::store::Access) sees it.
    ///
    /// Who is no user (any more) is left out, as an erasure would have left them out: a verdict that was reached
    /// before somebody was removed may be stored after.
    ///
    /// # Errors
    /// [`StoreError::VerdictTooLarge`], of the verdict or its evidence; [`StoreError::OutOfRange`].
    pub async fn put_verdict(&self, record: &CallRecord) -> Result<bool, StoreError> {
        let version = i64::try_from(record.version).map_err(|_| StoreError::OutOfRange {
            what: "verdict's version",
        })?;
        let mut verdict = record.verdict.clone();
        let mut evidence = record.evidence.clone().filter(|_| !record.is_final);
        let mut tx = self.write_beside().await?;
        leave_out_the_removed(&mut tx, &mut verdict, evidence.as_mut()).await?;
        let named = verdict;
        let call = record.call_id.as_str();
        let (verdict, evidence) = (named.to_string(), evidence.map(|evidence| evidence.to_string()));
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
        let searched_by = searched_by(&named);
        let done = write_latest(
            &mut tx,
            record,
            version,
            sealed,
            evidence.transpose()?,
            searched_by,
        )
        .await?;
        if done == 0 {
            return Ok(false);
        }
        query(
            "INSERT INTO verdicts (call_id, version, at, verdict) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (call_id, version) DO UPDATE SET at = excluded.at, verdict = excluded.verdict",
        )
        .bind(record.call_id.as_str())
        .bind(version)
        .bind(time_text(record.updated_at))
        .bind(keys.seal(version_place(&version_row(call, version)), verdict.as_bytes())?)
        .execute(&mut tx)
        .await?;
        query(
            "DELETE FROM verdicts WHERE call_id = $1 AND version < (SELECT MIN(version) FROM (SELECT version \
             FROM verdicts WHERE call_id = $1 ORDER BY version DESC LIMIT $2) AS kept)",
        )
        .bind(record.call_id.as_str())
        .bind(MAX_VERSIONS)
        .execute(&mut tx)
        .await?;
        note_users(&mut tx, record.call_id.as_str(), &named).await?;
        note_use(&mut tx, recognised(&named), record.updated_at).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// `record` without who is no user (any more), as [`Store::put_verdict`] would store it.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn as_stored(&self, mut record: CallRecord) -> Result<CallRecord, StoreError> {
        let mut tx = self.read().await?;
        leave_out_the_removed(&mut tx, &mut record.verdict, record.evidence.as_mut()).await?;
        Ok(record)
    }

    /// Every version of what was said of a call, oldest first; the latest 200 of one that has more, and none that does not
    /// open. None of a call whose verdicts are older than this record of them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn verdicts(&self, id: &CallId) -> Result<Vec<VerdictVersion>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(i64, String, Vec<u8>)> =
            query_as("SELECT version, at, verdict FROM verdicts WHERE call_id = $1 ORDER BY version")
                .bind(id.as_str())
                .fetch_all(&mut tx)
                .await?;
        let keys = tx.keys().await?;
        let read = |(version, at, sealed): (i64, String, Vec<u8>)| {
            let row = version_row(id.as_str(), version);
            let verdict = open_one(&keys, version_place(&row), id.as_str(), &sealed)?;
            Some((version, at, verdict))
        };
        let opened = rows.into_iter().filter_map(read).map(|(version, at, verdict)| {
            Ok(VerdictVersion {
                version: read_u64(version, "verdict version")?,
                at: read_time(&at)?,
                verdict,
            })
        });
        opened.collect()
    }

    /// Forgets what calls rest on that went on when the service ended and of whose end no word came: nobody takes them
    /// up any more after a day. What was said of them stays. Says of how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or written though there is something to forget.
    pub(in crate::store) async fn forget_lost_calls(&self) -> Result<u64, StoreError> {
        let before = time_text(now() - LOST);
        let (lost,): (bool,) =
            query_as("SELECT EXISTS (SELECT 1 FROM calls WHERE evidence IS NOT NULL AND updated_at < $1)")
                .bind(&before)
                .fetch_one(self.pool())
                .await?;
        if !lost {
            return Ok(0);
        }
        let done = query("UPDATE calls SET evidence = NULL WHERE evidence IS NOT NULL AND updated_at < $1")
            .bind(&before)
            .execute(self.writers())
            .await?;
        Ok(done)
    }

    /// A call's latest verdict; `None` when there is no such call.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn call(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<WholeRow> = query_as(
            "SELECT call_id, number, started_at, updated_at, version, final, verdict, evidence FROM calls \
             WHERE call_id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&mut tx)
        .await?;
        let Some((id, number, started_at, updated_at, version, is_final, verdict, evidence)) = row else {
            return Ok(None);
        };
        let keys = tx.keys().await?;
        let evidence = evidence.map(|sealed| keys.open_json(evidence_place(&id), &sealed, "evidence"));
        let said = keys.open_json(verdict_place(&id), &verdict, "verdict")?;
        let row = (id, number, started_at, updated_at, version, is_final, verdict);
        Ok(Some(CallRecord {
            evidence: evidence.transpose()?,
            ..read_call(row, said)?
        }))
    }

    /// The dialed number of a call; `None` when there is no such call. One look-up by primary key.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn number_of_call(&self, id: &CallId) -> Result<Option<DialedNumber>, StoreError> {
        let row: Option<(String,)> = query_as("SELECT number FROM calls WHERE call_id = $1")
            .bind(id.as_str())
            .fetch_optional(self.pool())
            .await?;
        row.map(|(number,)| read(&number, "number")).transpose()
    }

    /// Which version of each of these calls is the latest, and when it was reached; nothing of one that is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn latest_versions(
        &self,
        calls: &[CallId],
    ) -> Result<Vec<(CallId, u64, OffsetDateTime)>, StoreError> {
        let ids: Vec<&str> = calls.iter().map(CallId::as_str).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| StoreError::Unreadable { what: "call id" })?;
        let statement = each(
            "SELECT call_id, version, updated_at FROM calls WHERE call_id IN (SELECT value FROM json_each($1))",
            "SELECT call_id, version, updated_at FROM calls \
             WHERE call_id IN (SELECT json_array_elements_text(CAST($1 AS json)))",
        );
        let rows: Vec<(String, i64, String)> = query_as(statement).bind(ids).fetch_all(self.pool()).await?;
        let read = |(id, version, at): (String, i64, String)| {
            let version = read_u64(version, "verdict version")?;
            Ok((read(&id, "call id")?, version, read_time(&at)?))
        };
        rows.into_iter().map(read).collect()
    }

    /// The last words on the latest calls to `number` that are over, newest first, at most `limit` (and 500); those that open.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or none of them opens.
    pub async fn last_words(
        &self,
        number: &DialedNumber,
        limit: u32,
    ) -> Result<Vec<serde_json::Value>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(String, Vec<u8>)> = query_as(
            "SELECT call_id, verdict FROM calls WHERE number = $1 AND final ORDER BY started_at DESC LIMIT $2",
        )
        .bind(number.as_e164())
        .bind(i64::from(limit.min(MAX_PAGE)))
        .fetch_all(&mut tx)
        .await?;
        let keys = tx.keys().await?;
        let open = |(call, sealed): &(String, Vec<u8>)| open_one(&keys, verdict_place(call), call, sealed);
        let opened: Vec<serde_json::Value> = rows.iter().filter_map(open).collect();
        if opened.is_empty() && !rows.is_empty() {
            return Err(StoreError::Unreadable { what: "verdict" });
        }
        Ok(opened)
    }
}
