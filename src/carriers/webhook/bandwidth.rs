//! Bandwidth's voice webhooks: JSON.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ControlStyle, Event, Ring, WebhookFault, call, dialed, json};
use crate::carriers::Carrier;
use crate::carriers::stream::{fitting, key_of, texts};
use crate::evidence::{Attestation, AttestationLevel, CallFacts, Headers, Place, Source};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    event_type: String,
    call_id: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    event_time: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    from: Option<String>,
    to: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    digit: Option<Digit>,
    #[serde(default, deserialize_with = "fitting")]
    diversion: Option<HashMap<String, Value>>,
    #[serde(default, deserialize_with = "fitting")]
    stir_shaken: Option<HashMap<String, Value>>,
    #[serde(default, deserialize_with = "fitting")]
    sip_headers: Option<HashMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Digit {
    Text(String),
    Number(u64),
}

impl Digit {
    fn key(&self) -> Option<char> {
        match self {
            Self::Text(text) => key_of(text),
            Self::Number(number) => key_of(&number.to_string()),
        }
    }
}

pub(super) fn read(body: &[u8]) -> Result<Event, WebhookFault> {
    let webhook: Webhook = json(Carrier::Bandwidth, body)?;
    let id = || call(webhook.call_id.as_deref(), "callId");
    match webhook.event_type.as_str() {
        "initiate" => {
            let (call, dialed) = (id()?, dialed(webhook.to.as_deref(), "to")?);
            Ok(Event::Ringing(Box::new(Ring {
                call,
                dialed,
                facts: facts(webhook),
                control: ControlStyle::Document,
            })))
        }
        "dtmf" => Ok(match webhook.digit.as_ref().and_then(Digit::key) {
            Some(key) => {
                let at = webhook.event_time.as_deref();
                Event::Digit {
                    call: id()?,
                    key,
                    at: at.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()),
                }
            }
            None => Event::Other,
        }),
        "disconnect" => Ok(Event::Ended { call: id()? }),
        _ => Ok(Event::Other),
    }
}

fn facts(webhook: Webhook) -> CallFacts {
    let mut facts = CallFacts {
        source: Source::Bandwidth,
        caller_text: webhook.from,
        attestation: webhook.stir_shaken.and_then(attestation),
        ..CallFacts::default()
    };
    if let Some(diverted) = webhook.diversion.and_then(diverted) {
        facts.add_forwarding(Place::OrigTo, diverted);
    }
    if let Some(headers) = webhook.sip_headers {
        facts.add_sip(&Headers::from_pairs(texts(headers)));
    }
    facts
}

fn attestation(given: HashMap<String, Value>) -> Option<Attestation> {
    let given: HashMap<_, _> = texts(given).collect();
    let verified = given
        .get("verstat")
        .and_then(|text| Attestation::from_verstat(text));
    let letter = given.get("attestationIndicator");
    let level = letter.and_then(|letter| AttestationLevel::of_letter(letter));
    match (verified, level) {
        // A verstat without a letter has it beside.
        (Some(read), Some(level)) if read.level != AttestationLevel::Failed => {
            Some(Attestation { level, ..read })
        }
        (Some(read), _) => Some(read),
        (None, level) => level.map(|level| Attestation {
            level,
            verified: false,
        }),
    }
}

/// The diversion as the header it was, with the two of its parameters that are read; only the newest is told.
fn diverted(given: HashMap<String, Value>) -> Option<String> {
    let given: HashMap<_, _> = texts(given).collect();
    let number = given.get("origTo")?;
    let token = |name: &str| {
        let word = given.get(name)?.as_str();
        let plain = !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain.then(|| format!(";{name}={word}"))
    };
    let of_an_address = |sign: char| sign.is_alphanumeric() || "+-._ ".contains(sign);
    if !number.chars().all(of_an_address) {
        return Some(number.clone());
    }
    let parameters: String = ["reason", "privacy"].into_iter().filter_map(token).collect();
    Some(format!("<sip:{}@bandwidth.com>{parameters}", number.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;

    fn initiate(diversion: &str) -> String {
        format!(
            r#"{{"eventType":"initiate","eventTime":"t","accountId":"1","applicationId":"a",
            "from":"+12025550101","to":"+12025550102","direction":"inbound","callId":"c-1","callUrl":"u",
            "startTime":"t","diversion":{diversion},"stirShaken":{{"verstat":"TN-Validation-Passed",
            "attestationIndicator":"A","originatingId":"o"}},"sipCallId":"s","sipHeaders":{{}}}}"#
        )
    }

    #[test]
    fn the_newest_diversion_names_who_forwarded_the_call() {
        let given = r#"{"origTo":"+12025550103","reason":"unconditional","privacy":"off","screen":"no",
            "counter":"1","limit":"5","later":{"a":1}}"#;
        let ring = ring(Carrier::Bandwidth, "", &initiate(given));
        assert_eq!(forwarder(&ring), Some(("+12025550103".to_owned(), "orig_to")));
        let attested = ring.facts.attestation.unwrap();
        assert_eq!((attested.level, attested.verified), (AttestationLevel::A, true));
    }

    #[test]
    fn a_withheld_or_hostile_diversion_names_nobody() {
        for given in [
            "null",
            "{}",
            r#"{"origTo":"Anonymous","privacy":"full"}"#,
            r#"{"origTo":"\"> <sip:+12025550199@evil>","reason":"unconditional"}"#,
            r#"{"origTo":"x>;a=<sip:+12025550199@evil"}"#,
        ] {
            let ring = ring(Carrier::Bandwidth, "", &initiate(given));
            assert_ne!(
                forwarder(&ring).map(|(number, _)| number).as_deref(),
                Some("+12025550103"),
                "{given}"
            );
        }
    }

    #[test]
    fn keys_and_the_end_are_webhooks_of_their_own() {
        let read = |body: &str| heard(Carrier::Bandwidth, "", body);
        for (more, expected) in [
            (r#""digit":"4""#, None),
            (r#""digit":4,"eventTime":5"#, None),
            (
                r#""digit":"4","eventTime":"2026-09-01T10:00:00.250Z""#,
                Some(1_788_256_800_250),
            ),
        ] {
            let key = read(&format!(r#"{{"eventType":"dtmf","callId":"c-1",{more}}}"#));
            let Ok(Event::Digit { key: '4', at, .. }) = key else {
                panic!("{more}: {key:?}")
            };
            assert_eq!(at.map(|at| at.unix_timestamp_nanos() / 1_000_000), expected);
        }
        let none = read(r#"{"eventType":"dtmf","callId":"c-1","digit":["4"]}"#);
        assert!(matches!(none, Ok(Event::Other)), "{none:?}");
        let end = read(r#"{"eventType":"disconnect","callId":"c-1"}"#);
        assert!(matches!(end, Ok(Event::Ended { .. })));
        assert!(matches!(
            read(r#"{"eventType":"transferComplete"}"#),
            Ok(Event::Other)
        ));
    }
}
