//! What goes because its time is over.

use crate::store::RetentionTally;

use super::board::Switchboard;
use super::error::BoardError;

/// What went because its time was over, by kind.
pub(crate) const RETIRED: &str = "voxline_retention_removed_total";

impl Switchboard {
    /// Removes what is older than it is kept, and makes the gallery equal to the store where voices went; nothing while
    /// the machine's clock is in doubt.
    ///
    /// # Errors
    /// [`BoardError`] when the store cannot be written.
    pub async fn retain(&self) -> Result<RetentionTally, BoardError> {
        let Some(gone) = self.store.retain_unattended(&self.settings.retention).await? else {
            tracing::warn!(
                "the machine's clock went on by more than 30 days since the store was last tidied: what is older than it is \
                 kept stays; where the clock is right, give `voxline retention run`"
            );
            return Ok(RetentionTally::default());
        };
        for (kind, count) in gone.counts() {
            metrics::counter!(RETIRED, "kind" => kind).increment(count);
        }
        if gone.voices > 0 {
            self.refresh().await;
        }
        if !gone.is_empty() {
            tracing::info!(?gone, "what was older than it is kept is gone");
        }
        Ok(gone)
    }
}
