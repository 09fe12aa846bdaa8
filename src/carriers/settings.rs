//! `[carriers]` and each carrier's own section: what their webhooks and streams depend on.

mod sections;
mod audiosocket;
mod pin_prompt;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::forward::Forward;
use super::region::{VapiRegion, is_sip_address};
use super::signature::{BasicLogin, Proofs};
use crate::settings::SettingsReader;
use crate::units::DialedNumber;

pub use audiosocket::AudioSocketSettings;
pub use pin_prompt::PinPrompt;
pub(crate) use sections::{
    AsteriskSection, BandwidthSection, CarriersSection, JambonzSection, PlivoSection, SignalWireSection,
    TelnyxSection, TwilioSection, VonageSection,
};

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
    /// Where AudioSocket is listened for, if it is.
    pub audiosocket: Option<AudioSocketSettings>,
}

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

/// What [`CarrierSettings`] are made of: the carriers' sections, and what is set elsewhere and holds for carriers too.
#[derive(SmartDefault)]
pub(crate) struct CarrierSections {
    pub carriers: CarriersSection,
    pub twilio: TwilioSection,
    pub signalwire: SignalWireSection,
    pub telnyx: TelnyxSection,
    pub vonage: VonageSection,
    pub bandwidth: BandwidthSection,
    pub plivo: PlivoSection,
    pub asterisk: AsteriskSection,
    pub jambonz: JambonzSection,
    /// Where carriers reach this service: without it no signature can be checked.
    pub public_url: Option<String>,
    /// To which of Vapi's SIP addresses calls are handed on.
    #[default(VapiRegion::Us)]
    pub region: VapiRegion,
    /// `vapi.sip_numbers`.
    pub sip_numbers: BTreeMap<DialedNumber, String>,
    /// `vapi.forward_secret`.
    pub forward_secret: Option<String>,
    /// `identity.pin_length`.
    #[default = 4]
    pub pin_length: usize,
}

impl CarrierSections {
    /// The settings of all carriers, secrets sealed off and seconds as spans of time; what is wrong with them is noted in
    /// `read`.
    pub fn checked(self, read: &mut SettingsReader) -> CarrierSettings {
        let forward = self.forward(read);
        let twilio_pin = PinPrompt::checked(read, &self.twilio);
        let telnyx_url = read.url("telnyx.api_url", Some(self.telnyx.api_url.clone()));
        let audiosocket = AudioSocketSettings::checked(read, &self.asterisk);
        let proofs = self.proofs(read);
        if audiosocket.is_some() && proofs.asterisk.is_none() {
            let why = "is set, but not asterisk.username: a call is announced under that login before its AudioSocket \
                       is opened";
            read.fault("asterisk.audiosocket", why);
        }
        if self.public_url.is_none() {
            refuse_proofs(read);
        }
        let (vonage_listen, asterisk_listen) = (self.vonage.listen_seconds, self.asterisk.listen_seconds);
        CarrierSettings {
            proofs,
            forward,
            budget: Duration::from_secs_f64(self.carriers.answer_seconds),
            token_lifetime: Duration::from_secs_f64(self.carriers.token_seconds),
            twilio_pin,
            pin_length: self.pin_length,
            telnyx_l16: self.telnyx.l16_order,
            plivo_l16: self.plivo.l16_order,
            telnyx_api: self.telnyx.api_key.map(|key| TelnyxApi {
                url: telnyx_url.unwrap_or_default(),
                key: key.into(),
            }),
            vonage_screening: (vonage_listen > 0.0).then(|| VonageScreening {
                prompt: self.vonage.prompt,
                listen: Duration::from_secs_f64(vonage_listen),
            }),
            bandwidth_uri_headers: self.bandwidth.uri_headers,
            asterisk_listen: (asterisk_listen > 0.0).then(|| Duration::from_secs_f64(asterisk_listen)),
            audiosocket,
        }
    }

    fn forward(&self, read: &mut SettingsReader) -> Forward {
        let CarriersSection {
            sip_user,
            sip_password,
            ..
        } = self.carriers.clone();
        Forward {
            address: self.sip_address(read),
            own: self.sip_numbers.clone(),
            login: read.login(
                ("carriers.sip_user", sip_user),
                ("carriers.sip_password", sip_password),
            ),
            secret: self.forward_secret.clone().map(SecretString::from),
        }
    }

    /// A SIP address of a user at a host, without headers or anything else that could not stand in one.
    fn sip_address(&self, read: &mut SettingsReader) -> String {
        let key = "carriers.forward_to";
        let Some(text) = self.carriers.forward_to.clone() else {
            return format!("sip:{{number}}@{}", self.region.sip_host());
        };
        if !is_sip_address(&text) {
            let why = "is not a SIP address, as in sip:{number}@sip.vapi.ai ({number} stands for the dialed number)";
            read.fault(key, why);
        } else if VapiRegion::of_address(&text).is_some_and(|named| named != self.region) {
            let why =
                "is of another region of Vapi's than vapi.region says: an account is known in its own alone";
            read.fault(key, why);
        }
        text
    }

    fn proofs(&self, read: &mut SettingsReader) -> Proofs {
        let secret = |text: &Option<String>| text.clone().map(SecretString::from);
        let mut login = |carrier: &str, name: &Option<String>, password: &Option<String>| {
            let keys = (format!("{carrier}.username"), format!("{carrier}.password"));
            let login = read.login((&keys.0, name.clone()), (&keys.1, password.clone()));
            login.map(|(name, password)| BasicLogin::new(name, password))
        };
        let (bandwidth, asterisk, jambonz) = (&self.bandwidth, &self.asterisk, &self.jambonz);
        Proofs {
            public_url: self.public_url.clone(),
            twilio: secret(&self.twilio.auth_token),
            twilio_shared: secret(&self.twilio.shared_key),
            vonage: secret(&self.vonage.signature_secret),
            bandwidth: login("bandwidth", &bandwidth.username, &bandwidth.password),
            plivo: secret(&self.plivo.auth_token),
            signalwire: secret(&self.signalwire.signing_key),
            asterisk: login("asterisk", &asterisk.username, &asterisk.password),
            jambonz: secret(&jambonz.webhook_secret),
            jambonz_login: login("jambonz", &jambonz.username, &jambonz.password),
            telnyx: public_key(read, self.telnyx.public_key.as_deref()),
        }
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

fn public_key(read: &mut SettingsReader, text: Option<&str>) -> Option<[u8; 32]> {
    let key = STANDARD.decode(text?).ok().and_then(|key| key.try_into().ok());
    if key.is_none() {
        let why = "is not the 32 bytes in base64 that the portal shows under \"Public key\"";
        read.fault("telnyx.public_key", why);
    }
    key
}
