//! Recordings of every kind, spoilt at random: lengths that lie, ends that are missing, parts of one in another. Nothing of
//! it makes the first room panic, go on for ever or take memory that the file does not account for, and what is refused
//! is refused in words.

use std::path::Path;

use voxline::bytes::{DecodeError, Decoder, Limits};
use voxline::units::Seconds;

use crate::support::{Rng, project};

/// How often each recording is spoilt: `VOXLINE_TEST_MUTATIONS` for a long night.
fn tries() -> usize {
    let asked = std::env::var("VOXLINE_TEST_MUTATIONS").ok();
    asked.and_then(|times| times.parse().ok()).unwrap_or(30)
}

/// Most memory, in kB, that hearing one of them may take beyond what hearing them whole takes: in use, and reserved
/// (where the C library keeps 64 MB for each thread that asks).
const MOST_USED: u64 = 48 * 1024;
const MOST_RESERVED: u64 = 192 * 1024;

/// Every recording of the tests, by its name.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in [
        "tests/data/audio",
        "tests/data/audio/kinds",
        "tests/data/audio/bad",
    ] {
        for entry in std::fs::read_dir(project(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_recording =
                path.is_file() && ![".s16", ".py", ".tsv"].iter().any(|end| name.ends_with(end));
            if is_recording {
                all.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    // The order in a folder is the file system's.
    all.sort();
    assert!(all.len() > 50, "{} recordings", all.len());
    all
}

/// Numbers that a length, a count or a rate should not be, of four and eight bytes.
fn extreme(rng: &mut Rng) -> Vec<u8> {
    const FOUR: [u32; 10] = [
        0,
        1,
        7,
        0xFF,
        0xFFFF,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFF0,
        u32::MAX - 1,
        u32::MAX,
    ];
    const EIGHT: [u64; 6] = [0, 1 << 31, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX];
    let mut bytes = if rng.throw(3) == 0 {
        EIGHT[rng.throw(EIGHT.len())].to_be_bytes().to_vec()
    } else {
        FOUR[rng.throw(FOUR.len())].to_be_bytes().to_vec()
    };
    if rng.throw(2) == 0 {
        bytes.reverse();
    }
    bytes
}

/// A place in `length` bytes, every second time near their start, where headers are.
fn place(rng: &mut Rng, length: usize) -> usize {
    let near = if rng.throw(2) == 0 {
        length
    } else {
        length.min(400)
    };
    rng.throw(near.max(1)).min(length)
}

/// Spoils a recording once; `other` is another one.
fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = place(rng, bytes.len());
    let end = (at + 1 + rng.throw(600)).min(bytes.len());
    match rng.throw(8) {
        0 => bytes.truncate(at),
        1 | 2 => {
            for _ in 0..=rng.throw(8) {
                let at = place(rng, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.throw(256) as u8;
                }
            }
        }
        3 | 4 => {
            let number = extreme(rng);
            let end = (at + number.len()).min(bytes.len());
            bytes.splice(at..end, number);
        }
        5 => drop(bytes.drain(at..end)),
        6 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let from = place(rng, other.len());
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
    }
}

/// Gives every page of an Ogg the checksum (RFC 3533 section 6) of what is in it now: what is behind a wrong one is not
/// read at all.
fn sign_pages(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(table) = bytes.get(at + 27..) {
        let count = usize::from(bytes[at + 26]);
        let body: usize = table.iter().take(count).map(|&size| usize::from(size)).sum();
        let end = at + 27 + count + body;
        if !bytes[at..].starts_with(b"OggS") || end > bytes.len() {
            return;
        }
        bytes[at + 22..at + 26].fill(0);
        let sum = bytes[at..end].iter().fold(0u32, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
                sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 }
            })
        });
        bytes[at + 22..at + 26].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
}

/// Hears all of it, as far as it can be heard.
fn hear(bytes: Vec<u8>) -> Result<(), DecodeError> {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_duration: Seconds::new(30.0),
    };
    let mut decoder = Decoder::for_channel(bytes, None, &limits)?;
    let most = usize::from(decoder.format().channels) * 65_536;
    while let Some(block) = decoder.next_block()? {
        assert!(block.len() <= most, "a block of {}", block.len());
        assert!(block.iter().all(|sample| sample.is_finite()));
    }
    Ok(())
}

/// Whether a refusal says what is wrong and where or how much, and what to do.
fn is_in_words(refusal: &DecodeError) -> bool {
    let said = refusal.to_string();
    let figure = said.bytes().any(|byte| byte.is_ascii_digit()) || *refusal == DecodeError::Empty;
    figure && said.contains([';', ':']) && said.len() < 400
}

/// A mark of this process in kB: the tests' runner gives each test one of its own.
#[cfg(target_os = "linux")]
fn mark(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn mark(_: &str) -> u64 {
    0
}

/// Lets the panics of borrowed decoders pass without a word, which are contained where they are called: what is said of
/// them takes more memory than they do. Their files have a whole path, ours have not.
fn hush_borrowed_decoders() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let borrowed = panic
            .location()
            .is_some_and(|place| Path::new(place.file()).is_absolute());
        if !borrowed {
            usual(panic);
        }
    }));
}

#[test]
fn spoilt_recordings_cause_no_panic_no_endless_loop_and_no_bloat() {
    hush_borrowed_decoders();
    let all = recordings();
    for (_, bytes) in &all {
        let _ = hear(bytes.clone());
    }
    let (used, reserved) = (mark("VmHWM:"), mark("VmPeak:"));
    let mut rng = Rng::new(20_261_128);
    let (mut heard, mut refused) = (0, 0);
    for (name, whole) in &all {
        for number in 0..tries() {
            let mut bytes = whole.clone();
            let (_, other) = &all[rng.throw(all.len())];
            for _ in 0..=rng.throw(3) {
                spoil(&mut rng, &mut bytes, other);
            }
            if rng.throw(2) == 0 {
                sign_pages(&mut bytes);
            }
            match hear(bytes) {
                Ok(()) => heard += 1,
                Err(refusal) => {
                    assert!(is_in_words(&refusal), "{name}, {number}: {refusal}");
                    refused += 1;
                }
            }
            // The kernel's own count is out by some pages.
            let used = mark("VmHWM:").saturating_sub(used);
            let reserved = mark("VmPeak:").saturating_sub(reserved);
            assert!(
                used < MOST_USED && reserved < MOST_RESERVED,
                "{name}, {number}: {used} kB more in use, {reserved} kB more reserved"
            );
        }
    }
    println!("{heard} heard, {refused} refused");
    // Random faults that spoil nothing, or everything, would show nothing.
    assert!(heard > 300 && refused > 300, "{heard} heard, {refused} refused");
}

/// A book of Vorbis with 131 072 vectors is stated in 21 bytes and takes 150 MB; up to 256 of them fit into a header.
#[test]
fn codebooks_that_a_few_bytes_state_take_no_memory() {
    for name in ["vorbis-books.ogg", "vorbis-books.webm"] {
        let bytes = std::fs::read(project("tests/data/audio/bad").join(name)).unwrap();
        let (used, reserved) = (mark("VmHWM:"), mark("VmPeak:"));
        let refusal = hear(bytes).unwrap_err();
        let (used, reserved) = (mark("VmHWM:") - used, mark("VmPeak:") - reserved);
        assert!(is_in_words(&refusal), "{name}: {refusal}");
        assert!(
            used < MOST_USED && reserved < MOST_RESERVED,
            "{name}: {used} kB more in use, {reserved} kB more reserved"
        );
    }
}

/// A megabyte of a chunk's header, over and over. Walked anew from each of them, the largest file that is taken would
/// take hours.
#[test]
fn a_file_of_nothing_but_headers_is_walked_once() {
    let of = |head: &[u8], chunk: &[u8]| {
        let mut bytes = head.to_vec();
        bytes.extend(chunk.iter().cycle().take((1 << 20) - head.len()));
        bytes
    };
    let fmt = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0";
    let caff = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20";
    for (head, chunk) in [
        (fmt.as_slice(), b"data\0\0\0\0".as_slice()),
        (fmt, b"data\x02\0\0\0\0\0"),
        (fmt, b"RIFF\0\0\0\0WAVEfmt \0\0\0\0"),
        (b"FORM\0\0\0\0AIFF", b"SSND\0\0\0\0"),
        (caff, b"free\0\0\0\0\0\0\0\0"),
        (b"\0\0\0\x08ftyp", b"\0\0\0\x08moof"),
        (b"\0\0\0\x08ftyp", b"\0\0\0\x08ftyp\0\0\0\x08moov"),
        (b"OggS\0\x02", b"OggS\0\x02"),
        (b"\x1A\x45\xDF\xA3\x84webm", b"\x1A\x45\xDF\xA3\x84webm"),
        (b"fLaC\0\0\0\x22", b"fLaC\0\0\0\x22"),
        (b"#!AMR\n", b"#!AMR\n"),
        (b"ID3\x04\0\0\0\0\0\0", b"ID3\x04\0\0\0\0\0\0"),
        (b"\xFF\xF1\x50\x40\x01\x1F\xFC", b"\xFF\xF1\x50\x40\x01\x1F\xFC\0"),
    ] {
        if let Err(refusal) = hear(of(head, chunk)) {
            assert!(is_in_words(&refusal), "{refusal}");
        }
    }
}
