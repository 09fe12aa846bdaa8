//! Why bytes did not become frames, where that showed, and what to do about it.

use std::fmt;

use thiserror::Error;

use super::Container;
use crate::units::{Hertz, Seconds};

/// Bytes that could not be decoded. Every message says what was wrong, where, and what to do; none
/// of them repeats content of the file.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("empty input: there is not a single byte to decode; check that the recording was saved")]
    Empty,
    /// The first bytes are not those of any audio file.
    #[error("not audio: byte 0 begins {looks_like}; give a WAV, FLAC, MP3, M4A, AAC, Ogg, WebM or AMR file")]
    NotAudio {
        /// What the bytes look like, with its article.
        looks_like: &'static str,
    },
    /// An audio file, but of a kind that is not read here.
    #[error("{what} is not supported (byte {at}); convert it to WAV, FLAC, MP3, M4A, Ogg or WebM")]
    Unsupported {
        /// The container or codec, by name.
        what: String,
        /// Byte offset of what names it.
        at: u64,
    },
    /// More bytes than the limit.
    #[error("{bytes} bytes of input; the limit is {limit} bytes: cut the recording or compress it")]
    TooBig {
        /// How many bytes came.
        bytes: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// More audio than the limit.
    #[error(
        "{}{} of audio; the limit is {}: cut the recording",
        if *.at_least { "at least " } else { "" }, Clock(*.came), Clock(*.limit)
    )]
    TooLong {
        /// How much audio there is.
        came: Seconds,
        /// How much is allowed.
        limit: Seconds,
        /// Whether decoding stopped at the limit, so that there may be more.
        at_least: bool,
    },
    /// A sampling rate that is not 8 to 48 kHz.
    #[error("a sampling rate of {rate}: 8000 Hz to 48000 Hz are accepted; resample the recording")]
    Rate {
        /// The rate the header states.
        rate: Hertz,
    },
    /// More channels than a call has.
    #[error("{channels} channels: one or two are accepted; extract the channel that holds the caller")]
    Channels {
        /// How many channels the header states.
        channels: u32,
    },
    /// A header that contradicts itself or ends too early.
    #[error("the {container} header is broken at byte {at}: {cause}; export the recording again")]
    Header {
        /// The kind of file.
        container: Container,
        /// Byte offset of the fault.
        at: u64,
        /// What is wrong there.
        cause: String,
    },
    /// A header that the borrowed reader of a compressed container could make nothing of.
    #[error(
        "the {container} header is broken within its first {within} bytes: {cause}; export the recording \
         again"
    )]
    Unreadable {
        /// The kind of file.
        container: Container,
        /// How far into the file its reader had looked.
        within: u64,
        /// What it says is wrong.
        cause: String,
    },
    /// A good header without any audio behind it.
    #[error("the {container} file has a header and no audio (it ends at byte {at}); record it again")]
    NoAudio {
        /// The kind of file.
        container: Container,
        /// The length of the file in bytes.
        at: u64,
    },
    /// Audio data that cannot be decoded, with more data behind it.
    #[error("damaged {container} audio after frame {frame}: {cause}; export the recording again")]
    Damaged {
        /// The kind of file.
        container: Container,
        /// How many frames were decoded before.
        frame: u64,
        /// What is wrong there.
        cause: String,
    },
    /// A float file with NaN or infinity in it.
    #[error("sample {sample} is not a finite number; export the recording again as 16-bit PCM")]
    NotFinite {
        /// Index of the sample, counted over interleaved channels from 0.
        sample: u64,
    },
    /// A float file on another scale: full scale is 1.
    #[error(
        "sample {sample} is {value:e} where full scale is 1; divide the recording by its full scale, \
         or export it as 16-bit PCM"
    )]
    OffScale {
        /// Index of the sample, counted over interleaved channels from 0.
        sample: u64,
        /// The sample's value, which is no finite number.
        value: f32,
    },
}

impl Container {
    /// A header of this kind of file that is broken at a place.
    pub(super) fn broken(self, at: usize, cause: impl Into<String>) -> DecodeError {
        DecodeError::Header {
            container: self,
            at: at as u64,
            cause: cause.into(),
        }
    }
}

/// A span of time as a person writes it: `1:02:03`, with a fraction only when there is one.
pub(super) struct Clock(pub(super) Seconds);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Upwards, so that what is over a limit never reads as equal to it.
        let millis = (self.0.get() * 1e3 - 1e-6).ceil().max(0.0) as u64;
        let (seconds, rest) = (millis / 1_000, millis % 1_000);
        write!(
            f,
            "{}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )?;
        if rest > 0 { write!(f, ".{rest:03}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_audio_states_both_the_limit_and_what_came() {
        let long = DecodeError::TooLong {
            came: Seconds::new(7_200.0),
            limit: Seconds::new(1_800.0),
            at_least: false,
        };
        assert_eq!(
            long.to_string(),
            "2:00:00 of audio; the limit is 0:30:00: cut the recording"
        );
        let barely = DecodeError::TooLong {
            came: Seconds::new(1_800.000_1),
            limit: Seconds::new(1_800.0),
            at_least: true,
        };
        assert_eq!(
            barely.to_string(),
            "at least 0:30:00.001 of audio; the limit is 0:30:00: cut the recording"
        );
    }

    #[test]
    fn channels_and_rates_are_named_in_their_refusal() {
        assert!(
            DecodeError::Channels { channels: 7 }
                .to_string()
                .starts_with("7 channels: ")
        );
        assert!(
            DecodeError::Rate { rate: Hertz(96_000) }
                .to_string()
                .contains("96000 Hz")
        );
    }
}
