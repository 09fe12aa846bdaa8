//! Twilio Media Streams' messages, read with the leniency they need: numbers come as strings.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use super::super::problem::{Kind, Problem};

/// The one track that holds the caller alone.
const CALLER: &str = "inbound";

/// A message, as far as it matters here.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A stream begins.
    Start(Start),
    /// Audio of the caller (mu-law, 8 kHz), with its place in the order if it names one.
    Audio(Option<u64>, Vec<u8>),
    /// The stream ends.
    Stop,
    /// Anything else; it takes a place in the order all the same.
    Other(Option<u64>),
}

/// What the first message says of the call.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    /// Twilio's id of the call.
    pub call_sid: String,
    #[serde(default)]
    media_format: Option<MediaFormat>,
    #[serde(default)]
    custom_parameters: HashMap<String, String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: String,
    #[serde(deserialize_with = "lenient")]
    sample_rate: u64,
    #[serde(deserialize_with = "lenient")]
    channels: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    event: String,
    #[serde(default, deserialize_with = "lenient_option")]
    sequence_number: Option<u64>,
    start: Option<Start>,
    media: Option<Media>,
}

#[derive(Deserialize)]
struct Media {
    track: Option<String>,
    payload: String,
}

impl Start {
    /// A `<Parameter>` of the `<Stream>`.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.custom_parameters.get(name).map(String::as_str)
    }

    /// Refuses audio other than what Twilio documents.
    pub(super) fn check_format(&self) -> Result<(), Problem> {
        let Some(format) = &self.media_format else {
            return Ok(());
        };
        let MediaFormat {
            encoding,
            sample_rate,
            channels,
        } = format;
        if (encoding.as_str(), *sample_rate, *channels) == ("audio/x-mulaw", 8_000, 1) {
            return Ok(());
        }
        let detail = format!(
            "{encoding:?} at {sample_rate} Hz in {channels} channels: Twilio streams are mu-law, 8000 Hz, mono"
        );
        Err(Problem::new(Kind::UnsupportedMedia, detail))
    }
}

/// Reads a text frame.
///
/// # Errors
/// A problem saying what cannot be understood.
pub(super) fn read(text: &str) -> Result<Frame, Problem> {
    let refuse = |detail: String| Problem::new(Kind::BadRequest, detail);
    let message: Message = serde_json::from_str(text)
        .map_err(|fault| refuse(format!("not a Media Streams message: {fault}")))?;
    let number = message.sequence_number;
    let lacking = |event: &str| refuse(format!("a message {event:?} without its content"));
    match message.event.as_str() {
        "start" => message.start.map(Frame::Start).ok_or_else(|| lacking("start")),
        "media" => audio(number, message.media.ok_or_else(|| lacking("media"))?),
        "stop" => Ok(Frame::Stop),
        _ => Ok(Frame::Other(number)),
    }
}

fn audio(number: Option<u64>, media: Media) -> Result<Frame, Problem> {
    // What the caller hears is not what the caller says.
    if media.track.is_some_and(|track| track != CALLER) {
        return Ok(Frame::Other(number));
    }
    let audio = STANDARD.decode(&media.payload).map_err(|fault| {
        Problem::new(
            Kind::BadRequest,
            format!("a media payload is not base64: {fault}"),
        )
    })?;
    Ok(Frame::Audio(number, audio))
}

/// Numbers come as strings; a later release may send them as numbers.
fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

fn lenient_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    lenient(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"accountSid":"AC1",
        "streamSid":"MZ1","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw",
        "sampleRate":8000,"channels":1},"customParameters":{"number":"+12025550102"}}}"#;

    #[test]
    fn a_start_names_the_call_and_brings_its_parameters() {
        let Ok(Frame::Start(start)) = read(START) else {
            panic!("no start")
        };
        assert_eq!(start.call_sid, "CA1");
        assert_eq!(start.parameter("number"), Some("+12025550102"));
        assert_eq!(start.parameter("updates"), None);
        assert!(start.check_format().is_ok());
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let linear = START
            .replace("audio/x-mulaw", "audio/l16")
            .replace("8000", "\"16000\"");
        let Ok(Frame::Start(start)) = read(&linear) else {
            panic!("no start")
        };
        let refusal = start.check_format().unwrap_err().document(None).detail;
        assert!(
            refusal.contains("audio/l16") && refusal.contains("16000 Hz"),
            "{refusal}"
        );
    }

    #[test]
    fn numbers_are_read_as_strings_or_as_numbers() {
        for number in ["\"4\"", "4"] {
            let text = format!(
                r#"{{"event":"media","sequenceNumber":{number},"media":{{"track":"inbound","chunk":"3",
                "timestamp":"60","payload":"//7+"}}}}"#
            );
            assert_eq!(
                read(&text).unwrap(),
                Frame::Audio(Some(4), vec![0xff, 0xfe, 0xfe])
            );
        }
    }

    #[test]
    fn only_the_callers_track_is_audio_and_the_rest_keeps_its_place_in_the_order() {
        for text in [
            r#"{"event":"media","sequenceNumber":"9","media":{"track":"outbound","payload":"//7+"}}"#,
            r#"{"event":"dtmf","sequenceNumber":"9","dtmf":{"track":"inbound_track","digit":"4"}}"#,
            r#"{"event":"mark","sequenceNumber":"9","mark":{"name":"greeting-done"}}"#,
        ] {
            assert_eq!(read(text).unwrap(), Frame::Other(Some(9)), "{text}");
        }
        let connected = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
        assert_eq!(read(connected).unwrap(), Frame::Other(None));
        let stop = r#"{"event":"stop","sequenceNumber":"99","stop":{"callSid":"CA1"}}"#;
        assert_eq!(read(stop).unwrap(), Frame::Stop);
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (text, said) in [
            ("hello", "not a Media Streams message"),
            (r#"{"event":"media","media":{"payload":"*"}}"#, "not base64"),
            (r#"{"event":"media"}"#, "without its content"),
            (r#"{"event":"start"}"#, "without its content"),
            (
                r#"{"event":"media","sequenceNumber":"four","media":{"payload":""}}"#,
                "invalid digit",
            ),
        ] {
            let detail = read(text).unwrap_err().document(None).detail;
            assert!(detail.contains(said), "{detail} does not say {said}");
        }
    }
}
