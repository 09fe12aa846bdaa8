//! Where a WebM file ends, and which of its sizes reach beyond that.
//!
//! Browsers write WebM as they record: segment and clusters have no size (RFC 8794 section 6.2), so
//! the end of the file is the only end there is, and a demuxer cannot tell a recording that was
//! stopped from one that was cut. The blocks inside do have sizes; walking them tells.
//!
//! Where segment and clusters have sizes, a file that was cut is shorter than they state, and some recorders state a few
//! bytes too many. Symphonia takes no element that reaches beyond the file's end, and so not one block of such a file:
//! these sizes are shown to it as unknown.

use std::ops::Range;

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;

/// The shortest block: identifier, size, track, time stamp of two bytes, flags and a byte of audio. Fewer bytes that
/// are missing are no audio.
const LEAST_BLOCK: u64 = 7;

/// A segment and its last cluster.
const DEEPEST: usize = 2;

/// What the sizes of a file's elements tell of its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Whether the last element is all there, and no audio is stated to stand behind it.
    pub(super) whole: bool,
    /// Whether there is a cluster, which has the audio.
    pub(super) has_cluster: bool,
    /// Where the sizes of segment and cluster stand that reach beyond the end.
    pub(super) beyond: Vec<Range<usize>>,
}

/// Walks the elements of `bytes`. Reads headers only, one after the other.
pub(super) fn extent(bytes: &[u8]) -> Extent {
    let mut extent = Extent::default();
    let length = bytes.len() as u64;
    let (mut at, mut stated) = (0usize, 0u64);
    while at < bytes.len() {
        let Some(element) = element(bytes, at) else {
            return extent;
        };
        let end = element.end();
        // Segments and clusters are stepped into, so that their children are met, sized or not.
        if element.id == SEGMENT || element.id == CLUSTER {
            extent.has_cluster |= element.id == CLUSTER;
            stated = stated.max(end.unwrap_or(0));
            if end > Some(length) && extent.beyond.len() < DEEPEST {
                extent.beyond.push(element.size_at.clone());
            }
            at = element.size_at.end;
            continue;
        }
        at = match end.and_then(|end| usize::try_from(end).ok()) {
            Some(end) => end,
            None => return extent,
        };
    }
    extent.whole = at == bytes.len() && stated < length + LEAST_BLOCK;
    extent
}

/// Makes the `sizes` of a file unknown in a `piece` of it that begins at byte `at`: all ones behind the marker of their
/// length.
pub(super) fn forget(sizes: &[Range<usize>], at: usize, piece: &mut [u8]) {
    for size in sizes {
        for place in size.clone() {
            if let Some(byte) = place.checked_sub(at).and_then(|place| piece.get_mut(place)) {
                *byte = if place == size.start {
                    0xFF >> (size.len() - 1)
                } else {
                    0xFF
                };
            }
        }
    }
}

/// The header of an element.
struct Element {
    id: u32,
    /// Of its body, `None` when unknown.
    size: Option<u64>,
    /// Where the size stands. The body is behind it.
    size_at: Range<usize>,
}

impl Element {
    /// Where its body ends by its size.
    fn end(&self) -> Option<u64> {
        // A size has 56 bits at most.
        self.size.map(|size| self.size_at.end as u64 + size)
    }
}

/// The header of the element at `at`.
fn element(bytes: &[u8], at: usize) -> Option<Element> {
    let first = *bytes.get(at)?;
    let id_length = first.leading_zeros() as usize + 1;
    if id_length > 4 {
        return None;
    }
    // An identifier keeps its length marker; a size sheds it (RFC 8794 sections 4 and 5).
    let id = bytes
        .get(at..at + id_length)?
        .iter()
        .fold(0, |id, &byte| id << 8 | u32::from(byte));
    let size_at = at + id_length;
    let first = *bytes.get(size_at)?;
    let size_length = first.leading_zeros() as usize + 1;
    if size_length > 8 {
        return None;
    }
    let raw = bytes.get(size_at..size_at + size_length)?;
    let all_ones = (1u64 << (7 * size_length)) - 1;
    let size = raw.iter().fold(0u64, |size, &byte| size << 8 | u64::from(byte)) & all_ones;
    Some(Element {
        id,
        size: (size != all_ones).then_some(size),
        size_at: size_at..size_at + size_length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, a segment and a cluster of unknown size, and two blocks of three bytes.
    const LIVE: [u8; 27] = [
        0x1A, 0x45, 0xDF, 0xA3, 0x80, // EBML header, empty
        0x18, 0x53, 0x80, 0x67, 0xFF, // Segment, size unknown
        0x1F, 0x43, 0xB6, 0x75, 0xFF, // Cluster, size unknown
        0xE7, 0x81, 0x00, // Timestamp
        0xA3, 0x83, 1, 2, 3, // SimpleBlock
        0xA3, 0x82, 4, 5, // SimpleBlock
    ];

    #[test]
    fn a_recording_that_was_stopped_ends_whole_and_one_that_was_cut_does_not() {
        assert!(extent(&LIVE).whole);
        for cut in [1, 2, 3] {
            assert!(!extent(&LIVE[..LIVE.len() - cut]).whole, "{cut}");
        }
        // Between two blocks nothing shows.
        assert!(extent(&LIVE[..LIVE.len() - 4]).whole);
    }

    /// The same where segment and cluster state so many bytes.
    fn sized(segment: u8, cluster: u8) -> [u8; 27] {
        let mut bytes = LIVE;
        (bytes[9], bytes[14]) = (0x80 | segment, 0x80 | cluster);
        bytes
    }

    #[test]
    fn a_file_that_lacks_less_than_a_block_of_what_it_states_lacks_no_audio() {
        for (segment, cluster, whole, beyond) in [
            (17, 12, true, &[][..]),
            (20, 12, true, &[9]),
            (23, 18, true, &[9, 14]),
            (24, 12, false, &[9]),
            (17, 19, false, &[14]),
        ] {
            let expected = Extent {
                whole,
                has_cluster: true,
                beyond: beyond.iter().map(|at| *at..at + 1).collect(),
            };
            assert_eq!(extent(&sized(segment, cluster)), expected, "{segment} {cluster}");
        }
        let header = extent(&sized(17, 12)[..12]);
        assert!(!header.has_cluster && header.beyond.iter().eq([&(9..10)]));
    }

    #[test]
    fn sizes_beyond_the_end_are_unknown_in_whichever_pieces_a_file_is_read() {
        let segment = [0x18, 0x53, 0x80, 0x67, 0x10, 0, 0, 9, 0xE7];
        let sizes = std::slice::from_ref(&(4..8));
        for length in 1..=segment.len() {
            let mut read = segment;
            for (index, piece) in read.chunks_mut(length).enumerate() {
                forget(sizes, index * length, piece);
            }
            assert_eq!(read[..4], segment[..4]);
            assert_eq!(read[4..], [0x1F, 0xFF, 0xFF, 0xFF, 0xE7], "{length}");
            assert_eq!(element(&read, 0).map(|segment| segment.size), Some(None));
        }
    }

    #[test]
    fn sizes_that_lie_end_the_walk() {
        for bytes in [
            &[0xA3, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE][..],
            &[0x00, 0x00],
            &[0xA3, 0xFF, 1],
        ] {
            assert_eq!(extent(bytes), Extent::default());
        }
    }
}
