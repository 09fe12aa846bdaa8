//! MP4, M4A, QuickTime and 3GP (ISO/IEC 14496-12 and -14, 3GPP TS 26.244): what iPhones, Android and Safari write.
//!
//! A walk of our own: Symphonia's leaves out AMR and edit lists, which say where the recording begins in the
//! first packets. Whole files have their packets in one table, what browsers record in fragments.

use std::ops::Range;
use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_ALAC;

use super::amr::Amr;
use super::boxes::{Atom, atoms, child};
use super::codec::Codec;
use super::format::check_format;
use super::framed::Framed;
use super::opus::{self, OpusPackets};
use super::source::{Opened, Source};
use super::tables::{self, Table};
use super::{Container, DecodeError, Format, aac, amr};
use crate::units::{Hertz, Seconds};

/// A track of audio: its codec, its configuration, its packets.
pub(super) struct Sound {
    pub(super) container: Container,
    /// The codec by its four letters.
    pub(super) kind: [u8; 4],
    pub(super) config: Vec<u8>,
    /// In what parts of a second `kept` counts.
    pub(super) timescale: u32,
    pub(super) places: Vec<Range<usize>>,
    /// What of the track is the recording, ascending and apart.
    pub(super) kept: Vec<Range<u64>>,
    pub(super) truncated: bool,
}

/// Opens the first audio track of a file.
///
/// # Errors
/// [`DecodeError`]: a broken or missing index, no audio, a codec that is not read.
pub(super) fn open(bytes: &Arc<Vec<u8>>, span: Range<usize>) -> Result<Opened, DecodeError> {
    let container = Container::Mp4;
    let broken = |at, cause: &str| container.broken(at, cause);
    let Some(moov) = child(bytes, span.clone(), *b"moov") else {
        let cause = "the file ends before its index (moov): its recorder was cut off before it wrote it";
        return Err(broken(span.end, cause));
    };
    let tracks = atoms(bytes, moov.clone()).filter(|atom| atom.kind == *b"trak");
    let track = tracks
        .map(|atom| atom.body)
        .find(|trak| is_sound(bytes, trak.clone()));
    let Some(trak) = track else {
        return Err(broken(moov.start, "it has no track of audio"));
    };
    let table = tables::read(bytes, &span, moov, trak.clone());
    let table = table.ok_or_else(|| broken(trak.start, "the track's tables are cut short"))?;
    let Table {
        entry,
        places,
        timescale,
        kept,
        truncated,
        ..
    } = table;
    let (kind, config) = configured(bytes, entry);
    let sound = Sound {
        container,
        kind,
        config,
        timescale,
        places,
        kept,
        truncated,
    };
    sound.open(bytes)
}

fn is_sound(bytes: &[u8], trak: Range<usize>) -> bool {
    let handler = child(bytes, trak, *b"mdia").and_then(|mdia| child(bytes, mdia, *b"hdlr"));
    handler.is_some_and(|hdlr| bytes.get(hdlr.start + 8..hdlr.start + 12) == Some(b"soun"))
}

/// The codec's four letters and its configuration, out of a sample entry.
fn configured(bytes: &[u8], entry: Atom) -> ([u8; 4], Vec<u8>) {
    // 28 bytes of the entry itself; QuickTime's versions 1 and 2 have 16 and 36 more.
    let version = bytes.get(entry.body.start + 9).copied().unwrap_or(0);
    let own = 28 + [0, 16, 36][usize::from(version.min(2))];
    let mut inner = (entry.body.start + own).min(entry.body.end)..entry.body.end;
    if let Some(wave) = child(bytes, inner.clone(), *b"wave") {
        inner = wave;
    }
    let of = |name: &[u8; 4], skipped: usize| {
        let found = child(bytes, inner.clone(), *name)?;
        bytes.get(found).and_then(|body| body.get(skipped..))
    };
    let (kind, config) = match &entry.kind {
        b"mp4a" => {
            let descriptors = of(b"esds", 4).unwrap_or_default();
            match object_type(descriptors) {
                Some(0x69 | 0x6B) => (*b".mp3", Some(&[][..])),
                _ => (*b"aac ", configuration(descriptors)),
            }
        }
        b"Opus" => (entry.kind, of(b"dOps", 0)),
        b"alac" => (entry.kind, of(b"alac", 4)),
        _ => (entry.kind, None),
    };
    (kind, config.unwrap_or_default().to_vec())
}

/// The bodies of the descriptors (ISO/IEC 14496-1 clause 7.2.6) of one tag within others.
fn descriptor<'a>(mut bytes: &'a [u8], path: &[u8]) -> Option<&'a [u8]> {
    let (&tag, deeper) = path.split_first()?;
    loop {
        let (&found, rest) = bytes.split_first()?;
        let length_bytes = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
        let length = rest[..length_bytes]
            .iter()
            .fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7F));
        let rest = &rest[length_bytes..];
        let body = &rest[..length.min(rest.len())];
        if found == tag {
            if deeper.is_empty() {
                return Some(body);
            }
            // An elementary stream has an identifier and flags first, a decoder's configuration 13 bytes.
            let own = if tag == 3 { 3 } else { 13 };
            return descriptor(body.get(own..)?, deeper);
        }
        bytes = &rest[body.len()..];
    }
}

/// The decoder's configuration within an elementary stream's descriptors.
pub(super) fn configuration(descriptors: &[u8]) -> Option<&[u8]> {
    descriptor(descriptors, &[3, 4, 5])
}

fn object_type(descriptors: &[u8]) -> Option<u8> {
    descriptor(descriptors, &[3, 4])?.first().copied()
}

/// What a codec makes of a track.
struct Decoding {
    codec: Codec,
    rate: u32,
    channels: u16,
    /// Frames that the codec itself drops from the start.
    settled: u64,
    /// Frames of a packet, 0 when they differ.
    frames: u32,
}

impl Sound {
    /// Opens the packets.
    ///
    /// # Errors
    /// [`DecodeError`]: no packets, a codec that is not read, a rate that is not accepted.
    pub(super) fn open(self, bytes: &Arc<Vec<u8>>) -> Result<Opened, DecodeError> {
        if self.places.is_empty() {
            return Err(DecodeError::NoAudio {
                container: self.container,
                at: bytes.len() as u64,
            });
        }
        let decoding = self.decoding().map_err(|what| DecodeError::Unsupported {
            what: format!("the codec of this {} file ({what})", self.container),
            at: 0,
        })?;
        let format = Format {
            container: self.container,
            rate: Hertz(decoding.rate),
            channels: decoding.channels,
        };
        check_format(format)?;
        let scaled = |ticks: u64| {
            let ticks = u128::from(ticks) * u128::from(decoding.rate) / u128::from(self.timescale.max(1));
            u64::try_from(ticks).unwrap_or(u64::MAX)
        };
        let kept: Vec<Range<u64>> = self
            .kept
            .iter()
            .map(|part| scaled(part.start)..scaled(part.end))
            .collect();
        let frames = (self.places.len() as u64).saturating_mul(u64::from(decoding.frames));
        let announced = (frames > 0).then(|| -> u64 {
            let lengths = kept
                .iter()
                .map(|part| part.end.min(frames) - part.start.min(frames));
            lengths.sum()
        });
        // What the codec itself drops is gone before its frames are counted: both ends move, or parts would overlap.
        let settled = decoding.settled;
        let moved = |frame: u64| frame.saturating_sub(settled);
        let kept = kept.into_iter().map(|part| moved(part.start)..moved(part.end));
        let feed = Box::new(self.places.into_iter());
        let mut framed = Framed::new(bytes, feed, decoding.codec, format);
        framed.kept = kept.collect();
        framed.truncated = self.truncated;
        Ok(Opened {
            source: Source::Framed(Box::new(framed)),
            announced: announced
                .and_then(|frames| Seconds::checked(frames as f64 / f64::from(decoding.rate))),
            slack: Seconds::ZERO,
            format,
            unheard: None,
        })
    }

    fn decoding(&self) -> Result<Decoding, String> {
        match &self.kind {
            b"aac " => {
                let aac = aac::open(&self.config)?;
                Ok(Decoding {
                    codec: aac.codec,
                    rate: aac.rate,
                    channels: aac.channels,
                    settled: 0,
                    frames: aac::FRAME,
                })
            }
            b"alac" => self.lossless(),
            b"Opus" => {
                let head = opus::Head::read_box(&self.config)?;
                Ok(Decoding {
                    codec: Codec::Opus(Box::new(OpusPackets::new(head)?)),
                    rate: opus::RATE,
                    channels: u16::from(head.channels),
                    settled: u64::from(head.pre_skip),
                    frames: 0,
                })
            }
            b"samr" => Ok(Decoding {
                codec: Codec::Amr(Box::new(Amr::new())),
                rate: amr::RATE,
                channels: 1,
                settled: 0,
                frames: 0,
            }),
            b"sawb" => Err("AMR-WB".into()),
            b"ac-3" | b"ec-3" => Err("AC-3".into()),
            b".mp3" => Err("MP3 in MP4".into()),
            other => Err(format!("'{}'", other.escape_ascii())),
        }
    }

    /// ALAC: its configuration has 24 bytes, with the channels in the tenth and the rate in the last four.
    fn lossless(&self) -> Result<Decoding, String> {
        let Some(&config) = self.config.first_chunk::<24>() else {
            return Err("ALAC whose configuration is cut short".into());
        };
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(CODEC_ID_ALAC)
            .with_extra_data(Box::from(&self.config[..]));
        let word =
            |at: usize| u32::from_be_bytes([config[at], config[at + 1], config[at + 2], config[at + 3]]);
        Ok(Decoding {
            codec: Codec::symphonia(&params)?,
            rate: word(20),
            channels: u16::from(config[9]),
            settled: 0,
            frames: word(0).min(65_536),
        })
    }
}
