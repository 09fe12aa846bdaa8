//! The front ends of other people's models: against their originals, and against the laws that hold for
//! any of them. tests/data/golden/make_front_ends.py wrote the values.

use std::f64::consts::TAU;

use proptest::prelude::*;
use voxline::voiceprint::{
    KaldiFbank, KaldiSettings, KaldiWindow, MeanNormalisation, NemoMel, NemoNormalisation, NemoSettings,
    NemoWindow, Slaney, SpeechbrainFbank, SpeechbrainSettings, SpeechbrainWindow,
};

use crate::support::{Rng, floats, sentence, tones};

/// WeSpeaker's, without the mean taken off.
const WESPEAKER: KaldiSettings = KaldiSettings {
    sample_scale: 32_768.0,
    window: KaldiWindow::Hamming,
    window_length: 400,
    hop_length: 160,
    n_fft: 512,
    snip_edges: true,
    remove_dc_offset: true,
    preemphasis: 0.97,
    n_mels: 80,
    f_min: 20.0,
    f_max: 0.0,
    normalisation: MeanNormalisation::None,
};

const SHERPA: KaldiSettings = KaldiSettings {
    window: KaldiWindow::Povey,
    snip_edges: false,
    f_max: -400.0,
    normalisation: MeanNormalisation::UtteranceMean,
    ..WESPEAKER
};

const SPEECHBRAIN: SpeechbrainSettings = SpeechbrainSettings {
    n_fft: 400,
    window: SpeechbrainWindow::Hamming,
    window_length: 400,
    hop_length: 160,
    n_mels: 80,
    f_min: 0.0,
    f_max: 8_000.0,
    amin: 1e-10,
    top_db: 80.0,
    normalisation: MeanNormalisation::UtteranceMean,
};

const NEMO: NemoSettings = NemoSettings {
    n_fft: 512,
    window: NemoWindow::Hann,
    window_length: 400,
    hop_length: 160,
    preemphasis: 0.97,
    n_mels: 80,
    f_min: 0.0,
    f_max: 8_000.0,
    mel_scale: Slaney::Slaney,
    mel_norm: Slaney::Slaney,
    log_guard: 5.960_464_477_539_063e-8,
    normalisation: NemoNormalisation::PerFeature,
    std_guard: 1e-5,
};

fn kaldi(settings: KaldiSettings, samples: &[f32]) -> Vec<f32> {
    let mut features = Vec::new();
    let frames = KaldiFbank::new(settings).append(samples, &mut features);
    assert_eq!(features.len(), frames * settings.n_mels);
    features
}

fn speechbrain(settings: SpeechbrainSettings, samples: &[f32]) -> Vec<f32> {
    let mut features = Vec::new();
    SpeechbrainFbank::new(settings).append(samples, &mut features);
    features
}

fn nemo(settings: NemoSettings, samples: &[f32]) -> Vec<f32> {
    let mut features = Vec::new();
    NemoMel::new(settings).append(samples, &mut features);
    features
}

/// The largest difference between two lists of one length.
fn apart(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let differences = ours
        .iter()
        .zip(theirs)
        .map(|(ours, theirs)| (ours - theirs).abs());
    differences.fold(0.0, |largest, one| if one <= largest { largest } else { one })
}

fn golden(name: &str) -> Vec<f32> {
    floats(&format!("tests/data/golden/{name}.f32"))
}

fn second() -> Vec<f32> {
    sentence()[..16_000].to_vec()
}

/// A thousandth in the logarithm is a thousandth of the energy. A window of another shape moves bins by
/// tenths, a missing pre-emphasis by several, a frame one sample late by hundredths.
#[test]
fn kaldis_filter_bank_is_kaldi_native_fbanks_as_each_trainer_uses_it() {
    let three_d = KaldiSettings {
        sample_scale: 1.0,
        window: KaldiWindow::Povey,
        ..WESPEAKER
    };
    for (name, settings) in [
        ("fbank_wespeaker", WESPEAKER),
        ("fbank_3d_speaker", three_d),
        ("fbank_sherpa", SHERPA),
    ] {
        let far = apart(&kaldi(settings, &second()), &golden(name));
        assert!(far <= 1e-3, "{name}: {far}");
    }
}

#[test]
fn a_filter_bank_that_differs_in_one_constant_is_not_the_golden_one() {
    for other in [
        KaldiSettings {
            window: KaldiWindow::Hann,
            ..WESPEAKER
        },
        KaldiSettings {
            preemphasis: 0.96,
            ..WESPEAKER
        },
        KaldiSettings {
            remove_dc_offset: false,
            ..WESPEAKER
        },
        KaldiSettings {
            f_min: 0.0,
            ..WESPEAKER
        },
        KaldiSettings {
            f_max: -400.0,
            ..WESPEAKER
        },
    ] {
        let far = apart(&kaldi(other, &second()), &golden("fbank_wespeaker"));
        assert!(far > 1e-2, "{other:?}: {far}");
    }
}

/// In decibels; the same test as for Kaldi's.
#[test]
fn speechbrains_filter_bank_is_its_published_definition() {
    let far = apart(&speechbrain(SPEECHBRAIN, &second()), &golden("fbank_speechbrain"));
    assert!(far <= 4e-3, "{far} dB");
}

#[test]
fn nemos_mel_is_its_published_definition() {
    let far = apart(&nemo(NEMO, &second()), &golden("mel_nemo"));
    assert!(far <= 1e-3, "{far}");
}

/// One frame of WeSpeaker's filter bank in double precision, by the sums that define it.
fn by_hand(frame: &[f32]) -> Vec<f64> {
    let scaled: Vec<f64> = frame.iter().map(|sample| f64::from(*sample) * 32_768.0).collect();
    let mean = scaled.iter().sum::<f64>() / 400.0;
    let level: Vec<f64> = scaled.iter().map(|sample| sample - mean).collect();
    let weight = |at: usize| 0.54 - 0.46 * (TAU * at as f64 / 399.0).cos();
    let shaped = |at: usize| (level[at] - 0.97 * level[at.saturating_sub(1)]) * weight(at);
    let shaped: Vec<f64> = (0..400).map(shaped).collect();
    let power = |bin: usize| {
        let turn = |at: usize| TAU * (bin * at % 512) as f64 / 512.0;
        let real: f64 = shaped.iter().enumerate().map(|(at, x)| x * turn(at).cos()).sum();
        let imaginary: f64 = shaped.iter().enumerate().map(|(at, x)| x * turn(at).sin()).sum();
        real * real + imaginary * imaginary
    };
    let powers: Vec<f64> = (0..256).map(power).collect();
    let mel = |hz: f64| 1_127.0 * (hz / 700.0).ln_1p();
    let step = (mel(8_000.0) - mel(20.0)) / 81.0;
    let energy = |band: usize| -> f64 {
        let centre = mel(20.0) + (band + 1) as f64 * step;
        let share = |bin: usize| (1.0 - (mel(bin as f64 * 31.25) - centre).abs() / step).max(0.0);
        (0..256).map(|bin| share(bin) * powers[bin]).sum()
    };
    (0..80)
        .map(|band| energy(band).max(f64::from(f32::EPSILON)).ln())
        .collect()
}

#[test]
fn every_frame_is_what_a_brute_force_transform_of_it_gives() {
    let samples = &second()[4_000..7_000];
    let features = kaldi(WESPEAKER, samples);
    for (at, frame) in features.chunks_exact(80).enumerate() {
        let expected = by_hand(&samples[at * 160..at * 160 + 400]);
        for (band, (ours, exact)) in frame.iter().zip(&expected).enumerate() {
            let far = (f64::from(*ours) - exact).abs();
            assert!(far <= 1e-3, "frame {at}, band {band}: {far}");
        }
    }
}

#[test]
fn a_frame_is_the_same_whatever_stands_around_it() {
    let samples = second();
    let all = kaldi(WESPEAKER, &samples);
    let mut one = KaldiFbank::new(WESPEAKER);
    for (at, frame) in all.chunks_exact(80).enumerate() {
        let mut alone = Vec::new();
        assert_eq!(one.append(&samples[at * 160..at * 160 + 400], &mut alone), 1);
        assert_eq!(alone, frame, "frame {at}");
    }
}

#[test]
fn a_front_end_remembers_nothing_of_the_utterance_before() {
    let (first, other) = (second(), Rng::new(7).noise(-20.0, 9_000));
    let mut used = KaldiFbank::new(SHERPA);
    used.append(&other, &mut Vec::new());
    let mut again = Vec::new();
    used.append(&first, &mut again);
    assert_eq!(again, kaldi(SHERPA, &first));
    let mut used = NemoMel::new(NEMO);
    used.append(&other, &mut Vec::new());
    again.clear();
    used.append(&first, &mut again);
    assert_eq!(again, nemo(NEMO, &first));
}

#[test]
fn features_follow_what_was_there_before_in_the_buffer() {
    let mut features = vec![5.0; 3];
    let frames = KaldiFbank::new(SHERPA).append(&second(), &mut features);
    assert_eq!(features[..3], [5.0; 3]);
    assert_eq!(features.len(), 3 + frames * 80);
    assert_eq!(features[3..], kaldi(SHERPA, &second()));
}

#[test]
fn normalised_bins_have_no_mean_and_standardised_ones_unit_spread() {
    let means = |features: &[f32]| -> Vec<f64> {
        let frames = (features.len() / 80) as f64;
        let of_bin = |bin| {
            features
                .iter()
                .skip(bin)
                .step_by(80)
                .map(|value| f64::from(*value))
        };
        (0..80).map(|bin| of_bin(bin).sum::<f64>() / frames).collect()
    };
    for features in [
        kaldi(SHERPA, &second()),
        speechbrain(SPEECHBRAIN, &second()),
        nemo(NEMO, &second()),
    ] {
        assert!(means(&features).iter().all(|mean| mean.abs() < 1e-5));
    }
    let features = nemo(NEMO, &second());
    let squares: Vec<f32> = features.iter().map(|value| value * value).collect();
    for (bin, mean) in means(&squares).into_iter().enumerate() {
        // 100 frames: a standard deviation over n - 1.
        assert!((mean * 100.0 / 99.0 - 1.0).abs() < 1e-3, "bin {bin}: {mean}");
    }
}

#[test]
fn nothing_lies_more_than_top_db_below_the_loudest() {
    let raw = SpeechbrainSettings {
        normalisation: MeanNormalisation::None,
        ..SPEECHBRAIN
    };
    let mut samples = tones(&[1_000.0], 0.5, 8_000);
    samples.resize(16_000, 0.0);
    let features = speechbrain(raw, &samples);
    let loudest = features.iter().copied().fold(f32::MIN, f32::max);
    let quietest = features.iter().copied().fold(f32::MAX, f32::min);
    assert!(
        (loudest - quietest - 80.0).abs() < 1e-3,
        "{quietest} to {loudest}"
    );
}

#[test]
fn the_number_of_frames_is_what_each_original_gives() {
    let (whole, mirrored) = (KaldiFbank::new(WESPEAKER), KaldiFbank::new(SHERPA));
    let (brain, nemo) = (SpeechbrainFbank::new(SPEECHBRAIN), NemoMel::new(NEMO));
    for (samples, expected) in [
        (0, [0, 0, 1, 0]),
        (79, [0, 0, 1, 0]),
        (80, [0, 1, 1, 0]),
        (160, [0, 1, 2, 1]),
        (399, [0, 2, 3, 2]),
        (400, [1, 3, 3, 2]),
        (559, [1, 3, 4, 3]),
        (560, [2, 4, 4, 3]),
        (16_000, [98, 100, 101, 100]),
    ] {
        let ours = [
            whole.frames(samples),
            mirrored.frames(samples),
            brain.frames(samples),
            nemo.frames(samples),
        ];
        assert_eq!(ours, expected, "{samples} samples");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Energy grows with the square of the level, so the logarithm moves by a constant, and the mean takes
    /// even that away. Powers of two scale every step without rounding: with any other gain a band that
    /// happens to be nearly empty carries the rounding of the loud ones, and no tolerance is the right one.
    #[test]
    fn a_louder_signal_is_the_same_features_moved_by_a_constant(
        gain in prop::sample::select(vec![0.125f32, 0.25, 0.5, 2.0]),
        seed in 0u64..1_000,
    ) {
        let samples = Rng::new(seed).noise(-26.0, 8_000);
        let louder: Vec<f32> = samples.iter().map(|sample| sample * gain).collect();
        let (before, after) = (kaldi(WESPEAKER, &samples), kaldi(WESPEAKER, &louder));
        let moved: Vec<f32> = before.iter().map(|value| value + 2.0 * gain.ln()).collect();
        prop_assert!(apart(&after, &moved) < 2e-5);
        prop_assert!(apart(&kaldi(SHERPA, &samples), &kaldi(SHERPA, &louder)) < 2e-5);
        prop_assert!(apart(&speechbrain(SPEECHBRAIN, &samples), &speechbrain(SPEECHBRAIN, &louder)) < 2e-5);
    }

    /// However short, silent or odd the input: frames as promised, every value finite.
    #[test]
    fn no_input_makes_a_feature_that_is_no_number(samples in 0usize..2_000, level in prop::sample::select(vec![0.0f32, 1e-30, 1e-6, 1.0])) {
        let audio: Vec<f32> = Rng::new(samples as u64).noise(0.0, samples).iter().map(|x| x * level).collect();
        let all = [kaldi(WESPEAKER, &audio), kaldi(SHERPA, &audio), speechbrain(SPEECHBRAIN, &audio), nemo(NEMO, &audio)];
        for features in all {
            prop_assert!(features.iter().all(|value| value.is_finite()));
        }
    }

    /// A signal that repeats itself every hop looks the same in every frame, mirrored ends apart.
    #[test]
    fn a_signal_that_repeats_every_hop_has_one_frame_only(seed in 0u64..1_000) {
        let period = Rng::new(seed).noise(-20.0, 160);
        let samples: Vec<f32> = period.iter().copied().cycle().take(8_000).collect();
        let features = kaldi(WESPEAKER, &samples);
        for frame in features.chunks_exact(80) {
            prop_assert_eq!(frame, &features[..80]);
        }
    }
}
