//! Telnyx: Call Control's events in JSON, or TeXML's form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::{ControlStyle, Event, Fields, Received, Ring, WebhookFault, call, dialed, json, twilio};
use crate::carriers::Carrier;
use crate::carriers::stream::fitting;
use crate::evidence::{Attestation, AttestationLevel, CallFacts, Headers, Source};
use crate::units::CallId;

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    event_type: String,
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    call_control_id: Option<String>,
    direction: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    from: Option<String>,
    to: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    sip_headers: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "fitting")]
    custom_headers: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "fitting")]
    shaken_stir_attestation: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    shaken_stir_validated: Option<bool>,
    #[serde(default, deserialize_with = "fitting")]
    client_state: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    hangup_cause: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

pub(super) fn read(received: Received) -> Result<Event, WebhookFault> {
    let is_json = received.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_json {
        return twilio::read_as(Source::Telnyx, &Fields::of(received));
    }
    let Envelope { data } = json(Carrier::Telnyx, received.body)?;
    let control = match data.event_type.as_str() {
        "call.initiated" => Some(ControlStyle::CommandsAtRinging),
        "call.answered" => Some(ControlStyle::CommandsAtAnswer),
        "call.hangup" => None,
        // Keys come down the stream as well, and must not be taken twice.
        _ => return Ok(Event::Other),
    };
    let payload = data.payload.ok_or(WebhookFault::Missing("data.payload"))?;
    // The legs that our own transfers make are announced here too.
    if payload.direction.as_deref() != Some("incoming") && control.is_some() {
        return Ok(Event::Other);
    }
    let id = call(payload.call_control_id.as_deref(), "data.payload.call_control_id")?;
    let Some(control) = control else {
        return Ok(match not_handed_on(&payload) {
            Some(call) => Event::NotHandedOn { call },
            None => Event::Ended { call: id },
        });
    };
    Ok(Event::Ringing(Box::new(Ring {
        call: id,
        dialed: dialed(payload.to.as_deref(), "data.payload.to")?,
        facts: facts(payload),
        control,
    })))
}

/// The call whose transfer failed, where the leg that ended was to take it: Telnyx lets the caller's leg go on. What was
/// answered ends as it does, and who gave up waiting is gone.
fn not_handed_on(leg: &Payload) -> Option<CallId> {
    let is_ours = leg.direction.as_deref() == Some("outgoing");
    let cause = leg.hangup_cause.as_deref();
    if !is_ours
        || matches!(
            cause,
            Some("normal_clearing" | "time_limit" | "originator_cancel")
        )
    {
        return None;
    }
    let call = STANDARD.decode(leg.client_state.as_deref()?).ok()?;
    String::from_utf8(call).ok()?.parse().ok()
}

fn facts(payload: Payload) -> CallFacts {
    let level = payload
        .shaken_stir_attestation
        .as_deref()
        .and_then(AttestationLevel::of_letter);
    let mut facts = CallFacts {
        source: Source::Telnyx,
        caller_text: payload.from,
        attestation: level.map(|level| Attestation {
            level,
            verified: payload.shaken_stir_validated == Some(true),
        }),
        ..CallFacts::default()
    };
    let lists = [payload.sip_headers, payload.custom_headers];
    let headers = lists.into_iter().flatten().flatten();
    facts.add_sip(&Headers::from_pairs(headers.filter_map(|header| {
        let header: Header = serde_json::from_value(header).ok()?;
        Some((header.name, header.value))
    })));
    facts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;

    fn event(kind: &str, direction: &str) -> String {
        format!(
            r#"{{"data":{{"record_type":"event","event_type":"{kind}","id":"e","occurred_at":"t","payload":{{
            "call_control_id":"v2:c","call_leg_id":"l","call_session_id":"s","connection_id":"1",
            "direction":"{direction}","from":"+12025550101","to":"+12025550102","state":"parked",
            "sip_headers":[{{"name":"Diversion","value":"<sip:+12025550103@h>;reason=unconditional"}}],
            "custom_headers":[{{"name":"X-Tenant","value":"7"}}],"shaken_stir_attestation":"A",
            "shaken_stir_validated":true,"offered_codecs":"PCMU,PCMA"}}}}}}"#
        )
    }

    #[test]
    fn a_forwarded_call_names_who_forwarded_it_at_ringing_and_at_answer() {
        for (kind, control) in [
            ("call.initiated", ControlStyle::CommandsAtRinging),
            ("call.answered", ControlStyle::CommandsAtAnswer),
        ] {
            let ring = ring(Carrier::Telnyx, "", &event(kind, "incoming"));
            assert_eq!((ring.call.as_str(), ring.control), ("v2:c", control));
            assert_eq!(forwarder(&ring), Some(("+12025550103".to_owned(), "diversion")));
            assert!(ring.facts.attestation.unwrap().verified);
        }
    }

    #[test]
    fn a_leg_of_ours_that_nobody_took_leaves_its_caller_waiting() {
        let ended = |direction: &str, more: &str| {
            let text =
                event("call.hangup", direction).replace("\"call_leg_id\"", &format!("{more}\"call_leg_id\""));
            match heard(Carrier::Telnyx, "", &text).unwrap() {
                Event::NotHandedOn { call } => Some(call.as_str().to_owned()),
                Event::Ended { .. } => None,
                other => panic!("{other:?}"),
            }
        };
        let state = r#""client_state":"djI6YQ==","#;
        let cause = |cause: &str| format!("{state}\"hangup_cause\":\"{cause}\",");
        for failed in [
            "not_found",
            "call_rejected",
            "user_busy",
            "no_answer",
            "timeout",
            "unspecified",
        ] {
            assert_eq!(
                ended("outgoing", &cause(failed)).as_deref(),
                Some("v2:a"),
                "{failed}"
            );
        }
        for over in ["normal_clearing", "time_limit", "originator_cancel"] {
            assert_eq!(ended("outgoing", &cause(over)), None, "{over}");
        }
        assert_eq!(ended("incoming", &cause("timeout")), None);
        assert_eq!(
            ended("outgoing", r#""hangup_cause":"timeout","#),
            None,
            "not ours"
        );
        assert_eq!(ended("outgoing", r#""client_state":"???","#), None);
    }

    #[test]
    fn legs_of_ours_and_keys_are_left_alone_and_a_hangup_ends_the_call() {
        let read = |text: String| heard(Carrier::Telnyx, "", &text);
        assert!(matches!(
            read(event("call.initiated", "outgoing")),
            Ok(Event::Other)
        ));
        assert!(matches!(
            read(event("call.dtmf.received", "incoming")),
            Ok(Event::Other)
        ));
        assert!(matches!(
            read(event("call.hangup", "incoming")),
            Ok(Event::Ended { .. })
        ));
    }
}
