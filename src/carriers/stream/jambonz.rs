//! jambonz's `listen`: one text frame with the call's attributes and whatever `metadata` was asked for, flat beside
//! them; then binary L16, little-endian; keys between where `passDtmf` is set. Written against
//! `lib/tasks/listen.js` and `lib/session/call-info.js` of jambonz-feature-server, July 2026.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{fitting, number_if_any, texts};
use super::{Message, Numbered, Sound, SoundName, Start, StreamFault, key, parsed};
use crate::carriers::Carrier;
use crate::carriers::attributes::Attributes;
use crate::evidence::{CallFacts, Headers, Source, is_blank};
use crate::units::Hertz;

const REMEDY: &str =
    "set the listen verb's `mixType` to mono or stereo and `sampleRate` to 8000, 16000, 24000 or 48000";

#[derive(Deserialize)]
struct Frame {
    event: Option<String>,
    #[serde(rename = "callSid")]
    call_sid: Option<String>,
    #[serde(rename = "sampleRate", default, deserialize_with = "number_if_any")]
    sample_rate: Option<u64>,
    #[serde(rename = "mixType")]
    mix_type: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    from: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    to: Option<String>,
    dtmf: Option<Value>,
    #[serde(default, deserialize_with = "fitting")]
    headers: Option<HashMap<String, Value>>,
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let frame: Frame = parsed(Carrier::Jambonz, text)?;
    let message = match (frame.event.as_deref(), &frame.call_sid) {
        (Some("dtmf"), _) => match frame.dtmf.ok_or(StreamFault::Lacking { event: "dtmf" })? {
            Value::String(digit) => key(&digit),
            Value::Number(digit) => key(&digit.to_string()),
            _ => Message::Other,
        },
        (None, Some(_)) => begin(frame)?,
        _ => Message::Other,
    };
    Ok(message.at(None))
}

fn begin(frame: Frame) -> Result<Message, StreamFault> {
    let (sound, channels) = sound(&frame)?;
    let told = Attributes::of(texts(frame.more));
    let mut facts = CallFacts {
        caller_text: frame.from,
        ..told.facts(Source::Jambonz)
    };
    let headers = headers(frame.headers);
    facts.add_sip(&headers);
    // jambonz leaves a number blank that the INVITE has as a tel URI.
    let to = frame.to.filter(|to| !is_blank(to)).or_else(|| headers.get("to"));
    Ok(Message::Start(Start {
        ids: frame.call_sid.into_iter().collect(),
        number: told.dialed().map(str::to_owned).or(to),
        token: told.token().map(str::to_owned),
        sound,
        channels,
        facts: Some(Box::new(facts)),
        ..Start::default()
    }))
}

/// 16 bits, whatever else. Of `stereo` the caller is the first channel; `mixed` has everybody in one, where nobody
/// can be told from the agent.
fn sound(frame: &Frame) -> Result<(Sound, u16), StreamFault> {
    let rate = frame.sample_rate.unwrap_or(8_000);
    let mix = frame.mix_type.as_deref().unwrap_or("mono");
    let channels = match mix {
        "mono" => Some(1),
        "stereo" => Some(2),
        _ => None,
    };
    match (channels, u32::try_from(rate)) {
        (Some(channels), Ok(rate @ (8_000 | 16_000 | 24_000 | 32_000 | 48_000))) => {
            let sound = Sound {
                name: SoundName::PcmS16le,
                rate: Hertz(rate),
            };
            Ok((sound, channels))
        }
        _ => Err(StreamFault::Unsupported {
            encoding: format!("L16 {}", mix.chars().take(32).collect::<String>()),
            rate,
            channels: u64::from(channels.unwrap_or(1)),
            remedy: REMEDY,
        }),
    }
}

/// The SIP headers of a message as jambonz hands them on: a text each, or several where a header came several times.
pub(in crate::carriers) fn headers(given: Option<HashMap<String, Value>>) -> Headers {
    let pairs = given.into_iter().flatten().flat_map(|(name, value)| {
        let lines: Vec<String> = match value {
            Value::String(text) => vec![text],
            Value::Array(lines) => lines
                .into_iter()
                .filter_map(|line| Some(line.as_str()?.to_owned()))
                .collect(),
            _ => Vec::new(),
        };
        lines.into_iter().map(move |line| (name.clone(), line))
    });
    Headers::from_pairs(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::tests::started;
    use super::*;

    const START: &str = r#"{"sampleRate":8000,"mixType":"mono","callSid":"7a0b","direction":"inbound",
        "from":"+12025550101","to":"12025550102","callId":"c@h","sipStatus":100,"callStatus":"trying",
        "accountSid":"a","fsSipAddress":"10.0.0.1:5060","headers":{"diversion":"<sip:+12025550103@h>;reason=no-answer"},
        "call_token":"t","number":"+12025550102"}"#;

    fn start(text: &str) -> Start {
        started(read(text))
    }

    #[test]
    fn the_first_frame_brings_the_calls_attributes_and_our_metadata_flat() {
        let start = start(START);
        assert_eq!(start.ids, ["7a0b"]);
        assert_eq!(
            (start.number.as_deref(), start.token.as_deref(), start.channels),
            (Some("+12025550102"), Some("t"), 1)
        );
        assert_eq!(
            (start.sound.name, start.sound.rate),
            (SoundName::PcmS16le, Hertz(8_000))
        );
        let facts = start.facts.unwrap();
        assert_eq!((facts.source, facts.forwarding.len()), (Source::Jambonz, 1));
        assert_eq!(facts.caller_text.as_deref(), Some("+12025550101"));
    }

    #[test]
    fn without_metadata_the_number_is_the_calls_own() {
        let start = start(r#"{"callSid":"7a0b","to":"12025550102","sampleRate":"16000","mixType":"stereo"}"#);
        assert_eq!(start.number.as_deref(), Some("12025550102"));
        assert_eq!((start.sound.rate, start.channels), (Hertz(16_000), 2));
    }

    #[test]
    fn numbers_that_jambonz_leaves_blank_are_the_invites() {
        let text = r#"{"callSid":"7a0b","from":"","to":"","headers":{"from":"<sip:+12025550101@h>","to":"<tel:+12025550102>"}}"#;
        let start = start(text);
        assert_eq!(start.number.as_deref(), Some("<tel:+12025550102>"));
        let caller = start.facts.unwrap().caller_text;
        assert_eq!(caller.as_deref(), Some("<sip:+12025550101@h>"));
    }

    #[test]
    fn a_forwarder_in_the_metadata_is_one_as_in_a_header() {
        let start = start(r#"{"callSid":"7a0b","to":"12025550102","x_forwarded_from":"+12025550103"}"#);
        assert_eq!(start.facts.unwrap().forwarding.len(), 1);
    }

    #[test]
    fn keys_are_digits_and_the_other_messages_are_nothing() {
        for (text, message) in [
            (
                r#"{"event":"dtmf","dtmf":"5","duration":"1600"}"#,
                Message::Digit('5'),
            ),
            (
                r#"{"event":"dtmf","dtmf":5,"duration":1600}"#,
                Message::Digit('5'),
            ),
            (r#"{"event":"dtmf","dtmf":[]}"#, Message::Other),
            (r#"{"type":"playDone","data":{"id":"1"}}"#, Message::Other),
            ("{}", Message::Other),
        ] {
            assert_eq!(read(text), Ok(message.at(None)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_remedy() {
        for (text, said) in [
            ("[]", "not a message of jambonz's streams"),
            (r#"{"event":"dtmf"}"#, "without its content"),
            (r#"{"callSid":"c","mixType":"mixed"}"#, "\"L16 mixed\" at 8000 Hz"),
            (
                r#"{"callSid":"c","sampleRate":64000}"#,
                "`mixType` to mono or stereo",
            ),
        ] {
            let fault = read(text).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault} does not say {said}");
        }
    }
}
