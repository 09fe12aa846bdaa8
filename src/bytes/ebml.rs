//! Whether a WebM file ends where an element ends.
//!
//! Browsers write WebM as they record: segment and clusters have no size (RFC 8794 section 6.2), so
//! the end of the file is the only end there is, and a demuxer cannot tell a recording that was
//! stopped from one that was cut. The blocks inside do have sizes; walking them tells.

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;

/// Whether the last element of `bytes` is all there. Reads headers only, one after the other.
pub(super) fn ends_whole(bytes: &[u8]) -> bool {
    let mut at = 0usize;
    while at < bytes.len() {
        let Some((id, size, body)) = element(bytes, at) else {
            return false;
        };
        // Segments and clusters are stepped into, so that their children are met, sized or not.
        at = match size {
            _ if id == SEGMENT || id == CLUSTER => body,
            Some(size) => match usize::try_from(size).ok().and_then(|size| body.checked_add(size)) {
                Some(end) => end,
                None => return false,
            },
            None => return false,
        };
    }
    at == bytes.len()
}

/// The identifier, the size (`None` when unknown) and the place of the body of the element at `at`.
fn element(bytes: &[u8], at: usize) -> Option<(u32, Option<u64>, usize)> {
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
    Some((id, (size != all_ones).then_some(size), size_at + size_length))
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
        assert!(ends_whole(&LIVE));
        for cut in [1, 2, 3] {
            assert!(!ends_whole(&LIVE[..LIVE.len() - cut]), "{cut}");
        }
        // Between two blocks nothing shows.
        assert!(ends_whole(&LIVE[..LIVE.len() - 4]));
    }

    #[test]
    fn sizes_that_lie_end_the_walk() {
        assert!(!ends_whole(&[
            0xA3, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE
        ]));
        assert!(!ends_whole(&[0x00, 0x00]));
        assert!(!ends_whole(&[0xA3, 0xFF, 1]));
    }
}
