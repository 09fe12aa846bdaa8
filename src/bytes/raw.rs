//! Audio without a container: what carriers and Vapi send down a WebSocket.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::g711;

/// How raw call audio is stored, by the contract's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Signed 16-bit PCM, little-endian.
    PcmS16le,
    /// G.711 mu-law (North America, Japan).
    Mulaw,
    /// G.711 A-law (elsewhere).
    Alaw,
}

impl Encoding {
    /// Bytes of one sample of one channel.
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::PcmS16le => 2,
            Self::Mulaw | Self::Alaw => 1,
        }
    }

    /// Appends the samples of `bytes`, whose full scale is 1; a byte behind the last whole sample is
    /// left alone.
    pub(super) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let scaled = |value: i16| f32::from(value) / 32_768.0;
        match self {
            Self::PcmS16le => {
                let words = bytes.as_chunks::<2>().0.iter();
                out.extend(words.map(|word| scaled(i16::from_le_bytes(*word))));
            }
            Self::Mulaw => out.extend(bytes.iter().map(|&byte| scaled(g711::mulaw_decode(byte)))),
            Self::Alaw => out.extend(bytes.iter().map(|&byte| scaled(g711::alaw_decode(byte)))),
        }
    }
}

/// Decodes raw audio from pieces that may be cut anywhere, even inside a sample.
///
/// Law: the samples are the same however the bytes were cut.
///
/// ```
/// use voxline::bytes::{Encoding, RawStream};
///
/// let mut stream = RawStream::new(Encoding::PcmS16le, 1);
/// let mut samples = Vec::new();
/// // The second sample is torn: its last byte comes with the next piece.
/// stream.push(&[0x00, 0x40, 0x00], &mut samples);
/// assert_eq!(samples, [0.5]);
/// stream.push(&[0xc0], &mut samples);
/// assert_eq!(samples, [0.5, -0.5]);
/// ```
#[derive(Clone)]
pub struct RawStream {
    encoding: Encoding,
    frame_bytes: usize,
    torn: Vec<u8>,
}

impl RawStream {
    /// A stream of frames of `channels` interleaved samples (no channels are taken as one).
    pub fn new(encoding: Encoding, channels: u16) -> Self {
        let frame_bytes = encoding.bytes_per_sample() * usize::from(channels.max(1));
        Self {
            encoding,
            frame_bytes,
            torn: Vec::with_capacity(frame_bytes),
        }
    }

    /// Appends to `out` the interleaved samples of every frame that `bytes` completes; what is left
    /// of a torn frame waits for the next push.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<f32>) {
        if !self.torn.is_empty() {
            let missing = (self.frame_bytes - self.torn.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.torn.extend_from_slice(head);
            bytes = rest;
            if self.torn.len() < self.frame_bytes {
                return;
            }
            self.encoding.decode(&self.torn, out);
            self.torn.clear();
        }
        let whole = bytes.len() - bytes.len() % self.frame_bytes;
        self.encoding.decode(&bytes[..whole], out);
        self.torn.extend_from_slice(&bytes[whole..]);
    }
}

/// Sizes only: the waiting bytes are somebody's voice.
impl fmt::Debug for RawStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawStream({:?}, {} bytes wait)",
            self.encoding,
            self.torn.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoding() -> impl Strategy<Value = Encoding> {
        prop_oneof![
            Just(Encoding::PcmS16le),
            Just(Encoding::Mulaw),
            Just(Encoding::Alaw)
        ]
    }

    proptest! {
        #[test]
        fn the_samples_are_the_same_however_the_bytes_were_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(0usize..20, 0..60),
            encoding in encoding(),
            channels in 1u16..4,
        ) {
            let mut whole = Vec::new();
            let mut at_once = RawStream::new(encoding, channels);
            at_once.push(&bytes, &mut whole);

            let (mut pieces, mut rest) = (Vec::new(), bytes.as_slice());
            let mut torn = RawStream::new(encoding, channels);
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                torn.push(head, &mut pieces);
                rest = tail;
            }
            torn.push(rest, &mut pieces);

            let frame = encoding.bytes_per_sample() * usize::from(channels);
            prop_assert_eq!(&pieces, &whole);
            prop_assert_eq!(torn.torn.len(), bytes.len() % frame);
            prop_assert_eq!(whole.len(), bytes.len() / frame * usize::from(channels));
        }
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let names = [Encoding::PcmS16le, Encoding::Mulaw, Encoding::Alaw]
            .map(|encoding| serde_json::to_string(&encoding).unwrap());
        assert_eq!(names, [r#""pcm_s16le""#, r#""mulaw""#, r#""alaw""#]);
    }
}
