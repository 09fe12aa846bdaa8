//! Where the packets of an MP4 track lie: its tables (ISO/IEC 14496-12 clause 8.7), its fragments (8.8), and the
//! edit list (8.6.6) that says which part of them is the recording.

use std::iter;
use std::ops::Range;

use super::boxes::{Atom, atoms, be, child};

/// What a track's boxes say.
pub(super) struct Table {
    pub(super) entry: Atom,
    pub(super) places: Vec<Range<usize>>,
    /// Parts of a second in which `kept` counts.
    pub(super) timescale: u32,
    /// What of the track is the recording, ascending and apart.
    pub(super) kept: Vec<Range<u64>>,
    pub(super) truncated: bool,
}

/// Reads the tables of the track in `trak` of a file in `span`; `None` when they are not all there.
pub(super) fn read(
    bytes: &[u8],
    span: &Range<usize>,
    moov: Range<usize>,
    trak: Range<usize>,
) -> Option<Table> {
    let mdia = child(bytes, trak.clone(), *b"mdia")?;
    let timescale = clock(bytes, child(bytes, mdia.clone(), *b"mdhd")?)?;
    let minf = child(bytes, mdia, *b"minf")?;
    let stbl = child(bytes, minf, *b"stbl")?;
    let stsd = child(bytes, stbl.clone(), *b"stsd")?;
    let entry = atoms(bytes, (stsd.start + 8).min(stsd.end)..stsd.end).next()?;
    let mut places = whole(bytes, span, stbl).unwrap_or_default();
    let tkhd = child(bytes, trak.clone(), *b"tkhd")?;
    let number = be(
        bytes,
        tkhd.start + if bytes.get(tkhd.start) == Some(&1) { 20 } else { 12 },
        4,
    );
    let cut = fragments(bytes, span, &moov, number, &mut places);
    let kept = edits(bytes, &moov, trak, timescale);
    // Packets past the end were cut away.
    let before = places.len();
    places.retain(|place| place.end <= span.end && !place.is_empty());
    Some(Table {
        entry,
        truncated: cut || places.len() < before,
        places,
        timescale,
        kept,
    })
}

/// The timescale of a header whose version decides where it stands.
fn clock(bytes: &[u8], head: Range<usize>) -> Option<u32> {
    let at = if *bytes.get(head.start)? == 1 { 20 } else { 12 };
    u32::try_from(be(bytes, head.start + at, 4))
        .ok()
        .filter(|&scale| scale > 0)
}

/// The packets of the tables: sizes, how many to a chunk, and where chunks lie.
fn whole(bytes: &[u8], span: &Range<usize>, stbl: Range<usize>) -> Option<Vec<Range<usize>>> {
    let sizes = bytes.get(child(bytes, stbl.clone(), *b"stsz")?)?;
    let runs = bytes.get(child(bytes, stbl.clone(), *b"stsc")?)?.get(8..)?;
    let (offsets, width) = match child(bytes, stbl.clone(), *b"stco") {
        Some(table) => (bytes.get(table)?.get(8..)?, 4),
        None => (bytes.get(child(bytes, stbl, *b"co64")?)?.get(8..)?, 8),
    };
    let (same, count) = (be(sizes, 4, 4) as usize, be(sizes, 8, 4) as usize);
    let listed = sizes.get(12..).unwrap_or_default();
    // No table is believed to be longer than it is, and no packets to fill more than the file.
    let room = span
        .len()
        .checked_div(same)
        .map_or(listed.len() / 4, |most| most + 1);
    let count = count.min(room).min(most_packets(span));
    let mut places = Vec::with_capacity(count);
    let mut runs = runs.as_chunks::<12>().0.iter().peekable();
    let mut each = 0;
    for (chunk, offset) in offsets.chunks_exact(width).enumerate() {
        while let Some(run) = runs.next_if(|run| be(&run[..], 0, 4) <= chunk as u64 + 1) {
            each = be(&run[..], 4, 4) as usize;
        }
        let mut at = span.start.saturating_add(be(offset, 0, width) as usize);
        for _ in 0..each.min(count - places.len()) {
            let size = if same > 0 {
                same
            } else {
                be(listed, 4 * places.len(), 4) as usize
            };
            places.push(at..at.saturating_add(size));
            at = at.saturating_add(size);
        }
    }
    Some(places)
}

/// No sane file has more packets: none of them is believed to be shorter than four bytes, tables included.
pub(super) fn most_packets(span: &Range<usize>) -> usize {
    span.len() / 4 + 16
}

/// What a fragment's header leaves to the defaults of the track.
#[derive(Clone, Copy, Default)]
struct Defaults {
    size: usize,
}

/// Appends the packets of fragments; whether the last of them is cut.
fn fragments(
    bytes: &[u8],
    span: &Range<usize>,
    moov: &Range<usize>,
    number: u64,
    places: &mut Vec<Range<usize>>,
) -> bool {
    let defaults = child(bytes, moov.clone(), *b"mvex").map(|mvex| {
        let mut extends = atoms(bytes, mvex).filter(|atom| atom.kind == *b"trex");
        let own = extends.find(|atom| be(bytes, atom.body.start + 4, 4) == number);
        Defaults {
            size: own.map_or(0, |atom| be(bytes, atom.body.start + 16, 4) as usize),
        }
    });
    let mut cut = false;
    for atom in atoms(bytes, span.clone()) {
        cut |= atom.cut;
        if atom.kind == *b"moof" {
            let tracks = atoms(bytes, atom.body.clone()).filter(|inner| inner.kind == *b"traf");
            for traf in tracks {
                fragment(
                    bytes,
                    span,
                    atom.at,
                    traf.body,
                    (number, defaults.unwrap_or_default()),
                    places,
                );
            }
        }
    }
    cut
}

fn fragment(
    bytes: &[u8],
    span: &Range<usize>,
    moof: usize,
    traf: Range<usize>,
    (number, mut defaults): (u64, Defaults),
    places: &mut Vec<Range<usize>>,
) -> Option<()> {
    let tfhd = child(bytes, traf.clone(), *b"tfhd")?;
    if be(bytes, tfhd.start + 4, 4) != number {
        return None;
    }
    let flags = be(bytes, tfhd.start + 1, 3);
    let mut at = tfhd.start + 8;
    let mut base = moof;
    // Optional fields stand in this order: base offset, description, duration, size.
    for (flag, width) in [(1, 8), (2, 4), (8, 4), (0x10, 4)] {
        if flags & flag != 0 {
            match flag {
                1 => base = span.start.saturating_add(be(bytes, at, 8) as usize),
                0x10 => defaults.size = be(bytes, at, 4) as usize,
                _ => {}
            }
            at += width;
        }
    }
    let mut next = base;
    for run in atoms(bytes, traf).filter(|atom| atom.kind == *b"trun") {
        next = self::run(bytes, span, run.body, (base, next), defaults, places);
    }
    Some(())
}

/// Appends the packets of one run; where the next one begins.
fn run(
    bytes: &[u8],
    span: &Range<usize>,
    trun: Range<usize>,
    (base, next): (usize, usize),
    defaults: Defaults,
    places: &mut Vec<Range<usize>>,
) -> usize {
    let flags = be(bytes, trun.start + 1, 3);
    let count = be(bytes, trun.start + 4, 4);
    let mut field = trun.start + 8;
    let mut at = next;
    if flags & 1 != 0 {
        let offset = be(bytes, field, 4) as u32 as i32;
        at = base.saturating_add_signed(offset as isize);
        field += 4;
    }
    if flags & 4 != 0 {
        field += 4;
    }
    let width = 4 * (flags >> 8 & 15).count_ones() as usize;
    let size_at = if flags & 0x100 != 0 { 4 } else { 0 };
    let room = trun.end.saturating_sub(field);
    let sized = flags & 0x200 != 0 || defaults.size > 0;
    let most = match width {
        _ if !sized => 0,
        0 => span.len() / defaults.size.max(1),
        width => room / width,
    };
    let most = most.min(most_packets(span).saturating_sub(places.len()));
    for _ in 0..count.min(most as u64) {
        let size = if flags & 0x200 != 0 {
            be(bytes, field + size_at, 4) as usize
        } else {
            defaults.size
        };
        field += width;
        if at >= span.end {
            // One past the end is enough to say that it was cut.
            places.push(at..at.saturating_add(1));
            break;
        }
        places.push(at..at.saturating_add(size));
        at = at.saturating_add(size);
    }
    at
}

/// What of the track its edit list shows, in the track's timescale: each part once and in the order in which it was
/// recorded, for whose voice it is does not hang on the order in which it is shown.
fn edits(bytes: &[u8], moov: &Range<usize>, trak: Range<usize>, timescale: u32) -> Vec<Range<u64>> {
    let list = child(bytes, trak, *b"edts").and_then(|edts| child(bytes, edts, *b"elst"));
    let movie = child(bytes, moov.clone(), *b"mvhd").and_then(|mvhd| clock(bytes, mvhd));
    let shown = list.zip(movie).map(|(list, movie)| {
        let wide = bytes.get(list.start) == Some(&1);
        let entries = bytes.get(list.start + 8..list.end).unwrap_or_default();
        entries_shown(entries, wide, (timescale, movie))
    });
    let shown = shown.filter(|shown| !shown.is_empty());
    shown.unwrap_or_else(|| iter::once(0..u64::MAX).collect())
}

/// What entries of an edit list show, whose lengths count in the movie's timescale and their starts in the track's.
fn entries_shown(entries: &[u8], wide: bool, (timescale, movie): (u32, u32)) -> Vec<Range<u64>> {
    let (width, step) = if wide { (8, 20) } else { (4, 12) };
    // An entry that starts at -1 is a pause.
    let pause = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let entries = entries
        .chunks_exact(step)
        .map(|entry| (be(entry, 0, width), be(entry, width, width)));
    let mut shown: Vec<Range<u64>> = entries
        .filter(|&(_, start)| start != pause)
        .map(|(length, start)| {
            let ticks = u128::from(length) * u128::from(timescale) / u128::from(movie);
            // A recorder that does not know yet how long it will be leaves 0.
            let length = u64::try_from(ticks).ok().filter(|&ticks| ticks > 0);
            start..start.saturating_add(length.unwrap_or(u64::MAX))
        })
        .collect();
    shown.sort_by_key(|part| part.start);
    shown.dedup_by(|next, before| {
        let joined = next.start <= before.end;
        if joined {
            before.end = before.end.max(next.end);
        }
        joined
    });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of a movie that counts in thousandths, of a track that counts in 8000ths.
    fn shown(entries: &[(u32, u32)]) -> Vec<Range<u64>> {
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(|(length, start)| [*length, *start, 0x1_0000].map(u32::to_be_bytes))
            .flatten()
            .collect();
        entries_shown(&bytes, false, (8_000, 1_000))
    }

    #[test]
    fn every_part_that_is_shown_is_heard_once_in_the_order_of_the_track() {
        assert_eq!(shown(&[(1_000, 0), (2_000, 40_000)]), [0..8_000, 40_000..56_000]);
        assert_eq!(shown(&[(2_000, 40_000), (1_000, 0)]), [0..8_000, 40_000..56_000]);
        // Shown twice, and over an edge.
        assert_eq!(
            shown(&[(1_000, 800), (1_000, 800), (500, 8_000), (1_000, 40_000)]),
            [800..12_000, 40_000..48_000]
        );
    }

    #[test]
    fn a_pause_shows_nothing_and_no_length_means_all_of_it() {
        assert_eq!(
            shown(&[(700, u32::MAX), (1_000, 800), (10, u32::MAX), (1_000, 40_000)]),
            [800..8_800, 40_000..48_000]
        );
        let all = shown(&[(0, 1_024)]);
        assert_eq!((all.len(), all[0].start, all[0].end), (1, 1_024, u64::MAX));
        assert!(shown(&[(700, u32::MAX)]).is_empty());
    }
}
