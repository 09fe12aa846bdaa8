//! The boxes of MP4 (ISO/IEC 14496-12 clause 4.2), one after the other.

use std::ops::Range;

/// A box: its four letters, and where what is in it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    pub(super) kind: [u8; 4],
    /// Where the box begins.
    pub(super) at: usize,
    pub(super) body: Range<usize>,
    /// Whether it claims to end behind the place that holds it.
    pub(super) cut: bool,
}

/// The boxes in a stretch of a file. One that claims more than there is ends with the stretch, and the walk.
pub(super) fn atoms(bytes: &[u8], within: Range<usize>) -> impl Iterator<Item = Atom> + '_ {
    let mut at = within.start;
    let end = within.end.min(bytes.len());
    std::iter::from_fn(move || {
        let header = bytes.get(at..at.checked_add(8)?).filter(|_| at + 8 <= end)?;
        let kind = header[4..].first_chunk().copied()?;
        let short = be(header, 0, 4);
        let (head, size) = match short {
            1 => (16, be(bytes.get(at + 8..at + 16)?, 0, 8)),
            // To the end of the file.
            0 => (8, (end - at) as u64),
            size => (8, size),
        };
        if size < head as u64 || at + head > end {
            return None;
        }
        let stated = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
        let stop = stated.unwrap_or(usize::MAX).min(end);
        let atom = Atom {
            kind,
            at,
            body: at + head..stop,
            cut: stated.is_none_or(|stated| stated > end),
        };
        at = stop;
        Some(atom)
    })
}

/// What is in the first box of a name.
pub(super) fn child(bytes: &[u8], within: Range<usize>, kind: [u8; 4]) -> Option<Range<usize>> {
    atoms(bytes, within)
        .find(|atom| atom.kind == kind)
        .map(|atom| atom.body)
}

/// A whole number, the highest byte first.
pub(super) fn be(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes.get(at..at + length).unwrap_or_default();
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
