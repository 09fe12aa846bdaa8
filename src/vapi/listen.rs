//! The listen stream, whose format is specified nowhere: announced, assumed, and then measured.
//!
//! A text frame may announce the format; without one the configured default is assumed. Whichever it was, the
//! bytes of the first two seconds are held and their rate is compared with what the format means: 16 kHz mono
//! PCM comes at 32 000 bytes a second, stereo at 64 000, 8 kHz mono at 16 000. On a mismatch the held bytes are
//! read again as what they are. Without an announcement nothing is listened to before that is settled: stereo
//! read as mono is a voice at half its pitch.
//!
//! No clock and no socket here: the time of arrival is a parameter, so that every case can be played.

use std::time::Duration;

use zeroize::Zeroizing;

use super::shape::{Measuring, Shape, announced, reclassified};

/// How long bytes are counted before the format counts as settled.
const MEASURE: Duration = Duration::from_millis(2_000);
/// The most bytes that are held: four seconds of the widest format that is expected, in case of a burst.
const MOST_HELD: usize = 512 * 1024;

/// What came of some frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The stream is of this shape from its beginning on: what was heard of it before is void.
    Begin(Shape),
    /// Audio of the caller's channel alone, or of the mix: whole samples, one channel.
    Audio {
        /// The samples' bytes.
        bytes: Zeroizing<Vec<u8>>,
        /// The other channel's, as many; none where there is only one.
        other: Zeroizing<Vec<u8>>,
        /// When the last of them arrived.
        at: Duration,
    },
}

/// Reads one stream.
pub struct ListenReader {
    shape: Shape,
    announced: bool,
    begun: bool,
    torn: Zeroizing<Vec<u8>>,
    measuring: Option<Measuring>,
}

impl ListenReader {
    /// A reader that assumes `usual` until it is told or shown otherwise.
    pub fn new(usual: Shape) -> Self {
        Self {
            shape: usual,
            announced: false,
            begun: false,
            torn: Zeroizing::default(),
            measuring: Some(Measuring::default()),
        }
    }

    /// The shape as far as it is known.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Takes a text frame: an announcement of the format, before any audio, is adopted. Says whether it was one.
    pub fn text(&mut self, text: &str) -> bool {
        if self.begun {
            return false;
        }
        let Some(shape) = announced(text, self.shape) else {
            return false;
        };
        self.shape = shape;
        self.announced = true;
        true
    }

    /// Takes a binary frame that arrived `at` (on any clock that goes forward).
    pub fn binary(&mut self, bytes: &[u8], at: Duration) -> Vec<Piece> {
        let Some(measuring) = &mut self.measuring else {
            return self.pass(bytes, at);
        };
        measuring.frames.push((at, bytes.len()));
        measuring.held.extend_from_slice(bytes);
        let since = at.saturating_sub(measuring.frames[0].0);
        if since >= MEASURE || measuring.held.len() > MOST_HELD {
            return self.settle(at);
        }
        // Announced formats are believed until they prove wrong.
        if self.announced {
            self.pass(bytes, at)
        } else {
            Vec::new()
        }
    }

    /// The caller is on the other channel than was thought: the stream begins anew with the next frame.
    pub fn turn_round(&mut self) {
        self.shape.caller_channel = 1 - self.shape.caller_channel.min(1);
        self.begun = false;
    }

    /// The stream was cut and comes again, in whichever frames: a torn sample's rest does not come with it, and the time
    /// without it says nothing of its rate.
    pub fn gap(&mut self) {
        self.torn.clear();
        if let Some(measuring) = &mut self.measuring {
            measuring.begin_anew(&self.shape);
        }
    }

    /// The stream ended `at`: what was held until the format is settled is given in the likeliest one.
    pub fn end(&mut self, at: Duration) -> Vec<Piece> {
        if self.measuring.is_some() {
            self.settle(at)
        } else {
            Vec::new()
        }
    }

    /// Ends the measurement. Only when it speaks against what was passed on already is that void.
    fn settle(&mut self, at: Duration) -> Vec<Piece> {
        let Some(measured) = self.measuring.take() else {
            return Vec::new();
        };
        let found = measured
            .bytes_per_second()
            .and_then(|rate| reclassified(&self.shape, rate));
        match found {
            None if self.announced && self.begun => {
                // Only the last frame has not been passed on yet.
                let last = measured.frames.last().map_or(0, |(_, length)| *length);
                let held = &measured.held;
                let fresh = held[held.len() - last..].to_vec();
                self.pass(&fresh, at)
            }
            found => {
                if let Some(shape) = found {
                    tracing::info!(
                        rate = shape.rate.0,
                        channels = shape.channels,
                        "a listen stream is {} Hz with {} channels by its byte rate",
                        shape.rate.0,
                        shape.channels
                    );
                    self.shape = shape;
                }
                self.begun = false;
                self.torn.clear();
                self.pass(&measured.held, at)
            }
        }
    }

    /// The caller's samples among `bytes`, preceded by the shape the first time.
    fn pass(&mut self, bytes: &[u8], at: Duration) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.begun {
            self.begun = true;
            pieces.push(Piece::Begin(self.shape));
        }
        let (bytes, other) = self.channels(bytes);
        if !bytes.is_empty() {
            pieces.push(Piece::Audio { bytes, other, at });
        }
        pieces
    }

    /// Whole samples of the caller's channel, and of the other; what is torn waits for its rest.
    fn channels(&mut self, bytes: &[u8]) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        let sample = self.shape.encoding.bytes_per_sample();
        let frame = self.shape.bytes_per_frame();
        self.torn.extend_from_slice(bytes);
        let whole = self.torn.len() - self.torn.len() % frame;
        let pick = |channel: usize| -> Zeroizing<Vec<u8>> {
            let from = sample * channel;
            let frames = self.torn[..whole].chunks_exact(frame);
            let picked = frames.flat_map(|frame| &frame[from..from + sample]);
            Zeroizing::new(picked.copied().collect())
        };
        let picked = match self.shape.channels {
            2 => {
                let caller = usize::from(self.shape.caller_channel.min(1));
                (pick(caller), pick(1 - caller))
            }
            _ => (pick(0), Zeroizing::default()),
        };
        self.torn.drain(..whole);
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Encoding;
    use crate::units::Hertz;

    const USUAL: Shape = Shape {
        encoding: Encoding::PcmS16le,
        rate: Hertz(16_000),
        channels: 2,
        caller_channel: 0,
    };

    fn shape(rate: u32, channels: u16) -> Shape {
        Shape {
            rate: Hertz(rate),
            channels,
            ..USUAL
        }
    }

    /// Plays `seconds` of a stream of `real` shape in frames of 20 ms, and gives the shape it was last begun in
    /// and the audio since.
    fn play(reader: &mut ListenReader, real: Shape, seconds: f64) -> (Option<Shape>, Vec<u8>) {
        let bytes: Vec<u8> = (0..(f64::from(real.bytes_per_second()) * seconds) as usize)
            .map(|at| (at % 251) as u8)
            .collect();
        let frame = real.bytes_per_second() as usize / 50;
        let mut pieces = Vec::new();
        let mut at = Duration::from_millis(40);
        for piece in bytes.chunks(frame) {
            pieces.extend(reader.binary(piece, at));
            at += Duration::from_millis(20);
        }
        pieces.extend(reader.end(at));
        let mut begun = None;
        let mut audio = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Begin(shape) => {
                    begun = Some(shape);
                    audio.clear();
                }
                Piece::Audio { bytes, .. } => audio.extend_from_slice(&bytes),
            }
        }
        let wanted: Vec<u8> = match real.channels {
            2 => bytes
                .chunks_exact(4)
                .flat_map(|frame| frame[..2].to_vec())
                .collect(),
            _ => bytes,
        };
        assert!(
            audio == wanted || begun != Some(real),
            "{} of {} bytes",
            audio.len(),
            wanted.len()
        );
        (begun, audio)
    }

    #[test]
    fn what_is_not_announced_is_found_by_its_byte_rate_and_nothing_is_lost() {
        for real in [shape(16_000, 2), shape(16_000, 1), shape(8_000, 1)] {
            let (begun, audio) = play(&mut ListenReader::new(USUAL), real, 4.0);
            assert_eq!(begun, Some(real));
            assert_eq!(audio.len(), 4 * real.rate.0 as usize * 2);
        }
    }

    #[test]
    fn a_wrong_announcement_is_put_right_and_a_right_one_is_believed_at_once() {
        let mut reader = ListenReader::new(USUAL);
        assert!(reader.text(
            r#"{"type":"start","encoding":"linear16","container":"raw","sampleRate":16000,"channels":2}"#
        ));
        assert_eq!(reader.binary(&[1, 0, 2, 0], Duration::ZERO).len(), 2);
        let mut reader = ListenReader::new(USUAL);
        assert!(reader.text(r#"{"sampleRate":16000,"channels":1}"#));
        let (begun, _) = play(&mut reader, shape(8_000, 1), 4.0);
        assert_eq!(begun, Some(shape(8_000, 1)), "8 kHz labelled 16 kHz");
    }

    #[test]
    fn a_stream_in_an_unforeseen_hurry_keeps_its_announced_format() {
        let mut reader = ListenReader::new(USUAL);
        assert!(reader.text(r#"{"sampleRate":16000,"channels":1}"#));
        let hurried = shape(48_000, 1);
        let mut begun = Vec::new();
        for frame in 0..300_u32 {
            let bytes = vec![0; hurried.bytes_per_second() as usize / 50];
            let at = Duration::from_millis(u64::from(frame) * 20);
            begun.extend(
                reader
                    .binary(&bytes, at)
                    .into_iter()
                    .filter(|piece| matches!(piece, Piece::Begin(_))),
            );
        }
        assert_eq!(begun, [Piece::Begin(shape(16_000, 1))]);
    }

    #[test]
    fn the_time_of_a_cut_says_nothing_of_the_byte_rate() {
        for announced in [false, true] {
            let mut reader = ListenReader::new(USUAL);
            if announced {
                assert!(reader.text(r#"{"sampleRate":16000,"channels":2}"#));
            }
            let (mut begun, mut heard) = (Vec::new(), 0);
            // 0.6 s, of which the last frame is torn, 0.9 s without a socket, and 3 s.
            for at in (0..30).chain(75..225) {
                if at == 75 {
                    reader.gap();
                }
                let bytes = vec![0; if at == 29 { 1_279 } else { 1_280 }];
                for piece in reader.binary(&bytes, Duration::from_millis(at * 20)) {
                    match piece {
                        Piece::Begin(shape) => begun.push(shape),
                        Piece::Audio { bytes, .. } => heard += bytes.len(),
                    }
                }
            }
            assert_eq!(begun, [USUAL], "announced: {announced}");
            assert_eq!(heard, 180 * 640 - 2, "announced: {announced}");
        }
    }

    #[test]
    fn a_stream_that_ends_early_is_read_as_usual() {
        let (begun, audio) = play(&mut ListenReader::new(USUAL), USUAL, 1.0);
        assert_eq!((begun, audio.len()), (Some(USUAL), 32_000));
    }

    #[test]
    fn frames_may_be_cut_anywhere_and_the_other_channel_can_be_the_callers() {
        let bytes: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        let right = Shape {
            caller_channel: 1,
            ..USUAL
        };
        let heard = |size: usize| {
            let mut reader = ListenReader::new(right);
            reader.text(r#"{"sampleRate":16000}"#);
            let pieces = bytes
                .chunks(size)
                .flat_map(|piece| reader.binary(piece, Duration::ZERO));
            let audio = pieces.filter_map(|piece| match piece {
                Piece::Audio { bytes, .. } => Some(bytes.to_vec()),
                Piece::Begin(_) => None,
            });
            audio.collect::<Vec<_>>().concat()
        };
        let whole = heard(bytes.len());
        assert_eq!(whole[..4], [2, 3, 6, 7]);
        for size in [1, 3, 7, 641] {
            assert_eq!(heard(size), whole, "{size}");
        }
    }

    #[test]
    fn a_stream_that_is_turned_round_begins_anew_with_the_other_channel() {
        let mut reader = ListenReader::new(USUAL);
        reader.text(r#"{"sampleRate":16000}"#);
        let audio = |bytes: [u8; 2], other: [u8; 2]| Piece::Audio {
            bytes: Zeroizing::new(bytes.to_vec()),
            other: Zeroizing::new(other.to_vec()),
            at: Duration::ZERO,
        };
        let before = reader.binary(&[1, 2, 3, 4], Duration::ZERO);
        assert_eq!(before, [Piece::Begin(USUAL), audio([1, 2], [3, 4])]);
        reader.turn_round();
        let turned = Shape {
            caller_channel: 1,
            ..USUAL
        };
        let after = reader.binary(&[5, 6, 7, 8], Duration::ZERO);
        assert_eq!(after, [Piece::Begin(turned), audio([7, 8], [5, 6])]);
    }

    #[test]
    fn what_announces_nothing_changes_nothing() {
        let mut reader = ListenReader::new(USUAL);
        for text in [
            "hello",
            r#"{"type":"transcript","transcript":"hi"}"#,
            r#"{"sampleRate":0}"#,
            r#"{"channels":9}"#,
            r#"{"encoding":"opus"}"#,
            r#"{"sampleRate":"many"}"#,
        ] {
            assert!(!reader.text(text), "{text}");
        }
        assert_eq!(reader.shape(), USUAL);
    }
}
