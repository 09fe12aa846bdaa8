//! Asterisk's AudioSocket: frames on a plain TCP connection, each a kind, a length (big-endian) and that many bytes.
//! Written against `res/res_audiosocket.c` and its header in Asterisk's repository, August 2026.
//!
//! The first frame is a UUID, which is all that the protocol says of a call.

use thiserror::Error;
use uuid::Uuid;

use super::key_of;
use crate::units::Hertz;

/// The bytes before each frame's own.
const HEAD: usize = 3;

/// The most bytes of audio in a frame: a third of a second at 48 kHz, a dozen times what Asterisk sends.
pub const LARGEST: usize = 32 * 1024;

/// What ends a call, either way.
pub const HANG_UP: [u8; HEAD] = [0x00, 0x00, 0x00];

/// One frame of Asterisk's AudioSocket protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The call is over.
    HangUp,
    /// Which call it is.
    Call(Uuid),
    /// The caller pressed a key.
    Digit(char),
    /// Audio of the caller: 16 bits a sample, little-endian, one channel.
    Audio {
        /// Samples a second.
        rate: Hertz,
        /// 16-bit samples, least byte first.
        bytes: Vec<u8>,
    },
    /// Asterisk cannot go on.
    Failed,
    /// Nothing that matters here.
    Other,
}

/// Why a frame cannot be understood. Nothing after it can be either.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// No kind that the protocol has.
    #[error("0x{0:02x} is no kind of AudioSocket's frames: is that an AudioSocket client?")]
    UnknownKind(u8),
    /// More samples a second than are read here.
    #[error("audio of {0} Hz is more than is read here: dial it as AudioSocket/.../.../c(slin16)")]
    TooFast(u32),
    /// A length that its kind cannot have.
    #[error("a frame of kind 0x{kind:02x} with {length} bytes: {expected}")]
    Length {
        /// The kind that the head says.
        kind: u8,
        /// What its head says.
        length: usize,
        /// What it should say.
        expected: &'static str,
    },
}

/// Takes a connection's bytes, however they are cut, and gives its frames. Holds one frame at most, beside what was
/// pushed last.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
    at: usize,
}

impl Frames {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.at);
        self.at = 0;
        self.held.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// [`FrameFault`] as soon as a frame's head cannot be right.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameFault> {
        let waiting = self.held.get(self.at..).unwrap_or_default();
        let Some((&[kind, high, low], rest)) = waiting.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let shape = Shape::of(kind, length)?;
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = shape.frame(content);
        self.at += HEAD + length;
        Ok(Some(frame))
    }
}

/// What a frame's head says.
enum Shape {
    HangUp,
    Call,
    Key,
    Audio(Hertz),
    Failed,
}

impl Shape {
    fn of(kind: u8, length: usize) -> Result<Self, FrameFault> {
        let (shape, fits, expected) = match kind {
            0x00 => (Self::HangUp, length == 0, "a hang-up has none"),
            0x01 => (Self::Call, length == 16, "a UUID has 16"),
            0x03 => (Self::Key, length == 1, "a key has one"),
            0x10..=0x18 => {
                let fits = length <= LARGEST && length.is_multiple_of(2);
                let expected = "audio has samples of two bytes, and at most 32768 bytes of them";
                (Self::Audio(rate(kind)?), fits, expected)
            }
            0xff => (Self::Failed, length <= 16, "an error has a byte or none"),
            other => return Err(FrameFault::UnknownKind(other)),
        };
        if fits {
            return Ok(shape);
        }
        Err(FrameFault::Length {
            kind,
            length,
            expected,
        })
    }

    fn frame(&self, content: &[u8]) -> Frame {
        match self {
            Self::HangUp => Frame::HangUp,
            Self::Call => Frame::Call(Uuid::from_slice(content).unwrap_or_default()),
            Self::Key => {
                let digit = content.first().map(|byte| char::from(*byte).to_string());
                // What is no key of a telephone is pressed by nobody.
                digit
                    .and_then(|digit| key_of(&digit))
                    .map_or(Frame::Other, Frame::Digit)
            }
            Self::Audio(rate) => Frame::Audio {
                rate: *rate,
                bytes: content.to_vec(),
            },
            Self::Failed => Frame::Failed,
        }
    }
}

/// Samples a second of a kind of audio.
fn rate(kind: u8) -> Result<Hertz, FrameFault> {
    match kind {
        0x10 => Ok(Hertz(8_000)),
        0x11 => Ok(Hertz(12_000)),
        0x12 => Ok(Hertz(16_000)),
        0x13 => Ok(Hertz(24_000)),
        0x14 => Ok(Hertz(32_000)),
        0x15 => Ok(Hertz(44_100)),
        0x16 => Ok(Hertz(48_000)),
        0x17 => Err(FrameFault::TooFast(96_000)),
        _ => Err(FrameFault::TooFast(192_000)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A frame as it goes over the wire, after the protocol's description and not by the code above.
    fn written(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = vec![kind, (length / 256) as u8, (length % 256) as u8];
        bytes.extend_from_slice(content);
        bytes
    }

    /// Everything in these pieces, up to the first fault.
    fn all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameFault>) {
        let (mut frames, mut read) = (Frames::default(), Vec::new());
        for piece in pieces {
            frames.push(piece);
            loop {
                match frames.next_frame() {
                    Ok(Some(frame)) => read.push(frame),
                    Ok(None) => break,
                    Err(fault) => return (read, Some(fault)),
                }
            }
        }
        (read, None)
    }

    #[test]
    fn every_kind_is_read() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let audio = |rate| Frame::Audio {
            rate: Hertz(rate),
            bytes: vec![1, 2, 3, 4],
        };
        for (kind, content, frame) in [
            (0x01, &id.as_bytes()[..], Frame::Call(id)),
            (0x03, b"#", Frame::Digit('#')),
            (0x03, b"x", Frame::Other),
            (0x10, &[1, 2, 3, 4], audio(8_000)),
            (0x11, &[1, 2, 3, 4], audio(12_000)),
            (0x12, &[1, 2, 3, 4], audio(16_000)),
            (0x13, &[1, 2, 3, 4], audio(24_000)),
            (0x14, &[1, 2, 3, 4], audio(32_000)),
            (0x15, &[1, 2, 3, 4], audio(44_100)),
            (0x16, &[1, 2, 3, 4], audio(48_000)),
            (0xff, &[2], Frame::Failed),
            (0x00, &[], Frame::HangUp),
        ] {
            let bytes = written(kind, content);
            assert_eq!(all([bytes.as_slice()]), (vec![frame], None), "0x{kind:02x}");
        }
    }

    #[test]
    fn what_no_frame_can_be_is_named_before_its_content_is_waited_for() {
        for (head, said) in [
            ([0x02, 0, 1], "0x02 is no kind"),
            ([b'G', b'E', b'T'], "0x47 is no kind"),
            ([0x01, 0, 15], "a UUID has 16"),
            ([0x03, 0, 2], "a key has one"),
            ([0x00, 0, 1], "a hang-up has none"),
            ([0x10, 0, 3], "samples of two bytes"),
            ([0x10, 0x80, 2], "at most 32768"),
            ([0x10, 0xff, 0xff], "at most 32768"),
            ([0x17, 0, 2], "96000 Hz"),
            ([0x18, 0, 2], "192000 Hz"),
            ([0xff, 1, 0], "a byte or none"),
        ] {
            let (frames, fault) = all([&head[..]]);
            let fault = fault.map(|fault| fault.to_string()).unwrap_or_default();
            assert!(
                frames.is_empty() && fault.contains(said),
                "{fault:?} does not say {said}"
            );
        }
    }

    fn frame() -> impl Strategy<Value = (u8, Vec<u8>)> {
        prop_oneof![
            any::<[u8; 16]>().prop_map(|id| (0x01_u8, id.to_vec())),
            any::<u8>().prop_map(|key| (0x03_u8, vec![key])),
            (0x10_u8..=0x16, vec(any::<[u8; 2]>(), 0..400))
                .prop_map(|(kind, samples)| (kind, samples.concat())),
            Just((0x00_u8, Vec::new())),
            Just((0xff_u8, vec![1])),
        ]
    }

    proptest! {
        #[test]
        fn frames_are_the_same_however_their_bytes_are_cut(
            sent in vec(frame(), 1..12),
            cuts in vec(1_usize..700, 1..60),
        ) {
            let bytes = sent.iter().flat_map(|(kind, content)| written(*kind, content)).collect::<Vec<u8>>();
            let (whole, fault) = all([bytes.as_slice()]);
            prop_assert_eq!(fault, None);
            prop_assert_eq!(whole.len(), sent.len());
            let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(all(pieces), (whole, None));
        }

        #[test]
        fn any_bytes_give_frames_or_a_fault_and_no_more_audio_than_came(bytes in vec(any::<u8>(), 0..4_000)) {
            let (frames, _) = all([bytes.as_slice()]);
            let heard: usize = frames
                .iter()
                .map(|frame| match frame {
                    Frame::Audio { bytes, .. } => bytes.len(),
                    _ => 0,
                })
                .sum();
            prop_assert!(heard <= bytes.len());
        }

        #[test]
        fn what_is_held_is_bounded(pieces in vec(vec(any::<u8>(), 0..300), 0..200)) {
            let mut frames = Frames::default();
            for piece in &pieces {
                frames.push(piece);
                while let Ok(Some(_)) = frames.next_frame() {}
                if frames.next_frame().is_err() {
                    break;
                }
                prop_assert!(frames.held.len() - frames.at <= HEAD + LARGEST);
            }
        }
    }
}
