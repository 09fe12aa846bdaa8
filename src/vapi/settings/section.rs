//! `[vapi]`, as it stands in the file.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::bytes::Encoding;
use crate::carriers::VapiRegion;

use super::upstream::UpstreamSection;
use super::{HmacAlgorithm, VapiMode};

/// How Vapi's webhooks are known, what they are answered, and what is done on a call. Whatever Vapi leaves undocumented
/// is a setting, at the default that the evidence favours.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VapiSection {
    /// How webhooks are known: `none` takes no webhook at all; `secret` is Vapi's old X-Vapi-Secret; `bearer` a token in
    /// a header; `hmac` a signature, which is best; `oauth2` a token of our own `/vapi/oauth/token`.
    #[schema(inline)]
    #[default(AuthMode::None)]
    pub auth: AuthMode,
    /// The inline secret, bearer token, HMAC key or OAuth client secret.
    #[schema(format = Password)]
    pub secret: Option<String>,
    /// Header of the bearer token.
    #[default = "authorization"]
    pub bearer_header: String,
    /// Whether `Bearer ` stands before the token.
    #[default = true]
    pub bearer_prefix: bool,
    /// Client id that Vapi asks the token endpoint with.
    #[default = "voxline"]
    pub oauth_client_id: String,
    /// Minutes that a token is good.
    #[schema(minimum = 1.0, maximum = 1440.0)]
    #[default = 60.0]
    pub oauth_token_minutes: f64,
    /// Hash of the HMAC.
    #[schema(inline)]
    #[default(HmacAlgorithm::Sha256)]
    pub hmac_algorithm: HmacAlgorithm,
    /// How the signature is written.
    #[schema(inline)]
    #[default(HmacEncoding::Hex)]
    pub hmac_encoding: HmacEncoding,
    /// Header of the signature.
    #[default = "x-signature"]
    pub hmac_header: String,
    /// What stands before the signature, where something does, as in `sha256=`.
    pub hmac_prefix: Option<String>,
    /// Whether a timestamp is sent.
    #[default = true]
    pub hmac_timestamp: bool,
    /// Header of the timestamp.
    #[default = "x-timestamp"]
    pub hmac_timestamp_header: String,
    /// What is signed, of `{body}`, `{timestamp}`, `{method}`, `{url}` and `{svix-id}`. Without it:
    /// `{timestamp}.{body}`, or `{body}` where no timestamp is sent.
    pub hmac_payload: Option<String>,
    /// Header of the message's id, for `{svix-id}`.
    pub hmac_id_header: Option<String>,
    /// Whether the key is base64.
    pub hmac_secret_base64: bool,
    /// Seconds that a signed webhook may be old: whoever records one can send it again for as long.
    #[schema(minimum = 1.0, maximum = 86_400.0)]
    #[default = 300.0]
    pub replay_seconds: f64,
    /// The largest webhook in megabytes; the report of a long call holds all of its transcript.
    #[schema(minimum = 1, maximum = 64)]
    #[default = 8]
    pub largest_event_mb: usize,
    /// The assistant that takes calls.
    pub assistant_id: Option<String>,
    /// Other assistants by dialed number, as in `+12025550102=a-1, +12025550103=a-2`.
    pub assistants: Option<String>,
    /// The assistant that takes a call about which nothing could be found out in time. Without it: the usual one.
    pub fallback_assistant_id: Option<String>,
    /// What a caller hears when there is no assistant at all.
    #[default = "Sorry, this line cannot take your call at the moment."]
    pub refusal: String,
    /// Seconds that an answer to a ringing call may take; Vapi drops the call after 7.5, the way there included.
    #[schema(minimum = 0.1, maximum = 7.0)]
    #[default = 2.5]
    pub answer_budget_seconds: f64,
    /// Seconds that the tool identify_caller waits for a decision.
    #[schema(minimum = 0.0, maximum = 290.0)]
    #[default = 8.0]
    pub tool_seconds: f64,
    /// What the caller hears when a tool of ours is called: `silent`, `filler` (one of Vapi's own), or words of yours.
    #[default = "silent"]
    pub tool_message: String,
    /// Whether an entry on Vapi's keypad that has a PIN's length is tried as one: `always`, or `never`, where assistants ask for
    /// other numbers of that length. verify_pin takes digits either way.
    #[schema(inline)]
    #[default(KeypadPins::Always)]
    pub keypad_pins: KeypadPins,
    /// Whose server `voxline vapi apply` sets to Voxline: that of numbers, assistants and tools (`assistant`), or of
    /// numbers and tools alone (`number`).
    #[schema(inline)]
    #[default(VapiMode::Assistant)]
    pub mode: VapiMode,
    /// Where the account is, `us` or `eu`: settles Vapi's API and its SIP host together. Without it: what `api_url`
    /// says, or `us`.
    #[schema(inline)]
    pub region: Option<VapiRegion>,
    /// SIP addresses on Vapi's side by dialed number, as in `+12025550102=sip:office@sip.vapi.ai`.
    pub sip_numbers: Option<String>,
    /// Vapi's API. Without it: the region's.
    pub api_url: Option<String>,
    /// Vapi's private key, for the API.
    #[schema(format = Password)]
    pub api_key: Option<String>,
    /// Vapi's public key, for the listen and control addresses.
    #[schema(format = Password)]
    pub public_key: Option<String>,
    /// Vapi's credential that signs the webhooks; without it `voxline vapi apply` makes one.
    pub credential_id: Option<String>,
    /// Hosts that a webhook may have us ask, or suffixes of them with a dot in front; over TLS.
    #[default = ".vapi.ai"]
    pub hosts: String,
    /// Loopback hosts that are asked without TLS, for tests.
    pub plain_hosts: Option<String>,
    /// Whether the call's audio is listened to.
    #[default = true]
    pub listen: bool,
    /// How samples are written, until the stream says or shows otherwise.
    #[schema(inline)]
    #[default(Encoding::PcmS16le)]
    pub listen_encoding: Encoding,
    /// Samples a second.
    #[schema(minimum = 8_000, maximum = 48_000)]
    #[default = 16_000]
    pub listen_rate: u32,
    /// Channels: 1 is a mix.
    #[schema(minimum = 1, maximum = 2)]
    #[default = 2]
    pub listen_channels: u16,
    /// Which of two channels is the caller; `auto` is 0 until a call shows otherwise.
    #[schema(inline)]
    #[default(CallerChannel::First)]
    pub caller_channel: CallerChannel,
    /// When X-Forwarded-From is believed: `signed` with a good X-Fwd-Sig, `always` where only an SBC of yours can reach
    /// your SIP addresses, `never`.
    #[schema(inline)]
    #[default(TrustForwarded::Signed)]
    pub trust_forwarded: TrustForwarded,
    /// The key of X-Fwd-Sig.
    #[schema(format = Password)]
    pub forward_secret: Option<String>,
    /// Whether the tool enroll_voice may enrol a caller who gave their PIN.
    pub enroll_by_phone: bool,
    /// What is asked before an enrolment by telephone, and kept with the answer as the consent. Without it: a question in
    /// English. The assistant has to put it word for word.
    pub consent_question: Option<String>,
    /// Words of the caller that count as consent.
    #[default = "yes, agree, agreed, okay, ok, sure, certainly"]
    pub consent_words: String,
    /// Whether a call nobody could listen to is heard from its recording afterwards.
    pub backfill: bool,
    /// Folder for redacted webhooks and the first audio header of calls. Without it none are kept.
    pub capture_dir: Option<String>,
    #[schema(inline)]
    pub upstream: UpstreamSection,
}

/// How webhooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthMode {
    None,
    Secret,
    Bearer,
    Hmac,
    OAuth2,
}

/// Whether entries on Vapi's keypad are tried as PINs.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeypadPins {
    Always,
    Never,
}

/// How a signature is written.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HmacEncoding {
    Hex,
    Base64,
}

/// Which of two channels is the caller.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum CallerChannel {
    #[serde(rename = "0")]
    First,
    #[serde(rename = "1")]
    Second,
    #[serde(rename = "auto")]
    Auto,
}

/// When a forwarding number in an X- header is believed.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TrustForwarded {
    Signed,
    Always,
    Never,
}
