//! Asterisk's `chan_websocket`: binary media between control messages, as JSON (`f(json)`, since 20.18, 22.8 and
//! 23.2) or as words on a line, the older form and still the usual one. Written against `channels/chan_websocket.c`
//! of Asterisk's repository, August 2026.
//!
//! JSON brings the channel's variables; of the older form they come in the WebSocket's query (`v(dialed=...)`).

use std::collections::HashMap;

use serde::Deserialize;

use super::lenient::{digit_if_any, parameters};
use super::{Message, Numbered, Sound, SoundName, Start, StreamFault, key, parsed};
use crate::carriers::attributes::Attributes;
use crate::carriers::{Carrier, form};
use crate::evidence::Source;
use crate::units::Hertz;

const REMEDY: &str = "dial it as WebSocket/.../c(slin16), or with c(slin), c(ulaw) or c(alaw)";

#[derive(Deserialize)]
struct Frame {
    event: String,
    channel_id: Option<String>,
    format: Option<String>,
    #[serde(default, deserialize_with = "digit_if_any")]
    digit: Option<String>,
    #[serde(default, deserialize_with = "parameters")]
    channel_variables: HashMap<String, String>,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let text = text.trim_start();
    let frame = if text.starts_with('{') {
        parsed(Carrier::Asterisk, text)?
    } else {
        words(text)?
    };
    let message = match frame.event.as_str() {
        "MEDIA_START" => begin(frame)?,
        "DTMF_END" => key(&frame.digit.ok_or(StreamFault::Lacking { event: "DTMF_END" })?),
        _ => Message::Other,
    };
    Ok(message.at(None))
}

/// `MEDIA_START connection_id:... channel:... format:ulaw`: a word in capitals, then names and values.
fn words(text: &str) -> Result<Frame, StreamFault> {
    let mut words = text.split_ascii_whitespace();
    let event = words.next().unwrap_or("");
    let is_event = |sign: u8| sign.is_ascii_uppercase() || sign == b'_';
    if event.is_empty() || !event.bytes().all(is_event) {
        return Err(StreamFault::NotAMessage {
            carrier: Carrier::Asterisk,
            why: "it begins neither with `{` nor with a word in capitals, as MEDIA_START".to_owned(),
        });
    }
    let mut named: HashMap<&str, &str> = words.filter_map(|word| word.split_once(':')).collect();
    let mut take = |name: &str| named.remove(name).map(str::to_owned);
    Ok(Frame {
        event: event.to_owned(),
        channel_id: take("channel_id"),
        format: take("format"),
        digit: take("digit"),
        channel_variables: HashMap::new(),
    })
}

fn begin(frame: Frame) -> Result<Message, StreamFault> {
    let format = frame
        .format
        .ok_or(StreamFault::Lacking { event: "MEDIA_START" })?;
    let told = Attributes::of(frame.channel_variables);
    Ok(Message::Start(Start {
        // The caller's call, where it is named; the WebSocket's channel is another one.
        ids: told
            .call()
            .map(str::to_owned)
            .into_iter()
            .chain(frame.channel_id)
            .collect(),
        number: told.dialed().map(str::to_owned),
        token: told.token().map(str::to_owned),
        sound: sound(&format)?,
        facts: Some(Box::new(told.facts(Source::Asterisk))),
        ..Start::default()
    }))
}

/// The formats of Asterisk's `main/format_cache.c` that hold plain samples. Linear ones are in the byte order of
/// Asterisk's machine, which is little-endian.
fn sound(format: &str) -> Result<Sound, StreamFault> {
    let of = |name, rate| {
        Ok(Sound {
            name,
            rate: Hertz(rate),
        })
    };
    match format {
        "ulaw" => of(SoundName::Mulaw, 8_000),
        "alaw" => of(SoundName::Alaw, 8_000),
        "slin" => of(SoundName::PcmS16le, 8_000),
        "slin12" => of(SoundName::PcmS16le, 12_000),
        "slin16" => of(SoundName::PcmS16le, 16_000),
        "slin24" => of(SoundName::PcmS16le, 24_000),
        "slin32" => of(SoundName::PcmS16le, 32_000),
        "slin44" => of(SoundName::PcmS16le, 44_100),
        "slin48" => of(SoundName::PcmS16le, 48_000),
        other => Err(StreamFault::Unsupported {
            encoding: other.chars().take(64).collect(),
            rate: match other {
                "opus" => 48_000,
                "slin96" => 96_000,
                "slin192" => 192_000,
                "g722" => 16_000,
                _ => 8_000,
            },
            channels: 1,
            remedy: REMEDY,
        }),
    }
}

/// Takes from the address of the WebSocket what its first message did not say. One or the other: Asterisk keeps the
/// parameters of a call in the connection's configuration, and sends them with the next call that has none of its own
/// (`ast_websocket_client_add_uri_params`), so beside a message that says whose call it is they may be another's.
pub(super) fn with_query(mut start: Start, query: &str) -> Start {
    if start.number.is_some() || start.token.is_some() {
        return start;
    }
    let told = Attributes::of(form::pairs(query.as_bytes()));
    // Its channel alone: no variable named the caller's call.
    if let (Some(call), 0..=1) = (told.call(), start.ids.len()) {
        start.ids.insert(0, call.to_owned());
    }
    start.number = told.dialed().map(str::to_owned);
    start.token = told.token().map(str::to_owned);
    let more = told.facts(Source::Asterisk);
    let facts = start.facts.get_or_insert_default();
    for found in more.forwarding {
        facts.add_forwarding(found.place, found.text);
    }
    facts.caller_text = facts.caller_text.take().or(more.caller_text);
    facts.identity = facts.identity.take().or(more.identity);
    start
}

#[cfg(test)]
mod tests {
    use super::super::tests::started;
    use super::*;

    const JSON: &str = r#"{"event":"MEDIA_START","connection_id":"voxline","channel":"WebSocket/voxline/0x7f",
        "channel_id":"1796000000.7","format":"slin16","optimal_frame_size":640,"ptime":20,"channel_variables":{
        "MEDIA_WEBSOCKET_CONNECTION_ID":"voxline","MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE":"640","DIALED":"+12025550102",
        "CALLERID":"+12025550101","DIVERSION":"<sip:+12025550103@pbx.example>;reason=no-answer","CALL":"1796000000.5"}}"#;
    const WORDS: &str = "MEDIA_START connection_id:voxline channel:WebSocket/voxline/0x7f \
        channel_id:1796000000.7 format:ulaw optimal_frame_size:160 ptime:20";

    fn start(text: &str) -> Start {
        started(read(text))
    }

    #[test]
    fn a_json_start_brings_the_format_and_the_dialplans_variables() {
        let start = start(JSON);
        assert_eq!(start.ids, ["1796000000.5", "1796000000.7"]);
        assert_eq!(start.number.as_deref(), Some("+12025550102"));
        assert_eq!(
            (start.sound.name, start.sound.rate),
            (SoundName::PcmS16le, Hertz(16_000))
        );
        let facts = start.facts.unwrap();
        assert_eq!((facts.source, facts.forwarding.len()), (Source::Asterisk, 1));
        assert_eq!(facts.caller_text.as_deref(), Some("+12025550101"));
    }

    #[test]
    fn a_start_in_words_brings_the_format_and_the_query_the_rest() {
        let query = "dialed=%2B12025550102&caller=%2B12025550101&call=1796000000.5&call_token=t\
            &diversion=%3Csip%3A%2B12025550103%40pbx%3E";
        let start = with_query(start(WORDS), query);
        assert_eq!(start.ids, ["1796000000.5", "1796000000.7"]);
        assert_eq!(start.sound, Sound::TELEPHONE);
        assert_eq!(
            (start.number.as_deref(), start.token.as_deref()),
            (Some("+12025550102"), Some("t"))
        );
        assert_eq!(start.facts.unwrap().forwarding.len(), 1);
    }

    #[test]
    fn where_variables_name_the_call_the_query_is_not_read() {
        let stale =
            "dialed=%2B12025550199&caller=x&call=other&call_token=t&diversion=%3Csip%3A%2B12025550104%3E";
        assert_eq!(with_query(start(JSON), stale), start(JSON));
    }

    #[test]
    fn keys_are_digits_and_the_other_messages_are_nothing() {
        for (text, message) in [
            (
                r#"{"event":"DTMF_END","channel_id":"1.7","digit":"5"}"#,
                Message::Digit('5'),
            ),
            ("DTMF_END digit:# channel_id:1.7", Message::Digit('#')),
            ("DTMF_END digit:# channel_id:1.7\n", Message::Digit('#')),
            ("MEDIA_XOFF", Message::Other),
            (
                "STATUS channel_id:1.7 queue_length:0 queue_full:false",
                Message::Other,
            ),
            (r#"{"event":"QUEUE_DRAINED","channel_id":"1.7"}"#, Message::Other),
        ] {
            assert_eq!(read(text), Ok(message.at(None)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (text, said) in [
            ("", "a word in capitals"),
            ("hello", "a word in capitals"),
            ("{", "not a message of asterisk's streams"),
            ("MEDIA_START channel_id:1.7", "without its content"),
            ("DTMF_END", "without its content"),
            ("MEDIA_START format:opus", "\"opus\" at 48000 Hz"),
            ("MEDIA_START format:slin192", "c(slin16)"),
        ] {
            let fault = read(text).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault} does not say {said}");
        }
    }
}
