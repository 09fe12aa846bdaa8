//! Everything that can be set, as it stands in `voxline.toml`: the keys outside the sections, and the sections.
//!
//! Each section is a struct of the room whose behaviour it sets. `docs/settings.md` is made of the doc comments here and
//! there.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::carriers::{
    AsteriskSection, BandwidthSection, CarriersSection, JambonzSection, PlivoSection, SignalWireSection,
    TelnyxSection, TwilioSection, VonageSection,
};
use crate::decision::DecisionSection;
use crate::gallery::GallerySection;
use crate::reply::{SignupSection, TlsSection};
use crate::store::{RetentionSection, StoreSection};
use crate::switchboard::{EnrolmentSection, IdentitySection, InferenceSection, LimitsSection};
use crate::vapi::VapiSection;

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
