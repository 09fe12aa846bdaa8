//! WebM and Matroska files that are shorter than they say, and such as say they hold Opus and do not.

use std::ops::Range;

use voxline::bytes::{DecodeError, Decoder, Limits};

use crate::kinds::{file, heard};

const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
const BLOCK: [u8; 1] = [0xA3];

/// Where the size of the element stands that is the first with this identifier, and what it states.
fn size(bytes: &[u8], id: &[u8]) -> (Range<usize>, usize) {
    let at = bytes.windows(id.len()).position(|found| found == id).unwrap() + id.len();
    let length = bytes[at].leading_zeros() as usize + 1;
    let stated = bytes[at..at + length].iter();
    let stated = stated.fold(0, |stated, &byte| stated << 8 | usize::from(byte));
    (at..at + length, stated & !(1 << (7 * length)))
}

/// Has that element state this size.
fn state(bytes: &mut [u8], id: &[u8], stated: usize) {
    let (at, _) = size(bytes, id);
    let marked = stated as u64 | 1 << (7 * at.len());
    let length = at.len();
    bytes[at].copy_from_slice(&marked.to_be_bytes()[8 - length..]);
}

/// The blocks of the first cluster, each with its header, behind the cluster's time stamp.
fn blocks(bytes: &[u8]) -> Vec<Range<usize>> {
    let (size_at, length) = size(bytes, &CLUSTER);
    let (mut at, end) = (size_at.end, size_at.end + length);
    let mut blocks = Vec::new();
    while at < end {
        let (size_at, length) = size(&bytes[at..end], &bytes[at..=at]);
        let next = at + size_at.end + length;
        if bytes[at..].starts_with(&BLOCK) {
            blocks.push(at..next);
        }
        at = next;
    }
    blocks
}

fn fault(bytes: Vec<u8>) -> DecodeError {
    let mut decoder = match Decoder::open(bytes, &Limits::default()) {
        Ok(decoder) => decoder,
        Err(fault) => return fault,
    };
    loop {
        match decoder.next_block() {
            Ok(block) => assert!(block.is_some(), "the whole file was heard"),
            Err(fault) => return fault,
        }
    }
}

#[test]
fn a_finished_file_whose_end_is_lost_is_heard_as_far_as_it_goes() {
    for name in [
        "webm-opus.webm",
        "kinds/vorbis.webm",
        "kinds/flac.mka",
        "kinds/pcm.mka",
    ] {
        let whole = heard(file(name));
        let mut bytes = file(name);
        bytes.truncate(bytes.len() * 2 / 3);
        let cut = heard(bytes);
        assert!(cut.truncated && cut.unheard.is_none(), "{name}");
        assert!(
            cut.samples.len() > whole.samples.len() / 3 && whole.samples.starts_with(&cut.samples),
            "{name}: {} of {}",
            cut.samples.len(),
            whole.samples.len()
        );
    }
}

#[test]
fn a_segment_that_states_a_few_bytes_too_many_is_whole() {
    let whole = heard(file("webm-opus.webm"));
    let (_, stated) = size(&file("webm-opus.webm"), &SEGMENT);
    for (more, truncated) in [(1, false), (3, false), (6, false), (7, true), (90_000, true)] {
        let mut bytes = file("webm-opus.webm");
        state(&mut bytes, &SEGMENT, stated + more);
        let heard = heard(bytes);
        assert_eq!(heard.truncated, truncated, "{more}");
        assert!(heard.samples == whole.samples, "{more}");
    }
}

#[test]
fn a_file_that_ends_behind_a_block_says_by_its_sizes_that_it_was_cut() {
    let whole = heard(file("webm-opus.webm"));
    let mut cut = file("webm-opus.webm");
    let last = blocks(&cut)[30].clone();
    cut.truncate(last.end);
    // The segment as whoever cut it may have put it right, and as it was.
    let mut mended = cut.clone();
    let (size_at, _) = size(&cut, &SEGMENT);
    state(&mut mended, &SEGMENT, last.end - size_at.end);
    for bytes in [cut, mended] {
        let heard = heard(bytes);
        assert!(heard.truncated && heard.samples.len() > whole.samples.len() / 2);
        assert!(whole.samples.starts_with(&heard.samples));
    }
}

#[test]
fn a_file_that_is_cut_before_its_first_block_has_no_audio() {
    let whole = file("webm-opus.webm");
    let first = blocks(&whole)[0].clone();
    let (cluster, _) = size(&whole, &CLUSTER);
    for length in [
        60,
        200,
        300,
        400,
        cluster.start - 4,
        cluster.end,
        first.start,
        first.end - 1,
    ] {
        let said = fault(whole[..length].to_vec()).to_string();
        assert!(
            said.starts_with("the WebM file has a header and no audio (it ends at byte"),
            "{length}: {said}"
        );
    }
}

/// A file that says it holds Opus, with a cluster of these packets, 20 ms each.
fn labelled_opus<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = file("webm-opus-live.webm");
    bytes.truncate(blocks(&bytes)[0].start);
    state(&mut bytes, &CLUSTER, 0x3FFF);
    for (index, packet) in packets.enumerate() {
        let length = (packet.len() + 4) as u16 | 0x4000;
        bytes.extend(BLOCK);
        bytes.extend(length.to_be_bytes());
        bytes.push(0x81);
        bytes.extend((20 * index as u16).to_be_bytes());
        bytes.push(0x80);
        bytes.extend(packet);
    }
    bytes
}

/// As werift's recorder writes a telephone call down: `findings/werift_recorder_writes_a_telephone_call_down_as_opus.sh`.
#[test]
fn what_is_labelled_opus_and_is_telephone_sound_is_refused_as_that() {
    let (mu_law, a_law) = (file("wav-mulaw.wav"), file("wav-alaw.wav"));
    let wide = file("kinds/raw.g722");
    for (name, coded) in [
        ("mu-law", &mu_law[92..]),
        ("A-law", &a_law[92..]),
        ("G.722", &wide),
    ] {
        for length in [80, 160] {
            let said = fault(labelled_opus(coded.chunks_exact(length))).to_string();
            assert!(
                said.contains("packets are no Opus, which the file says it holds"),
                "{name} {length}: {said}"
            );
        }
    }
}

#[test]
fn opus_of_which_one_packet_is_spoilt_is_called_damaged() {
    let mut bytes = file("webm-opus.webm");
    // Behind the block's header of six bytes: the packet has several frames, and their count is none.
    let packet = blocks(&bytes)[20].start + 6;
    bytes[packet] |= 3;
    bytes[packet + 1] = 0;
    let said = fault(bytes).to_string();
    assert!(said.contains("the Opus packet cannot be decoded"), "{said}");
}
