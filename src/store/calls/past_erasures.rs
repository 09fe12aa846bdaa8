//! Taking out of stored verdicts what erasures of older releases left in them.

use serde_json::Value;

use super::redaction::clear_nameless_voice;
use super::sealed_verdicts::{verdict_place, version_place, version_row, write_version};
use crate::store::database::{query, query_as, read_fact, write_fact};
use crate::store::{Store, StoreError};

/// The fact that says that it was done.
const FACT: &str = "nameless_ratios_cleared";
/// Rows of one transaction: together at most 16 MiB.
const PAGE: usize = 64;

impl Store {
    /// Takes the voice's ratio out of verdicts that name nobody and have no ratio of their own any more, once: older releases
    /// took a user's out of the one place and left it in the other. Whose it was cannot be told, so of calls of others it
    /// may go too.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; it is begun again the next time.
    pub(in crate::store) async fn finish_past_erasures(&self) -> Result<(), StoreError> {
        if read_fact(&mut self.read().await?, FACT).await?.is_some() {
            return Ok(());
        }
        let mut after = Some((String::new(), -1));
        while let Some(seen) = after {
            after = self.clear_versions_after(seen).await?;
        }
        let mut after = Some(String::new());
        while let Some(seen) = after {
            after = self.clear_calls_after(seen).await?;
        }
        let mut tx = self.write().await?;
        write_fact(&mut tx, FACT, &[1]).await?;
        Ok(tx.commit().await?)
    }

    /// A page of versions; gives the last of it, if more may follow.
    async fn clear_versions_after(
        &self,
        (call, version): (String, i64),
    ) -> Result<Option<(String, i64)>, StoreError> {
        let mut tx = self.write().await?;
        let page: Vec<(String, i64, Vec<u8>)> = query_as(
            "SELECT call_id, version, verdict FROM verdicts WHERE (call_id, version) > ($1, $2) \
             ORDER BY call_id, version LIMIT $3",
        )
        .bind(call)
        .bind(version)
        .bind(PAGE as i64)
        .fetch_all(&mut tx)
        .await?;
        let keys = tx.keys().await?;
        for (call, version, sealed) in &page {
            let row = version_row(call, *version);
            // What does not open is told by whoever reads it.
            if let Ok(mut verdict) = keys.open_json(version_place(&row), sealed, "verdict")
                && clear_what_was_left(&mut verdict)
            {
                write_version(
                    &mut tx,
                    &keys,
                    (call.as_str(), *version),
                    verdict.to_string().as_bytes(),
                )
                .await?;
            }
        }
        tx.commit().await?;
        let last = page.into_iter().nth(PAGE - 1);
        Ok(last.map(|(call, version, _)| (call, version)))
    }

    /// A page of last words; gives the last of it, if more may follow.
    async fn clear_calls_after(&self, seen: String) -> Result<Option<String>, StoreError> {
        let mut tx = self.write().await?;
        let page: Vec<(String, Vec<u8>)> =
            query_as("SELECT call_id, verdict FROM calls WHERE call_id > $1 ORDER BY call_id LIMIT $2")
                .bind(seen)
                .bind(PAGE as i64)
                .fetch_all(&mut tx)
                .await?;
        let keys = tx.keys().await?;
        for (call, sealed) in &page {
            if let Ok(mut verdict) = keys.open_json(verdict_place(call), sealed, "verdict")
                && clear_what_was_left(&mut verdict)
            {
                query("UPDATE calls SET verdict = $2 WHERE call_id = $1")
                    .bind(call)
                    .bind(keys.seal(verdict_place(call), verdict.to_string().as_bytes())?)
                    .execute(&mut tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(page.into_iter().nth(PAGE - 1).map(|(last, _)| last))
    }
}

/// Says whether there was anything.
fn clear_what_was_left(verdict: &mut Value) -> bool {
    verdict.get("llr").is_some_and(Value::is_null) && clear_nameless_voice(verdict)
}
