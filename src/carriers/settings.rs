//! How carriers are dealt with, checked by the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::forward::Forward;
use super::signature::BasicLogin;
use super::signature::Proofs;
use crate::config::{ByteOrder, Config, PinPrompt};

/// Everything that carriers' webhooks and streams depend on.
#[derive(Debug, Clone)]
pub struct CarrierSettings {
    /// What their requests are known by.
    pub proofs: Proofs,
    /// Where calls are handed on to.
    pub forward: Forward,
    /// How long an answer to a ringing call may take.
    pub budget: Duration,
    /// How long a call token waits for its stream.
    pub token_lifetime: Duration,
    /// How Twilio's callers are asked for a PIN before they are handed on.
    pub twilio_pin: Option<PinPrompt>,
    /// Digits after which a PIN is complete.
    pub pin_length: usize,
    /// The byte order of Telnyx's L16.
    pub telnyx_l16: ByteOrder,
    /// The byte order of Plivo's L16.
    pub plivo_l16: ByteOrder,
    /// How Telnyx's Call Control is commanded; without it calls are known and left alone.
    pub telnyx_api: Option<TelnyxApi>,
    /// How a Vonage caller is heard before the call is handed on.
    pub vonage_screening: Option<VonageScreening>,
    /// Whether Bandwidth's SIP addresses carry our headers.
    pub bandwidth_uri_headers: bool,
    /// How long an Asterisk's caller is heard before its dialplan goes on; `None` for to the call's end.
    pub asterisk_listen: Option<Duration>,
}

/// Telnyx's Call Control API.
#[derive(Debug, Clone)]
pub struct TelnyxApi {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The account's API key.
    pub key: SecretString,
}

/// A WebSocket of Vonage's is a leg of the call, not a fork of it: the caller is heard alone, for some
/// seconds, and handed on then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VonageScreening {
    /// What is said to the caller first; nothing when empty.
    pub prompt: String,
    /// How long the caller is heard.
    pub listen: Duration,
}

impl From<&Config> for CarrierSettings {
    fn from(config: &Config) -> Self {
        let carriers = &config.carriers;
        let screening = VonageScreening {
            prompt: carriers.vonage_prompt.clone(),
            listen: carriers.vonage_listen,
        };
        Self {
            proofs: Proofs {
                public_url: config.public_url.clone(),
                twilio: carriers.twilio_auth_token.clone(),
                twilio_shared: carriers.twilio_shared_key.clone(),
                telnyx: carriers.telnyx_public_key,
                vonage: carriers.vonage_signature_secret.clone(),
                bandwidth: login(carriers.bandwidth_login.as_ref()),
                plivo: carriers.plivo_auth_token.clone(),
                signalwire: carriers.signalwire_signing_key.clone(),
                asterisk: login(carriers.exchanges.asterisk_login.as_ref()),
                jambonz: carriers.exchanges.jambonz_secret.clone(),
                jambonz_login: login(carriers.exchanges.jambonz_login.as_ref()),
            },
            forward: Forward {
                address: carriers.forward_to.clone(),
                own: config.vapi.sip_numbers.clone(),
                login: carriers.sip_login.clone(),
                secret: carriers.forward_secret.clone(),
            },
            budget: carriers.answer,
            token_lifetime: carriers.token,
            twilio_pin: carriers.twilio_pin.clone(),
            pin_length: config.identity.pin_length,
            telnyx_l16: carriers.telnyx_l16,
            plivo_l16: carriers.plivo_l16,
            telnyx_api: carriers.telnyx_api_key.clone().map(|key| TelnyxApi {
                url: carriers.telnyx_api_url.clone(),
                key,
            }),
            vonage_screening: (!screening.listen.is_zero()).then_some(screening),
            bandwidth_uri_headers: carriers.bandwidth_uri_headers,
            asterisk_listen: carriers.exchanges.asterisk_listen,
        }
    }
}

fn login(given: Option<&(String, SecretString)>) -> Option<BasicLogin> {
    let (name, password) = given.cloned()?;
    Some(BasicLogin::new(name, password))
}

impl Default for CarrierSettings {
    fn default() -> Self {
        Self {
            proofs: Proofs::default(),
            forward: Forward {
                address: "sip:{number}@sip.vapi.ai".to_owned(),
                own: BTreeMap::new(),
                login: None,
                secret: None,
            },
            budget: Duration::from_millis(2_500),
            token_lifetime: Duration::from_secs(120),
            twilio_pin: None,
            pin_length: 4,
            telnyx_l16: ByteOrder::Auto,
            plivo_l16: ByteOrder::Auto,
            telnyx_api: None,
            vonage_screening: None,
            bandwidth_uri_headers: false,
            asterisk_listen: None,
        }
    }
}
