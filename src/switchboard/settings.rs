//! What the switchboard opens with: the store and the gallery, the models, what a decision and an enrolment need, and how
//! much is let in at a time.

mod identity;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::bytes::Limits;
use crate::decision::{DecisionSection, Policy, ReplayRule};
use crate::gallery::{GalleryChoice, GallerySection};
use crate::settings::SettingsReader;
use crate::store::{RetentionSchedule, RetentionSection, StoreSection, StoreSettings};
use crate::units::Seconds;
use crate::voiceprint::ModelId;

pub(crate) use identity::IdentitySection;
pub use identity::IdentitySettings;

/// The speaker model that comes with Voxline (models/training).
pub const DEFAULT_MODEL: &str = "voxline-phone-2";

/// What the switchboard opens with.
#[derive(Debug, Clone)]
pub struct BoardSettings {
    /// The system of record.
    pub store: StoreSettings,
    /// How long what is kept is kept.
    pub retention: RetentionSchedule,
    /// Where voiceprints are searched.
    pub gallery: GalleryChoice,
    /// The models' folder, when it was named.
    pub models_dir: Option<PathBuf>,
    /// ONNX Runtime's library, when it was named.
    pub ort_lib: Option<PathBuf>,
    /// The speaker model of a new store.
    pub model: ModelId,
    /// Whether somebody named it; if not, it is the usual one.
    pub model_named: bool,
    /// Threads that run models.
    pub threads: usize,
    /// Calls and requests admitted at a time.
    pub capacity: usize,
    /// Bounds on uploads and recordings.
    pub limits: Limits,
    /// The longest live call.
    pub longest_call: Seconds,
    /// Identifications that a key may ask for of one number a minute.
    pub identifications_per_minute: u32,
    /// What a decision needs.
    pub policy: Policy,
    /// What a caller's speech is compared with, to tell a recording that is played.
    pub replay: ReplayRule,
    /// The folder of the countermeasure, when one is to be used.
    pub countermeasure: Option<PathBuf>,
    /// Speech needed to enrol.
    pub enrolment_speech: Seconds,
    /// Whether recordings are kept where the consent allows it.
    pub retain_audio: bool,
    /// What is believed of the evidence of whose line and whose voice it is.
    pub identity: IdentitySettings,
    /// How long an answer to a ringing call of Vapi's may take: for half of it at most a verdict waits for its record.
    pub answer_budget: Duration,
}

/// What [`BoardSettings`] are made of: sections, and what stands outside of them.
pub(crate) struct BoardSections {
    pub store: StoreSection,
    pub inference: InferenceSection,
    pub limits: LimitsSection,
    pub decision: DecisionSection,
    pub enrollment: EnrolmentSection,
    pub retention: RetentionSection,
    pub identity: IdentitySection,
    pub gallery: GallerySection,
    pub models_dir: Option<String>,
    pub ort_lib: Option<String>,
    pub model: Option<String>,
    /// `data_dir`: where the store lies, if nothing else is said.
    pub data_dir: PathBuf,
    /// `vapi.answer_budget_seconds`.
    pub answer_budget: Duration,
}

impl BoardSections {
    /// The settings of the switchboard, minutes and megabytes in units of their own; what is wrong with them is noted in
    /// `read`.
    pub fn checked(self, read: &mut SettingsReader) -> BoardSettings {
        BoardSettings {
            store: self.store.checked(read, &self.data_dir),
            retention: self.retention.checked(),
            models_dir: self.models_dir.map(PathBuf::from),
            ort_lib: self.ort_lib.map(PathBuf::from),
            model_named: self.model.is_some(),
            model: ModelId::new(self.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned())),
            threads: self.inference.threads.unwrap_or_else(cores),
            capacity: self.inference.capacity,
            limits: Limits {
                max_bytes: self.limits.upload_mb as u64 * 1024 * 1024,
                max_duration: minutes(self.limits.audio_minutes),
            },
            longest_call: minutes(self.limits.call_minutes),
            identifications_per_minute: self.limits.identifications_per_minute,
            replay: self.decision.replay,
            countermeasure: self.decision.countermeasure.as_ref().map(PathBuf::from),
            policy: self.decision.checked(read),
            enrolment_speech: seconds(self.enrollment.minimum_speech_seconds),
            retain_audio: self.enrollment.retain_audio,
            identity: self.identity.checked(read),
            gallery: self.gallery.checked(read),
            answer_budget: self.answer_budget,
        }
    }
}

/// Threads, and how many are served at a time.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InferenceSection {
    /// Threads that run models, each with its own copy of them in memory. Without it: one a core.
    #[schema(minimum = 1, maximum = 256)]
    pub threads: Option<usize>,
    /// Live calls and requests admitted at most, which bounds memory; whoever comes beyond that, or while those inside
    /// lag, is refused with a time to come back.
    #[schema(minimum = 1, maximum = 100_000)]
    #[default = 256]
    pub capacity: usize,
}

/// What a recording or a call may cost.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    /// The largest upload, in megabytes of 1024 * 1024 bytes.
    #[schema(minimum = 1, maximum = 4096)]
    #[default = 64]
    pub upload_mb: usize,
    /// The longest recording, in minutes.
    #[schema(minimum = 0.1, maximum = 1440.0)]
    #[default = 30.0]
    pub audio_minutes: f64,
    /// The longest live call, in minutes; one that goes on is no longer listened to.
    #[schema(minimum = 0.1, maximum = 1440.0)]
    #[default = 240.0]
    pub call_minutes: f64,
    /// Identifications, recordings and live calls together, that one API key may ask for of one dialed number a minute.
    /// Calls that carriers and Vapi bring are not counted.
    #[schema(minimum = 1, maximum = 1_000_000)]
    #[default = 600]
    pub identifications_per_minute: u32,
}

/// What an enrolment needs, and what is kept of it.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EnrolmentSection {
    /// Seconds of speech, all recordings together, needed to enrol.
    #[schema(minimum = 2.0, maximum = 600.0)]
    #[default = 6.0]
    pub minimum_speech_seconds: f64,
    /// Whether recordings are kept, sealed, where the consent allows that too.
    pub retain_audio: bool,
}

fn cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(256)
}

fn seconds(value: f64) -> Seconds {
    Seconds::checked(value).unwrap_or(Seconds::ZERO)
}

fn minutes(value: f64) -> Seconds {
    seconds(value * 60.0)
}
