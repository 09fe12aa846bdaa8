//! Every kind of recording that people have: against another decoder's samples (`tests/data/audio/make_kinds.py`),
//! with headers that are not true, and joined.

use std::collections::BTreeSet;

use voxline::bytes::{DecodeError, Decoder, Format, Headerless, Limits, Unheard};
use voxline::units::Hertz;

use crate::high_efficiency;
use crate::support::read;

pub fn file(name: &str) -> Vec<u8> {
    let path = crate::support::root().join("tests/data/audio").join(name);
    std::fs::read(path).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

pub struct Heard {
    pub samples: Vec<f32>,
    pub format: Format,
    pub truncated: bool,
    pub unheard: Option<Unheard>,
}

fn drain(mut decoder: Decoder) -> Result<Heard, DecodeError> {
    let format = decoder.format();
    let mut samples = Vec::new();
    while let Some(block) = decoder.next_block()? {
        samples.extend_from_slice(block);
    }
    Ok(Heard {
        samples,
        format,
        truncated: decoder.truncated(),
        unheard: decoder.unheard(),
    })
}

pub fn heard(bytes: Vec<u8>) -> Heard {
    drain(Decoder::open(bytes, &Limits::default()).unwrap()).unwrap()
}

/// Codings of which every decoder must make the same numbers; the rest has the freedom of its arithmetic.
const EXACT: [&str; 38] = [
    "alac.m4a",
    "alac.caf",
    "amr.amr",
    "amr.3gp",
    "amr-pauses.amr",
    "g722.wav",
    "ima.wav",
    "ima-stereo.wav",
    "ms.wav",
    "ms-stereo.wav",
    "double.wav",
    "rf64.wav",
    "pcm.w64",
    "mulaw.au",
    "pcm.au",
    "pcm.aiff",
    "sowt.aifc",
    "pcm.caf",
    "float.caf",
    "mulaw.caf",
    "flac.ogg",
    "pcm.mka",
    "gsm49.wav",
    "gsm.gsm",
    "mulaw.sph",
    "pcm.sph",
    "float.au",
    "alaw.au",
    "g722.au",
    "float.aifc",
    "mulaw.aifc",
    "alaw.aifc",
    "alaw.caf",
    "flac.mka",
    "alaw.sph",
    "raw.g722",
    "raw.mulaw",
    "raw.alaw",
];

/// A fixture as it is sent: with what is said of it where it says nothing of itself.
fn sent(name: &str) -> Vec<u8> {
    let bytes = file(&format!("kinds/{name}"));
    match name.strip_prefix("raw.") {
        Some(said) => said.parse::<Headerless>().unwrap().with_header(bytes),
        None => bytes,
    }
}

#[test]
fn every_kind_decodes_to_what_another_decoder_hears_in_it() {
    let table = String::from_utf8(file("kinds/golden.tsv")).unwrap();
    assert_eq!(table.lines().count(), 49);
    for line in table.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let name = fields[0];
        let (rate, channels): (u32, u16) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let frames: usize = fields[3].parse().unwrap();
        let heard = heard(sent(name));
        assert_eq!(
            (heard.format.rate, heard.format.channels, heard.truncated),
            (Hertz(rate), channels, false),
            "{name}"
        );
        assert_eq!(heard.unheard, None, "{name}");
        // ffmpeg 5 passes over the end that an edit list states.
        let got = heard.samples.len() / usize::from(channels);
        let padding = if name.contains(".m4a") || name.contains(".mp4") {
            1_024
        } else {
            0
        };
        assert!(
            (frames - padding..=frames).contains(&got),
            "{name}: {got} of {frames}"
        );
        let golden: Vec<f32> = file(&format!("kinds/{name}.golden.s16"))
            .chunks_exact(2)
            .map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0)
            .collect();
        let start = rate as usize * 3 / 10 * usize::from(channels);
        let stretch = &heard.samples[start..][..golden.len()];
        let pairs = || stretch.iter().zip(&golden);
        let worst = pairs().map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max) * 32_768.0;
        let noise: f64 = pairs().map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let signal: f64 = golden.iter().map(|&value| f64::from(value).powi(2)).sum();
        let snr = 10.0 * (signal / noise.max(1e-30)).log10();
        if EXACT.contains(&name) {
            assert!(worst <= 1.0, "{name}: {worst} least bits");
        } else {
            assert!(snr > 60.0, "{name}: {snr:.1} dB");
        }
    }
}

#[test]
fn the_docs_table_names_exactly_the_recordings_that_are_compared() {
    let goldens: BTreeSet<String> = [file("golden.tsv"), file("kinds/golden.tsv")]
        .into_iter()
        .flat_map(|table| {
            let table = String::from_utf8(table).unwrap();
            let names = table
                .lines()
                .map(|line| line.split('\t').next().unwrap().to_owned());
            names.collect::<Vec<_>>()
        })
        .chain(high_efficiency::FILES.map(|(name, _)| name.to_owned()))
        .collect();
    let docs = String::from_utf8(read("docs/formats.md")).unwrap();
    let rows = docs.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut named = BTreeSet::new();
    for row in rows {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let names: Vec<String> = last
            .split('`')
            .skip(1)
            .step_by(2)
            .map(ToOwned::to_owned)
            .collect();
        assert!(!names.is_empty(), "{row}");
        named.extend(names);
    }
    assert_eq!(named, goldens);
}

/// A WAV header of `tag` with this block align and these bits, and the audio of `data` chunks.
pub fn wav(tag: u16, (channels, rate): (u16, u32), (block, bits): (u16, u16), data: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(block)).to_le_bytes());
    bytes.extend(block.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    for data in data {
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(*data);
    }
    let size = bytes.len() as u32 - 8;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// A tone as 16-bit PCM.
pub fn tone(frames: usize) -> Vec<u8> {
    let wave = |at: usize| ((at as f32 * 0.3).sin() * 8_000.0) as i16;
    (0..frames).flat_map(|at| wave(at).to_le_bytes()).collect()
}

#[test]
fn the_frame_size_of_a_wav_follows_from_codec_and_channels() {
    let audio = tone(800);
    for (block, bits) in [(2, 16), (1, 16), (4, 16), (0, 16), (2, 0), (2, 15)] {
        let heard = heard(wav(1, (1, 8_000), (block, bits), &[&audio]));
        assert_eq!(heard.samples.len(), 800, "{block} {bits}");
    }
    for (block, bits) in [(1, 8), (2, 8), (1, 16), (0, 0)] {
        for tag in [6, 7] {
            assert_eq!(
                heard(wav(tag, (1, 8_000), (block, bits), &[&audio]))
                    .samples
                    .len(),
                1_600
            );
        }
    }
}

#[test]
fn a_second_data_chunk_is_read_on() {
    let audio = tone(800);
    let whole = heard(wav(1, (1, 8_000), (2, 16), &[&audio]));
    let (head, tail) = audio.split_at(600);
    let two = heard(wav(1, (1, 8_000), (2, 16), &[head, tail]));
    assert_eq!(
        (two.samples, two.unheard, two.truncated),
        (whole.samples, None, false)
    );
}

#[test]
fn what_a_header_leaves_out_is_said_in_seconds() {
    let mut bytes = wav(1, (1, 8_000), (2, 16), &[&tone(16_000)]);
    bytes[40..44].copy_from_slice(&8_000u32.to_le_bytes());
    let heard = heard(bytes);
    assert_eq!(heard.samples.len(), 4_000);
    let said = heard.unheard.unwrap().to_string();
    assert!(
        said.starts_with("0:00:01.500 of audio from byte 8044 on were not heard"),
        "{said}"
    );
}

#[test]
fn recordings_that_were_joined_are_heard_one_after_the_other() {
    for name in [
        "wav-pcm16.wav",
        "flac.flac",
        "webm-opus.webm",
        "webm-opus-live.webm",
        "ogg-opus-silk-6k.ogg",
        "ogg-vorbis.ogg",
        "kinds/amr.amr",
        "kinds/aac.aac",
        "kinds/aac-fragments.mp4",
        "kinds/aac.m4a",
        "kinds/flac.ogg",
    ] {
        let one = heard(file(name));
        let two = heard([file(name), file(name)].concat());
        let (once, twice) = (one.samples.len(), two.samples.len());
        // A stream of frames has no second start to settle at.
        assert!(
            (2 * once - 4_096..=2 * once + 4_096).contains(&twice),
            "{name}: {twice} of twice {once}"
        );
        assert_eq!((two.truncated, two.unheard), (false, None), "{name}");
        assert!(
            two.samples.starts_with(&one.samples[..once - once / 50]),
            "{name}"
        );
    }
}

#[test]
fn a_joined_recording_at_another_rate_is_named_with_its_length() {
    let (eight, sixteen) = (
        wav(1, (1, 8_000), (2, 16), &[&tone(800)]),
        wav(1, (1, 16_000), (2, 16), &[&tone(8_000)]),
    );
    let at = eight.len();
    let heard = heard([eight, sixteen].concat());
    assert_eq!(heard.samples.len(), 800);
    let said = heard.unheard.unwrap().to_string();
    assert!(
        said.starts_with(&format!("0:00:00.500 of audio from byte {at} on")),
        "{said}"
    );
}

/// A recording whose last frames are at another rate, the very last one cut, and a recording behind it.
#[test]
fn what_was_not_heard_of_joined_recordings_lies_within_them() {
    let mut first = file("kinds/mp3.wav");
    let at = first.len();
    first.extend_from_slice(&file("mp3.mp3")[227..381]);
    // The sizes of `RIFF` and of `data` count what follows them.
    for size_at in [4, 100] {
        let size = (first.len() - size_at - 4) as u32;
        first[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
    }
    let all = [first, wav(1, (1, 8_000), (2, 16), &[&tone(8_000)])].concat();
    let unheard = heard(all.clone()).unheard.unwrap();
    assert_eq!(
        (unheard.at, unheard.at + unheard.bytes),
        (at as u64, all.len() as u64)
    );
}

#[test]
fn a_mono_part_beside_a_stereo_one_is_in_both_channels() {
    let mono = wav(1, (1, 8_000), (2, 16), &[&tone(800)]);
    let stereo = wav(1, (2, 8_000), (4, 16), &[&tone(800)]);
    let heard = heard([mono, stereo].concat());
    assert_eq!((heard.format.channels, heard.samples.len()), (2, 2 * 800 + 800));
    assert!(heard.samples[..1_600].chunks(2).all(|pair| pair[0] == pair[1]));
}

/// The frames of an MP3 file, its counting frame first.
fn mp3_with_count(count: Option<u32>) -> Vec<u8> {
    let mut bytes = file("mp3.mp3");
    let at = bytes
        .windows(4)
        .position(|four| four == b"Xing" || four == b"Info")
        .unwrap();
    if let Some(count) = count {
        bytes[at + 8..at + 12].copy_from_slice(&count.to_be_bytes());
    }
    bytes
}

#[test]
fn the_frames_of_an_mp3_are_believed_and_not_their_count() {
    let whole = heard(mp3_with_count(None));
    for count in [0, 3, 99_999] {
        let other = heard(mp3_with_count(Some(count)));
        assert!(other.samples.starts_with(&whole.samples), "{count}");
        assert!(other.samples.len() < whole.samples.len() + 1_152, "{count}");
        assert!(!other.truncated);
    }
    let joined = heard([mp3_with_count(None), mp3_with_count(None)].concat());
    assert!(joined.samples.len() > 2 * whole.samples.len() && joined.unheard.is_none());
}

#[test]
fn equal_channels_count_as_one_and_different_ones_as_two() {
    let left = tone(8_000);
    let stereo = |right: &dyn Fn(&[u8]) -> [u8; 2]| -> Vec<u8> {
        left.chunks(2)
            .flat_map(|two| [[two[0], two[1]], right(two)].concat())
            .collect()
    };
    let channels = |data: Vec<u8>, channel| {
        let bytes = wav(1, (2, 8_000), (4, 16), &[&data]);
        let heard = drain(Decoder::for_channel(bytes, channel, &Limits::default()).unwrap()).unwrap();
        (heard.format.channels, heard.samples.len())
    };
    let equal = |two: &[u8]| [two[0], two[1]];
    assert_eq!(channels(stereo(&equal), None), (1, 8_000));
    assert_eq!(channels(stereo(&equal), Some(1)), (2, 16_000));
    assert_eq!(channels(stereo(&|_| [0, 0]), None), (2, 16_000));
}

#[test]
fn a_flac_whose_least_block_is_nought_is_read() {
    let whole = heard(file("flac.flac"));
    let mut bytes = file("flac.flac");
    bytes[8..10].fill(0);
    assert_eq!(heard(bytes).samples, whole.samples);
}

#[test]
fn what_is_not_read_is_named_for_what_it_is() {
    let page = |body: &[u8]| [b"OggS\0\x02".as_slice(), &[0; 20], &[1, body.len() as u8], body].concat();
    let mut shorten =
        b"NIST_1A\n   1024\nsample_rate -i 8000\nsample_coding -s26 pcm,embedded-shorten-v2.00\n".to_vec();
    shorten.resize(2_000, b' ');
    for (bytes, name) in [
        (page(b"Speex   1.2.0 and so on"), "Speex"),
        (
            b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\0\xAA".to_vec(),
            "Windows Media",
        ),
        (b"Creative Voice File\x1A\x1A\0".to_vec(), "Creative VOC"),
        (b"#!AMR-WB\n\0\0\0\0".to_vec(), "AMR-WB"),
        (shorten, "compressed with Shorten"),
    ] {
        let said = Decoder::open(bytes, &Limits::default()).unwrap_err().to_string();
        assert!(
            said.contains(name) && said.contains("is not supported"),
            "{name}: {said}"
        );
    }
}
