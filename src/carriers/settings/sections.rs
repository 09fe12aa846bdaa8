//! The sections of carriers and of the customer's own exchanges, as they stand in the file.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::ByteOrder;

/// What all carriers are answered.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CarriersSection {
    /// SIP address that calls are handed on to; `{number}` stands for the dialed number. Without it:
    /// `sip:{number}@sip.vapi.ai`, or the SIP host of the region that `vapi.region` names.
    pub forward_to: Option<String>,
    /// The name that address asks for, where it does.
    pub sip_user: Option<String>,
    /// The password that address asks for, where it does.
    #[schema(format = Password)]
    pub sip_password: Option<String>,
    /// Seconds that the answer to a ringing call may take; then the carrier gets the plain forward document.
    #[schema(minimum = 0.2, maximum = 10.0)]
    #[default = 2.5]
    pub answer_seconds: f64,
    /// Seconds that a call's token waits for the stream that brings it.
    #[schema(minimum = 5.0, maximum = 3600.0)]
    #[default = 120.0]
    pub token_seconds: f64,
}

/// What is needed of a Twilio account.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TwilioSection {
    /// The account's auth token, by which the signatures of webhooks and streams are checked.
    #[schema(format = Password)]
    pub auth_token: Option<String>,
    /// The secret of the account's shared key, where webhooks are signed with one (HMAC-SHA256). Then leave `auth_token`
    /// out, so that nothing weaker is let in.
    #[schema(format = Password)]
    pub shared_key: Option<String>,
    /// What callers hear before they may type a PIN and are handed on; without it nobody is asked.
    pub pin_prompt: Option<String>,
    /// The language that is spoken in, as in `en-GB`. Without it Twilio's own, `en-US`.
    pub pin_language: Option<String>,
    /// Seconds that the first key, and each one after it, is waited for.
    #[schema(minimum = 1, maximum = 60)]
    #[default = 5]
    pub pin_seconds: u32,
    /// The dialed numbers whose callers are asked, between commas. Without it: all.
    pub pin_numbers: Option<String>,
}

/// SignalWire, which speaks Twilio's dialect and comes in by Twilio's paths.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignalWireSection {
    /// The project's signing key, by which the signatures of webhooks are checked.
    #[schema(format = Password)]
    pub signing_key: Option<String>,
}

/// What is needed of a Telnyx account.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelnyxSection {
    /// The account's public key, 32 bytes in base64, by which the signatures of webhooks are checked.
    pub public_key: Option<String>,
    /// The account's API key, which commands Call Control: answer, stream, transfer. TeXML needs none.
    #[schema(format = Password)]
    pub api_key: Option<String>,
    /// Where Telnyx's API is.
    #[default = "https://api.telnyx.com/v2"]
    pub api_url: String,
    /// Which byte of L16 comes first: `auto` listens for a tenth of a second, `little`, or `big` (RFC 3551).
    #[schema(inline)]
    #[default(ByteOrder::Auto)]
    pub l16_order: ByteOrder,
}

/// What is needed of a Vonage account.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VonageSection {
    /// The account's signature secret, by which the signed tokens of webhooks and streams are checked.
    #[schema(format = Password)]
    pub signature_secret: Option<String>,
    /// Seconds that a caller is heard alone before the call is handed on; 0 hands on at once, without the voice.
    #[schema(minimum = 0.0, maximum = 60.0)]
    #[default = 6.0]
    pub listen_seconds: f64,
    /// What is said to the caller before.
    #[default = "Please say who is calling, and why."]
    pub prompt: String,
}

/// What is needed of a Bandwidth account.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BandwidthSection {
    /// The name that Bandwidth is told to bring to webhooks and streams.
    pub username: Option<String>,
    /// The password that Bandwidth is told to bring to webhooks and streams.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Whether the SIP address that Bandwidth transfers to carries X-Forwarded-From.
    pub uri_headers: bool,
}

/// What is needed of a Plivo account.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlivoSection {
    /// The account's auth token, by which the signatures (V3) of webhooks and streams are checked.
    #[schema(format = Password)]
    pub auth_token: Option<String>,
    /// Which byte of L16 comes first: `auto`, `little` or `big`.
    #[schema(inline)]
    pub l16_order: ByteOrder,
}

/// How an Asterisk of your own is met.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AsteriskSection {
    /// The name that Asterisk brings to its webhook and streams.
    pub username: Option<String>,
    /// The password that Asterisk brings to its webhook and streams.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Seconds that a caller is heard before the dialplan goes on; 0 for to the call's end.
    #[schema(minimum = 0.0, maximum = 600.0)]
    #[default = 0.0]
    pub listen_seconds: f64,
    /// Address and port for AudioSocket, as in `127.0.0.1:9092`: plain TCP, without encryption. Without it none is
    /// listened for.
    pub audiosocket: Option<String>,
    /// Networks and addresses that may open an AudioSocket, between commas.
    #[default = "127.0.0.0/8, ::1/128"]
    pub audiosocket_peers: String,
    /// AudioSocket connections at a time; more wait.
    #[schema(minimum = 1, maximum = 10_000)]
    #[default = 256]
    pub audiosocket_connections: usize,
}

/// How a jambonz of your own is met.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JambonzSection {
    /// The account's webhook secret, by which the signatures of webhooks are checked.
    #[schema(format = Password)]
    pub webhook_secret: Option<String>,
    /// The name that jambonz brings to its streams, and to webhooks that are not signed.
    pub username: Option<String>,
    /// The password that jambonz brings to its streams, and to webhooks that are not signed.
    #[schema(format = Password)]
    pub password: Option<String>,
}
