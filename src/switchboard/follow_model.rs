//! A running switchboard takes up the model that its store was switched to.

use std::sync::Arc;

use super::active_model::{ActiveModel, Exchanged};
use super::board::Switchboard;
use crate::gallery::GalleryChoice;

impl Switchboard {
    /// Takes up the model that the store was switched to, and its key of the index, also by another process: it is loaded while the
    /// old one serves, and exchanged at once. While a model cannot be loaded, which the log says once, the old
    /// one goes on.
    pub async fn follow_model(&self) {
        let mut exchanged = self.exchanged.lock().await;
        self.drop_what_was_left(&mut exchanged).await;
        // Otherwise an empty store, or one that is out of order, which readiness tells.
        let Ok(Some(active)) = self.store.active_model().await else {
            return;
        };
        let now = self.active_model();
        let is_same = active == *now.card.id();
        if is_same && !self.is_turned_otherwise(&now).await {
            return;
        }
        let opened = if is_same {
            // What is loaded stays: a model takes twice its memory while another of it is.
            now.turned_anew(&self.settings, &self.store).await
        } else {
            let before = Some(&now.engine);
            ActiveModel::open(&self.settings, &self.found, &self.store, &active, before).await
        };
        match opened {
            Ok(next) => {
                self.services.exchange_model(next);
                exchanged.refused = None;
                exchanged.before.push(Arc::downgrade(&now));
                tracing::info!(model = %active, "calls are now served by the model {active}");
            }
            Err(_) if exchanged.refused.as_ref() == Some(&active) => return,
            Err(fault) => {
                let old = now.card.id();
                tracing::error!(
                    model = %active, %fault,
                    "the model {active} was switched to but cannot serve; {old} goes on, and nobody can enrol: {fault}"
                );
                exchanged.refused = Some(active);
                return;
            }
        }
        drop(exchanged);
        self.refresh().await;
    }

    /// Once nobody works with what served before any more, has the index forget what that put back meanwhile.
    async fn drop_what_was_left(&self, exchanged: &mut Exchanged) {
        let at_work = exchanged.before.iter().any(|before| before.strong_count() > 0);
        if at_work || exchanged.before.is_empty() {
            return;
        }
        match self.active_model().gallery_cache.gallery().drop_others().await {
            Ok(()) => exchanged.before.clear(),
            Err(fault) => tracing::debug!(%fault, "the index keeps an old collection until later: {fault}"),
        }
    }

    /// Whether an index that is not ours is turned by a key that was changed since, with those of the data.
    async fn is_turned_otherwise(&self, now: &ActiveModel) -> bool {
        if matches!(self.settings.gallery, GalleryChoice::Embedded) {
            return false;
        }
        let secret = self.store.index_secret().await;
        secret.is_ok_and(|secret| secret != *now.index_secret)
    }
}
