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
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) at: usize,
}

impl Iterator for Frames {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while self.bytes.get(self.at..)?.starts_with(MAGIC) {
            self.at += MAGIC.len();
        }
        let head = self.bytes.get(self.at)?;
        let end = self.at + 1 + SIZES[usize::from(head >> 3 & 15)];
        let frame = self.at..end.min(self.bytes.len());
        self.at = end;
        Some(frame)
    }
}
