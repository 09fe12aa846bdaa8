//! AMR narrow-band in its storage format (RFC 4867 section 5): frames with a header of one byte, comfort noise
//! and gaps among them. Every frame lasts 20 ms, whatever is in it.

use codec_core::codecs::amr::nb::bitstream::{parse, parse_sid_header};
use codec_core::codecs::amr::nb::decoder::Decoder;
use codec_core::codecs::amr::nb::dtx::RxFrameType;

use std::ops::Range;
use std::sync::Arc;

/// What a file of one channel begins with.
pub(super) const MAGIC: &[u8] = b"#!AMR\n";

/// Samples of a frame, 20 ms at [`RATE`].
pub(super) const FRAME: usize = 160;

/// Samples a second.
pub(super) const RATE: u32 = 8_000;

/// Bytes behind the header of each type of frame (3GPP TS 26.101 annex A): eight rates, comfort noise, the
/// comfort noise of three other systems, three reserved ones, and no data.
const SIZES: [usize; 16] = [12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0];

/// The type of AMR's own comfort noise.
const COMFORT_NOISE: u8 = 8;

/// A decoder of stored frames.
pub(super) struct Amr {
    decoder: Decoder,
    /// The last rate that was spoken at, which a gap does not state.
    rate: u8,
}

impl Amr {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            rate: 0,
        }
    }

    /// Appends the samples of a packet's frames, of which 3GP may hold several.
    pub(super) fn decode(&mut self, mut packet: &[u8], out: &mut Vec<f32>) {
        while let Some(head) = packet.first() {
            let size = 1 + SIZES[usize::from(head >> 3 & 15)];
            let (frame, rest) = packet.split_at(size.min(packet.len()));
            self.decode_frame(frame, out);
            packet = rest;
        }
    }

    /// Appends the 160 samples of one frame. A frame that is short or of another system's comfort noise is a gap.
    fn decode_frame(&mut self, frame: &[u8], out: &mut Vec<f32>) {
        let (head, body) = frame.split_first().unwrap_or((&0x7C, &[]));
        let (kind, good) = (head >> 3 & 15, head & 4 != 0);
        let (received, parameters) = self.received(kind, good, body);
        let heard = self.decoder.decode_typed(received, self.rate, &parameters);
        out.extend(heard.iter().map(|&sample| f32::from(sample) / 32_768.0));
    }

    fn received(&mut self, kind: u8, good: bool, body: &[u8]) -> (RxFrameType, Vec<u16>) {
        let gap = (RxFrameType::NoData, Vec::new());
        if kind < COMFORT_NOISE {
            let Some(parameters) = parse(kind, body) else {
                return gap;
            };
            self.rate = kind;
            let received = if good {
                RxFrameType::SpeechGood
            } else {
                RxFrameType::SpeechBad
            };
            return (received, parameters);
        }
        if kind != COMFORT_NOISE {
            return gap;
        }
        let (Some(head), Some(parameters)) = (parse_sid_header(body), parse(COMFORT_NOISE, body)) else {
            return gap;
        };
        self.rate = head.mode_index.min(7);
        match (good, head.update) {
            (false, _) => (RxFrameType::SidBad, parameters),
            (true, true) => (RxFrameType::SidUpdate, parameters),
            (true, false) => (RxFrameType::SidFirst, Vec::new()),
        }
    }
}

/// The frames of a file, each with its header. Where two files were joined, the second one's magic is passed over.
pub(super) struct Frames {
    bytes: Arc<Vec<u8>>,
    at: usize,
    /// Whether a frame was met that is not all there; it is not given.
    pub(super) cut: bool,
}

impl Frames {
    /// The frames from a place in the file.
    pub(super) fn new(bytes: &Arc<Vec<u8>>, at: usize) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            at,
            cut: false,
        }
    }

    /// Where in a frame the next file begins, which was joined to one that was cut.
    fn next_file_in(&self, frame: &Range<usize>) -> Option<usize> {
        let end = (frame.end + MAGIC.len() - 1).min(self.bytes.len());
        let body = self.bytes.get(frame.start + 1..end)?;
        let offset = body.windows(MAGIC.len()).position(|part| part == MAGIC)?;
        Some(frame.start + 1 + offset)
    }
}

impl Iterator for Frames {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            while self.bytes.get(self.at..)?.starts_with(MAGIC) {
                self.at += MAGIC.len();
            }
            let head = self.bytes.get(self.at)?;
            let frame = self.at..self.at + 1 + SIZES[usize::from(head >> 3 & 15)];
            let next_file = self.next_file_in(&frame);
            self.at = next_file.unwrap_or(frame.end);
            if next_file.is_none() && frame.end <= self.bytes.len() {
                return Some(frame);
            }
            self.cut = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> (Vec<Range<usize>>, bool) {
        let mut frames = Frames::new(&Arc::new(bytes.to_vec()), 0);
        let all = frames.by_ref().collect();
        (all, frames.cut)
    }

    /// A frame of 12.2 kbit/s, whose bytes are none of the magic's.
    fn frame() -> Vec<u8> {
        [vec![0x3C], vec![7; 31]].concat()
    }

    #[test]
    fn a_file_behind_one_that_was_cut_is_read_from_its_beginning() {
        let file = [MAGIC, &frame(), &frame()].concat();
        assert_eq!(frames(&file), (vec![6..38, 38..70], false));
        assert_eq!(
            frames(&[&file[..], &file].concat()),
            (vec![6..38, 38..70, 76..108, 108..140], false)
        );
        for cut in [1, 3, 31] {
            let short = &file[..file.len() - cut];
            assert_eq!(frames(short), (frames(&file).0[..1].to_vec(), true), "{cut}");
            let second = short.len() + 6;
            assert_eq!(
                frames(&[short, &file].concat()),
                (vec![6..38, second..second + 32, second + 32..second + 64], true),
                "{cut}"
            );
        }
    }
}
