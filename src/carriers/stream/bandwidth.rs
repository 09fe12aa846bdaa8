//! Bandwidth's media streams: in order, and without keys (those are webhooks of their own).

use std::collections::HashMap;

use serde::Deserialize;

use super::lenient::{Ours, fitting, number_if_any, parameters};
use super::{Message, Numbered, Sound, Start, StreamFault, decoded, is_caller, parsed};
use crate::carriers::Carrier;

const REMEDY: &str = "Bandwidth's streams are PCMU, 8000 Hz, mono";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    event_type: String,
    metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "parameters")]
    stream_params: HashMap<String, String>,
    track: Option<String>,
    payload: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    call_id: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    tracks: Option<Vec<Track>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Track {
    name: Option<String>,
    media_format: Option<Format>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    #[serde(default, deserialize_with = "number_if_any")]
    sample_rate: Option<u64>,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let frame: Frame = parsed(Carrier::Bandwidth, text)?;
    let lacking = |event| StreamFault::Lacking { event };
    let message = match frame.event_type.as_str() {
        "start" => begin(frame.metadata.ok_or(lacking("start"))?, frame.stream_params)?,
        "media" if is_caller(frame.track.as_deref()) => decoded(&frame.payload.ok_or(lacking("media"))?)?,
        "stop" => Message::Stop,
        _ => Message::Other,
    };
    Ok(message.at(None))
}

fn begin(metadata: Metadata, parameters: HashMap<String, String>) -> Result<Message, StreamFault> {
    let caller = metadata
        .tracks
        .into_iter()
        .flatten()
        .find(|track| is_caller(track.name.as_deref()));
    let sound = match caller.and_then(|track| track.media_format) {
        Some(format) => Sound::read(&format.encoding, format.sample_rate.unwrap_or(8_000), 1, REMEDY)?,
        None => Sound::TELEPHONE,
    };
    let ours = Ours::take(parameters);
    Ok(Message::Start(Start {
        ids: metadata.call_id.into_iter().collect(),
        number: ours.number,
        token: ours.token,
        sound,
        updates: ours.updates,
        ..Start::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::started;
    use super::*;

    #[test]
    fn a_start_is_read_with_either_spelling_of_the_encoding() {
        for encoding in ["PCMU", "audio/PCMU"] {
            let text = format!(
                r#"{{"eventType":"start","metadata":{{"accountId":"1","callId":"c-1","streamId":"s-1",
                "streamName":"vid","tracks":[{{"name":"inbound","mediaFormat":{{"encoding":"{encoding}",
                "sampleRate":8000}}}}]}},"streamParams":{{"call_token":"t"}}}}"#
            );
            let start = started(read(&text));
            assert_eq!(
                (start.ids, start.sound),
                (vec!["c-1".to_owned()], Sound::TELEPHONE)
            );
            assert_eq!(start.token.as_deref(), Some("t"));
        }
    }

    #[test]
    fn only_the_callers_track_is_audio() {
        for (text, message) in [
            (
                r#"{"eventType":"media","track":"inbound","payload":"//7+"}"#,
                Message::Audio(vec![0xff, 0xfe, 0xfe]),
            ),
            (
                r#"{"eventType":"media","track":"outbound","payload":"//7+"}"#,
                Message::Other,
            ),
            (
                r#"{"eventType":"stop","metadata":{"callId":"c-1","streamId":"s-1"}}"#,
                Message::Stop,
            ),
            (r#"{"eventType":"something"}"#, Message::Other),
        ] {
            assert_eq!(read(text), Ok(message.at(None)), "{text}");
        }
        for bad in [r#"{"eventType":"media"}"#, r#"{"eventType":"start"}"#, "{}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
