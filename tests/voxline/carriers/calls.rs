//! Calls as their carriers see them: the webhooks they announce them with, and the tokens they are answered.

use serde_json::{Value, json};
use time::OffsetDateTime;
use voxline::carriers::{Carrier, forward};

use super::peer::{ALICE, CALLER, FORWARD_SECRET, NUMBER};
use super::proofs::percent;

/// The token in a document or command.
pub fn token_in(carrier: Carrier, answer: &str) -> String {
    let before = match carrier {
        Carrier::Twilio | Carrier::Bandwidth => "name=\"call_token\" value=\"",
        Carrier::Telnyx => "\"name\":\"call_token\",\"value\":\"",
        Carrier::Vonage | Carrier::Jambonz => "\"call_token\":\"",
        Carrier::Plivo => "calltoken=",
        Carrier::Asterisk => "&token=",
    };
    let (_, rest) = answer
        .split_once(before)
        .unwrap_or_else(|| panic!("no token in {answer}"));
    let is_of_token = |sign: &char| sign.is_ascii_alphanumeric() || *sign == '-';
    rest.chars().take_while(is_of_token).collect()
}

/// The headers by which an SBC with our key names who forwarded a call.
pub fn signed(number: &str, call: &str) -> [(&'static str, String); 4] {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let dialed = NUMBER.parse().unwrap();
    let signature = forward::sign(&FORWARD_SECRET.into(), number, &dialed, call, now);
    [
        ("X-Forwarded-From", number.to_owned()),
        ("X-Fwd-Call", call.to_owned()),
        ("X-Fwd-Time", now.to_string()),
        ("X-Fwd-Sig", signature),
    ]
}

/// A call to Alice's own phone, which forwards it.
pub const fn call(id: &'static str) -> Call {
    Call {
        id,
        from: CALLER,
        forwarded: Some(ALICE),
    }
}

/// A call that nobody forwarded.
pub const fn direct(id: &'static str) -> Call {
    Call {
        forwarded: None,
        ..call(id)
    }
}

/// A call as its carrier sees it.
pub struct Call {
    pub id: &'static str,
    pub from: &'static str,
    pub forwarded: Option<&'static str>,
}

impl Call {
    /// The body of the voice webhook.
    pub fn webhook(&self, carrier: Carrier) -> String {
        let bare = |number: &'static str| number.trim_start_matches('+');
        let (id, from, forwarded) = (self.id, self.from, self.forwarded);
        match carrier {
            Carrier::Twilio => {
                let forwarded =
                    forwarded.map_or_else(String::new, |n| format!("&ForwardedFrom=%2B{}", bare(n)));
                let (from, to) = (bare(from), bare(NUMBER));
                format!("CallSid={id}&CallStatus=ringing&From=%2B{from}&To=%2B{to}{forwarded}")
            }
            Carrier::Telnyx => self.telnyx("call.initiated"),
            Carrier::Vonage => {
                let mut body = json!({"uuid": id, "from": bare(from), "to": bare(NUMBER)});
                for (name, value) in forwarded.map(|number| signed(number, id)).into_iter().flatten() {
                    body[format!("SipHeader_{name}")] = value.into();
                }
                body.to_string()
            }
            Carrier::Bandwidth => {
                let mut body = json!({"eventType": "initiate", "callId": id, "from": from, "to": NUMBER});
                if let Some(number) = forwarded {
                    body["diversion"] =
                        json!({"origTo": number, "reason": "unconditional", "privacy": "off"});
                }
                body.to_string()
            }
            Carrier::Plivo => {
                let forwarded = forwarded.map_or_else(String::new, |n| format!("&ForwardedFrom={}", bare(n)));
                let (from, to) = (bare(from), bare(NUMBER));
                format!("CallUUID={id}&Event=StartApp&From={from}&To={to}{forwarded}")
            }
            Carrier::Asterisk => {
                let diversion =
                    forwarded.map_or_else(String::new, |n| format!("<sip:{n}@pbx>;reason=no-answer"));
                let (from, to, diversion) = (percent(from), percent(NUMBER), percent(&diversion));
                format!("call={id}&dialed={to}&caller={from}&diversion={diversion}&history_info=")
            }
            Carrier::Jambonz => {
                let headers = match forwarded {
                    Some(n) => json!({"diversion": format!("<sip:{n}@h>;reason=no-answer")}),
                    None => json!({}),
                };
                json!({"sip": {"method": "INVITE", "headers": headers}, "direction": "inbound", "call_sid": id,
                    "from": from, "to": bare(NUMBER), "call_status": "trying"})
                .to_string()
            }
        }
    }

    /// One of Telnyx's events.
    pub fn telnyx(&self, event: &str) -> String {
        let headers = self.forwarded.map(
            |number| json!({"name": "Diversion", "value": format!("<sip:{number}@h>;reason=unconditional")}),
        );
        let headers: Vec<Value> = headers.into_iter().collect();
        json!({"data": {"event_type": event, "payload": {"call_control_id": self.id, "direction": "incoming",
            "from": self.from, "to": NUMBER, "sip_headers": headers}}})
        .to_string()
    }
}
