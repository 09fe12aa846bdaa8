//! The settings of `vapi.*`: how Vapi's webhooks are known, what they are answered, and what is done on a
//! call.
//!
//! Whatever Vapi leaves undocumented is a setting here, at the default that the evidence favours.

mod account;
mod keys;
mod tool_message;
mod upstream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::bytes::Encoding;
use crate::units::{DialedNumber, Hertz};

use super::sources::Reader;

pub use account::{VapiMode, VapiRegion};
pub(super) use keys::{KEYS, SECRETS};
pub use tool_message::ToolMessage;
pub(super) use upstream::{KEYS as UPSTREAM_KEYS, SECRETS as UPSTREAM_SECRETS};
pub use upstream::{UpstreamConfig, UpstreamHeader};

/// How a webhook is known to be Vapi's.
#[derive(Debug, Clone)]
pub enum VapiAuth {
    /// It is not, and none is taken.
    Refuse,
    /// `X-Vapi-Secret: <secret>`.
    Secret(SecretString),
    /// A fixed token in a header.
    Bearer {
        /// The header, in lower case.
        header: String,
        /// Whether `Bearer ` stands before it.
        prefix: bool,
        /// The token.
        token: SecretString,
    },
    /// A signature over the raw body.
    Hmac(HmacPlan),
    /// A short-lived token of our own token endpoint (RFC 6749 section 4.4).
    OAuth2 {
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: SecretString,
        /// How long a token is good.
        lifetime: Duration,
    },
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1, which Vapi offers for old receivers.
    Sha1,
}

/// Vapi's HMAC authentication plan, with the names of its own settings.
#[derive(Debug, Clone)]
pub struct HmacPlan {
    /// `secretKey`.
    pub secret: SecretString,
    /// `secretIsBase64`.
    pub secret_is_base64: bool,
    /// `algorithm`.
    pub algorithm: HmacAlgorithm,
    /// `signatureEncoding`: base64, else hexadecimal.
    pub base64: bool,
    /// `signatureHeader`, in lower case.
    pub signature_header: String,
    /// `signaturePrefix`.
    pub prefix: Option<String>,
    /// `timestampHeader`, in lower case; `None` when `includeTimestamp` is off.
    pub timestamp_header: Option<String>,
    /// `messageIdHeader`, in lower case.
    pub id_header: Option<String>,
    /// `payloadFormat`.
    pub payload: String,
    /// How far a timestamp may lie from now.
    pub window: Duration,
}

/// When a forwarding number in a SIP X- header is believed. The caller can write such a header on an open
/// SIP address.
#[derive(Debug, Clone)]
pub enum ForwardTrust {
    /// With a good `X-Fwd-Sig` alone; without a key there is none.
    Signed(Option<SecretString>),
    /// Always: the SIP peer is known by other means.
    Always,
    /// Never.
    Never,
}

/// How the listen stream is read until it says or shows otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenDefaults {
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples a second.
    pub rate: Hertz,
    /// One (a mix) or two.
    pub channels: u16,
    /// Which of two is the caller.
    pub caller_channel: u16,
    /// Whether it is to be found out if that is so.
    pub finds_caller: bool,
}

/// The checked settings of `vapi.*`.
#[derive(Debug, Clone)]
pub struct VapiConfig {
    /// How webhooks are known.
    pub auth: VapiAuth,
    /// The most bytes of a webhook.
    pub largest_event: usize,
    /// The assistant that takes calls.
    pub assistant: Option<String>,
    /// Others by dialed number.
    pub assistants: BTreeMap<DialedNumber, String>,
    /// The one when nothing could be found out in time.
    pub fallback: Option<String>,
    /// What is said when there is no assistant.
    pub refusal: String,
    /// How long an answer to a ringing call may take.
    pub answer_budget: Duration,
    /// How long `identify_caller` waits for a decision.
    pub tool_patience: Duration,
    /// Where Vapi's messages are meant to come here.
    pub mode: VapiMode,
    /// In which region the account is.
    pub region: VapiRegion,
    /// SIP addresses of numbers on Vapi's side by the dialed number they stand for, where they cannot be told from it.
    pub sip_numbers: BTreeMap<DialedNumber, String>,
    /// Vapi's API, without a slash at its end.
    pub api_url: String,
    /// Vapi's private key.
    pub api_key: Option<SecretString>,
    /// Vapi's public key.
    pub public_key: Option<SecretString>,
    /// Vapi's credential that signs the webhooks.
    pub credential: Option<String>,
    /// Hosts, or with a dot in front suffixes of them, that are asked.
    pub hosts: Vec<String>,
    /// Loopback hosts that are asked without TLS.
    pub plain_hosts: Vec<String>,
    /// Whether the call's audio is listened to.
    pub listen: bool,
    /// How, until the stream shows otherwise.
    pub listen_defaults: ListenDefaults,
    /// When a forwarding number in an X- header is believed.
    pub forwarded: ForwardTrust,
    /// Whether a call may enrol a voice.
    pub enrol_by_phone: bool,
    /// Words that count as consent, in lower case.
    pub consent_words: Vec<String>,
    /// Whether a call nobody could listen to is heard from its recording.
    pub backfill: bool,
    /// Where redacted webhooks are kept.
    pub capture_dir: Option<PathBuf>,
    /// What the caller hears when one of our tools is called.
    pub tool_message: ToolMessage,
    /// The customer's own backend.
    pub upstream: UpstreamConfig,
}

impl VapiConfig {
    pub(super) fn read(read: &mut Reader, public_url: Option<&str>) -> Self {
        let assistant = read.text("vapi.assistant_id");
        let (region, api_url) = account::region(read);
        let (auth, signing) = auth(read, public_url);
        Self {
            auth,
            largest_event: read.count("vapi.largest_event_mb", 1..=64, 8) * 1024 * 1024,
            assistants: account::by_number(read, "vapi.assistants", "a-1"),
            fallback: read
                .text("vapi.fallback_assistant_id")
                .or_else(|| assistant.clone()),
            assistant,
            refusal: read.text("vapi.refusal").unwrap_or_else(|| REFUSAL.to_owned()),
            answer_budget: span(read.number("vapi.answer_budget_seconds", 0.1..=7.0, 2.5)),
            tool_patience: span(read.number("vapi.tool_seconds", 0.0..=300.0, 8.0)),
            mode: account::mode(read),
            region,
            sip_numbers: account::sip_numbers(read, region),
            api_url,
            api_key: read.text("vapi.api_key").map(SecretString::from),
            public_key: read.text("vapi.public_key").map(SecretString::from),
            credential: read.text("vapi.credential_id"),
            hosts: read.words("vapi.hosts", ".vapi.ai"),
            plain_hosts: plain_hosts(read),
            listen: read.parsed("vapi.listen", "true or false", true),
            listen_defaults: listen_defaults(read),
            forwarded: forwarded(read),
            enrol_by_phone: read.parsed("vapi.enroll_by_phone", "true or false", false),
            consent_words: read.words("vapi.consent_words", CONSENT),
            backfill: read.parsed("vapi.backfill", "true or false", false),
            capture_dir: read.text("vapi.capture_dir").map(PathBuf::from),
            tool_message: ToolMessage::read(read),
            upstream: UpstreamConfig::read(read, &signing, public_url),
        }
    }

    /// The assistant for calls to `number`.
    pub fn assistant_for(&self, number: Option<&DialedNumber>) -> Option<&str> {
        let own = number.and_then(|number| self.assistants.get(number));
        own.or(self.assistant.as_ref()).map(String::as_str)
    }
}

/// What a caller hears when no assistant is configured at all.
const REFUSAL: &str = "Sorry, this line cannot take your call at the moment.";

/// What counts as consent, in English.
const CONSENT: &str = "yes, agree, agreed, okay, ok, sure, certainly";

/// How webhooks are known, and the settings of signatures, which relayed messages may use too.
fn auth(read: &mut Reader, public_url: Option<&str>) -> (VapiAuth, HmacPlan) {
    let modes = &["none", "secret", "bearer", "hmac", "oauth2"];
    let mode = read.one_of("vapi.auth", modes, "none");
    let secret = read.text("vapi.secret").map(SecretString::from);
    let header = lower(read, "vapi.bearer_header", "authorization");
    let prefix = read.parsed("vapi.bearer_prefix", "true or false", true);
    let client_id = read
        .text("vapi.oauth_client_id")
        .unwrap_or_else(|| "voxline".to_owned());
    let minutes = read.number("vapi.oauth_token_minutes", 1.0..=1440.0, 60.0);
    let plan = hmac_plan(
        read,
        secret.clone().unwrap_or_default(),
        mode == "hmac",
        public_url,
    );
    let Some(secret) = secret else {
        if mode != "none" {
            read.fault(
                "vapi.secret",
                format!("vapi.auth is {mode}, but no secret is given"),
            );
        }
        return (VapiAuth::Refuse, plan);
    };
    let auth = match mode {
        "secret" => VapiAuth::Secret(secret),
        "bearer" => VapiAuth::Bearer {
            header,
            prefix,
            token: secret,
        },
        "hmac" => VapiAuth::Hmac(plan.clone()),
        "oauth2" => VapiAuth::OAuth2 {
            client_id,
            client_secret: secret,
            lifetime: span(minutes * 60.0),
        },
        _ => VapiAuth::Refuse,
    };
    (auth, plan)
}

fn hmac_plan(read: &mut Reader, secret: SecretString, used: bool, public_url: Option<&str>) -> HmacPlan {
    let algorithm = match read.one_of("vapi.hmac_algorithm", &["sha256", "sha512", "sha1"], "sha256") {
        "sha512" => HmacAlgorithm::Sha512,
        "sha1" => HmacAlgorithm::Sha1,
        _ => HmacAlgorithm::Sha256,
    };
    let dated = read.parsed("vapi.hmac_timestamp", "true or false", true);
    let usual = if dated { "{timestamp}.{body}" } else { "{body}" };
    let payload = read.text("vapi.hmac_payload").unwrap_or_else(|| usual.to_owned());
    let header = lower(read, "vapi.hmac_timestamp_header", "x-timestamp");
    let plan = HmacPlan {
        secret,
        secret_is_base64: read.parsed("vapi.hmac_secret_base64", "true or false", false),
        algorithm,
        base64: read.one_of("vapi.hmac_encoding", &["hex", "base64"], "hex") == "base64",
        signature_header: lower(read, "vapi.hmac_header", "x-signature"),
        prefix: read.text("vapi.hmac_prefix"),
        timestamp_header: dated.then_some(header),
        id_header: read.text("vapi.hmac_id_header").map(|name| name.to_lowercase()),
        payload,
        window: span(read.number("vapi.replay_seconds", 1.0..=86_400.0, 300.0)),
    };
    let mut wrong = |why: &str| read.fault("vapi.hmac_payload", why.to_owned());
    if !plan.payload.contains("{body}") {
        wrong("does not contain {body}: a signature that leaves the body out protects nothing");
    }
    if used && plan.payload.contains("{url}") && public_url.is_none() {
        wrong("contains {url}, but public_url is not set");
    }
    if plan.payload.contains("{timestamp}") != plan.timestamp_header.is_some() {
        wrong(
            "must contain {timestamp} exactly when vapi.hmac_timestamp is true: one that is not signed can be replayed",
        );
    }
    if plan.payload.contains("{svix-id}") && plan.id_header.is_none() {
        wrong("contains {svix-id}, but vapi.hmac_id_header is not set");
    }
    plan
}

fn plain_hosts(read: &mut Reader) -> Vec<String> {
    let hosts = read.words("vapi.plain_hosts", "");
    for host in &hosts {
        let loopback = host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        if !loopback && host != "localhost" {
            let why = format!("`{host}` is not of this machine: everybody else is asked over TLS only");
            read.fault("vapi.plain_hosts", why);
        }
    }
    hosts
}

fn listen_defaults(read: &mut Reader) -> ListenDefaults {
    let encoding = match read.one_of(
        "vapi.listen_encoding",
        &["pcm_s16le", "mulaw", "alaw"],
        "pcm_s16le",
    ) {
        "mulaw" => Encoding::Mulaw,
        "alaw" => Encoding::Alaw,
        _ => Encoding::PcmS16le,
    };
    let caller = read.one_of("vapi.caller_channel", &["0", "1", "auto"], "0");
    ListenDefaults {
        encoding,
        rate: Hertz(read.count("vapi.listen_rate", 8_000..=48_000, 16_000) as u32),
        channels: read.count("vapi.listen_channels", 1..=2, 2) as u16,
        caller_channel: u16::from(caller == "1"),
        finds_caller: caller == "auto",
    }
}

fn forwarded(read: &mut Reader) -> ForwardTrust {
    let secret = read.text("vapi.forward_secret").map(SecretString::from);
    match read.one_of("vapi.trust_forwarded", &["signed", "always", "never"], "signed") {
        "always" => ForwardTrust::Always,
        "never" => ForwardTrust::Never,
        _ => ForwardTrust::Signed(secret),
    }
}

fn lower(read: &mut Reader, key: &'static str, usual: &str) -> String {
    read.text(key).unwrap_or_else(|| usual.to_owned()).to_lowercase()
}

fn span(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
