//! Opening the switchboard: everything is found, checked and loaded before the first caller.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{MutexGuard, Semaphore};

use crate::bytes::Limits;
use crate::decision::{Calibration, Policy};
use crate::engine::{Asker, Engine, Permit};
use crate::evidence::passport::TrustStore;
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::Card;

use super::active_model::{ActiveModel, Exchanged, model_in_use};
use super::call_sessions::CallSessions;
use super::cert_fetch::CertFetcher;
use super::error::{BoardError, OpenError};
use super::installed::{Installed, installed};
use super::quotas::Quotas;
use super::roster::Roster;
use super::services::Services;
use super::settings::BoardSettings;

/// How long an enrolment waits for its turn: as long as for a store that is busy.
const TURN: Duration = Duration::from_secs(10);

/// Everything a call needs, opened and checked.
pub struct Switchboard {
    pub(super) store: Store,
    /// What calls work with.
    pub(super) services: Arc<Services>,
    pub(super) calls: CallSessions,
    /// The lock is held while another model is loaded.
    pub(super) exchanged: tokio::sync::Mutex<Exchanged>,
    pub(super) settings: BoardSettings,
    pub(super) found: Installed,
    /// Where certificates of PASSporTs are fetched.
    pub(super) cert_fetcher: Option<CertFetcher>,
    /// What keys asked for lately.
    pub(super) quotas: Quotas,
    /// One comparison of all of a number's voices at a time.
    pub(super) comparing: Arc<Semaphore>,
    /// One enrolment at a time is judged and kept: each that is kept voids what was judged beside it.
    enrolling: tokio::sync::Mutex<()>,
}

/// The configured roots of PASSporTs.
///
/// # Errors
/// [`OpenError::PassportRoots`] when they cannot be read or are none.
pub fn passport_roots(settings: &BoardSettings) -> Result<TrustStore, OpenError> {
    let Some(path) = &settings.identity.passport_roots else {
        return Ok(TrustStore::default());
    };
    let failed = |cause: String| OpenError::PassportRoots {
        path: path.clone(),
        cause,
    };
    let pem = std::fs::read(path).map_err(|cause| failed(cause.to_string()))?;
    TrustStore::from_pem(&pem).map_err(|cause| failed(cause.to_string()))
}

impl Switchboard {
    /// Opens the store, checks and loads the models, and connects the gallery.
    ///
    /// # Errors
    /// [`OpenError`] saying what is missing or wrong and how to put it right.
    pub async fn open(settings: &BoardSettings) -> Result<Self, OpenError> {
        let store = Store::connect(&settings.store).await?;
        let store = store.with_pin_rule(settings.identity.pin_rule);
        let cert_fetcher = CertFetcher::new(&settings.identity, passport_roots(settings)?)?;
        let found = installed(settings)?;
        let model = model_in_use(&store, settings).await?;
        if settings.model_named && model != settings.model {
            let other = &settings.model;
            tracing::warn!(
                %model,
                "{model} serves, whose voiceprints are in the store, and not {other}, which is configured: \
                 `voxline models switch` changes the model"
            );
        }
        let active_model = ActiveModel::open(settings, &found, &store, &model, None)
            .await
            .map_err(|fault| fault.of_stored(&model, &settings.model))?;
        Ok(Self {
            services: Arc::new(Services::new(settings, store.clone(), active_model)),
            store,
            calls: CallSessions::default(),
            exchanged: tokio::sync::Mutex::default(),
            settings: settings.clone(),
            found,
            cert_fetcher,
            quotas: Quotas::default(),
            comparing: Arc::new(Semaphore::new(1)),
            enrolling: tokio::sync::Mutex::default(),
        })
    }

    /// What serves calls now.
    pub(super) fn active_model(&self) -> Arc<ActiveModel> {
        self.services.active_model()
    }

    /// The system of record.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The speaker model in use.
    pub fn card(&self) -> Card {
        self.active_model().card.clone()
    }

    /// The calibration in use.
    pub fn calibration(&self) -> Calibration {
        self.active_model().calibration.clone()
    }

    /// What calls are decided by, where a number promises nothing of its own.
    pub fn policy(&self) -> Policy {
        self.active_model().policy
    }

    /// The bounds on uploads and recordings.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The longest live call that is followed.
    pub fn longest_call(&self) -> Seconds {
        self.services.longest_call
    }

    /// The inference engine, for its load.
    pub fn engine(&self) -> Engine {
        self.active_model().engine.clone()
    }

    /// Asks to be admitted: nothing is analysed without a permit.
    ///
    /// # Errors
    /// [`BoardError::Busy`] when as much is going on as this machine can bear.
    pub fn admit(&self, asker: Asker<'_>) -> Result<Permit, BoardError> {
        Ok(self.active_model().engine.admit(asker)?)
    }

    /// The parts that do not work now, each by name and with its fault in words. The models are always
    /// in order: without them nothing opens.
    pub async fn out_of_order(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let store = match self.store.check().await {
            Ok(_) => self.store.check_writable().await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = store {
            faults.push(("the store", fault.to_string()));
        }
        if let Some(fault) = self.services.auditor.fault() {
            faults.push(("the audit log", fault));
        }
        if let Err(fault) = self.active_model().gallery_cache.gallery().ready().await {
            faults.push(("the gallery", fault.to_string()));
        }
        faults
    }

    /// The roster of a number as it is now; an error unless the number is one of ours.
    pub(super) async fn known_number(&self, number: &DialedNumber) -> Result<Arc<Roster>, BoardError> {
        self.services
            .rosters
            .now(number)
            .await
            .map_err(|fault| match fault {
                StoreError::UnknownNumber(number) => BoardError::UnknownNumber(number),
                fault => fault.into(),
            })
    }

    /// An error unless there is such a user, and they let their voice be compared.
    pub(super) async fn may_be_enrolled(&self, user: UserId) -> Result<(), BoardError> {
        match self.store.user(user).await? {
            Some(known) if known.opted_out => Err(StoreError::OptedOut(user).into()),
            Some(_) => Ok(()),
            None => Err(BoardError::UnknownUser(user)),
        }
    }

    /// The turn of an enrolment to be judged and kept.
    pub(super) async fn turn_to_enrol(&self) -> Result<MutexGuard<'_, ()>, BoardError> {
        let turn = tokio::time::timeout(TURN, self.enrolling.lock()).await;
        turn.map_err(|_| StoreError::Busy.into())
    }

    /// The numbers a user is on.
    pub(super) async fn numbers_of(&self, user: UserId) -> Result<Vec<DialedNumber>, BoardError> {
        match self.store.user(user).await? {
            Some(known) => Ok(known.numbers),
            None => Err(BoardError::UnknownUser(user)),
        }
    }
}
