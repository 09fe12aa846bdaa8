//! Plivo's audio streams. The order is that of `sequenceNumber`; our parameters come as one text.

use std::collections::HashMap;

use serde::Deserialize;

use super::lenient::{Ours, fitting, number_if_any, place};
use super::track::{Key, Media, audio, pressed};
use super::{Message, Numbered, Sound, Start, StreamFault, parsed};
use crate::carriers::Carrier;

const REMEDY: &str = "ask Plivo for contentType audio/x-mulaw;rate=8000";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    event: String,
    #[serde(default, deserialize_with = "place")]
    sequence_number: Option<u64>,
    start: Option<Begin>,
    media: Option<Media>,
    dtmf: Option<Key>,
    // Under this name in what was seen; under the other in the rest of Plivo's naming.
    #[serde(
        rename = "extra_headers",
        alias = "extraHeaders",
        default,
        deserialize_with = "fitting"
    )]
    extra_headers: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begin {
    call_id: String,
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
    let frame: Frame = parsed(Carrier::Plivo, text)?;
    let message = match frame.event.as_str() {
        "start" => begin(
            frame.start.ok_or(StreamFault::Lacking { event: "start" })?,
            frame.extra_headers.as_deref(),
        )?,
        "media" => audio(frame.media)?,
        "dtmf" => pressed(frame.dtmf)?,
        "stop" => return Ok(Message::Stop.at(None)),
        _ => Message::Other,
    };
    Ok(message.at(frame.sequence_number))
}

fn begin(begin: Begin, extra: Option<&str>) -> Result<Message, StreamFault> {
    let sound = match begin.media_format {
        Some(format) => Sound::read(&format.encoding, format.sample_rate.unwrap_or(8_000), 1, REMEDY)?,
        None => Sound::TELEPHONE,
    };
    let ours = Ours::take(extra_headers(extra.unwrap_or("")));
    Ok(Message::Start(Start {
        ids: vec![begin.call_id],
        number: ours.number,
        token: ours.token,
        sound,
        updates: ours.updates,
        ..Start::default()
    }))
}

/// `name=value;name=value`. Seen with `;`, documented with `,`, in older samples with `:` for `=`; and Plivo puts `X-PH-`
/// before names. Ours hold none of these signs.
fn extra_headers(text: &str) -> HashMap<String, String> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let pairs = text.split([';', ',']).filter_map(|pair| {
        let (name, value) = pair.split_once(['=', ':'])?;
        let (name, value) = (unquoted(name), unquoted(value));
        let bare = name
            .get(..5)
            .filter(|prefix| prefix.eq_ignore_ascii_case("x-ph-"));
        let name = bare.map_or(name, |prefix| &name[prefix.len()..]);
        Some((name.to_owned(), value.to_owned()))
    });
    pairs.take(32).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\'']).trim()
}

#[cfg(test)]
mod tests {
    use super::super::SoundName;
    use super::super::tests::started;
    use super::*;
    use crate::units::Hertz;

    fn start(format: &str, extra: &str) -> Start {
        let text = format!(
            r#"{{"event":"start","sequenceNumber":0,"start":{{"callId":"c-1","streamId":"s-1","accountId":"a",
            "tracks":["inbound"],"mediaFormat":{format}}},"extra_headers":"{extra}"}}"#
        );
        started(read(&text))
    }

    #[test]
    fn a_start_brings_our_parameters_however_they_are_joined() {
        let format = r#"{"encoding":"audio/x-mulaw","sampleRate":8000}"#;
        for extra in [
            "call_token=abc;k2=v2",
            "k2=v2,call_token=abc",
            "X-PH-call_token=abc",
            "calltoken=abc",
            "X-PH-calltoken=abc;k2=v2",
            "{call_token=abc}",
            "{X-PH-number: 12025550102, X-PH-calltoken: abc}",
            r#"{\"X-PH-calltoken\": \"abc\"}"#,
            "calltoken='abc'",
        ] {
            let start = start(format, extra);
            assert_eq!(start.token.as_deref(), Some("abc"), "{extra}");
            assert_eq!(
                (start.ids, start.sound),
                (vec!["c-1".to_owned()], Sound::TELEPHONE)
            );
        }
        assert_eq!(start(format, "é=;=;;").token, None);
    }

    #[test]
    fn linear_audio_is_read_at_both_rates() {
        for rate in [8_000, 16_000] {
            let start = start(
                &format!(r#"{{"encoding":"audio/x-l16","sampleRate":"{rate}"}}"#),
                "",
            );
            assert_eq!(
                start.sound,
                Sound {
                    name: SoundName::L16,
                    rate: Hertz(rate)
                }
            );
        }
    }

    #[test]
    fn audio_and_keys_keep_their_places() {
        for (text, expected) in [
            (
                r#"{"event":"media","sequenceNumber":4,"streamId":"s","media":{"track":"inbound",
                    "timestamp":"1787654321000","chunk":2,"payload":"//7+"}}"#,
                Message::Audio(vec![0xff, 0xfe, 0xfe]).at(Some(4)),
            ),
            (
                r#"{"event":"dtmf","sequenceNumber":7,"streamId":"s","dtmf":{"track":"inbound","digit":"4",
                    "timestamp":"1"}}"#,
                Message::Digit('4').at(Some(7)),
            ),
            (
                r#"{"event":"playedStream","sequenceNumber":8,"streamId":"s"}"#,
                Message::Other.at(Some(8)),
            ),
            (
                r#"{"event":"stop","sequenceNumber":99,"streamId":"s"}"#,
                Message::Stop.at(None),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }
}
