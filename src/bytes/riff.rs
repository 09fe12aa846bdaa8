//! WAV: our own walk over the RIFF chunks, because headers lie and a message must say where.
//!
//! Layout: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991),
//! chapter 3, and `WAVEFORMATEXTENSIBLE` of the Windows SDK.

use std::ops::Range;

use super::{Container, DecodeError, Encoding};

/// What a WAV header says, checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wave {
    /// Samples per second; not yet checked against the accepted range.
    pub rate: u32,
    /// Interleaved channels, at least one.
    pub channels: u16,
    /// How a sample is stored.
    pub coding: Coding,
    /// Where the audio lies in the file: whole frames only.
    pub data: Range<usize>,
    /// Whether the header promised more audio than there is.
    pub truncated: bool,
}

/// How one sample is stored, always little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Integers of 8 (unsigned, 128 is silence), 16, 24 or 32 bits.
    Integer {
        /// Bits of a sample.
        bits: u16,
    },
    /// IEEE 754 single precision, full scale is 1.
    Float,
    /// G.711.
    Companded(Encoding),
}

impl Coding {
    /// Bytes of one sample of one channel.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Integer { bits } => usize::from(bits / 8),
            Self::Float => 4,
            Self::Companded(law) => law.bytes_per_sample(),
        }
    }
}

/// Sizes from here on are the stand-in of a writer that could not know the length when it began:
/// `0xFFFFFFFF` (ffmpeg to a pipe) or a little under 2 GiB (sox to a pipe).
const UNKNOWN_SIZE: u32 = 0x7FFF_0000;

/// Walks the chunks of a WAV file to its audio.
pub(super) fn walk(bytes: &[u8]) -> Result<Wave, DecodeError> {
    let mut fmt = None;
    let mut at = 12;
    while let Some((id, size)) = chunk_header(bytes, at) {
        let body = at + 8;
        match (&id, fmt) {
            (b"fmt ", _) => fmt = Some(read_fmt(bytes, body, size)?),
            (b"data", Some(fmt)) => return wave(bytes, fmt, body, size),
            (b"data", None) => return Err(broken(at, "audio data come before the 'fmt ' chunk")),
            _ => {}
        }
        // Chunks are padded to an even length.
        let next = body as u64 + u64::from(size) + u64::from(size & 1);
        if next > bytes.len() as u64 {
            let cause = format!(
                "chunk '{}' claims {size} bytes and {} follow",
                id.escape_ascii(),
                bytes.len() - body
            );
            return Err(broken(at, cause));
        }
        at = next as usize;
    }
    let missing = if fmt.is_some() {
        "no 'data' chunk"
    } else {
        "no 'fmt ' chunk"
    };
    Err(broken(
        bytes.len(),
        format!("the file ends and there was {missing}"),
    ))
}

#[derive(Clone, Copy)]
struct Fmt {
    rate: u32,
    channels: u16,
    coding: Coding,
}

fn wave(bytes: &[u8], fmt: Fmt, start: usize, size: u32) -> Result<Wave, DecodeError> {
    let available = bytes.len() - start;
    let streamed = size >= UNKNOWN_SIZE || (size == 0 && !is_chunk_list(bytes, start));
    let stated = if streamed { available } else { size as usize };
    let frame = fmt.coding.width() * usize::from(fmt.channels);
    let frames = stated.min(available) / frame;
    if frames == 0 {
        return Err(DecodeError::NoAudio {
            container: Container::Wav,
            at: bytes.len() as u64,
        });
    }
    Ok(Wave {
        rate: fmt.rate,
        channels: fmt.channels,
        coding: fmt.coding,
        data: start..start + frames * frame,
        truncated: stated > available,
    })
}

/// Whether well-formed chunks, or nothing, run from `at` to the end of the file: then a `data` size
/// of 0 means what it says, and what follows is not audio.
fn is_chunk_list(bytes: &[u8], mut at: usize) -> bool {
    while at < bytes.len() {
        let Some((id, size)) = chunk_header(bytes, at) else {
            return false;
        };
        let next = at as u64 + 8 + u64::from(size) + u64::from(size & 1);
        if !id.iter().all(|byte| (b' '..=b'~').contains(byte)) || next > bytes.len() as u64 + 1 {
            return false;
        }
        at = next as usize;
    }
    true
}

fn read_fmt(bytes: &[u8], at: usize, size: u32) -> Result<Fmt, DecodeError> {
    let end = at.saturating_add(size as usize).min(bytes.len());
    let body = &bytes[at..end];
    if body.len() < 16 {
        return Err(broken(
            at,
            format!("the 'fmt ' chunk has {} bytes of at least 16", body.len()),
        ));
    }
    let (mut tag, channels, rate) = (le16(body, 0), le16(body, 2), le32(body, 4));
    let (block, bits) = (le16(body, 12), le16(body, 14));
    if channels == 0 {
        return Err(broken(at + 2, "the header states 0 channels"));
    }
    if tag == 0xFFFE {
        tag = extensible(body, at)?;
    }
    let coding = match (tag, bits) {
        (1, 8 | 16 | 24 | 32) => Coding::Integer { bits },
        (3, 32) => Coding::Float,
        (6, 8) => Coding::Companded(Encoding::Alaw),
        (7, 8) => Coding::Companded(Encoding::Mulaw),
        _ => {
            let what = format!("WAV format {tag} ({}) with {bits} bits a sample", codec_name(tag));
            return Err(DecodeError::Unsupported { what, at: at as u64 });
        }
    };
    if usize::from(block) != coding.width() * usize::from(channels) {
        let cause = format!("frames of {block} bytes cannot hold {channels} channel(s) of {bits} bits");
        return Err(broken(at + 12, cause));
    }
    Ok(Fmt {
        rate,
        channels,
        coding,
    })
}

/// The format tag inside a `WAVEFORMATEXTENSIBLE`: the first two bytes of a GUID that ends in
/// -0000-0010-8000-00AA00389B71.
fn extensible(body: &[u8], at: usize) -> Result<u16, DecodeError> {
    const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    match body.get(24..40) {
        Some(guid) if guid[2..] == GUID_TAIL => Ok(le16(guid, 0)),
        Some(_) => Err(DecodeError::Unsupported {
            what: "a WAV sub-format with a GUID of its own".into(),
            at: at as u64 + 24,
        }),
        None => Err(broken(
            at,
            format!("the extensible 'fmt ' chunk has {} bytes of 40", body.len()),
        )),
    }
}

/// The registered name of a WAVE format tag that people meet (RFC 2361).
fn codec_name(tag: u16) -> &'static str {
    match tag {
        1 => "PCM",
        2 | 0x11 => "ADPCM",
        3 => "float",
        6 => "A-law",
        7 => "mu-law",
        0x31 => "GSM 6.10",
        0x55 => "MP3",
        _ => "a codec not known here",
    }
}

fn chunk_header(bytes: &[u8], at: usize) -> Option<([u8; 4], u32)> {
    let header = bytes.get(at..at.checked_add(8)?)?;
    Some(([header[0], header[1], header[2], header[3]], le32(header, 4)))
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn broken(at: usize, cause: impl Into<String>) -> DecodeError {
    DecodeError::Header {
        container: Container::Wav,
        at: at as u64,
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file of 16-bit PCM at 8 kHz whose `data` chunk claims `claimed` bytes.
    fn wav(channels: u16, claimed: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(8_000u32.to_le_bytes());
        bytes.extend((16_000 * u32::from(channels)).to_le_bytes());
        bytes.extend((2 * channels).to_le_bytes());
        bytes.extend(b"\x10\0data");
        bytes.extend(claimed.to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn a_streaming_writers_stand_in_for_the_size_means_until_the_end() {
        for claimed in [0, 0xFFFF_FFFF, 0x7FFF_F000] {
            let wave = walk(&wav(1, claimed, &[1; 11])).unwrap();
            assert_eq!((wave.data, wave.truncated), (44..54, false), "{claimed:#x}");
        }
    }

    #[test]
    fn a_size_that_promises_too_much_keeps_what_is_there_and_says_so() {
        let wave = walk(&wav(2, 4_000, &[1; 10])).unwrap();
        assert_eq!((wave.data, wave.truncated), (44..52, true));
    }

    #[test]
    fn a_size_that_promises_less_is_believed() {
        let wave = walk(&wav(1, 4, &[1; 10])).unwrap();
        assert_eq!((wave.data, wave.truncated), (44..48, false));
    }

    #[test]
    fn chunks_behind_an_empty_data_chunk_are_not_taken_for_audio() {
        let empty = walk(&wav(1, 0, b"LIST\x04\0\0\0INFO"));
        assert_eq!(
            empty,
            Err(DecodeError::NoAudio {
                container: Container::Wav,
                at: 56
            })
        );
        assert!(matches!(
            walk(&wav(1, 0, b"")),
            Err(DecodeError::NoAudio { at: 44, .. })
        ));
    }

    #[test]
    fn a_chunk_that_runs_past_the_end_is_named_with_its_place() {
        let mut bytes = b"RIFF\0\0\0\0WAVEjunk".to_vec();
        bytes.extend(900u32.to_le_bytes());
        bytes.extend([0; 20]);
        let said = walk(&bytes).unwrap_err().to_string();
        assert!(
            said.contains("broken at byte 12: chunk 'junk' claims 900 bytes and 20 follow"),
            "{said}"
        );
    }

    #[test]
    fn a_frame_size_that_contradicts_the_channels_is_refused() {
        let mut bytes = wav(1, 4, &[0; 4]);
        bytes[32] = 6;
        let said = walk(&bytes).unwrap_err().to_string();
        assert!(
            said.contains("byte 32: frames of 6 bytes cannot hold 1 channel(s) of 16 bits"),
            "{said}"
        );
    }

    #[test]
    fn a_codec_that_is_not_read_is_named() {
        let mut bytes = wav(1, 4, &[0; 4]);
        bytes[20] = 0x31;
        let said = walk(&bytes).unwrap_err().to_string();
        assert!(
            said.starts_with("WAV format 49 (GSM 6.10) with 16 bits a sample is not supported"),
            "{said}"
        );
    }
}
