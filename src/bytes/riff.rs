//! WAV: our own walk over the RIFF chunks, because headers lie and a message must say where.
//!
//! Layout: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 3;
//! `WAVEFORMATEXTENSIBLE` of the Windows SDK; RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088) for more than 4 GiB;
//! the 64-bit chunks of Sony's Wave64.

use std::ops::Range;

use super::fmt::{self, Fmt};
use super::layout::Layout;
use super::{Container, DecodeError};

/// Sizes from here on are the stand-in of a writer that could not know the length when it began:
/// `0xFFFFFFFF` (ffmpeg to a pipe) or a little under 2 GiB (sox to a pipe).
const UNKNOWN_SIZE: u32 = 0x7FFF_0000;

/// A chunk's name, where its body begins, and the size that it claims.
type Chunk = ([u8; 4], usize, u64);

/// What was met on the walk.
#[derive(Default)]
struct Found {
    fmt: Option<Fmt>,
    spans: Vec<Range<usize>>,
    truncated: bool,
    beyond: Option<Range<usize>>,
    /// The size of `data` that RF64 states apart.
    wide: Option<u64>,
    /// Whether chunks were seen to follow one another from some place before here to the end of the file: then they do
    /// from here on too, and a file of many `data` chunks is not walked anew from each of them.
    orderly: bool,
}

impl Found {
    /// As [`is_chunk_list`], for places that lie one behind the other on a walk.
    fn chunks_follow(&mut self, bytes: &[u8], at: usize) -> bool {
        self.orderly = self.orderly || is_chunk_list(bytes, at);
        self.orderly
    }
}

/// Walks the chunks of the WAV file in `span` to its audio; more than one `data` chunk is one recording.
pub(super) fn walk(bytes: &[u8], span: Range<usize>) -> Result<Layout, DecodeError> {
    let bytes = &bytes[..span.end];
    let mut found = Found::default();
    let mut at = span.start + 12;
    while let Some((id, size)) = chunk_header(bytes, at) {
        let body = at + 8;
        let mut size = u64::from(size);
        match &id {
            b"fmt " => found.fmt = Some(fmt::read(bytes, body, size, Container::Wav)?),
            b"ds64" => found.wide = bytes.get(body + 8..body + 16).map(|size| le64(size, 0)),
            b"data" if found.fmt.is_none() => {
                return Err(broken(at, "audio data come before the 'fmt ' chunk"));
            }
            b"data" => {
                if let (0xFFFF_FFFF, Some(wide)) = (size, found.wide) {
                    size = wide;
                    // What follows lies elsewhere than the chunks' own sizes say.
                    found.orderly = false;
                }
                if !data(bytes, body, size, &mut found) {
                    break;
                }
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        let next = (body as u64).saturating_add(size).saturating_add(size & 1);
        if next > bytes.len() as u64 {
            // Behind the audio nothing matters any more.
            if !found.spans.is_empty() {
                break;
            }
            let left = bytes.len() - body;
            let cause = format!(
                "chunk '{}' claims {size} bytes and {left} follow",
                id.escape_ascii()
            );
            return Err(broken(at, cause));
        }
        at = next as usize;
    }
    layout(bytes, span.start, found)
}

/// Takes in a `data` chunk; `false` when there is no walking on behind it.
fn data(bytes: &[u8], start: usize, size: u64, found: &mut Found) -> bool {
    let available = bytes.len() - start;
    let streamed = (found.wide.is_none() && size >= u64::from(UNKNOWN_SIZE))
        || (size == 0 && !found.chunks_follow(bytes, start));
    if streamed {
        found.spans.push(start..bytes.len());
        return false;
    }
    let stated = usize::try_from(size).unwrap_or(usize::MAX);
    found.truncated |= stated > available;
    if stated > 0 {
        found.spans.push(start..start + stated.min(available));
    }
    if stated >= available {
        return false;
    }
    let behind = (start + stated + (stated & 1)).min(bytes.len());
    if !found.chunks_follow(bytes, behind) && !bytes[behind..].iter().all(|&byte| byte == 0) {
        found.beyond = Some(behind..bytes.len());
        return false;
    }
    true
}

fn layout(bytes: &[u8], start: usize, found: Found) -> Result<Layout, DecodeError> {
    let Some(fmt) = found.fmt else {
        return Err(broken(bytes.len(), "the file ends and there was no 'fmt ' chunk"));
    };
    if found.spans.is_empty() && !has_data(&bytes[start.min(bytes.len())..]) {
        return Err(broken(bytes.len(), "the file ends and there was no 'data' chunk"));
    }
    Ok(fmt.layout(Container::Wav, found.spans, found.truncated, found.beyond))
}

fn has_data(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"data")
}

/// Whether well-formed chunks, or nothing, run from `at` to the end of the file: then what is there is not
/// audio.
fn is_chunk_list(bytes: &[u8], mut at: usize) -> bool {
    while at < bytes.len() {
        let Some((id, size)) = chunk_header(bytes, at) else {
            return false;
        };
        let next = at as u64 + 8 + u64::from(size) + u64::from(size & 1);
        if !id.iter().all(|byte| (b' '..=b'~').contains(byte)) || next > bytes.len() as u64 + 1 {
            return id == *b"data";
        }
        at = next as usize;
    }
    true
}

/// The last twelve bytes of every identifier of Wave64; the first four are those of RIFF.
const WIDE_TAIL: [u8; 12] = [
    0xF3, 0xAC, 0xD3, 0x11, 0x8C, 0xD1, 0x00, 0xC0, 0x4F, 0x8E, 0xDB, 0x8A,
];

/// Walks the chunks of a Wave64 file: sizes count their header of 24 bytes, and chunks begin at every eighth. More than one
/// `data` chunk is one recording.
pub(super) fn walk_wide(bytes: &[u8]) -> Result<Layout, DecodeError> {
    let mut at = 40;
    let mut found = Found::default();
    let fault = |at, cause: &str| Container::W64.broken(at, cause);
    while let Some((id, body, size)) = wide_chunk(bytes, at) {
        match &id {
            b"fmt " => found.fmt = Some(fmt::read(bytes, body, size, Container::W64)?),
            b"data" if found.fmt.is_none() => {
                return Err(fault(at, "audio data come before the 'fmt ' chunk"));
            }
            b"data" => {
                let available = (bytes.len() - body) as u64;
                let streamed = size == 0 || size > i64::MAX as u64;
                let stated = if streamed { available } else { size };
                found.spans.push(body..body + stated.min(available) as usize);
                found.truncated |= stated > available;
                if stated >= available {
                    break;
                }
            }
            _ => {}
        }
        let next = (body as u64).saturating_add(size).checked_next_multiple_of(8);
        at = match next.map(usize::try_from) {
            Some(Ok(next)) if next <= bytes.len() => next,
            // The last chunk needs no padding.
            _ if (body as u64).saturating_add(size) == bytes.len() as u64 => break,
            _ if !found.spans.is_empty() => {
                found.beyond = Some(at..bytes.len());
                break;
            }
            _ => return Err(fault(at, "a chunk runs past the end of the file")),
        };
    }
    match found.fmt {
        Some(fmt) if !found.spans.is_empty() => {
            Ok(fmt.layout(Container::W64, found.spans, found.truncated, found.beyond))
        }
        _ => Err(fault(bytes.len(), "the file ends and there was no 'data' chunk")),
    }
}

fn wide_chunk(bytes: &[u8], at: usize) -> Option<Chunk> {
    let header = bytes.get(at..at.checked_add(24)?)?;
    let id: [u8; 4] = header.first_chunk().copied()?;
    let known = header[4..16] == WIDE_TAIL;
    let name = if known { id } else { *b"    " };
    Some((name, at + 24, le64(header, 16).saturating_sub(24)))
}

fn chunk_header(bytes: &[u8], at: usize) -> Option<([u8; 4], u32)> {
    let header = bytes.get(at..at.checked_add(8)?)?;
    let size = header.last_chunk().map(|four| u32::from_le_bytes(*four))?;
    Some((header.first_chunk().copied()?, size))
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    (0..8)
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(bytes[at + byte]))
}

fn broken(at: usize, cause: impl Into<String>) -> DecodeError {
    Container::Wav.broken(at, cause)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one stretch is what is meant")]
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

    fn whole(bytes: &[u8]) -> Result<Layout, DecodeError> {
        walk(bytes, 0..bytes.len())
    }

    #[test]
    fn a_streaming_writers_stand_in_for_the_size_means_until_the_end() {
        for claimed in [0, 0xFFFF_FFFF, 0x7FFF_F000] {
            let wave = whole(&wav(1, claimed, &[1; 11])).unwrap();
            assert_eq!(
                (wave.spans, wave.truncated),
                (Vec::from([44..55]), false),
                "{claimed:#x}"
            );
        }
    }

    #[test]
    fn a_size_that_promises_too_much_keeps_what_is_there_and_says_so() {
        let wave = whole(&wav(2, 4_000, &[1; 10])).unwrap();
        assert_eq!((wave.spans, wave.truncated), (Vec::from([44..54]), true));
    }

    #[test]
    fn a_size_that_promises_less_is_believed_and_what_it_leaves_out_is_noted() {
        let wave = whole(&wav(1, 4, &[1; 10])).unwrap();
        assert_eq!(
            (wave.spans, wave.truncated, wave.beyond),
            (Vec::from([44..48]), false, Some(48..54))
        );
        // Chunks behind the audio are no audio.
        let tagged = whole(&wav(1, 4, b"\x01\0\x01\0LIST\x04\0\0\0INFO")).unwrap();
        assert_eq!((tagged.spans, tagged.beyond), (Vec::from([44..48]), None));
    }

    #[test]
    fn chunks_behind_an_empty_data_chunk_are_not_taken_for_audio() {
        for behind in [b"LIST\x04\0\0\0INFO".as_slice(), b""] {
            assert!(whole(&wav(1, 0, behind)).unwrap().spans.is_empty());
        }
    }

    #[test]
    fn a_chunk_that_runs_past_the_end_is_named_with_its_place() {
        let mut bytes = b"RIFF\0\0\0\0WAVEjunk".to_vec();
        bytes.extend(900u32.to_le_bytes());
        bytes.extend([0; 20]);
        let said = whole(&bytes).unwrap_err().to_string();
        assert!(
            said.contains("broken at byte 12: chunk 'junk' claims 900 bytes and 20 follow"),
            "{said}"
        );
    }

    #[test]
    fn a_codec_that_is_not_read_is_named() {
        let mut bytes = wav(1, 4, &[0; 4]);
        bytes[20] = 0x83;
        let said = whole(&bytes).unwrap_err().to_string();
        assert!(
            said.starts_with("WAV format 131 (G.729) with 16 bits a sample is not supported"),
            "{said}"
        );
    }
}
