//! HE-AAC: what is heard of it is its core, which is the recording; the rest is made from it.

use voxline::bytes::{Decoder, Limits};
use voxline::samples;
use voxline::units::Hertz;

use crate::support::{at_rate, read};

/// HE-AAC, and how many decibels the core and another decoder's whole may be apart below 8 kHz, where both are the
/// recording: what the filters of band replication cost, and with parametric stereo the sum of two channels.
pub const FILES: [(&str, f64); 5] = [
    ("he.aac", 30.0),
    ("he-v2.aac", 20.0),
    ("he.m4a", 30.0),
    ("he-explicit.m4a", 30.0),
    ("he-v2.m4a", 20.0),
];

#[test]
fn of_he_aac_the_core_is_heard_however_the_rest_is_signalled() {
    for (name, least) in FILES {
        let bytes = read(&format!("tests/data/audio/kinds/{name}"));
        let format = Decoder::open(bytes.clone(), &Limits::default()).unwrap().format();
        assert_eq!((format.rate, format.channels), (Hertz(24_000), 1), "{name}");
        let clip = samples::load(bytes, None, &Limits::default()).unwrap();
        assert!(!clip.truncated && clip.unheard.is_none(), "{name}");

        // The whole at 16 kHz from 0.3 to 0.5 s, and how long it is. The filters of its upper half delay it by so many
        // samples at 48 kHz, a constant.
        let golden = read(&format!("tests/data/audio/kinds/{name}.golden.s16"));
        let (length, golden) = golden.split_first_chunk::<4>().unwrap();
        let whole = f64::from(u32::from_le_bytes(*length)) / 48_000.0;
        let length = clip.duration().get();
        assert!((whole - length).abs() < 0.05, "{name}: {length} s of {whole} s");
        let golden: Vec<f32> = golden
            .chunks_exact(2)
            .map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0)
            .collect();
        let signal: f32 = golden.iter().map(|value| value * value).sum();
        let core = at_rate(&clip.samples[..10_000], 48_000);
        let noise = |start: usize| -> f32 {
            let pairs = core[start..].iter().step_by(3).zip(&golden);
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let start = 48_000 * 3 / 10;
        let snr = (start - 1_500..=start + 1_500)
            .map(|start| 10.0 * f64::from(signal / noise(start)).log10())
            .fold(f64::NEG_INFINITY, f64::max);
        assert!(snr > least, "{name}: {snr:.1} dB");
    }
}
