//! What a ringing call is answered with: fork the caller's audio to us, hand the call on to Vapi.
//!
//! Without a stream it is the plain forward document, which is also what a carrier gets when anything has
//! failed here: a caller is put through whatever becomes of us.

mod asterisk;
mod jambonz;
mod telnyx;
mod vonage;
mod xml;
mod bandwidth;
mod plivo;
mod twilio;

use super::Carrier;
use super::forward::{Forward, Leg};
use super::settings::CarrierSettings;
pub use telnyx::Command;

/// A document for a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media_type: &'static str,
    /// The document as it is sent: XML or JSON.
    pub text: String,
}

/// What is to become of a call.
pub struct Plan<'a> {
    /// How carriers are dealt with.
    pub settings: &'a CarrierSettings,
    /// The call to be handed on.
    pub leg: Leg<'a>,
    /// The token of its stream; `None` for the plain forward document.
    pub token: Option<&'a str>,
    /// The caller, as far as the carrier told it; Vonage's and Telnyx's leg to Vapi is from them.
    pub caller: Option<&'a str>,
    /// Whether the caller's keys come down its stream, so that nobody need be asked for a PIN first.
    pub keys_on_stream: bool,
}

/// The stream that a document asks for.
struct Stream<'a> {
    url: String,
    token: &'a str,
}

impl Plan<'_> {
    /// The answer of `carrier`'s webhook.
    pub fn document(&self, carrier: Carrier) -> Document {
        match carrier {
            Carrier::Twilio => twilio::document(self, Carrier::Twilio),
            // TeXML; what is commanded needs no document.
            Carrier::Telnyx => twilio::document(self, Carrier::Telnyx),
            Carrier::Vonage => vonage::document(self),
            Carrier::Bandwidth => bandwidth::document(self),
            Carrier::Plivo => plivo::document(self),
            Carrier::Asterisk => asterisk::document(self),
            Carrier::Jambonz => jambonz::document(self),
        }
    }

    /// What Telnyx's Call Control is commanded while the call rings: answer.
    pub fn commands_at_ringing(&self) -> Vec<Command> {
        telnyx::at_ringing(self)
    }

    /// What Telnyx's Call Control is commanded when the call is answered: fork, and hand it on.
    pub fn commands_at_answer(&self) -> Vec<Command> {
        telnyx::at_answer(self)
    }

    fn forward(&self) -> &Forward {
        &self.settings.forward
    }

    /// The stream, where there is a token for it and an address to stream to.
    fn stream(&self, carrier: Carrier) -> Option<Stream<'_>> {
        let base = self.settings.proofs.public_url.as_deref()?.trim_end_matches('/');
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        let scheme = if base.starts_with("http://") { "ws" } else { "wss" };
        Some(Stream {
            url: format!("{scheme}://{rest}/media/{carrier}"),
            token: self.token?,
        })
    }
}

impl Document {
    fn xml(root: &xml::Element) -> Self {
        Self {
            media_type: "application/xml",
            text: root.document(),
        }
    }

    /// The document that asks for nothing, for webhooks that only tell.
    pub fn nothing(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Vonage | Carrier::Jambonz => Self {
                media_type: "application/json",
                text: "[]".to_owned(),
            },
            Carrier::Asterisk => Self {
                media_type: "application/x-www-form-urlencoded",
                text: String::new(),
            },
            Carrier::Twilio | Carrier::Telnyx | Carrier::Bandwidth | Carrier::Plivo => {
                Self::xml(&xml::Element::new("Response"))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::carriers::signature::BasicLogin;
    use crate::carriers::{CarrierSections, VonageScreening};
    use crate::settings::SettingsReader;
    use crate::units::{CallId, DialedNumber, PhoneNumber};

    /// A document for a call whose id is `call`.
    pub fn document(carrier: Carrier, call: &str, token: Option<&str>) -> String {
        with_plan(call, token, |plan| plan.document(carrier).text)
    }

    /// What `check` says of the plan of such a call.
    pub fn with_plan<T>(call: &str, token: Option<&str>, check: impl FnOnce(&Plan) -> T) -> T {
        planned(call, token, Some("+12025550101"), check)
    }

    /// The same of a call from `caller`.
    pub fn with_caller<T>(caller: Option<&str>, check: impl FnOnce(&Plan) -> T) -> T {
        planned("c-1", Some("tok"), caller, check)
    }

    fn planned<T>(
        call: &str,
        token: Option<&str>,
        caller: Option<&str>,
        check: impl FnOnce(&Plan) -> T,
    ) -> T {
        let mut settings = CarrierSections::default().checked(&mut SettingsReader::default());
        settings.vonage_screening = Some(VonageScreening {
            prompt: "Who is <calling> & why?".to_owned(),
            listen: Duration::from_secs(6),
        });
        settings.proofs.public_url = Some("https://id.example.com".to_owned());
        settings.proofs.bandwidth = Some(BasicLogin::new("u", "p\"<&".into()));
        let call: CallId = call.parse().unwrap();
        let dialed: DialedNumber = "+12025550102".parse().unwrap();
        let forwarded: PhoneNumber = "+12025550103".parse().unwrap();
        check(&Plan {
            settings: &settings,
            leg: Leg {
                call: &call,
                dialed: &dialed,
                forwarded: Some(&forwarded),
                now: 1_760_000_000,
            },
            token,
            caller,
            keys_on_stream: false,
        })
    }

    #[test]
    fn every_document_forks_and_forwards_and_the_plain_one_forwards_alone() {
        for carrier in Carrier::ALL {
            let shown = |token| {
                let text = document(carrier, "c-1", token);
                let plain = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
                plain.into_owned()
            };
            let (whole, plain) = (shown(Some("tok")), shown(None));
            // A dialplan knows by itself where to stream.
            let asks = whole.contains(&format!("wss://id.example.com/media/{carrier}"));
            assert_eq!(asks, carrier != Carrier::Asterisk, "{whole}");
            assert!(
                whole.contains("tok") && whole.contains("sip:+12025550102@sip.vapi.ai"),
                "{whole}"
            );
            assert!(
                !plain.contains("wss://") && plain.contains("sip:+12025550102@sip.vapi.ai"),
                "{plain}"
            );
        }
    }

    #[test]
    fn hostile_ids_and_secrets_stay_values() {
        for carrier in Carrier::ALL {
            let call = "\"/><Hangup/>&x='";
            let shown = document(carrier, call, Some("tok"));
            if carrier == Carrier::Vonage {
                let actions: serde_json::Value = serde_json::from_str(&shown).unwrap();
                assert_eq!(actions.as_array().unwrap().len(), 3);
                assert_eq!(actions[2]["endpoint"][0]["headers"]["Fwd-Call"], call);
            } else if carrier == Carrier::Jambonz {
                let verbs: serde_json::Value = serde_json::from_str(&shown).unwrap();
                assert_eq!(verbs.as_array().unwrap().len(), 2);
                assert_eq!(verbs[1]["headers"]["X-Fwd-Call"], call);
            } else {
                assert!(!shown.contains("<Hangup"), "{shown}");
            }
        }
    }
}
