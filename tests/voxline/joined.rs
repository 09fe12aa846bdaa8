//! What of a file is not heard is named: recordings that were joined, ends that are missing, and parts that a header or an
//! edit list leaves out. What can be heard is.

use voxline::bytes::{Decoder, Limits};
use voxline::units::Seconds;

use crate::kinds::{file, heard, tone, wav};

/// Silent frames of AAC-LC with the header of ADTS (ISO/IEC 13818-7 annex B), at the rate of a number: 4 is 44.1 kHz, 8 is
/// 16 kHz.
fn adts(rate: u8, channels: u8, frames: usize) -> Vec<u8> {
    let silence: &[u8] = if channels == 1 {
        &[0x00, 0xC8, 0x00, 0x80, 0x23, 0x80]
    } else {
        &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80]
    };
    let length = 7 + silence.len() as u8;
    let head = [
        0xFF,
        0xF1,
        1 << 6 | rate << 2,
        channels << 6,
        length >> 3,
        length << 5 | 0x1F,
        0xFC,
    ];
    [&head[..], silence].concat().repeat(frames)
}

#[test]
fn aac_of_another_rate_behind_a_recording_is_named_with_its_length() {
    let first = file("kinds/aac.aac");
    let one = heard(first.clone());
    for (channels, bytes) in [(1, 13), (2, 16)] {
        let both = heard([first.clone(), adts(4, channels, 100)].concat());
        assert!(both.samples == one.samples && !both.truncated);
        let unheard = both.unheard.unwrap();
        assert_eq!((unheard.at, unheard.bytes), (first.len() as u64, 100 * bytes));
        let length = unheard.length.unwrap().get();
        assert!((length - 102_400.0 / 44_100.0).abs() < 1e-9, "{length}");
    }
}

#[test]
fn aac_of_another_number_of_channels_is_read_on() {
    let one = heard(file("kinds/aac.aac"));
    let both = heard([adts(8, 2, 20), file("kinds/aac.aac")].concat());
    assert_eq!(
        (both.format.channels, both.truncated, both.unheard),
        (2, false, None)
    );
    let behind = &both.samples[2 * 20 * 1_024..];
    assert!(behind.iter().step_by(2).eq(&one.samples));
    assert!(behind.iter().skip(1).step_by(2).eq(&one.samples));
}

/// `kinds/aac.m4a` with these entries in its edit list: milliseconds, and where they begin in samples.
fn edited(entries: &[(u32, u32)]) -> Vec<u8> {
    edited_of("kinds/aac.m4a", entries)
}

/// The same of any file whose index lies behind the audio, whose place stays.
fn edited_of(name: &str, entries: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = file(name);
    let find = |name: &[u8; 4]| bytes.windows(4).position(|four| four == name).unwrap();
    let places = [b"moov", b"trak", b"edts", b"elst"].map(find);
    let more = 12 * (entries.len() as u32 - 1);
    for place in places {
        let size = bytes[place - 4..place].first_chunk().copied().unwrap();
        let size = u32::from_be_bytes(size) + more;
        bytes[place - 4..place].copy_from_slice(&size.to_be_bytes());
    }
    let list: Vec<u8> = entries
        .iter()
        .flat_map(|(length, start)| [*length, *start, 0x1_0000].map(u32::to_be_bytes))
        .flatten()
        .collect();
    let at = places[3] + 8;
    bytes[at..at + 4].copy_from_slice(&(entries.len() as u32).to_be_bytes());
    bytes.splice(at + 4..at + 16, list);
    bytes
}

#[test]
fn all_that_an_edit_list_shows_is_heard() {
    let whole = heard(edited(&[(1_500, 1_024)]));
    assert_eq!(whole.samples.len(), 24_000);
    assert_eq!(heard(file("kinds/aac.m4a")).samples, whole.samples);
    let middle_cut_out = [&whole.samples[..8_000], &whole.samples[16_000..20_000]].concat();
    for entries in [
        [(500, 1_024), (250, 17_024)],
        // The other way round it is heard as it was recorded.
        [(250, 17_024), (500, 1_024)],
    ] {
        let heard = heard(edited(&entries));
        assert!(heard.samples == middle_cut_out && heard.unheard.is_none());
    }
}

#[test]
fn what_an_edit_list_shows_of_opus_counts_from_before_its_pre_skip() {
    // 312 samples of 48 000 a second, which the decoder drops.
    let whole = heard(edited_of("kinds/opus.mp4", &[(0, 0)])).samples;
    assert!(whole.len() > 70_000, "{}", whole.len());
    for (entries, shown) in [
        (vec![(166, 0)], vec![(0, 7_656)]),
        // Both in one packet, and the first begins within the pre-skip.
        (vec![(166, 0), (20, 8_040)], vec![(0, 7_656), (7_728, 8_688)]),
        (vec![(5, 0), (20, 8_040)], vec![(7_728, 8_688)]),
    ] {
        let found = heard(edited_of("kinds/opus.mp4", &entries)).samples;
        let wanted: Vec<f32> = shown
            .into_iter()
            .flat_map(|(from, to): (usize, usize)| whole[from..to].iter().copied())
            .collect();
        assert!(found == wanted, "{entries:?}: {} samples", found.len());
    }
}

/// Or a file of an hour that shows its last second would be decoded in one turn.
#[test]
fn packets_that_are_cut_away_are_blocks_without_a_sample() {
    let mut decoder = Decoder::open(edited(&[(250, 17_024)]), &Limits::default()).unwrap();
    let mut lengths = Vec::new();
    while let Some(block) = decoder.next_block().unwrap() {
        lengths.push(block.len());
    }
    assert_eq!(lengths.iter().sum::<usize>(), 4_000);
    let empty = lengths.iter().take_while(|&&length| length == 0).count();
    assert_eq!(empty, 16);
}

/// `kinds/mp3.wav` with this size of its chunk of audio.
fn mp3_wav(size: u32) -> Vec<u8> {
    let mut bytes = file("kinds/mp3.wav");
    bytes[100..104].copy_from_slice(&size.to_le_bytes());
    bytes
}

#[test]
fn of_mp3_in_a_wav_no_more_is_left_out_in_silence_than_of_pcm() {
    // 44 frames of 108 bytes and 36 ms.
    let whole = heard(mp3_wav(4_752));
    assert_eq!((whole.truncated, whole.unheard), (false, None));
    let promised = heard(mp3_wav(9_000));
    assert!(promised.truncated && promised.samples == whole.samples);
    let half = heard(mp3_wav(2_376));
    assert!(half.samples.len() < whole.samples.len() * 6 / 10 && !half.truncated);
    let said = half.unheard.unwrap().to_string();
    assert!(
        said.starts_with("0:00:00.792 of audio from byte 2480 on were not heard"),
        "{said}"
    );
    let two_chunks = mp3_wav(2_376);
    let (head, tail) = two_chunks.split_at(104 + 2_376);
    let two_chunks = heard([head, b"data\x48\x09\0\0", tail].concat());
    assert!(two_chunks.samples == whole.samples && two_chunks.unheard.is_none());
}

#[test]
fn an_amr_file_that_was_cut_says_so_and_leaves_the_next_one_whole() {
    let whole = file("kinds/amr.amr");
    let frames = heard(whole.clone()).samples.len() / 160;
    let short = &whole[..whole.len() - 10];
    let cut = heard(short.to_vec());
    assert_eq!((cut.samples.len(), cut.truncated), (160 * (frames - 1), true));
    let both = heard([short, &whole].concat());
    assert_eq!(
        (both.samples.len(), both.truncated, both.unheard),
        (160 * (2 * frames - 1), true, None)
    );
}

#[test]
fn a_second_data_chunk_of_a_wave64_is_read_on() {
    let one = file("kinds/pcm.w64");
    let samples = heard(one.clone()).samples;
    let two = heard([&one[..], &one[80..]].concat());
    assert_eq!((two.truncated, two.unheard), (false, None));
    assert_eq!(two.samples, samples.repeat(2));
    let beyond = heard([&one[..], &[0x55; 1_000]].concat()).unheard.unwrap();
    assert_eq!((beyond.at, beyond.bytes), (one.len() as u64, 1_000));
}

#[test]
fn of_more_recordings_than_anybody_joins_the_rest_is_named() {
    let one = wav(1, (1, 8_000), (2, 16), &[&tone(80)]);
    let heard = heard(one.repeat(1_030));
    assert_eq!(heard.samples.len(), 1_024 * 80);
    let unheard = heard.unheard.unwrap();
    assert_eq!(
        (unheard.at, unheard.bytes),
        (1_024 * one.len() as u64, 6 * one.len() as u64)
    );
    assert!(unheard.to_string().contains("1024"), "{unheard}");
}

#[test]
fn equal_channels_are_compared_in_turns_of_as_much_as_is_asked() {
    let stereo: Vec<u8> = tone(480_000).chunks(2).flat_map(|two| two.repeat(2)).collect();
    let bytes = wav(1, (2, 8_000), (4, 16), &[&stereo]);
    let mut decoder = Decoder::open(bytes, &Limits::default()).unwrap();
    let mut turns = 0;
    while decoder.compare_channels(Seconds::new(2.0)).unwrap() {
        turns += 1;
    }
    assert!((25..=31).contains(&turns), "{turns} turns for a minute");
    assert_eq!(decoder.format().channels, 1);
    let mut frames = 0;
    while let Some(block) = decoder.next_block().unwrap() {
        frames += block.len();
    }
    assert_eq!(frames, 480_000);
}
