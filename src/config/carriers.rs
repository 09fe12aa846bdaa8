//! The carriers' settings.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::exchanges::{self, ExchangeConfig};
use super::pin_prompt::PinPrompt;
use super::sources::Reader;
use super::vapi::VapiRegion;

/// The carriers' keys.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "carriers.forward_to",
        "SIP address that calls are handed on to (default sip:{number}@sip.vapi.ai, or sip.eu.vapi.ai by vapi.region)",
    ),
    ("carriers.sip_user", "the name that address asks for"),
    ("carriers.sip_password", "the password that address asks for"),
    (
        "carriers.answer_seconds",
        "how long an answer to a ringing call may take (default 2.5)",
    ),
    (
        "carriers.token_seconds",
        "how long a call's token waits for its stream (default 120)",
    ),
    (
        "twilio.auth_token",
        "checks the signatures of Twilio's webhooks and streams",
    ),
    (
        "signalwire.signing_key",
        "checks the signatures of SignalWire's webhooks, which come in by Twilio's door",
    ),
    ("telnyx.public_key", "checks the signatures of Telnyx's webhooks"),
    (
        "telnyx.api_key",
        "commands Telnyx's Call Control: answer, stream, transfer",
    ),
    (
        "telnyx.api_url",
        "Telnyx's API (default https://api.telnyx.com/v2)",
    ),
    (
        "telnyx.l16_order",
        "byte order of L16: auto (default), little or big",
    ),
    (
        "vonage.signature_secret",
        "checks the signed tokens of Vonage's webhooks and streams",
    ),
    (
        "vonage.listen_seconds",
        "how long a Vonage caller is heard before the call is handed on; 0 for not at all (default 6)",
    ),
    (
        "vonage.prompt",
        "what is said to a Vonage caller before (default Please say who is calling, and why.)",
    ),
    (
        "bandwidth.username",
        "the name that Bandwidth brings to webhooks and streams",
    ),
    (
        "bandwidth.password",
        "the password that Bandwidth brings to webhooks and streams",
    ),
    (
        "bandwidth.uri_headers",
        "whether Bandwidth's SIP address carries X-Forwarded-From: true or false (default)",
    ),
    (
        "plivo.auth_token",
        "checks the signatures of Plivo's webhooks and streams",
    ),
    (
        "plivo.l16_order",
        "byte order of L16: auto (default), little or big",
    ),
    (
        "twilio.pin_prompt",
        "what Twilio's callers hear before they may type a PIN and are handed on (default: none is asked for)",
    ),
    (
        "twilio.pin_language",
        "the language that is spoken in, as in en-GB (default Twilio's: en-US)",
    ),
    (
        "twilio.pin_seconds",
        "how long the first key, and each one after it, is waited for (default 5)",
    ),
    (
        "twilio.pin_numbers",
        "the dialed numbers whose callers are asked (default: all)",
    ),
];

/// Those of them whose values are never shown.
pub(super) const SECRETS: &[&str] = &[
    "carriers.sip_password",
    "twilio.auth_token",
    "signalwire.signing_key",
    "telnyx.api_key",
    "vonage.signature_secret",
    "bandwidth.password",
    "plivo.auth_token",
];

/// How L16 is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ByteOrder {
    /// As it sounds.
    #[default]
    Auto,
    /// The low byte first.
    Little,
    /// The high byte first, as RFC 3551 has it.
    Big,
}

/// How carriers are dealt with.
#[derive(Debug, Clone)]
pub struct CarrierConfig {
    /// A SIP address in which `{number}` stands for the dialed number.
    pub forward_to: String,
    /// The name and password it asks for.
    pub sip_login: Option<(String, SecretString)>,
    /// The key of `X-Fwd-Sig`.
    pub forward_secret: Option<SecretString>,
    /// How long an answer to a ringing call may take.
    pub answer: Duration,
    /// How long a call token waits for its stream.
    pub token: Duration,
    /// How Twilio's callers are asked for a PIN before they are handed on.
    pub twilio_pin: Option<PinPrompt>,
    /// Twilio's auth token.
    pub twilio_auth_token: Option<SecretString>,
    /// SignalWire's signing key.
    pub signalwire_signing_key: Option<SecretString>,
    /// Telnyx's public key.
    pub telnyx_public_key: Option<[u8; 32]>,
    /// Telnyx's API key.
    pub telnyx_api_key: Option<SecretString>,
    /// Telnyx's API, without a slash at the end.
    pub telnyx_api_url: String,
    /// The byte order of Telnyx's L16.
    pub telnyx_l16: ByteOrder,
    /// Vonage's signature secret.
    pub vonage_signature_secret: Option<SecretString>,
    /// How long a Vonage caller is heard before the call is handed on.
    pub vonage_listen: Duration,
    /// What is said to a Vonage caller before.
    pub vonage_prompt: String,
    /// The name and password that Bandwidth brings.
    pub bandwidth_login: Option<(String, SecretString)>,
    /// Whether Bandwidth's SIP addresses carry our headers.
    pub bandwidth_uri_headers: bool,
    /// Plivo's auth token.
    pub plivo_auth_token: Option<SecretString>,
    /// The byte order of Plivo's L16.
    pub plivo_l16: ByteOrder,
    /// The customer's own exchanges.
    pub exchanges: ExchangeConfig,
}

/// Reads the carriers' settings.
pub(super) fn read(read: &mut Reader, public_url: Option<&str>, region: VapiRegion) -> CarrierConfig {
    let config = CarrierConfig {
        forward_to: sip_address(read, region),
        sip_login: login(read, "carriers.sip_user", "carriers.sip_password"),
        forward_secret: secret(read, "vapi.forward_secret"),
        answer: time(read, "carriers.answer_seconds", 0.2..=10.0, 2.5),
        token: time(read, "carriers.token_seconds", 5.0..=3600.0, 120.0),
        twilio_pin: PinPrompt::read(read),
        twilio_auth_token: secret(read, "twilio.auth_token"),
        signalwire_signing_key: secret(read, "signalwire.signing_key"),
        telnyx_public_key: public_key(read),
        telnyx_api_key: secret(read, "telnyx.api_key"),
        telnyx_api_url: read
            .url("telnyx.api_url")
            .unwrap_or_else(|| "https://api.telnyx.com/v2".to_owned()),
        telnyx_l16: byte_order(read, "telnyx.l16_order"),
        vonage_signature_secret: secret(read, "vonage.signature_secret"),
        vonage_listen: time(read, "vonage.listen_seconds", 0.0..=60.0, 6.0),
        vonage_prompt: read
            .text("vonage.prompt")
            .unwrap_or_else(|| "Please say who is calling, and why.".to_owned()),
        bandwidth_login: login(read, "bandwidth.username", "bandwidth.password"),
        bandwidth_uri_headers: read.parsed("bandwidth.uri_headers", "true or false", false),
        plivo_auth_token: secret(read, "plivo.auth_token"),
        plivo_l16: byte_order(read, "plivo.l16_order"),
        exchanges: exchanges::read(read),
    };
    let proofs = [
        ("twilio.auth_token", config.twilio_auth_token.is_some()),
        ("signalwire.signing_key", config.signalwire_signing_key.is_some()),
        ("telnyx.public_key", config.telnyx_public_key.is_some()),
        (
            "vonage.signature_secret",
            config.vonage_signature_secret.is_some(),
        ),
        ("bandwidth.username", config.bandwidth_login.is_some()),
        ("plivo.auth_token", config.plivo_auth_token.is_some()),
        (
            "jambonz.webhook_secret",
            config.exchanges.jambonz_secret.is_some(),
        ),
        ("jambonz.username", config.exchanges.jambonz_login.is_some()),
    ];
    for (key, _) in proofs.into_iter().filter(|(_, set)| *set && public_url.is_none()) {
        let why = "is set, but not public_url: carriers sign the address they call and are told where to stream, \
                   so it has to be known, as in public_url = \"https://id.example.com\"";
        read.fault(key, why.to_owned());
    }
    config
}

pub(super) fn secret(read: &mut Reader, key: &'static str) -> Option<SecretString> {
    read.text(key).map(SecretString::from)
}

pub(super) fn time(
    read: &mut Reader,
    key: &'static str,
    range: std::ops::RangeInclusive<f64>,
    usual: f64,
) -> Duration {
    Duration::from_secs_f64(read.number(key, range, usual))
}

fn byte_order(read: &mut Reader, key: &'static str) -> ByteOrder {
    match read.one_of(key, &["auto", "little", "big"], "auto") {
        "little" => ByteOrder::Little,
        "big" => ByteOrder::Big,
        _ => ByteOrder::Auto,
    }
}

/// A name and a password are of use together only.
pub(super) fn login(
    read: &mut Reader,
    name: &'static str,
    password: &'static str,
) -> Option<(String, SecretString)> {
    match (read.text(name), secret(read, password)) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => None,
        (Some(_), None) => {
            read.fault(name, format!("is set, but not {password}"));
            None
        }
        (None, Some(_)) => {
            read.fault(password, format!("is set, but not {name}"));
            None
        }
    }
}

/// A SIP address of a user at a host, without headers or anything else that could not stand in one.
fn sip_address(read: &mut Reader, region: VapiRegion) -> String {
    let usual = format!("sip:{{number}}@{}", region.sip_host());
    let Some(text) = read.text("carriers.forward_to") else {
        return usual;
    };
    let fits = is_sip_address(&text);
    if fits && VapiRegion::of_address(&text).is_some_and(|named| named != region) {
        let why =
            "is of another region of Vapi's than vapi.region says: an account is known in its own alone";
        read.fault("carriers.forward_to", why.to_owned());
    }
    if fits {
        return text;
    }
    let why = "is not a SIP address, as in sip:{number}@sip.vapi.ai ({number} stands for the dialed number)";
    read.fault("carriers.forward_to", why.to_owned());
    usual
}

/// Whether a text is a SIP address of a user at a host that can stand in a carrier's document as it is.
pub(super) fn is_sip_address(text: &str) -> bool {
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"));
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "+-_.:;=@{}".contains(sign);
    rest.is_some_and(|rest| {
        let parts = rest.split_once('@');
        parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) && rest.chars().all(plain)
    })
}

fn public_key(read: &mut Reader) -> Option<[u8; 32]> {
    let text = read.text("telnyx.public_key")?;
    let key = STANDARD.decode(&text).ok().and_then(|key| key.try_into().ok());
    if key.is_none() {
        let why = "is not the 32 bytes in base64 that the portal shows under \"Public key\"";
        read.fault("telnyx.public_key", why.to_owned());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};

    fn faults(file: &str) -> String {
        let sources = Sources {
            file: Some(("voxline.toml".into(), file.to_owned())),
            ..Sources::default()
        };
        Config::load(&sources)
            .err()
            .map_or_else(String::new, |faults| faults.to_string())
    }

    #[test]
    fn a_good_set_of_carriers_is_taken() {
        let file = "public_url = \"https://id.example.com\"\n[carriers]\nforward_to = \"sip:{number}@sip.vapi.ai\"\n\
                    [bandwidth]\nusername = \"u\"\npassword = \"p\"\n[telnyx]\n\
                    public_key = \"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"\nl16_order = \"big\"";
        assert_eq!(faults(file), "");
    }

    #[test]
    fn a_region_settles_the_api_and_the_sip_host_together() {
        for file in [
            "[vapi]\nregion = \"eu\"",
            "[vapi]\napi_url = \"https://api.eu.vapi.ai\"",
        ] {
            let sources = Sources {
                file: Some(("voxline.toml".into(), file.to_owned())),
                ..Sources::default()
            };
            let config = Config::load(&sources).unwrap();
            assert_eq!(config.vapi.api_url, "https://api.eu.vapi.ai");
            assert_eq!(config.carriers.forward_to, "sip:{number}@sip.eu.vapi.ai");
        }
    }

    #[test]
    fn halves_and_misspellings_are_named() {
        for (file, said) in [
            (
                "[twilio]\nauth_token = \"t\"",
                "`twilio.auth_token` (voxline.toml): is set, but not public_url",
            ),
            ("[bandwidth]\nusername = \"u\"", "but not bandwidth.password"),
            ("[carriers]\nsip_password = \"p\"", "but not carriers.sip_user"),
            (
                "[carriers]\nforward_to = \"https://vapi.ai\"",
                "is not a SIP address",
            ),
            (
                "[carriers]\nforward_to = \"sip:a@b?X-Evil=1\"",
                "is not a SIP address",
            ),
            (
                "[carriers]\nforward_to = \"sip:a@b</Sip>\"",
                "is not a SIP address",
            ),
            (
                "[carriers]\nforward_to = \"sip:{number}@c-1.sip.eu.vapi.ai\"",
                "is of another region",
            ),
            (
                "[vapi]\nregion = \"eu\"\napi_url = \"https://api.vapi.ai\"",
                "is of another region",
            ),
            (
                "[vapi]\nsip_numbers = \"+12025550102=sip:a@b</Sip>\"",
                "is not a SIP address",
            ),
            (
                "[vapi]\nsip_numbers = \"+12025550102=sip:a@sip.eu.vapi.ai\"",
                "is of another region",
            ),
            ("[telnyx]\npublic_key = \"AAAA\"", "is not the 32 bytes"),
            ("[plivo]\nl16_order = \"middle\"", "auto, little, big"),
        ] {
            let faults = faults(file);
            assert!(faults.contains(said), "{faults} does not say {said}");
        }
    }
}
