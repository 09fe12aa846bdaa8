//! Everything that can be set, as it stands in `voxline.toml`: the keys outside the sections, and the sections.
//!
//! A section that more is to be said of has a file of its own. `docs/settings.md` is made of the doc comments here
//! and there.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::carriers::{
    BandwidthSection, CarriersSection, PlivoSection, SignalWireSection, TelnyxSection, TwilioSection,
    VonageSection,
};
use super::exchanges::{AsteriskSection, JambonzSection};
use super::gallery::GallerySection;
use super::identity::IdentitySection;
use super::policy::DecisionSection;
use super::retention::RetentionSection;
use super::signup::SignupSection;
use super::store::StoreSection;
use super::tls::TlsSection;
use super::vapi::VapiSection;

/// The whole file.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Where the store lies: users, voiceprints, verdicts, and the key file of the PINs.
    #[default = "data"]
    pub data_dir: String,
    /// Reports of `voxline bench` that the console shows. Without it: `accuracy` in the data folder.
    pub accuracy_dir: Option<String>,
    /// The folder with the models' cards. Without it: `models` beside the program, above it, or here.
    pub models_dir: Option<String>,
    /// ONNX Runtime's shared library. Without it: beside the program, or in `runtime` there, above it, or here.
    /// `ORT_DYLIB_PATH` is read too, where nothing else names the library.
    pub ort_lib: Option<String>,
    /// The speaker model of a new store. Without it: `voxline-phone-2`.
    pub model: Option<String>,
    /// Address and port to serve on.
    #[default = "127.0.0.1:8080"]
    pub listen: String,
    /// How the outside world reaches this service, as in `https://id.example.com`.
    pub public_url: Option<String>,
    /// Names besides that of `public_url` by which browsers reach the console, as in `voxline.internal`; several stand
    /// between commas. IP addresses and `localhost` are always taken; any other name is refused, since another site's
    /// page can give itself one that leads here (DNS rebinding).
    pub console_hosts: Option<String>,
    /// Networks and addresses of the proxies in front, as in `127.0.0.1`; several stand between commas. Of what they pass on, the
    /// sender's address is taken from `X-Forwarded-For`; of anybody else's it is not read.
    pub trusted_proxies: Option<String>,
    #[schema(inline)]
    pub tls: TlsSection,
    #[schema(inline)]
    pub store: StoreSection,
    #[schema(inline)]
    pub inference: InferenceSection,
    #[schema(inline)]
    pub limits: LimitsSection,
    #[schema(inline)]
    pub decision: DecisionSection,
    #[schema(inline)]
    pub enrollment: EnrolmentSection,
    #[schema(inline)]
    pub retention: RetentionSection,
    #[schema(inline)]
    pub signup: SignupSection,
    #[schema(inline)]
    pub identity: IdentitySection,
    #[schema(inline)]
    pub gallery: GallerySection,
    #[schema(inline)]
    pub carriers: CarriersSection,
    #[schema(inline)]
    pub twilio: TwilioSection,
    #[schema(inline)]
    pub signalwire: SignalWireSection,
    #[schema(inline)]
    pub telnyx: TelnyxSection,
    #[schema(inline)]
    pub vonage: VonageSection,
    #[schema(inline)]
    pub bandwidth: BandwidthSection,
    #[schema(inline)]
    pub plivo: PlivoSection,
    #[schema(inline)]
    pub asterisk: AsteriskSection,
    #[schema(inline)]
    pub jambonz: JambonzSection,
    #[schema(inline)]
    pub vapi: VapiSection,
}

/// Threads, and how many are served at a time.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InferenceSection {
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
pub(super) struct LimitsSection {
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
pub(super) struct EnrolmentSection {
    /// Seconds of speech, all recordings together, needed to enrol.
    #[schema(minimum = 2.0, maximum = 600.0)]
    #[default = 6.0]
    pub minimum_speech_seconds: f64,
    /// Whether recordings are kept, sealed, where the consent allows that too.
    pub retain_audio: bool,
}
