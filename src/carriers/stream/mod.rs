//! Carriers' audio streams: a reader for each carrier's messages, one vocabulary for what they say.
//!
//! A [`StreamReader`] takes a stream's frames as they come and gives [`Message`]s; [`Order`] brings those back into
//! the order they were sent in, and a [`Transcoder`] their audio into what calls are opened with. What is done with a
//! call's audio and digits is for whoever reads.

pub mod audiosocket;
mod byte_order;
mod lenient;
mod reorder;
mod sound;
mod asterisk;
mod bandwidth;
mod jambonz;
mod telnyx;
mod track;
mod plivo;
mod transcoder;
mod twilio;
mod vonage;

use thiserror::Error;

use super::Carrier;
use crate::evidence::CallFacts;

pub(super) use jambonz::headers as sip_headers;
pub(super) use lenient::{fitting, texts};
pub use reorder::Order;
pub use sound::{Sound, SoundName};
pub use transcoder::Transcoder;

/// A message, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A stream begins.
    Start(Start),
    /// Audio of the caller.
    Audio(Vec<u8>),
    /// The caller pressed a key: `0` to `9`, `*`, `#` or `A` to `D`.
    Digit(char),
    /// The stream ends.
    Stop,
    /// Anything else; where messages are numbered it takes its place all the same.
    Other,
}

/// A message and its place in the order, where the carrier's streams can change it on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    /// The place; `None` when the message's turn is at once.
    pub place: Option<u64>,
    /// What the carrier said.
    pub message: Message,
}

/// What the first message says of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The carrier's ids of the call, the usual one first; a call token is bound to one of them.
    pub ids: Vec<String>,
    /// The dialed number, where the stream names it.
    pub number: Option<String>,
    /// The call token.
    pub token: Option<String>,
    /// How the audio is written.
    pub sound: Sound,
    /// Whether updates are wanted down the stream, for tests and demonstrations.
    pub updates: bool,
    /// How many there are; of two the first is the caller's.
    pub channels: u16,
    /// What the message says of caller and forwarder, where streams do: believed of a known peer only.
    pub facts: Option<Box<CallFacts>>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            number: None,
            token: None,
            sound: Sound::TELEPHONE,
            updates: false,
            channels: 1,
            facts: None,
        }
    }
}

impl Start {
    /// The same with what the WebSocket's query says, which for Asterisk's is all that some versions can say.
    pub fn with_query(self, carrier: Carrier, query: &str) -> Self {
        match carrier {
            Carrier::Asterisk => asterisk::with_query(self, query),
            Carrier::Twilio
            | Carrier::Telnyx
            | Carrier::Vonage
            | Carrier::Bandwidth
            | Carrier::Plivo
            | Carrier::Jambonz => self,
        }
    }
}

/// Why a frame cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StreamFault {
    /// No message of this carrier.
    #[error("not a message of {carrier}'s streams: {why}")]
    NotAMessage {
        /// The carrier that opened the stream.
        carrier: Carrier,
        /// What the parser says.
        why: String,
    },
    /// A message lacks what its name promises.
    #[error("a message {event:?} without its content")]
    Lacking {
        /// The message's name.
        event: &'static str,
    },
    /// A payload is not base64.
    #[error("a media payload is not base64: {0}")]
    NotBase64(String),
    /// Binary frames from a carrier that sends none.
    #[error("{0}'s streams have no binary frames")]
    Binary(Carrier),
    /// Audio that is not read here.
    #[error("{encoding:?} at {rate} Hz in {channels} channels: {remedy}")]
    Unsupported {
        /// The encoding's name as it came.
        encoding: String,
        /// Samples a second.
        rate: u64,
        /// How many channels the stream announced.
        channels: u64,
        /// What to set instead.
        remedy: &'static str,
    },
}

impl StreamFault {
    /// What cannot be read, without a word of what it holds: keys come in frames too.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::NotAMessage { .. } => "it is no message of this carrier",
            Self::Lacking { .. } => "it lacks its content",
            Self::NotBase64(_) => "its audio is not base64",
            Self::Binary(_) => "it is binary",
            Self::Unsupported { .. } => "its audio is of another kind",
        }
    }

    /// Whether the audio, rather than the message, is what cannot be read.
    pub const fn is_of_audio(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }
}

/// Reads the frames of one carrier's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamReader {
    carrier: Carrier,
}

impl StreamReader {
    /// A reader of this carrier's frames.
    pub const fn of(carrier: Carrier) -> Self {
        Self { carrier }
    }

    /// Reads a text frame.
    ///
    /// # Errors
    /// [`StreamFault`] saying what cannot be understood.
    pub fn text(self, text: &str) -> Result<Numbered, StreamFault> {
        match self.carrier {
            Carrier::Twilio => twilio::read(text),
            Carrier::Telnyx => telnyx::read(text),
            Carrier::Vonage => vonage::read(text),
            Carrier::Bandwidth => bandwidth::read(text),
            Carrier::Plivo => plivo::read(text),
            Carrier::Asterisk => asterisk::read(text),
            Carrier::Jambonz => jambonz::read(text),
        }
    }

    /// Reads a binary frame: the audio of Vonage, Asterisk and jambonz.
    ///
    /// # Errors
    /// [`StreamFault::Binary`] from every other carrier.
    pub fn binary(self, bytes: &[u8]) -> Result<Numbered, StreamFault> {
        match self.carrier {
            Carrier::Vonage | Carrier::Asterisk | Carrier::Jambonz => {
                Ok(Message::Audio(bytes.to_vec()).at(None))
            }
            Carrier::Twilio | Carrier::Telnyx | Carrier::Bandwidth | Carrier::Plivo => {
                Err(StreamFault::Binary(self.carrier))
            }
        }
    }
}

impl Message {
    /// This message at a place in the order.
    const fn at(self, place: Option<u64>) -> Numbered {
        Numbered { place, message: self }
    }
}

/// Whether a track, where one is named, is the caller's own; what the caller hears is not what the caller
/// says. Twilio says `inbound` of audio and `inbound_track` of keys.
fn is_caller(track: Option<&str>) -> bool {
    track.is_none_or(|track| matches!(track, "inbound" | "inbound_track"))
}

fn decoded(payload: &str) -> Result<Message, StreamFault> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let audio = STANDARD.decode(payload);
    audio
        .map(Message::Audio)
        .map_err(|fault| StreamFault::NotBase64(fault.to_string()))
}

/// The message of a pressed key; what is no key is nothing.
fn key(digit: &str) -> Message {
    key_of(digit).map_or(Message::Other, Message::Digit)
}

/// The key of a telephone that a text names, if it names one.
pub(super) fn key_of(digit: &str) -> Option<char> {
    let mut letters = digit.chars();
    match (letters.next().map(|key| key.to_ascii_uppercase()), letters.next()) {
        (Some(key @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(key),
        _ => None,
    }
}

/// Parses a message's JSON.
fn parsed<'de, T: serde::Deserialize<'de>>(carrier: Carrier, text: &'de str) -> Result<T, StreamFault> {
    serde_json::from_str(text).map_err(|fault| StreamFault::NotAMessage {
        carrier,
        why: fault.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The start that was read.
    pub fn started(read: Result<Numbered, StreamFault>) -> Start {
        match read.map(|numbered| numbered.message) {
            Ok(Message::Start(start)) => start,
            other => panic!("no start: {other:?}"),
        }
    }

    #[test]
    fn only_keys_of_a_telephone_are_digits() {
        for (text, expected) in [
            ("4", Message::Digit('4')),
            ("#", Message::Digit('#')),
            ("a", Message::Digit('A')),
            ("44", Message::Other),
            ("", Message::Other),
            ("E", Message::Other),
            ("\u{664}", Message::Other),
        ] {
            assert_eq!(key(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_message_or_a_fault_and_a_key_is_one_of_sixteen(
            begun in "(MEDIA_START|DTMF_END|\\{\"event\":\"(MEDIA_START|dtmf|start)\",|\\{\"callSid\":\"c\",)?",
            rest in "( format:[a-z0-9]{0,6}| digit:.|\"(digit|dtmf|format|mixType)\":\"?.\"?[,}]|[ -~]{0,40})*",
        ) {
            let text = begun + &rest;
            for carrier in Carrier::ALL {
                let Ok(numbered) = StreamReader::of(carrier).text(&text) else { continue };
                if let Message::Digit(key) = numbered.message {
                    prop_assert!("0123456789*#ABCD".contains(key));
                }
            }
        }
    }

    #[test]
    fn a_starts_field_of_another_kind_costs_itself_alone() {
        for (carrier, text) in [
            (
                Carrier::Twilio,
                r#"{"event":"start","sequenceNumber":[],"start":{"callSid":"c","customParameters":[1]}}"#,
            ),
            (
                Carrier::Telnyx,
                r#"{"event":"start","start":{"call_control_id":"c","call_session_id":5,"to":[],"custom_parameters":7}}"#,
            ),
            (
                Carrier::Vonage,
                r#"{"event":"websocket:connected","call_id":"c","number":5,"updates":[],"digit":{}}"#,
            ),
            (
                Carrier::Bandwidth,
                r#"{"eventType":"start","metadata":{"callId":"c","tracks":"x"},"streamParams":5}"#,
            ),
            (
                Carrier::Plivo,
                r#"{"event":"start","sequenceNumber":2.5,"start":{"callId":"c"},"extra_headers":{"a":1}}"#,
            ),
            (
                Carrier::Asterisk,
                r#"{"event":"MEDIA_START","channel_id":"c","format":"ulaw","channel_variables":5}"#,
            ),
            (
                Carrier::Jambonz,
                r#"{"callSid":"c","from":5,"to":{},"headers":[1]}"#,
            ),
        ] {
            let start = started(StreamReader::of(carrier).text(text));
            assert_eq!(start.ids, ["c"], "{carrier}");
        }
    }

    #[test]
    fn a_key_is_one_as_a_number_too() {
        for (carrier, text) in [
            (Carrier::Twilio, r#"{"event":"dtmf","dtmf":{"digit":4}}"#),
            (Carrier::Telnyx, r#"{"event":"dtmf","dtmf":{"digit":4}}"#),
            (Carrier::Vonage, r#"{"event":"websocket:dtmf","digit":4}"#),
            (Carrier::Plivo, r#"{"event":"dtmf","dtmf":{"digit":4}}"#),
            (Carrier::Asterisk, r#"{"event":"DTMF_END","digit":4}"#),
            (Carrier::Jambonz, r#"{"event":"dtmf","dtmf":4}"#),
        ] {
            let read = StreamReader::of(carrier).text(text);
            assert_eq!(read, Ok(Message::Digit('4').at(None)), "{carrier}");
        }
    }

    #[test]
    fn binary_frames_are_the_audio_of_those_who_send_any() {
        for carrier in Carrier::ALL {
            let read = StreamReader::of(carrier).binary(&[1, 2]);
            let sends = matches!(carrier, Carrier::Vonage | Carrier::Asterisk | Carrier::Jambonz);
            assert_eq!(read.is_ok(), sends, "{carrier}");
        }
    }
}
