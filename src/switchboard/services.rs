//! What every call works with: the store, the rosters, the model in use, the record of verdicts and whoever reads them.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::OnceCell;

use crate::decision::ReplayRule;
use crate::store::{KeyedHash, Store, StoreError};
use crate::units::Seconds;

use super::active_model::ActiveModel;
use super::auditor::Auditor;
use super::callers::Callers;
use super::own_lines::OwnLines;
use super::owners::Owners;
use super::recorder::Recorder;
use super::roster::Rosters;
use super::settings::{BoardSettings, IdentitySettings};
use super::updates::Channels;
use super::wrong_pins::WrongPins;

/// What every call works with.
pub(super) struct Services {
    pub store: Store,
    /// By which streams of this node are told from those of others.
    pub node: u32,
    pub identity: IdentitySettings,
    pub longest_call: Seconds,
    /// What callers' speech is compared with.
    pub replay: ReplayRule,
    pub rosters: Rosters,
    /// Whose each number is.
    pub owners: Owners,
    /// The lines of all numbers.
    pub own_lines: OwnLines,
    /// Whose numbers callers' numbers were heard to be.
    pub callers: Callers,
    pub recorder: Recorder,
    /// Accounts for what writes nothing else to the store.
    pub auditor: Auditor,
    /// The wrong PINs of a moment ago.
    pub wrong_pins: WrongPins,
    /// Every call's verdicts, as they come.
    pub channels: Channels,
    active_model: RwLock<Arc<ActiveModel>>,
    /// Made when it is first needed: that may make a file.
    hash: OnceCell<KeyedHash>,
}

impl Services {
    /// The services of one switchboard over `store`; it spawns the tasks that record verdicts and write the audit log.
    pub fn new(settings: &BoardSettings, store: Store, active_model: ActiveModel) -> Self {
        Self {
            identity: settings.identity.clone(),
            longest_call: settings.longest_call,
            replay: settings.replay,
            rosters: Rosters::new(store.clone()),
            owners: Owners::new(store.clone()),
            own_lines: OwnLines::new(store.clone()),
            callers: Callers::default(),
            recorder: Recorder::begin(store.clone(), settings.answer_budget),
            wrong_pins: WrongPins::default(),
            channels: Channels::default(),
            auditor: Auditor::begin(store.clone()),
            active_model: RwLock::new(Arc::new(active_model)),
            hash: OnceCell::new(),
            node: fresh_node(),
            store,
        }
    }

    /// What serves calls now.
    pub fn active_model(&self) -> Arc<ActiveModel> {
        Arc::clone(&self.active_model.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has another model serve calls from here on.
    pub fn exchange_model(&self, next: ActiveModel) {
        *self.active_model.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// The keyed hash of this deployment's values.
    ///
    /// # Errors
    /// [`StoreError`] when the key can neither be read nor made.
    pub async fn keyed_hash(&self) -> Result<KeyedHash, StoreError> {
        let hash = self.hash.get_or_try_init(|| self.store.keyed_hash()).await?;
        Ok(hash.clone())
    }
}

/// A number that no other node has, but by an improbable chance.
fn fresh_node() -> u32 {
    let mut random = [0; 4];
    // Without any, streams are told apart as long as two do not begin at one moment.
    let _ = getrandom::fill(&mut random);
    u32::from_le_bytes(random)
}
