//! Cutting off what is old, from the beginning, so that what stays can still be verified.

use time::OffsetDateTime;

use super::chain::append;
use super::entry::{Act, NewAudit, cut_at};
use crate::store::database::{query, query_as};
use crate::store::values::time_text;
use crate::store::{Store, StoreError};

/// Entries that go in one transaction.
const PAGE: i64 = 10_000;

impl Store {
    /// Cuts entries from before `before` off the beginning of the log, up to the first that is younger, at most 10 000;
    /// says how many went. One from after now, when the clock was wrong, goes with those around it. The hash of the last
    /// of them is kept, from which the rest goes on, and an entry tells of it: a cut without one is found.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn cut_audit(&self, before: OffsetDateTime) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let last: Option<(i64, Vec<u8>)> = query_as(
            "SELECT seq, hash FROM audit WHERE at < $1 \
             AND seq < COALESCE((SELECT MIN(seq) FROM audit WHERE at >= $1 AND at <= $4), $2) \
             AND seq <= (SELECT cut_seq FROM audit_head) + $3 ORDER BY seq DESC LIMIT 1",
        )
        .bind(time_text(before))
        .bind(i64::MAX)
        .bind(PAGE)
        .bind(time_text(self.clock.read().wall))
        .fetch_optional(&mut tx)
        .await?;
        let Some((seq, hash)) = last else {
            return Ok(0);
        };
        // First where it is cut: up to there, and no further, the database lets entries go.
        query("UPDATE audit_head SET cut_seq = $1, cut_hash = $2 WHERE one = 1")
            .bind(seq)
            .bind(&hash)
            .execute(&mut tx)
            .await?;
        let gone = query("DELETE FROM audit WHERE seq <= $1")
            .bind(seq)
            .execute(&mut tx)
            .await?;
        append(&mut tx, &NewAudit::new(Act::AuditCut).object(cut_at(seq, &hash))).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
