//! Carriers' webhooks: what each says of a call, read from bodies that were checked before.

mod asterisk;
mod bandwidth;
mod digits;
mod jambonz;
mod plivo;
mod twilio;
mod telnyx;
mod vonage;

use serde::de::DeserializeOwned;
use thiserror::Error;
use time::OffsetDateTime;

use super::{Carrier, form};
use crate::evidence::{self, CallFacts, Headers};
use crate::units::{CallId, DialedNumber};

pub use digits::Digits;

/// The parameter of our own address by which the answer to a `<Gather>` is known.
pub(super) const TYPED: &str = "typed";

/// What a webhook is about.
#[derive(Debug, Clone)]
pub enum Event {
    /// A call came in.
    Ringing(Box<Ring>),
    /// A key was pressed, where keys do not come down the stream.
    Digit {
        /// Id of the call.
        call: CallId,
        /// Which key was pressed: 0 to 9, `*` or `#`.
        key: char,
        /// When it was pressed, by the carrier's clock.
        at: Option<OffsetDateTime>,
    },
    /// A caller was asked for a PIN, and typed something; the call waits to be handed on.
    Typed {
        /// The call, as when it came in.
        ring: Box<Ring>,
        /// What was typed.
        digits: Digits,
    },
    /// A call is over.
    Ended {
        /// Id of the call.
        call: CallId,
    },
    /// A call that was to be handed on, and was told to be, was not taken: its caller waits in silence.
    NotHandedOn {
        /// Id of the caller's call.
        call: CallId,
    },
    /// Something that nothing is done about.
    Other,
}

/// A call as it comes in.
#[derive(Debug, Clone)]
pub struct Ring {
    /// The carrier's id of it.
    pub call: CallId,
    /// The dialed number.
    pub dialed: DialedNumber,
    /// What the webhook says of it.
    pub facts: CallFacts,
    /// How it wants to be answered.
    pub control: ControlStyle,
}

/// How a webhook wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlStyle {
    /// With a document.
    Document,
    /// With a document that only hands on: its stream began before.
    DocumentAlone,
    /// By commands, the call not being answered yet (Telnyx Call Control).
    CommandsAtRinging,
    /// By commands, the call being answered (Telnyx Call Control).
    CommandsAtAnswer,
}

/// Why a webhook cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookFault {
    /// The body is not what this carrier sends.
    #[error("not a webhook of {carrier}: {why}")]
    NotAWebhook {
        /// The carrier that sent the webhook.
        carrier: Carrier,
        /// What the parser says.
        why: String,
    },
    /// A field is missing.
    #[error("the webhook has no `{0}`")]
    Missing(&'static str),
    /// A call's id is none.
    #[error("`{0}` is not a call's id: 1 to 128 printable characters")]
    NotACall(&'static str),
    /// The dialed number is none.
    #[error("`{0}` is not a telephone number that can be dialed")]
    NotANumber(&'static str),
}

/// A webhook as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The query, without its question mark.
    pub query: &'a str,
    /// The request's body, as it came.
    pub body: &'a [u8],
    /// Whether it is the carrier's beyond doubt.
    pub trusted: bool,
}

/// Reads a webhook of `carrier`.
///
/// # Errors
/// [`WebhookFault`] saying what cannot be understood.
pub fn read(carrier: Carrier, received: Received) -> Result<Event, WebhookFault> {
    let mut event = match carrier {
        Carrier::Twilio => twilio::read(Fields::of(received))?,
        Carrier::Telnyx => telnyx::read(received)?,
        Carrier::Vonage => vonage::read(received)?,
        Carrier::Bandwidth => bandwidth::read(received.body)?,
        Carrier::Plivo => plivo::read(Fields::of(received))?,
        Carrier::Asterisk => asterisk::read(Fields::of(received))?,
        Carrier::Jambonz => jambonz::read(received.body)?,
    };
    if let Event::Ringing(ring) | Event::Typed { ring, .. } = &mut event {
        ring.facts.trusted = received.trusted;
    }
    Ok(event)
}

/// A form's fields, or a query's where there is no form; the first of each name counts.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(received: Received) -> Self {
        let mut fields = form::pairs(received.body);
        fields.extend(form::pairs(received.query.as_bytes()));
        for (_, value) in &mut fields {
            // A plus that was not escaped, as decoding a form leaves it.
            let digit = value.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
            if digit && value.starts_with(' ') {
                value.replace_range(..1, "+");
            }
        }
        Self(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn call(&self, name: &'static str) -> Result<CallId, WebhookFault> {
        call(self.get(name), name)
    }

    fn dialed(&self, name: &'static str) -> Result<DialedNumber, WebhookFault> {
        dialed(self.get(name), name)
    }

    /// The SIP headers that come as fields whose names begin with `prefix`.
    fn headers(&self, prefix: &str) -> Headers {
        let named = self
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())));
        Headers::from_pairs(named)
    }
}

fn call(text: Option<&str>, name: &'static str) -> Result<CallId, WebhookFault> {
    let text = text.ok_or(WebhookFault::Missing(name))?;
    text.parse().map_err(|_| WebhookFault::NotACall(name))
}

/// A dialed number, however it is written.
fn dialed(text: Option<&str>, name: &'static str) -> Result<DialedNumber, WebhookFault> {
    let text = text.ok_or(WebhookFault::Missing(name))?;
    evidence::dialed(text).map_err(|_| WebhookFault::NotANumber(name))
}

/// A number as carriers give it that write no plus: with its plus, where it is an international one; all else as it
/// came.
fn with_plus(text: &str) -> String {
    let bare = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = bare.then(|| evidence::dialed(text).ok()).flatten();
    number.map_or_else(|| text.to_owned(), |number| number.as_e164().to_owned())
}

fn json<T: DeserializeOwned>(carrier: Carrier, body: &[u8]) -> Result<T, WebhookFault> {
    serde_json::from_slice(body).map_err(|fault| WebhookFault::NotAWebhook {
        carrier,
        why: fault.to_string(),
    })
}

/// Whether a call's status says that it is over.
fn is_over(status: &str) -> bool {
    let over = [
        "completed",
        "busy",
        "failed",
        "no-answer",
        "canceled",
        "cancelled",
        "timeout",
        "rejected",
        // Vonage's.
        "unanswered",
        "disconnected",
    ];
    over.iter().any(|word| status.eq_ignore_ascii_case(word))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a webhook of this query and body says.
    pub fn heard(carrier: Carrier, query: &str, body: &str) -> Result<Event, WebhookFault> {
        let received = Received {
            query,
            body: body.as_bytes(),
            trusted: true,
        };
        read(carrier, received)
    }

    /// The call that a webhook announces.
    pub fn ring(carrier: Carrier, query: &str, body: &str) -> Ring {
        match heard(carrier, query, body) {
            Ok(Event::Ringing(ring)) => *ring,
            other => panic!("no call: {other:?}"),
        }
    }

    /// What the forwarding evidence of a call comes to.
    pub fn forwarder(ring: &Ring) -> Option<(String, &'static str)> {
        use crate::evidence::{Region, read_facts};
        let region = Region::of(&ring.dialed, None);
        let found = read_facts(&ring.facts, &ring.dialed, &|_| false, region);
        let best = found.forwarder().cloned();
        best.map(|best| (best.number.as_e164().to_owned(), best.place.name()))
    }

    #[test]
    fn a_dialed_number_is_read_with_and_without_its_plus_and_from_an_address() {
        for text in [
            "+12025550102",
            "12025550102",
            " 12025550102",
            "sip:+12025550102@h;user=phone",
            "tel:+12025550102",
        ] {
            let read = dialed(Some(text), "to").unwrap();
            assert_eq!(read.as_e164(), "+12025550102", "{text}");
        }
        assert_eq!(dialed(Some("support"), "to"), Err(WebhookFault::NotANumber("to")));
        assert_eq!(dialed(None, "to"), Err(WebhookFault::Missing("to")));
    }

    #[test]
    fn a_field_of_another_kind_costs_itself_alone() {
        let telnyx = json!({"data": {"event_type": "call.initiated", "payload": {
            "call_control_id": "c-1", "direction": "incoming", "from": "+12025550101", "to": "+12025550102",
            "sip_headers": [], "custom_headers": [], "shaken_stir_attestation": "A", "shaken_stir_validated": true,
            "client_state": "eyJ", "hangup_cause": "x"}}});
        let bandwidth = json!({"eventType": "initiate", "callId": "c-1", "eventTime": "t", "digit": "1",
            "from": "+12025550101", "to": "+12025550102", "diversion": {}, "stirShaken": {}, "sipHeaders": {}});
        let jambonz = json!({"call_sid": "c-1", "direction": "inbound", "call_status": "trying",
            "from": "+12025550101", "to": "+12025550102", "sip": {"headers": {}}});
        let vonage = json!({"uuid": "c-1", "from": "12025550101", "to": "12025550102", "SipHeader_X-A": "b"});
        for (carrier, body, at, needed) in [
            (
                Carrier::Telnyx,
                telnyx,
                "/data/payload",
                &["call_control_id", "direction", "to"][..],
            ),
            (Carrier::Bandwidth, bandwidth, "", &["eventType", "callId", "to"]),
            (Carrier::Jambonz, jambonz, "", &["call_sid", "to"]),
            (Carrier::Vonage, vonage, "", &["uuid", "to"]),
        ] {
            let fields = body.pointer(at).and_then(Value::as_object).unwrap();
            for name in fields.keys().filter(|name| !needed.contains(&name.as_str())) {
                for odd in [
                    json!(null),
                    json!(5),
                    json!(2.5),
                    json!(true),
                    json!([{"a": [1]}]),
                    json!({"a": null}),
                ] {
                    let mut bent = body.clone();
                    bent.pointer_mut(at).unwrap()[name] = odd;
                    let ring = ring(carrier, "", &bent.to_string());
                    assert_eq!(ring.call.as_str(), "c-1", "{carrier} {name}");
                }
            }
        }
    }

    #[test]
    fn an_odd_header_costs_none_of_the_others() {
        let headers = json!([{"name": "X-Foo", "value": null}, 5,
            {"name": "Diversion", "value": "<sip:+12025550103@h>;reason=unconditional"}]);
        let body = json!({"data": {"event_type": "call.answered", "payload": {"call_control_id": "c-1",
            "direction": "incoming", "from": "+12025550101", "to": "+12025550102", "sip_headers": headers}}});
        let found = forwarder(&ring(Carrier::Telnyx, "", &body.to_string()));
        assert_eq!(found, Some(("+12025550103".to_owned(), "diversion")));
    }

    #[test]
    fn what_is_no_webhook_is_named() {
        for carrier in Carrier::ALL {
            for body in ["", "null", "[]", "%", "{}", "a=b"] {
                let said = heard(carrier, "", body);
                assert!(
                    matches!(said, Err(_) | Ok(Event::Other)),
                    "{carrier} {body}: {said:?}"
                );
            }
        }
    }
}
