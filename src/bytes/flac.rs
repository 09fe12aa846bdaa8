//! FLAC headers that some writers leave unfinished.

/// Where the least and the largest block stand, in samples, behind the magic and the block's header.
const BLOCKS: usize = 8;

/// Blocks shorter than this are none (RFC 9639 section 8.2).
const SHORTEST: u16 = 16;

/// The file with a least and a largest block that its reader believes, when it states an impossible one: a
/// writer to a pipe leaves 0, and ffmpeg, sox and libsndfile pass over it.
pub(super) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let four = bytes.get(BLOCKS..BLOCKS + 4)?;
    let (least, largest) = (
        u16::from_be_bytes([four[0], four[1]]),
        u16::from_be_bytes([four[2], four[3]]),
    );
    if least >= SHORTEST && largest >= least {
        return None;
    }
    // The first frame says whether all blocks have one size (0xF8) or each its own (0xF9).
    let fixed = bytes.windows(2).skip(BLOCKS).find_map(|two| match two {
        [0xFF, 0xF8] => Some(true),
        [0xFF, 0xF9] => Some(false),
        _ => None,
    });
    let largest = if largest < SHORTEST { u16::MAX } else { largest };
    let least = if fixed == Some(true) && largest < u16::MAX {
        largest
    } else {
        SHORTEST
    };
    let mut mended = bytes.to_vec();
    mended[BLOCKS..BLOCKS + 2].copy_from_slice(&least.to_be_bytes());
    mended[BLOCKS + 2..BLOCKS + 4].copy_from_slice(&largest.to_be_bytes());
    Some(mended)
}
