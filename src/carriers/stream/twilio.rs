//! Twilio Media Streams' messages, and SignalWire's, which are the same but for keys without a track. Numbers come as
//! strings; the order is that of `sequenceNumber`.

use std::collections::HashMap;

use serde::Deserialize;

use super::lenient::{Ours, number, parameters, place};
use super::track::{Key, Media, audio, pressed};
use super::{Message, Numbered, Sound, Start, StreamFault, parsed};
use crate::carriers::Carrier;

const REMEDY: &str =
    "Twilio streams are mu-law, 8000 Hz, mono, and SignalWire's are where <Stream> has no attribute `codec`";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    event: String,
    #[serde(default, deserialize_with = "place")]
    sequence_number: Option<u64>,
    start: Option<Begin>,
    media: Option<Media>,
    dtmf: Option<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begin {
    call_sid: String,
    media_format: Option<Format>,
    #[serde(default, deserialize_with = "parameters")]
    custom_parameters: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
    #[serde(deserialize_with = "number")]
    channels: u64,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let frame: Frame = parsed(Carrier::Twilio, text)?;
    let message = match frame.event.as_str() {
        "start" => frame
            .start
            .ok_or(StreamFault::Lacking { event: "start" })
            .and_then(begin)?,
        "media" => audio(frame.media)?,
        "dtmf" => pressed(frame.dtmf)?,
        "stop" => return Ok(Message::Stop.at(None)),
        _ => Message::Other,
    };
    Ok(message.at(frame.sequence_number))
}

fn begin(begin: Begin) -> Result<Message, StreamFault> {
    let sound = begin.media_format.map_or(Ok(Sound::TELEPHONE), |format| {
        Sound::read(&format.encoding, format.sample_rate, format.channels, REMEDY)
    })?;
    if sound != Sound::TELEPHONE {
        return Err(StreamFault::Unsupported {
            encoding: "audio/x-l16".to_owned(),
            rate: u64::from(sound.rate.0),
            channels: 1,
            remedy: REMEDY,
        });
    }
    let ours = Ours::take(begin.custom_parameters);
    Ok(Message::Start(Start {
        ids: vec![begin.call_sid],
        number: ours.number,
        token: ours.token,
        sound,
        updates: ours.updates,
        ..Start::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"accountSid":"AC1",
        "streamSid":"MZ1","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw",
        "sampleRate":8000,"channels":1},"customParameters":{"number":"+12025550102","call_token":"t"}}}"#;

    #[test]
    fn a_start_names_the_call_and_brings_its_parameters() {
        let expected = Start {
            ids: vec!["CA1".to_owned()],
            number: Some("+12025550102".to_owned()),
            token: Some("t".to_owned()),
            sound: Sound::TELEPHONE,
            updates: false,
            ..Start::default()
        };
        assert_eq!(read(START), Ok(Message::Start(expected).at(Some(1))));
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        for encoding in ["audio/l16", "audio/x-alaw", "opus"] {
            let other = START.replace("audio/x-mulaw", encoding);
            let fault = read(&other.replace("8000", "\"16000\"")).unwrap_err();
            assert!(
                fault.is_of_audio() && fault.to_string().contains("16000 Hz"),
                "{fault}"
            );
        }
    }

    #[test]
    fn numbers_are_read_as_strings_or_as_numbers() {
        for number in ["\"4\"", "4"] {
            let text = format!(
                r#"{{"event":"media","sequenceNumber":{number},"media":{{"track":"inbound","chunk":"3",
                "timestamp":"60","payload":"//7+"}}}}"#
            );
            assert_eq!(
                read(&text),
                Ok(Message::Audio(vec![0xff, 0xfe, 0xfe]).at(Some(4)))
            );
        }
    }

    #[test]
    fn a_place_that_is_no_number_and_a_key_that_is_one_are_read() {
        for odd in ["\"four\"", "4.5", "-1", "[4]", "{}", "null", "true"] {
            let text = format!(r#"{{"event":"media","sequenceNumber":{odd},"media":{{"payload":"//7+"}}}}"#);
            let audio = Message::Audio(vec![0xff, 0xfe, 0xfe]);
            assert_eq!(read(&text), Ok(audio.at(None)), "{odd}");
        }
        let whole = r#"{"event":"dtmf","sequenceNumber":2.0,"dtmf":{"digit":4}}"#;
        assert_eq!(read(whole), Ok(Message::Digit('4').at(Some(2))));
        let none = r#"{"event":"dtmf","dtmf":{"digit":[4]}}"#;
        assert_eq!(read(none), Ok(Message::Other.at(None)));
    }

    #[test]
    fn only_the_callers_track_is_audio_and_the_rest_keeps_its_place() {
        for (text, message) in [
            (
                r#"{"event":"media","sequenceNumber":"9","media":{"track":"outbound","payload":"//7+"}}"#,
                Message::Other,
            ),
            (
                r#"{"event":"dtmf","sequenceNumber":"9","dtmf":{"track":"inbound_track","digit":"4"}}"#,
                Message::Digit('4'),
            ),
            (
                r#"{"event":"dtmf","sequenceNumber":"9","dtmf":{"track":"outbound_track","digit":"4"}}"#,
                Message::Other,
            ),
            (
                r#"{"event":"mark","sequenceNumber":"9","mark":{"name":"greeting-done"}}"#,
                Message::Other,
            ),
        ] {
            assert_eq!(read(text), Ok(message.at(Some(9))), "{text}");
        }
        let connected = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
        assert_eq!(read(connected), Ok(Message::Other.at(None)));
        let stop = r#"{"event":"stop","sequenceNumber":"99","stop":{"callSid":"CA1"}}"#;
        assert_eq!(read(stop), Ok(Message::Stop.at(None)));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (text, said) in [
            ("hello", "not a message of twilio's streams"),
            (r#"{"event":"media","media":{"payload":"*"}}"#, "not base64"),
            (r#"{"event":"media"}"#, "without its content"),
            (r#"{"event":"start"}"#, "without its content"),
        ] {
            let fault = read(text).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault} does not say {said}");
        }
    }
}
