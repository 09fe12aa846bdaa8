//! What goes because its time is over.

use crate::store::RetentionTally;

use super::board::Switchboard;
use super::error::BoardError;

/// What went because its time was over, by kind.
pub(crate) const RETIRED: &str = "voxline_retention_removed_total";

impl Switchboard {
    /// Removes what is older than it is kept, and makes the gallery equal to the store where voices went.
    ///
    /// # Errors
    /// [`BoardError`] when the store cannot be written.
    pub async fn retain(&self) -> Result<RetentionTally, BoardError> {
        let gone = self.store.retain(&self.settings.retention).await?;
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
