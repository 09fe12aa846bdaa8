//! What serves calls at the moment: one model with its engine, gallery and calibration, exchanged as one.

use std::sync::Arc;

use crate::config::Config;
use crate::decision::{Calibration, Policy};
use crate::engine::{Engine, EngineError};
use crate::store::Store;
use crate::voiceprint::{Card, ModelId};

use super::error::OpenError;
use super::gallery_cache::GalleryCache;
use super::open::{Installed, Switchboard, Usable, usable_calibration};

/// A model at work. Whoever takes it for a question keeps it to the answer: probe, voiceprints and
/// calibration are then of one model, whatever is exchanged meanwhile.
pub(super) struct ActiveModel {
    pub engine: Engine,
    pub gallery_cache: GalleryCache,
    pub card: Card,
    pub calibration: Calibration,
    pub policy: Policy,
}

impl ActiveModel {
    /// Checks and loads `model`. With `before`, the engine lets in as many askers as that one does, both
    /// together.
    pub async fn open(
        config: &Config,
        found: &Installed,
        store: &Store,
        model: &ModelId,
        before: Option<&Engine>,
    ) -> Result<Self, OpenError> {
        let card = found.card(model)?;
        let Usable {
            calibration, policy, ..
        } = usable_calibration(&card, &config.policy)?;
        store.pin_model(model, card.sha256()).await?;
        let (found, loaded, before) = (found.clone(), card.clone(), before.cloned());
        let (threads, capacity) = (config.threads, config.capacity);
        // Hashing and loading take a core for a while: not one that serves sockets.
        let engine = tokio::task::spawn_blocking(move || -> Result<Engine, OpenError> {
            let models = found.models(&loaded)?;
            Ok(match before {
                None => Engine::start(&models, threads, capacity)?,
                Some(before) => before.successor(&models, threads)?,
            })
        });
        let engine = engine.await.map_err(|_| EngineError::Stopped)??;
        let gallery_cache = GalleryCache::open(&config.gallery, store.clone(), card.id().clone())?;
        Ok(Self {
            engine,
            gallery_cache,
            card,
            calibration,
            policy,
        })
    }
}

/// The model that serves this store: the store's own or, where it has no voiceprints yet, the configured
/// one.
///
/// # Errors
/// [`OpenError::Store`] when the store cannot be read.
pub async fn model_in_use(store: &Store, config: &Config) -> Result<ModelId, OpenError> {
    let active = store.active_model().await?;
    Ok(active.unwrap_or_else(|| config.model.clone()))
}

impl Switchboard {
    /// What serves calls now.
    pub(super) fn active_model(&self) -> Arc<ActiveModel> {
        let held = self.active_model.read();
        Arc::clone(&held.unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Takes up the model that the store was switched to, also by another process: it is loaded while the
    /// old one serves, and exchanged at once. While a model cannot be loaded, which the log says once, the old
    /// one goes on.
    pub async fn follow_model(&self) {
        let mut refused = self.refused.lock().await;
        let active = match self.store.active_model().await {
            Ok(Some(active)) => active,
            // An empty store, or one that is out of order, which readiness tells.
            Ok(None) | Err(_) => return,
        };
        let now = self.active_model();
        if active == *now.card.id() {
            return;
        }
        let opened =
            ActiveModel::open(&self.config, &self.found, &self.store, &active, Some(&now.engine)).await;
        match opened {
            Ok(next) => {
                let mut held = self
                    .active_model
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                *held = Arc::new(next);
                drop(held);
                *refused = None;
                tracing::info!(model = %active, "calls are now served by the model {active}");
            }
            Err(_) if refused.as_ref() == Some(&active) => return,
            Err(fault) => {
                let old = now.card.id();
                tracing::error!(
                    model = %active, %fault,
                    "the model {active} was switched to but cannot serve; {old} goes on, and nobody can enrol: {fault}"
                );
                *refused = Some(active);
                return;
            }
        }
        drop(refused);
        self.refresh().await;
    }
}
