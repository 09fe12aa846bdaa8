//! The `fmt ` chunk of WAV and Wave64. The frame size follows from codec and channels: what the chunk says of
//! block align and bits a sample is often not true.

use std::ops::Range;

use super::codec::AdpcmKind;
use super::layout::{Coding, Layout};
use super::pcm::Sample;
use super::{Container, DecodeError, Encoding};

/// What the chunk says, checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fmt {
    rate: u32,
    channels: u16,
    coding: Coding,
}

impl Fmt {
    /// A file of this format with its audio in `spans`.
    pub(super) fn layout(
        self,
        container: Container,
        spans: Vec<Range<usize>>,
        truncated: bool,
        beyond: Option<Range<usize>>,
    ) -> Layout {
        Layout {
            container,
            rate: self.rate,
            channels: self.channels,
            coding: self.coding,
            spans,
            truncated,
            beyond,
        }
    }
}

/// Reads the chunk of so many bytes at a place.
pub(super) fn read(bytes: &[u8], at: usize, size: u64, container: Container) -> Result<Fmt, DecodeError> {
    let broken = |at, cause: String| container.broken(at, cause);
    let end = (at as u64).saturating_add(size).min(bytes.len() as u64) as usize;
    let body = &bytes[at.min(end)..end];
    if body.len() < 16 {
        return Err(broken(
            at,
            format!("the 'fmt ' chunk has {} bytes of at least 16", body.len()),
        ));
    }
    let (mut tag, channels, rate) = (le16(body, 0), le16(body, 2), le32(body, 4));
    let (block, bits) = (le16(body, 12), le16(body, 14));
    if channels == 0 {
        return Err(broken(at + 2, "the header states 0 channels".into()));
    }
    if tag == 0xFFFE {
        tag = match body.get(24..40) {
            Some(guid) if guid[2..] == GUID_TAIL => le16(guid, 0),
            Some(_) => {
                return Err(DecodeError::Unsupported {
                    what: "a WAV sub-format with a GUID of its own".into(),
                    at: at as u64 + 24,
                });
            }
            None => {
                let cause = format!("the extensible 'fmt ' chunk has {} bytes of 40", body.len());
                return Err(broken(at, cause));
            }
        };
    }
    let Some(coding) = coding(tag, bits, block, channels) else {
        let what = format!("WAV format {tag} ({}) with {bits} bits a sample", codec_name(tag));
        return Err(DecodeError::Unsupported { what, at: at as u64 });
    };
    Ok(Fmt {
        rate,
        channels,
        coding,
    })
}

/// The end of the GUID of every registered format: -0000-0010-8000-00AA00389B71.
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

fn coding(tag: u16, bits: u16, block: u16, channels: u16) -> Option<Coding> {
    let share = usize::from(block / channels);
    Some(match tag {
        1 => {
            let width = match bits {
                1..=32 => usize::from(bits.div_ceil(8)),
                _ if (1..=4).contains(&share) => share,
                _ => return None,
            };
            Coding::Plain(Sample::Integer {
                width,
                big: false,
                unsigned: width == 1,
            })
        }
        3 => {
            let wide = bits == 64 || (bits != 32 && share == 8);
            Coding::Plain(Sample::Float {
                width: if wide { 8 } else { 4 },
                big: false,
            })
        }
        6 => Coding::Plain(Sample::Companded(Encoding::Alaw)),
        7 => Coding::Plain(Sample::Companded(Encoding::Mulaw)),
        2 => Coding::Adpcm(AdpcmKind::Ms, usize::from(block)),
        0x11 => Coding::Adpcm(AdpcmKind::ImaWav, usize::from(block)),
        0x31 => Coding::GsmPairs,
        0x55 => Coding::Mp3,
        // The registered number, and the one that ffmpeg writes.
        0x65 | 0x28F => Coding::G722,
        _ => return None,
    })
}

/// The registered name of a WAVE format tag that people meet (RFC 2361).
fn codec_name(tag: u16) -> &'static str {
    match tag {
        1 => "PCM",
        3 => "float",
        0x14 | 0x40 | 0x45 | 0x64 => "G.726 ADPCM",
        0x22 => "TrueSpeech",
        0x42 => "G.723.1",
        0x50 => "MP2",
        0x83 => "G.729",
        0xA106 | 0xFF | 0x1610 => "AAC",
        0x160..=0x163 => "WMA",
        0xA109 => "Speex",
        0x2000 => "AC-3",
        _ => "a codec not known here",
    }
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
