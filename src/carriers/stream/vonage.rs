//! Vonage's WebSockets: one text frame that says what will come, then binary audio, little-endian; keys in
//! text frames between. The headers that were asked for stand flat in the first frame.

use serde::Deserialize;

use super::lenient::{digit_if_any, fitting};
use super::{Message, Numbered, Sound, SoundName, Start, StreamFault, key, parsed};
use crate::carriers::Carrier;
use crate::units::Hertz;

const REMEDY: &str = "ask Vonage for audio/l16;rate=16000 or rate=8000";

#[derive(Deserialize)]
struct Frame {
    event: Option<String>,
    #[serde(rename = "content-type")]
    content_type: Option<String>,
    call_id: Option<String>,
    call_token: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    number: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    updates: Option<String>,
    #[serde(default, deserialize_with = "digit_if_any")]
    digit: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Numbered, StreamFault> {
    let frame: Frame = parsed(Carrier::Vonage, text)?;
    let message = match frame.event.as_deref() {
        Some("websocket:connected") => begin(frame)?,
        Some("websocket:dtmf") => {
            let digit = frame.digit.ok_or(StreamFault::Lacking {
                event: "websocket:dtmf",
            })?;
            key(&digit)
        }
        _ => Message::Other,
    };
    Ok(message.at(None))
}

fn begin(frame: Frame) -> Result<Message, StreamFault> {
    Ok(Message::Start(Start {
        ids: frame.call_id.into_iter().collect(),
        number: frame.number,
        token: frame.call_token,
        sound: sound(frame.content_type.as_deref())?,
        updates: frame.updates.is_some_and(|wish| wish == "true"),
        ..Start::default()
    }))
}

/// `audio/l16;rate=16000`. Without a rate it is 8000 (RFC 2586 knows no other default for telephony).
fn sound(content_type: Option<&str>) -> Result<Sound, StreamFault> {
    let text = content_type
        .unwrap_or("audio/l16;rate=16000")
        .to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or("");
    let rate = parts
        .find_map(|part| part.strip_prefix("rate=")?.trim().parse().ok())
        .unwrap_or(8_000_u64);
    let rate = match (kind, rate) {
        ("audio/l16", 8_000) => Hertz(8_000),
        ("audio/l16", 16_000) => Hertz(16_000),
        _ => {
            return Err(StreamFault::Unsupported {
                encoding: kind.chars().take(64).collect(),
                rate,
                channels: 1,
                remedy: REMEDY,
            });
        }
    };
    Ok(Sound {
        name: SoundName::PcmS16le,
        rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_brings_the_format_and_our_headers_flat() {
        let text = r#"{"event":"websocket:connected","content-type":"audio/l16;rate=16000","call_token":"t",
            "call_id":"u-1","number":"+12025550102"}"#;
        let expected = Start {
            ids: vec!["u-1".to_owned()],
            number: Some("+12025550102".to_owned()),
            token: Some("t".to_owned()),
            sound: Sound {
                name: SoundName::PcmS16le,
                rate: Hertz(16_000),
            },
            updates: false,
            ..Start::default()
        };
        assert_eq!(read(text), Ok(Message::Start(expected).at(None)));
    }

    #[test]
    fn both_rates_are_read_and_others_refused() {
        assert_eq!(sound(Some("audio/L16; rate=8000")).unwrap().rate, Hertz(8_000));
        for bad in [
            "audio/l16;rate=44100",
            "audio/opus;rate=16000",
            "",
            "audio/l16;rate=-1",
        ] {
            let said = sound(Some(bad));
            // A rate that is no number is as good as none.
            assert_eq!(said.is_ok(), bad == "audio/l16;rate=-1", "{bad}");
        }
    }

    #[test]
    fn keys_are_digits_and_the_rest_is_nothing() {
        for (text, message) in [
            (
                r#"{"event":"websocket:dtmf","digit":"5","duration":260}"#,
                Message::Digit('5'),
            ),
            (r#"{"event":"websocket:cleared"}"#, Message::Other),
            (r#"{"event":"websocket:notify","payload":{}}"#, Message::Other),
            ("{}", Message::Other),
        ] {
            assert_eq!(read(text), Ok(message.at(None)), "{text}");
        }
        assert!(read(r#"{"event":"websocket:dtmf"}"#).is_err());
        assert!(read("[]").is_err());
    }
}
