//! Calls and what was said of them, version by version. A verdict only moves forward.

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::redaction::leave_out_the_removed;
use super::sealed_verdicts::{evidence_place, open_one, verdict_place, version_place, version_row};
use crate::store::database::{each, query, query_as};
use crate::store::values::{now, read, read_time, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::{CallId, DialedNumber};

/// Most calls of one page.
pub(super) const MAX_PAGE: u32 = 500;
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
    /// `record` without who is no user (any more), as it would be stored.
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
        let versions: Result<Vec<VerdictVersion>, StoreError> = opened.collect();
        drop(tx);
        let mut versions = versions?;
        for version in &mut versions {
            self.name_claimant(&mut version.verdict).await?;
        }
        Ok(versions)
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
        let mut said = keys.open_json(verdict_place(&id), &verdict, "verdict")?;
        drop(tx);
        self.name_claimant(&mut said).await?;
        let row = (id, number, started_at, updated_at, version, is_final, verdict);
        Ok(Some(CallRecord {
            evidence: evidence.transpose()?,
            ..read_call(row, said)?
        }))
    }

    /// What stands of a call in the clear, with an empty verdict and no evidence: of one whose record does not open.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn unopened_call(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let row: Option<Row> = query_as(
            "SELECT call_id, number, started_at, updated_at, version, final, verdict FROM calls WHERE call_id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(self.pool())
        .await?;
        row.map(|row| read_call(row, json!({}))).transpose()
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

    /// Which version of each of these calls is the latest, and when it was reached; nothing of one that is not here. Looks at the
    /// clock of a shared store besides.
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
            "SELECT call_id, version, updated_at, 0 FROM calls WHERE call_id IN (SELECT value FROM json_each($1))",
            "SELECT call_id, version, updated_at, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) \
             FROM calls WHERE call_id IN (SELECT json_array_elements_text(CAST($1 AS json)))",
        );
        let asked = now();
        let rows: Vec<(String, i64, String, i64)> =
            query_as(statement).bind(ids).fetch_all(self.pool()).await?;
        if let Some((.., clock)) = rows.first().filter(|_| self.is_shared()) {
            self.server_clock.note(asked, *clock, now());
        }
        let read = |(id, version, at, _): (String, i64, String, i64)| {
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
