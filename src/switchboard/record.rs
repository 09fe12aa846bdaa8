//! What was said of calls, as it is shown: what is recorded, and what was given out and waits to be.

use super::board::Switchboard;
use crate::store::{CallRecord, NewVersion, StoreError, VerdictVersion};
use crate::units::{CallId, DialedNumber};

impl Switchboard {
    /// A call's latest verdict, never an older one than was given out; `None` when there is no such call. Who is no
    /// user (any more) is not in it.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn call_record(&self, call: &CallId) -> Result<Option<CallRecord>, StoreError> {
        // First what waits: what waits no more by the time the store is asked is found there.
        let waiting = self.services.recorder.latest(call);
        let stored = self.store.call(call).await?;
        match waiting {
            Some(waiting) if stored.as_ref().is_none_or(|stored| succeeds(&waiting, stored)) => {
                let mut waiting = waiting.record.clone();
                if let Some(stored) = stored {
                    // As in the store: a call keeps its beginning, and versions rise.
                    waiting.started_at = stored.started_at;
                    waiting.version = waiting.version.max(stored.version + 1);
                }
                Ok(Some(self.store.as_stored(waiting).await?))
            }
            _ => Ok(stored),
        }
    }

    /// The dialed number of a call; `None` when there is no such call.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub(super) async fn number_of_call(&self, call: &CallId) -> Result<Option<DialedNumber>, StoreError> {
        // In the order of [`Self::call_record`], and for its reason.
        match self.services.recorder.latest(call) {
            Some(waiting) => Ok(Some(waiting.record.number.clone())),
            None => self.store.number_of_call(call).await,
        }
    }

    /// Every version of what was said of a call, with the evidence that each rested on, oldest first; `None` when
    /// there is no such call.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn versions_of(&self, call: &CallId) -> Result<Option<Vec<VerdictVersion>>, StoreError> {
        let waiting = self.services.recorder.waiting_of(call);
        let mut versions = self.store.verdicts(call).await?;
        for waiting in waiting.iter().filter(|waiting| waiting.is_news) {
            let is_later = |last: &VerdictVersion| last.version < waiting.record.version;
            if versions.last().is_none_or(is_later) {
                let record = self.store.as_stored(waiting.record.clone()).await?;
                versions.push(VerdictVersion {
                    version: record.version,
                    at: record.updated_at,
                    verdict: record.verdict,
                });
            }
        }
        if versions.is_empty() && self.store.call(call).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(versions))
    }

    /// Waits until every verdict that was given out is recorded, and everything that was done accounted for.
    pub async fn recorded(&self) {
        self.services.recorder.caught_up().await;
        self.services.auditor.caught_up().await;
    }
}

/// Whether the store would take `waiting` over `stored`.
fn succeeds(NewVersion { record, .. }: &NewVersion, stored: &CallRecord) -> bool {
    !stored.is_final && (record.is_final || record.version > stored.version)
}
