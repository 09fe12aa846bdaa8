//! The pages of Ogg (RFC 3533): where one recording ends and the next begins, and what the first page holds.

/// A header without its table of segments.
const HEADER: usize = 27;

/// Where the page at a place ends, and its flags.
fn page(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let header = bytes.get(at..at + HEADER)?;
    if !header.starts_with(b"OggS") {
        return None;
    }
    let table = bytes.get(at + HEADER..at + HEADER + usize::from(header[26]))?;
    let body: usize = table.iter().map(|&size| usize::from(size)).sum();
    Some((at + HEADER + table.len() + body, header[5]))
}

/// Where the recordings of a chain (section 4) begin behind the first: a stream that begins behind the audio of another
/// begins the next.
pub(super) fn starts(bytes: &[u8]) -> Vec<usize> {
    const BEGINS: u8 = 2;
    let (mut at, mut audio) = (0, false);
    let mut starts = Vec::new();
    while at < bytes.len() {
        let Some((end, flags)) = page(bytes, at) else {
            let rest = &bytes[at + 1..];
            let next = rest.windows(4).position(|four| four == b"OggS");
            at += 1 + next.unwrap_or(rest.len());
            continue;
        };
        let begins = flags & BEGINS != 0;
        if begins && audio {
            starts.push(at);
        }
        audio = !begins;
        at = end;
    }
    starts
}

/// The codec of the first page, when it is one that is known and not read.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const NAMES: [(&[u8], &str); 7] = [
        (b"Speex   ", "Speex"),
        (b"\x80theora", "Theora"),
        (b"BBCD\0", "Dirac"),
        (b"CELT    ", "CELT"),
        (b"PCM     ", "PCM"),
        (b"OVP80", "VP8"),
        (b"\x80kate", "Kate"),
    ];
    let body = bytes.get(HEADER + usize::from(*bytes.get(26)?)..)?;
    let known = NAMES.iter().find(|(magic, _)| body.starts_with(magic));
    known.map(|(_, name)| *name)
}

/// What is wrong with the comments of Opus (RFC 7845 section 5.2), where a length in them does not fit the second page,
/// in which they end.
pub(super) fn broken_comments(bytes: &[u8]) -> Option<&'static str> {
    let (second, _) = page(bytes, 0)?;
    let (end, _) = page(bytes, second)?;
    let table = second + HEADER..second + HEADER + usize::from(bytes[second + HEADER - 1]);
    let ends_here = bytes.get(table.clone())?.last().is_some_and(|&size| size < 255);
    let comments = bytes.get(table.end..end)?.strip_prefix(b"OpusTags")?;
    (ends_here && !all_fit(comments)).then_some(
        "a length in its comments (OpusTags, the second page) reaches beyond them, as webrtc-rs's OggWriter writes it \
         (`ffmpeg -i IN -c copy OUT.ogg` puts it right)",
    )
}

/// Whether the vendor's name and as many comments as are counted, each behind its length, are in these bytes.
fn all_fit(comments: &[u8]) -> bool {
    let Some((count, mut rest)) = behind_text(comments).and_then(<[u8]>::split_first_chunk) else {
        return false;
    };
    (0..u32::from_le_bytes(*count)).all(|_| match behind_text(rest) {
        Some(behind) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// What stands behind a text that stands behind its length.
fn behind_text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend([0; 20]);
        page.push(1);
        page.push(body.len() as u8);
        page.extend(body);
        page
    }

    #[test]
    fn a_stream_that_begins_behind_audio_is_the_next_recording_of_a_chain() {
        let one = [
            page_of(2, b"head"),
            page_of(2, b"other head"),
            page_of(0, b"audio"),
            page_of(4, b""),
        ]
        .concat();
        assert_eq!(starts(&one), Vec::<usize>::new());
        let two = [one.clone(), one.clone()].concat();
        assert_eq!(starts(&two), [one.len()]);
    }

    #[test]
    fn comments_whose_lengths_reach_beyond_them_are_told_from_such_as_go_on() {
        let broken =
            |comments: &[u8]| broken_comments(&[page_of(2, b"OpusHead"), page_of(0, comments)].concat());
        for good in [
            &b"OpusTags\x03\0\0\0Lav\0\0\0\0"[..],
            b"OpusTags\0\0\0\0\x02\0\0\0\x03\0\0\0A=B\0\0\0\0padding",
            b"\x03vorbis",
        ] {
            assert_eq!(broken(good), None);
        }
        for bad in [
            &b"OpusTags\x04\0\0\0Lav\0\0\0\0"[..],
            b"OpusTags\x03\0\0\0Lav\x01\0\0\0\xFF\xFF\xFF\xFFA=B",
            b"OpusTags",
        ] {
            assert!(broken(bad).unwrap().starts_with("a length in its comments"));
        }
        // A picture, say: the comments go on in the next page.
        let long = [&b"OpusTags\x03\0\0\0Lav\x01\0\0\0\xFF\xFF\0\0"[..], &[b'A'; 232]].concat();
        assert_eq!((long.len(), broken(&long)), (255, None));
    }

    #[test]
    fn speex_is_named() {
        assert_eq!(foreign(&page_of(2, b"Speex   1.2")), Some("Speex"));
        assert_eq!(foreign(&page_of(2, b"OpusHead")), None);
    }
}
