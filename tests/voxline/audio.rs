//! From a file's bytes to 16 kHz samples, against ffmpeg's own decode of the same files, and against
//! files that must be refused.

use std::path::PathBuf;

use voxline::bytes::{Container, DecodeError, Decoder, Format, Limits};
use voxline::samples::{self, LoadError, SamplesError};
use voxline::units::{Hertz, Seconds};

fn folder() -> PathBuf {
    crate::support::root().join("tests/data/audio")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// Every sample of a file, its format, and whether it was cut.
fn decode(bytes: Vec<u8>, limits: &Limits) -> Result<(Vec<f32>, Format, bool), DecodeError> {
    let mut decoder = Decoder::open(bytes, limits)?;
    let format = decoder.format();
    let mut all = Vec::new();
    while let Some(block) = decoder.next_block()? {
        assert!(block.len() <= 65_536 * usize::from(format.channels));
        assert!(block.iter().all(|sample| sample.is_finite()));
        all.extend_from_slice(block);
    }
    Ok((all, format, decoder.truncated()))
}

fn decode_fixture(name: &str) -> (Vec<f32>, Format, bool) {
    decode(fixture(name), &Limits::default()).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

struct Golden {
    name: String,
    rate: u32,
    channels: u16,
    frames: usize,
}

fn goldens() -> Vec<Golden> {
    let table = String::from_utf8(fixture("golden.tsv")).unwrap();
    let golden = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Golden {
            name: fields[0].into(),
            rate: fields[1].parse().unwrap(),
            channels: fields[2].parse().unwrap(),
            frames: fields[3].parse().unwrap(),
        }
    };
    table.lines().map(golden).collect()
}

#[test]
fn every_file_decodes_to_what_ffmpeg_hears_in_it_at_the_same_time() {
    let goldens = goldens();
    assert_eq!(goldens.len(), 16);
    for Golden {
        name,
        rate,
        channels,
        frames,
    } in goldens
    {
        let (decoded, format, truncated) = decode_fixture(&name);
        assert_eq!(
            (format.rate, format.channels, truncated),
            (Hertz(rate), channels, false),
            "{name}"
        );
        // WebM says in a field that its demuxer does not read how much of the last packet is padding.
        let padding = if format.container == Container::WebM {
            960
        } else {
            0
        };
        let got = decoded.len() / usize::from(channels);
        assert!(
            (frames..=frames + padding).contains(&got),
            "{name}: {got} frames of {frames}"
        );

        let start = rate as usize * 3 / 10 * usize::from(channels);
        let stretch = fixture(&format!("{name}.golden.s16"));
        let golden: Vec<f32> = stretch
            .chunks_exact(2)
            .map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0)
            .collect();
        assert_eq!(golden.len(), rate as usize / 5 * usize::from(channels), "{name}");
        let heard = &decoded[start..][..golden.len()];
        let signal: f64 = golden.iter().map(|&value| f64::from(value).powi(2)).sum();
        let noise: f64 = heard
            .iter()
            .zip(&golden)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum();
        // The golden is rounded to 16 bits: exact codings differ by nothing or that rounding, lossy
        // ones by that and another decoder's arithmetic. One sample of delay would leave under 30 dB.
        let snr = 10.0 * (signal / noise.max(1e-30)).log10();
        assert!(snr > 60.0, "{name}: {snr:.1} dB");
    }
}

#[test]
fn every_exact_coding_of_one_recording_decodes_to_the_same_samples() {
    let (reference, ..) = decode_fixture("wav-pcm16.wav");
    for name in [
        "wav-pcm24.wav",
        "wav-pcm32.wav",
        "wav-float.wav",
        "wav-streamed.wav",
        "flac.flac",
    ] {
        assert_eq!(decode_fixture(name).0, reference, "{name}");
    }
    let (stereo, ..) = decode_fixture("wav-extensible-stereo.wav");
    assert!(stereo.iter().step_by(2).eq(&reference) && stereo.iter().skip(1).step_by(2).all(|&s| s == 0.0));
}

#[test]
fn hound_and_our_own_walk_read_the_same_wav() {
    for name in ["wav-pcm16.wav", "wav-pcm24.wav"] {
        let mut reader = hound::WavReader::new(std::io::Cursor::new(fixture(name))).unwrap();
        let scale = 2f32.powi(i32::from(reader.spec().bits_per_sample) - 1);
        let theirs: Vec<f32> = reader
            .samples::<i32>()
            .map(|sample| sample.unwrap() as f32 / scale)
            .collect();
        assert_eq!(decode_fixture(name).0, theirs, "{name}");
    }
}

#[test]
fn a_recording_that_was_cut_keeps_what_was_decoded_and_says_so() {
    let (whole, ..) = decode_fixture("webm-opus-live.webm");
    let (cut, _, truncated) = decode_fixture("webm-opus-cut.webm");
    assert!(truncated && cut.len() > whole.len() / 2 && whole.starts_with(&cut));

    for name in ["wav-pcm16.wav", "flac.flac", "mp3.mp3"] {
        let (whole, ..) = decode_fixture(name);
        let mut bytes = fixture(name);
        bytes.truncate(bytes.len() * 2 / 3);
        let (cut, _, truncated) = decode(bytes, &Limits::default()).unwrap();
        assert!(
            truncated && cut.len() > whole.len() / 3 && whole.starts_with(&cut),
            "{name}: {}",
            cut.len()
        );
    }
}

#[test]
fn limits_hold_for_every_container_whether_or_not_its_header_tells() {
    let limits = Limits {
        max_duration: Seconds::new(0.5),
        ..Limits::default()
    };
    for name in [
        "wav-pcm16.wav",
        "flac.flac",
        "mp3.mp3",
        "ogg-opus-silk-6k.ogg",
        "webm-opus.webm",
        "webm-opus-live.webm",
    ] {
        let fault = decode(fixture(name), &limits).unwrap_err();
        assert!(matches!(fault, DecodeError::TooLong { .. }), "{name}: {fault}");
        assert!(
            fault.to_string().contains("the limit is 0:00:00.500"),
            "{name}: {fault}"
        );
    }
}

#[test]
fn every_bad_file_is_refused_in_the_words_that_help() {
    let expected = String::from_utf8(fixture("bad/expected.tsv")).unwrap();
    let cases: Vec<(&str, &str)> = expected
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    assert_eq!(
        cases.len() + 1,
        std::fs::read_dir(folder().join("bad")).unwrap().count()
    );
    for (name, said) in cases {
        let fault = decode(fixture(&format!("bad/{name}")), &Limits::default())
            .unwrap_err()
            .to_string();
        assert!(fault.contains(said), "{name}: expected {said:?} in {fault:?}");
    }
}

#[test]
fn a_clip_is_the_callers_channel_at_16_khz() {
    let limits = Limits::default();
    let stereo = || fixture("wav-extensible-stereo.wav");
    let fault = samples::load(stereo(), None, &limits).unwrap_err();
    assert_eq!(fault, LoadError::Samples(SamplesError::ChannelNeeded));
    let caller = samples::load(stereo(), Some(0), &limits).unwrap();
    let agent = samples::load(stereo(), Some(1), &limits).unwrap();
    assert_eq!(
        caller.samples,
        samples::load(fixture("wav-pcm16.wav"), None, &limits)
            .unwrap()
            .samples
    );
    assert_eq!(agent.samples, vec![0.0; 16_000]);
    assert_eq!(caller.duration(), Seconds::new(1.0));
    assert_eq!(
        caller.source,
        Format {
            container: Container::Wav,
            rate: Hertz(8_000),
            channels: 2
        }
    );
}

#[test]
fn the_same_speech_in_any_container_lies_at_the_same_time_in_a_clip() {
    let load = |name: &str| {
        samples::load(fixture(name), None, &Limits::default())
            .unwrap()
            .samples
    };
    let reference = load("wav-pcm16.wav");
    for name in [
        "wav-mulaw.wav",
        "flac.flac",
        "mp3.mp3",
        "ogg-opus-hybrid-24k.ogg",
        "webm-opus.webm",
    ] {
        let other = load(name);
        assert!(other.len().abs_diff(16_000) < 330, "{name}: {}", other.len());
        let correlation = |lag: usize, sign: i32| -> f64 {
            let (early, late) = if sign < 0 {
                (&other, &reference)
            } else {
                (&reference, &other)
            };
            early
                .iter()
                .zip(&late[lag..])
                .map(|(a, b)| f64::from(a * b))
                .sum()
        };
        let best = (0..400usize)
            .flat_map(|lag| [(lag, 1), (lag, -1)])
            .max_by(|&(a, s), &(b, t)| correlation(a, s).total_cmp(&correlation(b, t)));
        // A quarter of a millisecond is what codecs bend; the pre-skip of Opus would be 104 samples,
        // the delay of the resampler 320, that of MP3 500.
        assert!(best.is_some_and(|(lag, _)| lag <= 4), "{name}: {best:?}");
    }
}

/// A WAV file of GSM 06.10 in blocks of 65 bytes, its `data` of this length whatever is in it, and what stands behind.
fn gsm_wav(length: usize, data: &[u8], behind: &[u8]) -> Vec<u8> {
    let mut body = b"WAVEfmt \x14\0\0\0\x31\0\x01\0\x40\x1f\0\0\x59\x06\0\0\x41\0\0\0\x02\0\x40\x01".to_vec();
    body.extend(b"fact\x04\0\0\0");
    body.extend((data.len() as u32 / 65 * 320).to_le_bytes());
    body.extend(b"data");
    body.extend((length as u32).to_le_bytes());
    body.extend(data);
    body.extend(behind);
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// libsndfile decodes the byte that RIFF puts behind them as one more block, 40 ms of a crack:
/// `findings/soundfile_every_other_gsm_call_ends_in_a_crack.sh`.
#[test]
fn an_odd_number_of_gsm_blocks_is_as_long_as_it_says() {
    let whole = fixture("kinds/gsm49.wav");
    let data = whole.windows(4).position(|name| name == b"data").unwrap() + 8;
    for blocks in 1..=6 {
        let coded = &whole[data..data + 65 * blocks];
        let pad = vec![0; coded.len() % 2];
        let counted = coded.len() + pad.len();
        let tag = [&pad[..], b"LIST\x04\0\0\0INFO"].concat();
        let alone = decode(gsm_wav(coded.len(), coded, &[]), &Limits::default()).unwrap();
        assert_eq!((alone.0.len(), alone.2), (320 * blocks, false));
        for file in [
            gsm_wav(coded.len(), coded, &pad),
            gsm_wav(counted, coded, &pad),
            gsm_wav(coded.len(), coded, &tag),
        ] {
            let mut decoder = Decoder::open(file.clone(), &Limits::default()).unwrap();
            while decoder.next_block().unwrap().is_some() {}
            assert_eq!(decoder.unheard(), None, "{blocks}");
            let (samples, _, truncated) = decode(file, &Limits::default()).unwrap();
            assert!(samples == alone.0 && !truncated, "{blocks}: {}", samples.len());
        }
    }
}
