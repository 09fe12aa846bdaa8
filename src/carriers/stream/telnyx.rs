//! Telnyx media streaming. Packets may change places, and are put back by `chunk`; `sequence_number` counts
//! other messages too, but nothing says in which order it was given.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{Ours, digit, fitting, number, number_if_any, parameters, place};
use super::{Message, Numbered, Sound, Start, StreamFault, decoded, is_caller, key, parsed};
use crate::carriers::Carrier;

const REMEDY: &str = "ask Telnyx for stream_codec PCMU, PCMA, G722 or L16";

#[derive(Deserialize)]
struct Frame {
    event: String,
    start: Option<Begin>,
    media: Option<Media>,
    dtmf: Option<Key>,
    /// Of an `error`.
    payload: Option<Value>,
}

#[derive(Deserialize)]
struct Begin {
    call_control_id: String,
    #[serde(default, deserialize_with = "fitting")]
    call_session_id: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    to: Option<String>,
    media_format: Option<Format>,
    #[serde(default, deserialize_with = "parameters")]
    custom_parameters: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Format {
    encoding: String,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
    #[serde(default, deserialize_with = "number_if_any")]
    channels: Option<u64>,
}

#[derive(Deserialize)]
struct Media {
    track: Option<String>,
    #[serde(default, deserialize_with = "place")]
    chunk: Option<u64>,
    payload: String,
}

#[derive(Deserialize)]
struct Key {
    #[serde(deserialize_with = "digit")]
    digit: String,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let frame: Frame = parsed(Carrier::Telnyx, text)?;
    let lacking = |event| StreamFault::Lacking { event };
    let message = match frame.event.as_str() {
        "start" => frame.start.ok_or(lacking("start")).and_then(begin)?,
        "media" => {
            let media = frame.media.ok_or(lacking("media"))?;
            // The other track counts its own chunks, so only the caller's have a place.
            if is_caller(media.track.as_deref()) {
                return Ok(decoded(&media.payload)?.at(media.chunk));
            }
            Message::Other
        }
        "dtmf" => key(&frame.dtmf.ok_or(lacking("dtmf"))?.digit),
        "stop" => Message::Stop,
        "error" => {
            let said = frame.payload.as_ref().map(complaint).unwrap_or_default();
            tracing::warn!("Telnyx says of a stream: error {said}");
            Message::Other
        }
        _ => Message::Other,
    };
    Ok(message.at(None))
}

/// Code, title and detail of an error, for the log: short, on one line, and without a number of anybody.
fn complaint(error: &Value) -> String {
    let code = match &error["code"] {
        Value::String(code) => code.parse().ok(),
        code => code.as_u64(),
    };
    // Telnyx's have six digits.
    let code = code.filter(|code| *code < 1_000_000);
    let code = code.map_or_else(|| "without a code".to_owned(), |code| code.to_string());
    let text = |name: &str| -> String {
        let letters = error[name].as_str().unwrap_or_default().chars().take(200);
        let shown = letters.map(|letter| {
            if letter.is_numeric() {
                '#'
            } else if letter.is_control() {
                ' '
            } else {
                letter
            }
        });
        shown.collect()
    };
    format!("{code}: {} ({})", text("title"), text("detail"))
}

fn begin(begin: Begin) -> Result<Message, StreamFault> {
    let sound = begin.media_format.map_or(Ok(Sound::TELEPHONE), |format| {
        Sound::read(
            &format.encoding,
            format.sample_rate,
            format.channels.unwrap_or(1),
            REMEDY,
        )
    })?;
    let ours = Ours::take(begin.custom_parameters);
    let ids = std::iter::once(begin.call_control_id).chain(begin.call_session_id);
    Ok(Message::Start(Start {
        ids: ids.collect(),
        number: ours.number.or(begin.to),
        token: ours.token,
        sound,
        updates: ours.updates,
        ..Start::default()
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::SoundName;
    use super::super::tests::started;
    use super::*;

    fn start(format: &str) -> Result<Numbered, StreamFault> {
        read(&format!(
            r#"{{"event":"start","sequence_number":"1","stream_id":"32de","start":{{"user_id":"u",
            "call_control_id":"v2:c","call_session_id":"s","from":"+12025550101","to":"+12025550102","tags":[],
            "client_state":"eyJ","custom_parameters":{{"call_token":"abc","n":1}},"media_format":{format}}}}}"#
        ))
    }

    #[test]
    fn a_start_names_the_call_by_both_ids_and_the_dialed_number() {
        let start = started(start(r#"{"encoding":"PCMU","sample_rate":8000,"channels":1}"#));
        assert_eq!(start.ids, ["v2:c", "s"]);
        assert_eq!(start.number.as_deref(), Some("+12025550102"));
        assert_eq!(start.token.as_deref(), Some("abc"));
        assert_eq!(start.sound, Sound::TELEPHONE);
    }

    #[test]
    fn codecs_are_read_by_name_and_others_are_refused_by_it() {
        for (format, name) in [
            (
                r#"{"encoding":"audio/x-mulaw","sample_rate":"8000"}"#,
                SoundName::Mulaw,
            ),
            (
                r#"{"encoding":"PCMA","sample_rate":8000,"channels":1}"#,
                SoundName::Alaw,
            ),
            (
                r#"{"encoding":"L16","sample_rate":16000,"channels":1}"#,
                SoundName::L16,
            ),
            (
                r#"{"encoding":"G722","sample_rate":8000,"channels":1}"#,
                SoundName::G722,
            ),
        ] {
            assert_eq!(started(start(format)).sound.name, name);
        }
        let fault = start(r#"{"encoding":"AMR-WB","sample_rate":16000,"channels":1}"#).unwrap_err();
        assert!(fault.to_string().contains("stream_codec PCMU"), "{fault}");
    }

    #[test]
    fn a_null_is_no_number_and_no_fault() {
        let read = start(r#"{"encoding":"PCMU","sample_rate":8000,"channels":null}"#);
        assert_eq!(started(read).sound, Sound::TELEPHONE);
        let media = r#"{"event":"media","media":{"track":"inbound","chunk":null,"payload":"//7+"}}"#;
        let audio = Message::Audio(vec![0xff, 0xfe, 0xfe]);
        assert_eq!(super::read(media), Ok(audio.at(None)));
    }

    #[test]
    fn an_error_frame_is_said_shortly_and_without_numbers() {
        let said =
            complaint(&json!({"code": 100_003, "title": "Malformed\nframe", "detail": "to +12025550102"}));
        assert_eq!(said, "100003: Malformed frame (to +###########)");
        assert_eq!(complaint(&json!({"code": "100004"})), "100004:  ()");
        for odd in [
            json!(null),
            json!("x"),
            json!({"code": 12_025_550_102_u64, "title": 5}),
        ] {
            assert_eq!(complaint(&odd), "without a code:  ()");
        }
        assert!(complaint(&json!({"title": "é".repeat(10_000)})).len() < 500);
    }

    #[test]
    fn the_callers_packets_are_placed_by_chunk_and_keys_come_at_once() {
        let media = |track| {
            read(&format!(
                r#"{{"event":"media","sequence_number":"4","stream_id":"32de","media":{{"track":"{track}",
                "chunk":"2","timestamp":"40","payload":"//7+"}}}}"#
            ))
        };
        assert_eq!(
            media("inbound"),
            Ok(Message::Audio(vec![0xff, 0xfe, 0xfe]).at(Some(2)))
        );
        assert_eq!(media("outbound"), Ok(Message::Other.at(None)));
        for (text, message) in [
            (
                r#"{"event":"dtmf","sequence_number":"5","stream_id":"32de",
                    "occurred_at":"2026-09-01T10:00:00Z","dtmf":{"digit":"1"}}"#,
                Message::Digit('1'),
            ),
            (r#"{"event":"connected","version":"1.0.0"}"#, Message::Other),
            (
                r#"{"event":"error","stream_id":"32de","payload":{"code":100003,"title":"t","detail":"d"}}"#,
                Message::Other,
            ),
            (
                r#"{"event":"stop","sequence_number":"99","stop":{"user_id":"u","call_control_id":"v2:c"}}"#,
                Message::Stop,
            ),
        ] {
            assert_eq!(read(text), Ok(message.at(None)), "{text}");
        }
    }
}
