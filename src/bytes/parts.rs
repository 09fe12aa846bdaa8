//! Recordings that were joined: recorders that resume write a second file behind the first, browsers that join
//! chunks too, and Ogg may be chained by its own standard.

use std::ops::Range;

use super::boxes::atoms;
use super::{Container, Unheard, adts, ogg};

/// More than any recorder leaves. Each of them is opened before the first is heard.
const MOST: usize = 1_024;

/// The recordings in a file, one behind the other.
#[derive(Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) first: Range<usize>,
    pub(super) others: Vec<Range<usize>>,
    /// Those behind the first [`MOST`].
    pub(super) rest: Option<Unheard>,
}

/// The recordings in `bytes`, which begin as `container` behind a tag.
pub(super) fn split(container: Container, bytes: &[u8], tag: usize) -> Parts {
    let starts = match container {
        Container::Wav => starts(bytes, *b"RIFF", &is_wave),
        Container::WebM => starts(bytes, [0x1A, 0x45, 0xDF, 0xA3], &is_webm),
        Container::Flac => starts(bytes, *b"fLaC", &is_flac),
        Container::Ogg => ogg::starts(bytes),
        Container::Adts => adts::starts(bytes, tag),
        Container::Mp4 => atoms(bytes, 0..bytes.len())
            .filter(|atom| atom.kind == *b"ftyp")
            .map(|atom| atom.at)
            .collect(),
        // Their frames follow one another whoever wrote them, or a second recording cannot be told.
        _ => Vec::new(),
    };
    let mut starts: Vec<usize> = starts.into_iter().filter(|&at| at > tag).take(MOST).collect();
    let rest = (starts.len() == MOST).then(|| starts.pop()).flatten();
    let end = rest.unwrap_or(bytes.len());
    let ends = starts.iter().skip(1).copied().chain([end]);
    let others = starts.iter().zip(ends).map(|(&start, end)| start..end).collect();
    Parts {
        first: tag..starts.first().copied().unwrap_or(end),
        others,
        rest: rest.map(|at| Unheard {
            at: at as u64,
            bytes: (bytes.len() - at) as u64,
            length: None,
            why: "it is behind 1024 other recordings, and no more are read of one file",
        }),
    }
}

fn starts(bytes: &[u8], magic: [u8; 4], is_header: &dyn Fn(&[u8]) -> bool) -> Vec<usize> {
    let found = bytes.windows(4).enumerate().filter(|(_, four)| **four == magic);
    found
        .map(|(at, _)| at)
        .filter(|&at| is_header(&bytes[at..]))
        .collect()
}

/// A RIFF header and the first chunk of one of the names that writers begin with.
fn is_wave(bytes: &[u8]) -> bool {
    const FIRST: [&[u8; 4]; 7] = [b"fmt ", b"JUNK", b"junk", b"bext", b"LIST", b"ds64", b"fact"];
    bytes.get(8..12) == Some(b"WAVE")
        && bytes
            .get(12..16)
            .is_some_and(|id| FIRST.iter().any(|first| id == *first))
}

/// An EBML header with its document type in it.
fn is_webm(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(80)];
    let says = |name: &[u8]| head.windows(name.len()).any(|part| part == name);
    says(b"webm") || says(b"matroska")
}

/// The magic and a first block of stream information, of 34 bytes.
fn is_flac(bytes: &[u8]) -> bool {
    matches!(bytes.get(4..8), Some([0 | 0x80, 0, 0, 34]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of Ogg without a checksum, of one short packet.
    fn page(flags: u8, body: &[u8]) -> Vec<u8> {
        [&b"OggS\0"[..], &[flags], &[0; 20], &[1, body.len() as u8], body].concat()
    }

    #[test]
    fn more_recordings_than_anybody_joins_are_the_rest() {
        let ogg = [page(2, b"OpusHead"), page(0, b"audio")].concat();
        let flac = b"fLaC\0\0\0\x22".to_vec();
        for (container, one) in [(Container::Ogg, ogg), (Container::Flac, flac)] {
            let parts = split(container, &one.repeat(5_000), 0);
            assert_eq!((parts.first, parts.others.len()), (0..one.len(), MOST - 1));
            assert_eq!(parts.others.last().unwrap().end, MOST * one.len());
            let rest = parts.rest.unwrap();
            assert_eq!(rest.at as usize, MOST * one.len());
            assert_eq!((rest.at + rest.bytes) as usize, 5_000 * one.len());
            // As many as may be, and one alone.
            let parts = split(container, &one.repeat(MOST), 0);
            assert_eq!((parts.others.len(), parts.rest), (MOST - 1, None));
            let parts = split(container, &one, 0);
            assert_eq!(
                (parts.first, parts.others, parts.rest),
                (0..one.len(), Vec::new(), None)
            );
        }
    }
}
