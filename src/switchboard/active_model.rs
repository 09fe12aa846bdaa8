//! What serves calls at the moment: one model with its engine, gallery and calibration, exchanged as one.

use std::sync::Weak;

use zeroize::Zeroizing;

use crate::decision::{Calibration, ErrorTarget, Policy, Reason};
use crate::engine::{Engine, EngineError};
use crate::store::Store;
use crate::units::DialedNumber;
use crate::verdict::Identification;
use crate::voiceprint::{Card, ModelId};

use super::error::OpenError;
use super::gallery_cache::GalleryCache;
use super::installed::{Installed, Usable, usable_calibration};
use super::settings::BoardSettings;

/// A model at work. Whoever takes it for a question keeps it to the answer: probe, voiceprints and
/// calibration are then of one model, whatever is exchanged meanwhile.
pub(super) struct ActiveModel {
    pub engine: Engine,
    pub gallery_cache: GalleryCache,
    pub card: Card,
    pub calibration: Calibration,
    pub policy: Policy,
    /// By which voiceprints are turned that leave this process.
    pub index_secret: Zeroizing<[u8; 32]>,
}

/// What is known of models that were exchanged.
#[derive(Default)]
pub(super) struct Exchanged {
    /// The model that was switched to and could not be loaded, so that the log says so once.
    pub refused: Option<ModelId>,
    /// What served before. Questions that began with one are answered by it, and may put its roster back into an index.
    pub before: Vec<Weak<ActiveModel>>,
}

impl ActiveModel {
    /// Checks and loads `model`. With `before`, the engine lets in as many askers as that one does, both
    /// together.
    pub async fn open(
        settings: &BoardSettings,
        found: &Installed,
        store: &Store,
        model: &ModelId,
        before: Option<&Engine>,
    ) -> Result<Self, OpenError> {
        let card = found.card(model)?;
        let Usable {
            calibration, policy, ..
        } = usable_calibration(&card, &settings.policy)?;
        store.pin_model(model, card.sha256(), card.identity()).await?;
        let (found, loaded, before) = (found.clone(), card.clone(), before.cloned());
        let (threads, capacity) = (settings.threads, settings.capacity);
        // Hashing and loading take a core for a while: not one that serves sockets.
        let engine = tokio::task::spawn_blocking(move || -> Result<Engine, OpenError> {
            let models = found.models(&loaded)?;
            Ok(match before {
                None => Engine::start(&models, threads, capacity)?,
                Some(before) => before.successor(&models, threads)?,
            })
        });
        let engine = engine.await.map_err(|_| EngineError::Stopped)??;
        let secret = store.index_secret().await?;
        let gallery_cache = GalleryCache::open(&settings.gallery, secret, store.clone(), card.id().clone())?;
        Ok(Self {
            engine,
            gallery_cache,
            card,
            calibration,
            policy,
            index_secret: Zeroizing::new(secret),
        })
    }

    /// The same model with a gallery of its own, whose voiceprints are turned by the key that the data have by now.
    pub async fn turned_anew(&self, settings: &BoardSettings, store: &Store) -> Result<Self, OpenError> {
        let secret = store.index_secret().await?;
        let model = self.card.id().clone();
        Ok(Self {
            engine: self.engine.clone(),
            gallery_cache: GalleryCache::open(&settings.gallery, secret, store.clone(), model)?,
            card: self.card.clone(),
            calibration: self.calibration.clone(),
            policy: self.policy,
            index_secret: Zeroizing::new(secret),
        })
    }

    /// What is said of a call to `number` on which this model comes to nothing.
    pub fn inconclusive(&self, number: &DialedNumber, reason: Reason) -> Identification {
        let (model, calibration) = (self.card.id().clone(), self.calibration.id.clone());
        Identification::inconclusive(number.clone(), model, calibration, reason)
    }

    /// The policy of a number's calls: each of its own promises takes the place of the usual one.
    pub fn policy_of(&self, own: &ErrorTarget) -> Policy {
        own.instead_in(&self.policy).meeting_its_target(&self.calibration)
    }
}

/// The model that serves this store: the store's own or, where it has no voiceprints yet, the configured
/// one.
///
/// # Errors
/// [`OpenError::Store`] when the store cannot be read.
pub async fn model_in_use(store: &Store, settings: &BoardSettings) -> Result<ModelId, OpenError> {
    let active = store.active_model().await?;
    Ok(active.unwrap_or_else(|| settings.model.clone()))
}
