//! MP3: our own walk over the frames, because the frame that counts the others is often not true.
//!
//! Frame headers: ISO/IEC 11172-3 clause 2.4.1.3 and 13818-3; the counting frame: "Xing" or "Info", with LAME's
//! delays, and "VBRI". Recorders that are killed leave 0 there, files that were joined the first one's count.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;

use super::codec::Codec;
use super::format::check_format;
use super::framed::Framed;
use super::id3::id3_length;
use super::source::{Opened, Source};
use super::{Container, DecodeError, Format, Unheard};
use crate::units::{Hertz, Seconds};

/// What the header of a frame of layer III says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    rate: u32,
    channels: u16,
    /// Samples of each channel.
    samples: u64,
    /// Bytes, header and all.
    length: usize,
    /// Bytes of side information behind the header.
    side: usize,
}

/// Kilobits a second of MPEG-1 and of 2 and 2.5.
const FAST: [usize; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const SLOW: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

impl Head {
    /// The frame that begins `bytes`: layer III, nothing reserved in it, and not of free format.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [0xFF, second, third, fourth, ..] = *bytes else {
            return None;
        };
        let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
        let (kbps, rate) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
        if second & 0xE0 != 0xE0 || version == 1 || layer != 1 || kbps == 0 || kbps == 15 || rate == 3 {
            return None;
        }
        let first = version == 3;
        let halvings = [2, 0, 1, 0][usize::from(version)];
        let rate = [44_100, 48_000, 32_000][rate] >> halvings;
        let kbps = if first { FAST[kbps] } else { SLOW[kbps] };
        let slot = if first { 144_000 } else { 72_000 };
        let mono = fourth >> 6 == 3;
        let side = match (first, mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        // A checksum of two bytes stands before the side information.
        let sum = if second & 1 == 0 { 2 } else { 0 };
        Some(Self {
            rate,
            channels: if mono { 1 } else { 2 },
            samples: if first { 1_152 } else { 576 },
            length: kbps * slot / rate as usize + usize::from(third >> 1 & 1),
            side: side + sum,
        })
    }
}

/// The frames of a stretch of a file, one after the other; what lies between them is passed over.
struct Frames {
    bytes: Arc<Vec<u8>>,
    at: usize,
    end: usize,
    /// Frames of other rates are another recording's.
    rate: Option<u32>,
    synchronised: bool,
}

impl Frames {
    fn new(bytes: &Arc<Vec<u8>>, span: &Range<usize>) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            at: span.start,
            end: span.end.min(bytes.len()),
            rate: None,
            synchronised: false,
        }
    }

    fn head(&self, at: usize) -> Option<Head> {
        Head::read(self.bytes.get(at..self.end)?)
    }

    /// Whether what looks like a frame is followed by another, by a tag, or by the end.
    fn followed(&self, head: &Head, at: usize) -> bool {
        let next = at + head.length;
        next == self.end
            || self.head(next).is_some_and(|other| other.rate == head.rate)
            || (self.synchronised && (next > self.end || tag_length(self.rest(next)) > 0))
    }

    fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(at.min(self.end)..self.end).unwrap_or_default()
    }

    /// The next frame and where it lies, which may be past the end.
    fn next_frame(&mut self) -> Option<(Head, Range<usize>)> {
        while self.at + 4 <= self.end {
            if let Some(head) = self.head(self.at)
                && (self.synchronised || self.followed(&head, self.at))
            {
                let place = self.at..self.at + head.length;
                self.synchronised = self.followed(&head, self.at);
                self.at = place.end;
                return Some((head, place));
            }
            self.synchronised = false;
            let tag = tag_length(self.rest(self.at));
            self.at += tag.max(1);
            if tag == 0 {
                let rest = self.rest(self.at);
                let junk = rest
                    .iter()
                    .position(|&byte| matches!(byte, 0xFF | b'I' | b'T' | b'A'));
                self.at += junk.unwrap_or(rest.len());
            }
        }
        None
    }
}

impl Iterator for Frames {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let (head, place) = self.next_frame()?;
            let counts = Info::read(&head, self.bytes.get(place.clone()).unwrap_or_default()).is_some();
            if !counts && self.rate.is_none_or(|rate| rate == head.rate) {
                return Some(place);
            }
        }
    }
}

/// The length of an ID3v2, ID3v1 or APE tag at the start of `bytes`, or 0.
fn tag_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"TAG") {
        return 128;
    }
    let ape = bytes
        .strip_prefix(b"APETAGEX")
        .and_then(|rest| rest.get(4..8)?.first_chunk());
    ape.map_or_else(
        || id3_length(bytes),
        |size| 32 + u32::from_le_bytes(*size) as usize,
    )
}

/// The frame that counts the others.
struct Info {
    frames: Option<u32>,
    /// Samples to drop from the start and from the end: LAME's, and the decoder's own 529.
    delays: Option<(u64, u64)>,
}

/// What a decoder of layer III is behind.
const DECODER_DELAY: u64 = 529;

impl Info {
    fn read(head: &Head, frame: &[u8]) -> Option<Self> {
        if frame.get(36..40) == Some(b"VBRI") {
            return Some(Self {
                frames: None,
                delays: None,
            });
        }
        // The checksum is no part of what stands before the tag, for the writers of most files.
        let tag = [head.side, head.side & !2, head.side + 2]
            .into_iter()
            .find_map(|side| {
                let tag = frame.get(4 + side..)?;
                (tag.starts_with(b"Xing") || tag.starts_with(b"Info")).then_some(tag)
            })?;
        let flags = *tag.get(7)?;
        let mut at = 8;
        let mut frames = None;
        for (flag, size) in [(1, 4), (2, 4), (4, 100), (8, 4)] {
            if flags & flag != 0 {
                if flag == 1 {
                    frames = tag
                        .get(at..at + 4)?
                        .first_chunk()
                        .map(|four| u32::from_be_bytes(*four));
                }
                at += size;
            }
        }
        let delays = tag.get(at..at + 24).filter(|lame| lame[0] != 0).map(|lame| {
            let both = u64::from(lame[21]) << 16 | u64::from(lame[22]) << 8 | u64::from(lame[23]);
            (
                (both >> 12) + DECODER_DELAY,
                (both & 0xFFF).saturating_sub(DECODER_DELAY),
            )
        });
        Some(Self { frames, delays })
    }
}

/// What all frames of a stretch come to.
struct Count {
    rate: u32,
    channels: u16,
    frames: u64,
    samples: u64,
    info: Option<Info>,
    cut: bool,
    /// Seconds and place of frames of other rates.
    other: Option<(f64, Range<usize>)>,
}

fn count(bytes: &Arc<Vec<u8>>, span: &Range<usize>) -> Option<Count> {
    let mut frames = Frames::new(bytes, span);
    let mut count: Option<Count> = None;
    while let Some((head, place)) = frames.next_frame() {
        let info = Info::read(&head, bytes.get(place.clone()).unwrap_or_default());
        let sum = count.get_or_insert(Count {
            rate: head.rate,
            channels: head.channels,
            frames: 0,
            samples: 0,
            info: None,
            cut: false,
            other: None,
        });
        if info.is_some() {
            if sum.frames == 0 {
                sum.info = info;
            }
        } else if head.rate != sum.rate {
            let (length, at) = sum.other.get_or_insert((0.0, place.clone()));
            *length += head.samples as f64 / f64::from(head.rate);
            at.end = place.end.min(frames.end);
        } else if place.end > frames.end {
            sum.cut = true;
        } else {
            sum.channels = sum.channels.max(head.channels);
            sum.frames += 1;
            sum.samples += head.samples;
        }
    }
    count
}

/// How long the frames in a stretch of a file last; `None` where there are none.
pub(super) fn length(bytes: &Arc<Vec<u8>>, span: &Range<usize>) -> Option<Seconds> {
    let count = count(bytes, span).filter(|count| count.frames > 0)?;
    Seconds::checked(count.samples as f64 / f64::from(count.rate))
}

/// Opens the MP3 frames of a stretch of a file.
///
/// # Errors
/// [`DecodeError`]: there are no frames, or they are of a rate that is not accepted.
pub(super) fn open(
    bytes: &Arc<Vec<u8>>,
    span: Range<usize>,
    container: Container,
) -> Result<Opened, DecodeError> {
    let unreadable = |cause: String| DecodeError::Unreadable {
        container,
        within: span.end as u64,
        cause,
    };
    let count = count(bytes, &span).filter(|count| count.frames > 0);
    let count = count.ok_or_else(|| unreadable("no frame of layer III is in it".into()))?;
    let format = Format {
        container,
        rate: Hertz(count.rate),
        channels: count.channels,
    };
    check_format(format)?;
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_MP3).with_sample_rate(count.rate);
    let codec = Codec::symphonia(&params).map_err(unreadable)?;
    let mut frames = Frames::new(bytes, &span);
    frames.rate = Some(count.rate);
    let mut framed = Framed::new(bytes, Box::new(frames), codec, format);
    framed.truncated = count.cut;
    let mut kept = count.samples;
    if let Some((delay, padding)) = count.info.as_ref().and_then(|info| info.delays) {
        // Padding stands where the writer thought the end was.
        let true_count = count
            .info
            .is_some_and(|info| info.frames.map(u64::from) == Some(count.frames));
        let padding = if true_count { padding } else { 0 };
        kept = count.samples.saturating_sub(delay + padding);
        framed.kept = iter::once(delay..delay + kept).collect();
    }
    Ok(Opened {
        announced: Seconds::checked(kept as f64 / f64::from(count.rate)),
        slack: Seconds::ZERO,
        format,
        source: Source::Framed(Box::new(framed)),
        unheard: count.other.map(|(length, at)| Unheard {
            at: at.start as u64,
            bytes: at.len() as u64,
            length: Seconds::checked(length),
            why: "it is at another sampling rate than what comes before it",
        }),
    })
}
