//! Recordings that were joined: recorders that resume write a second file behind the first, browsers that join
//! chunks too, and Ogg may be chained by its own standard.

use std::ops::Range;

use super::boxes::atoms;
use super::{Container, ogg};

/// More than any recorder leaves: what is behind them counts as the last one's.
const MOST: usize = 1_024;

/// The recordings in `bytes`, which begin as `container` behind a tag.
pub(super) fn split(container: Container, bytes: &[u8], tag: usize) -> Vec<Range<usize>> {
    let starts = match container {
        Container::Wav => starts(bytes, *b"RIFF", &is_wave),
        Container::WebM => starts(bytes, [0x1A, 0x45, 0xDF, 0xA3], &is_webm),
        Container::Flac => starts(bytes, *b"fLaC", &is_flac),
        Container::Ogg => return ogg::split(bytes),
        Container::Mp4 => atoms(bytes, 0..bytes.len())
            .filter(|atom| atom.kind == *b"ftyp")
            .map(|atom| atom.at)
            .collect(),
        // Their frames follow one another whoever wrote them, or a second recording cannot be told.
        _ => Vec::new(),
    };
    let mut starts: Vec<usize> = starts.into_iter().filter(|&at| at > tag).take(MOST - 1).collect();
    starts.insert(0, tag);
    let ends: Vec<usize> = starts[1..].iter().copied().chain([bytes.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
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
