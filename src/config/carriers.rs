//! What is set for each carrier.

mod sections;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::exchanges::{AsteriskSection, ExchangeConfig, JambonzSection};
use super::pin_prompt::PinPrompt;
use super::reader::SettingsReader;
use super::region::{VapiRegion, is_sip_address};

pub(super) use sections::{
    BandwidthSection, CarriersSection, PlivoSection, SignalWireSection, TelnyxSection, TwilioSection,
    VonageSection,
};

/// How L16 is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
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
    /// The account's shared key at Twilio.
    pub twilio_shared_key: Option<SecretString>,
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

/// The sections that [`CarrierConfig`] is made of.
pub(super) struct CarrierSections {
    pub carriers: CarriersSection,
    pub twilio: TwilioSection,
    pub signalwire: SignalWireSection,
    pub telnyx: TelnyxSection,
    pub vonage: VonageSection,
    pub bandwidth: BandwidthSection,
    pub plivo: PlivoSection,
    pub asterisk: AsteriskSection,
    pub jambonz: JambonzSection,
    /// `vapi.forward_secret`.
    pub forward_secret: Option<String>,
}

impl CarrierSections {
    /// The settings of all carriers, secrets sealed off and seconds as spans of time; what is wrong with them is noted in
    /// `read`. `public_url` is where carriers reach this service: without it no signature can be checked. `region` says
    /// which of Vapi's SIP addresses calls are forwarded to.
    pub fn checked(
        self,
        read: &mut SettingsReader,
        public_url: Option<&str>,
        region: VapiRegion,
    ) -> CarrierConfig {
        let Self {
            carriers,
            twilio,
            telnyx,
            vonage,
            bandwidth,
            plivo,
            ..
        } = self;
        let config = CarrierConfig {
            forward_to: sip_address(read, carriers.forward_to, region),
            sip_login: read.login(
                ("carriers.sip_user", carriers.sip_user),
                ("carriers.sip_password", carriers.sip_password),
            ),
            forward_secret: self.forward_secret.map(SecretString::from),
            answer: Duration::from_secs_f64(carriers.answer_seconds),
            token: Duration::from_secs_f64(carriers.token_seconds),
            twilio_pin: pin_prompt(read, &twilio),
            twilio_auth_token: twilio.auth_token.map(SecretString::from),
            twilio_shared_key: twilio.shared_key.map(SecretString::from),
            signalwire_signing_key: self.signalwire.signing_key.map(SecretString::from),
            telnyx_public_key: public_key(read, telnyx.public_key),
            telnyx_api_key: telnyx.api_key.map(SecretString::from),
            telnyx_api_url: read
                .url("telnyx.api_url", Some(telnyx.api_url))
                .unwrap_or_default(),
            telnyx_l16: telnyx.l16_order,
            vonage_signature_secret: vonage.signature_secret.map(SecretString::from),
            vonage_listen: Duration::from_secs_f64(vonage.listen_seconds),
            vonage_prompt: vonage.prompt,
            bandwidth_login: read.login(
                ("bandwidth.username", bandwidth.username),
                ("bandwidth.password", bandwidth.password),
            ),
            bandwidth_uri_headers: bandwidth.uri_headers,
            plivo_auth_token: plivo.auth_token.map(SecretString::from),
            plivo_l16: plivo.l16_order,
            exchanges: ExchangeConfig::checked(read, self.asterisk, self.jambonz),
        };
        if public_url.is_none() {
            refuse_proofs(read);
        }
        config
    }
}

/// Says that what proves who calls is of no use while nobody knows the address that is signed.
fn refuse_proofs(read: &mut SettingsReader) {
    for key in [
        "twilio.auth_token",
        "twilio.shared_key",
        "signalwire.signing_key",
        "telnyx.public_key",
        "vonage.signature_secret",
        "bandwidth.username",
        "plivo.auth_token",
        "jambonz.webhook_secret",
        "jambonz.username",
    ] {
        if read.is_given(key) {
            let why = "is set, but not public_url: carriers sign the address they call and are told where to stream, \
                       so it has to be known, as in public_url = \"https://id.example.com\"";
            read.fault(key, why);
        }
    }
}

fn pin_prompt(read: &mut SettingsReader, twilio: &TwilioSection) -> Option<PinPrompt> {
    PinPrompt::checked(
        read,
        twilio.pin_prompt.clone(),
        twilio.pin_language.clone(),
        Duration::from_secs(u64::from(twilio.pin_seconds)),
        twilio.pin_numbers.as_deref().unwrap_or_default(),
    )
}

/// A SIP address of a user at a host, without headers or anything else that could not stand in one.
fn sip_address(read: &mut SettingsReader, given: Option<String>, region: VapiRegion) -> String {
    let key = "carriers.forward_to";
    let Some(text) = given else {
        return format!("sip:{{number}}@{}", region.sip_host());
    };
    if !is_sip_address(&text) {
        let why =
            "is not a SIP address, as in sip:{number}@sip.vapi.ai ({number} stands for the dialed number)";
        read.fault(key, why);
    } else if VapiRegion::of_address(&text).is_some_and(|named| named != region) {
        let why =
            "is of another region of Vapi's than vapi.region says: an account is known in its own alone";
        read.fault(key, why);
    }
    text
}

fn public_key(read: &mut SettingsReader, text: Option<String>) -> Option<[u8; 32]> {
    let key = STANDARD.decode(text?).ok().and_then(|key| key.try_into().ok());
    if key.is_none() {
        let why = "is not the 32 bytes in base64 that the portal shows under \"Public key\"";
        read.fault("telnyx.public_key", why);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::of_file;

    fn faults(file: &str) -> String {
        of_file(file).err().unwrap_or_default()
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
            let config = of_file(file).unwrap();
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
