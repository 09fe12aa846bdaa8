//! Opening the switchboard: everything is found, checked and loaded before the first caller.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use tokio::sync::{OnceCell, Semaphore, broadcast};

use crate::bytes::Limits;
use crate::config::{Config, Home};
use crate::decision::{Calibration, Policy};
use crate::engine::{Asker, Engine, Models, Permit};
use crate::evidence::passport::TrustStore;
use crate::store::{KeyedHash, Store};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::{Card, ModelId};

use super::active_model::{ActiveModel, model_in_use};
use super::call::CallUpdate;
use super::call_states::CallStates;
use super::callers::Callers;
use super::cert_fetch::CertFetcher;
use super::error::{BoardError, OpenError};
use super::error_targets::largest_roster;
use super::recorder::Recorder;

/// Updates a slow listener may fall behind before it misses some.
const UPDATE_BACKLOG: usize = 256;

/// Everything a call needs, opened and checked.
pub struct Switchboard {
    pub(super) store: Store,
    pub(super) active_model: RwLock<Arc<ActiveModel>>,
    /// The model that was switched to and could not be loaded; its lock is held while one is.
    pub(super) refused: tokio::sync::Mutex<Option<ModelId>>,
    pub(super) config: Config,
    pub(super) found: Installed,
    pub(super) limits: Limits,
    pub(super) longest_call: Seconds,
    pub(super) enrolment_speech: Seconds,
    pub(super) updates: broadcast::Sender<CallUpdate>,
    pub(super) call_states: CallStates,
    /// Whose numbers callers' numbers were heard to be.
    pub(super) callers: Callers,
    pub(super) recorder: Recorder,
    /// Made when it is first needed: that may make a file.
    pub(super) hash: OnceCell<KeyedHash>,
    pub(super) passport_roots: TrustStore,
    /// Where certificates of PASSporTs are fetched.
    pub(super) cert_fetcher: Option<CertFetcher>,
    /// One comparison of all of a number's voices at a time.
    pub(super) comparing: Arc<Semaphore>,
}

/// The files a deployment runs on, found but not yet loaded.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The folder of the models' cards.
    pub models_dir: PathBuf,
    /// ONNX Runtime.
    pub library: PathBuf,
}

/// Finds the models' folder and ONNX Runtime.
///
/// # Errors
/// [`OpenError::Missing`] saying what was looked for, where, and how to get it.
pub fn installed(config: &Config) -> Result<Installed, OpenError> {
    Ok(Installed {
        models_dir: models_dir(config)?,
        library: library(config)?,
    })
}

/// Finds the models' folder.
///
/// # Errors
/// [`OpenError::Missing`].
pub fn models_dir(config: &Config) -> Result<PathBuf, OpenError> {
    let home = Home::find(config);
    let what = "the folder with the models' cards";
    home.models()
        .map(Path::to_owned)
        .map_err(|looked_in| missing(what, looked_in, "--models-dir"))
}

/// Finds ONNX Runtime.
///
/// # Errors
/// [`OpenError::Missing`].
pub fn library(config: &Config) -> Result<PathBuf, OpenError> {
    let home = Home::find(config);
    home.library()
        .map(Path::to_owned)
        .map_err(|looked_in| missing("ONNX Runtime", looked_in, "--ort-lib"))
}

fn missing(what: &'static str, looked_in: &[PathBuf], flag: &'static str) -> OpenError {
    OpenError::Missing {
        what,
        looked_in: looked_in.to_vec(),
        flag,
    }
}

impl Installed {
    /// The card of a speaker model.
    ///
    /// # Errors
    /// [`OpenError::Card`] when there is no such model or its card is not valid, [`OpenError::OtherName`]
    /// when the card is another model's.
    pub fn card(&self, model: &ModelId) -> Result<Card, OpenError> {
        let card = Card::read(&self.models_dir.join(model.as_str()))?;
        if card.id() != model {
            let (folder, named) = (model.clone(), card.id().clone());
            return Err(OpenError::OtherName { folder, named });
        }
        Ok(card)
    }

    /// The engine's files for a model, each checked against its hash.
    ///
    /// # Errors
    /// [`OpenError::Card`] when a file is missing or another than its card describes.
    pub fn models(&self, card: &Card) -> Result<Models, OpenError> {
        card.check_files()?;
        let vad_graph = vad_graph(&self.models_dir.join("silero_vad"))?;
        Ok(Models {
            library: self.library.clone(),
            vad_graph,
            card: card.clone(),
        })
    }
}

/// A model's calibration, with what a policy comes to under it.
#[derive(Debug, Clone)]
pub struct Usable {
    /// The calibration.
    pub calibration: Calibration,
    /// The policy, keeping its error target.
    pub policy: Policy,
    /// The largest roster on which somebody can be named.
    pub largest_roster: usize,
}

/// A model's calibration, ready for use under this policy.
///
/// # Errors
/// [`OpenError::Calibration`] when there is none for the model; [`OpenError::NeverNames`] when the policy
/// asks for more than it can give on any roster.
pub fn usable_calibration(card: &Card, policy: &Policy) -> Result<Usable, OpenError> {
    let calibration = Calibration::load(&card.calibration(), card.id(), card.sha256())?;
    let policy = Policy {
        minimum_speech: card.minimum_net_speech(),
        ..policy.meeting_its_target(&calibration)
    };
    let largest_roster = largest_roster(&policy, &calibration);
    if largest_roster == 0 {
        let accept = policy.accept;
        return Err(OpenError::NeverNames { accept });
    }
    Ok(Usable {
        calibration,
        policy,
        largest_roster,
    })
}

/// The configured roots of PASSporTs.
fn passport_roots(config: &Config) -> Result<TrustStore, OpenError> {
    let Some(path) = &config.identity.passport_roots else {
        return Ok(TrustStore::default());
    };
    let failed = |cause: String| OpenError::PassportRoots {
        path: path.clone(),
        cause,
    };
    let pem = std::fs::read(path).map_err(|cause| failed(cause.to_string()))?;
    TrustStore::from_pem(&pem).map_err(|cause| failed(cause.to_string()))
}

/// The speech detector's graph, checked against the hash its card gives.
fn vad_graph(folder: &Path) -> Result<PathBuf, OpenError> {
    use crate::voiceprint::{CardError, check_sha256};

    let path = folder.join("card.toml");
    let malformed = |cause: String| CardError::Malformed {
        path: path.clone(),
        cause,
    };
    let text = std::fs::read_to_string(&path).map_err(|cause| malformed(cause.to_string()))?;
    let card: toml::Table = text
        .parse()
        .map_err(|cause: toml::de::Error| malformed(cause.to_string()))?;
    let part = |key| {
        card.get("graph")
            .and_then(|graph| graph.get(key))
            .and_then(toml::Value::as_str)
    };
    let (Some(file), Some(sha256)) = (part("file"), part("sha256")) else {
        return Err(malformed("[graph] needs `file` and `sha256`".to_owned()).into());
    };
    let graph = folder.join(file);
    check_sha256(&graph, sha256)?;
    Ok(graph)
}

impl Switchboard {
    /// Opens the store, checks and loads the models, and connects the gallery.
    ///
    /// # Errors
    /// [`OpenError`] saying what is missing or wrong and how to put it right.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let file = config.data_dir.join("voxline.db");
        let store = Store::open(&file).await?.with_pin_rule(config.identity.pin_rule);
        let passport_roots = passport_roots(config)?;
        let cert_fetcher = CertFetcher::new(&config.identity)?;
        let found = installed(config)?;
        let model = model_in_use(&store, config).await?;
        if config.model_named && model != config.model {
            let other = &config.model;
            tracing::warn!(
                %model,
                "{model} serves, whose voiceprints are in the store, and not {other}, which is configured: \
                 `voxline models switch` changes the model"
            );
        }
        let active_model = ActiveModel::open(config, &found, &store, &model, None)
            .await
            .map_err(|fault| fault.of_stored(&model, &config.model))?;
        Ok(Self {
            recorder: Recorder::begin(store.clone(), config.vapi.answer_budget),
            store,
            active_model: RwLock::new(Arc::new(active_model)),
            refused: tokio::sync::Mutex::default(),
            config: config.clone(),
            found,
            limits: config.limits,
            longest_call: config.longest_call,
            enrolment_speech: config.enrolment_speech,
            updates: broadcast::channel(UPDATE_BACKLOG).0,
            call_states: CallStates::default(),
            callers: Callers::default(),
            hash: OnceCell::new(),
            passport_roots,
            cert_fetcher,
            comparing: Arc::new(Semaphore::new(1)),
        })
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

    /// The roots that are trusted to sign PASSporTs; empty when none are configured.
    pub fn passport_roots(&self) -> &TrustStore {
        &self.passport_roots
    }

    /// What the service was configured to be.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What calls are decided by, where a number promises nothing of its own.
    pub fn policy(&self) -> Policy {
        self.active_model().policy
    }

    /// The bounds on uploads and recordings.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The longest live call that is followed.
    pub fn longest_call(&self) -> Seconds {
        self.longest_call
    }

    /// The inference engine, for its load.
    pub fn engine(&self) -> Engine {
        self.active_model().engine.clone()
    }

    /// Asks to be admitted: nothing is analysed without a permit.
    ///
    /// # Errors
    /// [`BoardError::Busy`] when as much is going on as this machine can bear.
    pub fn admit(&self, asker: Asker) -> Result<Permit, BoardError> {
        Ok(self.active_model().engine.admit(asker)?)
    }

    /// What every call comes to, as it comes.
    pub fn updates(&self) -> broadcast::Receiver<CallUpdate> {
        self.updates.subscribe()
    }

    /// Whether a call would be served now.
    ///
    /// # Errors
    /// What stands in the way, in words.
    pub async fn ready(&self) -> Result<(), String> {
        match self.out_of_order().await.into_iter().next() {
            None => Ok(()),
            Some((_, fault)) => Err(fault),
        }
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
        if let Err(fault) = self.active_model().gallery_cache.gallery().ready().await {
            faults.push(("the gallery", fault.to_string()));
        }
        faults
    }

    /// An error unless `number` is one of ours.
    pub(super) async fn known_number(&self, number: &DialedNumber) -> Result<(), BoardError> {
        match self.store.number(number).await? {
            Some(_) => Ok(()),
            None => Err(BoardError::UnknownNumber(number.clone())),
        }
    }

    /// An error unless there is such a user.
    pub(super) async fn known_user(&self, user: UserId) -> Result<(), BoardError> {
        self.numbers_of(user).await.map(drop)
    }

    /// The numbers a user is on.
    pub(super) async fn numbers_of(&self, user: UserId) -> Result<Vec<DialedNumber>, BoardError> {
        match self.store.user(user).await? {
            Some(known) => Ok(known.numbers),
            None => Err(BoardError::UnknownUser(user)),
        }
    }
}
