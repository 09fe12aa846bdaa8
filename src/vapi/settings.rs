//! `[vapi]`: how Vapi's webhooks are known, what they are answered, and what is done on a call.

mod account;
mod upstream;
mod section;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::carriers::VapiRegion;
use crate::settings::{SettingsReader, words};
use crate::units::{DialedNumber, Hertz};

use super::shape::Shape;
use section::{AuthMode, CallerChannel, HmacEncoding, KeypadPins, TrustForwarded};

pub(crate) use section::VapiSection;
pub use upstream::{UpstreamHeader, UpstreamSettings};

/// Where Vapi's messages are meant to come to Voxline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VapiMode {
    /// The server of the numbers, of their assistants and of our tools: every message comes here.
    Assistant,
    /// The server of the numbers and of our tools alone: the assistants keep theirs.
    Number,
}

/// What the caller hears when one of our tools is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolMessage {
    /// Nothing is said.
    Silent,
    /// One of Vapi's own, as in "Hold on a sec".
    Filler,
    /// These words.
    Words(String),
}

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
        /// The token that the header must hold.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
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
    /// A header never names who forwarded.
    Never,
}

/// The checked settings of `vapi.*`, and what is set outside and holds for Vapi too.
#[derive(Debug, Clone)]
pub struct VapiSettings {
    /// How Vapi reaches this service, without a slash at its end.
    pub public_url: Option<String>,
    /// The folder in which `voxline vapi apply` notes what it does.
    pub data_dir: PathBuf,
    /// How webhooks are known.
    pub auth: VapiAuth,
    /// The most bytes of a webhook.
    pub largest_event: usize,
    /// The assistant that takes calls.
    pub assistant: Option<String>,
    /// Others by dialed number.
    pub assistants: BTreeMap<DialedNumber, String>,
    /// The one when nothing could be found out in time, where that is another than usual.
    pub fallback: Option<String>,
    /// What is said when there is no assistant.
    pub refusal: String,
    /// How long an answer to a ringing call may take.
    pub answer_budget: Duration,
    /// How long `identify_caller` waits for a decision.
    pub tool_patience: Duration,
    /// Whether an entry on Vapi's keypad may be a PIN.
    pub keypad_pins: bool,
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
    /// How, until the stream says or shows otherwise.
    pub listen_shape: Shape,
    /// Whether it is to be found out which of two channels is the caller.
    pub finds_caller: bool,
    /// When a forwarding number in an X- header is believed.
    pub forwarded: ForwardTrust,
    /// Whether a call may enrol a voice.
    pub enrol_by_phone: bool,
    /// What is asked for consent, where it is not our own question.
    pub consent_question: Option<String>,
    /// Words that count as consent, in lower case.
    pub consent_words: Vec<String>,
    /// Whether a call nobody could listen to is heard from its recording.
    pub backfill: bool,
    /// Where redacted webhooks are kept.
    pub capture_dir: Option<PathBuf>,
    /// What the caller hears when one of our tools is called.
    pub tool_message: ToolMessage,
    /// The customer's own backend.
    pub upstream: UpstreamSettings,
}

impl VapiSettings {
    /// The assistant for calls to `number`.
    pub fn assistant_for(&self, number: Option<&DialedNumber>) -> Option<&str> {
        let own = number.and_then(|number| self.assistants.get(number));
        own.or(self.assistant.as_ref()).map(String::as_str)
    }

    /// Whether webhooks are taken at all.
    pub fn takes_webhooks(&self) -> bool {
        !matches!(self.auth, VapiAuth::Refuse)
    }
}

impl VapiSection {
    /// The settings of Vapi's side, secrets sealed off and seconds as spans of time; what is wrong with them is noted in
    /// `read`. `public_url` is where Vapi reaches this service, `data_dir` where files of ours lie.
    pub fn checked(
        self,
        read: &mut SettingsReader,
        public_url: Option<&str>,
        data_dir: &Path,
    ) -> VapiSettings {
        let (region, api_url) = account::region(read, self.region, self.api_url.clone());
        let (auth, signing) = self.auth(read, public_url);
        if self.enroll_by_phone && self.mode == VapiMode::Number {
            let why = "consent is read from the transcripts of calls, which vapi.mode = \"number\" leaves to the assistants' \
                       own server";
            read.fault("vapi.enroll_by_phone", why);
        }
        VapiSettings {
            public_url: public_url.map(str::to_owned),
            data_dir: data_dir.to_owned(),
            auth,
            largest_event: self.largest_event_mb * 1024 * 1024,
            assistants: account::by_number(read, "vapi.assistants", self.assistants.as_deref(), "a-1"),
            listen_shape: self.listen_shape(),
            finds_caller: self.caller_channel == CallerChannel::Auto,
            forwarded: self.forwarded(),
            assistant: self.assistant_id,
            fallback: self.fallback_assistant_id,
            refusal: self.refusal,
            answer_budget: Duration::from_secs_f64(self.answer_budget_seconds),
            tool_patience: Duration::from_secs_f64(self.tool_seconds),
            keypad_pins: self.keypad_pins == KeypadPins::Always,
            mode: self.mode,
            region,
            sip_numbers: account::sip_numbers(read, self.sip_numbers.as_deref(), region),
            api_url,
            api_key: self.api_key.map(SecretString::from),
            public_key: self.public_key.map(SecretString::from),
            credential: self.credential_id,
            hosts: words(&self.hosts),
            plain_hosts: plain_hosts(read, self.plain_hosts.as_deref().unwrap_or_default()),
            listen: self.listen,
            enrol_by_phone: self.enroll_by_phone,
            consent_question: self.consent_question,
            consent_words: words(&self.consent_words),
            backfill: self.backfill,
            capture_dir: self.capture_dir.map(PathBuf::from),
            tool_message: tool_message(&self.tool_message),
            upstream: UpstreamSettings::checked(read, self.upstream, &signing, public_url),
        }
    }

    /// How webhooks are known, and the settings of signatures, which relayed messages may use too.
    fn auth(&self, read: &mut SettingsReader, public_url: Option<&str>) -> (VapiAuth, HmacPlan) {
        let secret = self.secret.clone().map(SecretString::from);
        let plan = self.hmac_plan(secret.clone().unwrap_or_default());
        self.check_payload(read, &plan, public_url);
        let Some(secret) = secret else {
            if self.auth != AuthMode::None {
                let mode = format!("{:?}", self.auth).to_lowercase();
                let why = format!("vapi.auth is {mode}, but no secret is given");
                read.fault("vapi.secret", why);
            }
            return (VapiAuth::Refuse, plan);
        };
        let auth = match self.auth {
            AuthMode::None => VapiAuth::Refuse,
            AuthMode::Secret => VapiAuth::Secret(secret),
            AuthMode::Bearer => VapiAuth::Bearer {
                header: self.bearer_header.to_lowercase(),
                prefix: self.bearer_prefix,
                token: secret,
            },
            AuthMode::Hmac => VapiAuth::Hmac(plan.clone()),
            AuthMode::OAuth2 => VapiAuth::OAuth2 {
                client_id: self.oauth_client_id.clone(),
                client_secret: secret,
                lifetime: Duration::from_secs_f64(self.oauth_token_minutes * 60.0),
            },
        };
        (auth, plan)
    }

    fn hmac_plan(&self, secret: SecretString) -> HmacPlan {
        let dated = self.hmac_timestamp;
        let usual = if dated { "{timestamp}.{body}" } else { "{body}" };
        HmacPlan {
            secret,
            secret_is_base64: self.hmac_secret_base64,
            algorithm: self.hmac_algorithm,
            base64: self.hmac_encoding == HmacEncoding::Base64,
            signature_header: self.hmac_header.to_lowercase(),
            prefix: self.hmac_prefix.clone(),
            timestamp_header: dated.then(|| self.hmac_timestamp_header.to_lowercase()),
            id_header: self.hmac_id_header.as_ref().map(|name| name.to_lowercase()),
            payload: self.hmac_payload.clone().unwrap_or_else(|| usual.to_owned()),
            window: Duration::from_secs_f64(self.replay_seconds),
        }
    }

    fn check_payload(&self, read: &mut SettingsReader, plan: &HmacPlan, public_url: Option<&str>) {
        let mut wrong = |why: &str| read.fault("vapi.hmac_payload", why);
        if !plan.payload.contains("{body}") {
            wrong("does not contain {body}: a signature that leaves the body out protects nothing");
        }
        if self.auth == AuthMode::Hmac && plan.payload.contains("{url}") && public_url.is_none() {
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
    }

    fn listen_shape(&self) -> Shape {
        Shape {
            encoding: self.listen_encoding,
            rate: Hertz(self.listen_rate),
            channels: self.listen_channels,
            caller_channel: u16::from(self.caller_channel == CallerChannel::Second),
        }
    }

    fn forwarded(&self) -> ForwardTrust {
        match self.trust_forwarded {
            TrustForwarded::Always => ForwardTrust::Always,
            TrustForwarded::Never => ForwardTrust::Never,
            TrustForwarded::Signed => {
                ForwardTrust::Signed(self.forward_secret.clone().map(SecretString::from))
            }
        }
    }
}

fn tool_message(text: &str) -> ToolMessage {
    match text {
        "silent" => ToolMessage::Silent,
        "filler" => ToolMessage::Filler,
        // Vapi's own limit.
        text => ToolMessage::Words(text.chars().take(1000).collect()),
    }
}

fn plain_hosts(read: &mut SettingsReader, text: &str) -> Vec<String> {
    let hosts = words(text);
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

/// Vapi's settings as a section says them, the service being reached at `https://id.example.com`.
#[cfg(test)]
pub(super) fn of_section(text: &str) -> Result<VapiSettings, String> {
    crate::settings::of_section("vapi", text, |section: VapiSection, read| {
        section.checked(read, Some("https://id.example.com"), Path::new("data"))
    })
}
