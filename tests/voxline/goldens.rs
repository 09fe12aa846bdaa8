//! Our arithmetic against that of librosa, Resemblyzer and pyannote themselves; tests/data/golden/
//! make_golden.py wrote the values.

use serde::Deserialize;
use serde_json::from_slice;
use voxline::speech::Vad;
use voxline::voiceprint::{Card, Embedding, Extractor, FrontEndSettings, Ge2eMel, LastWindow, MelSettings};

use crate::support::{altered_model, clip, floats, models, read, runtime, sentence, tones};

/// Resemblyzer 0.1.4's own constants. (The product has another rule for the last window.)
const RESEMBLYZER: MelSettings = MelSettings {
    sample_rate: 16_000,
    n_fft: 400,
    hop: 160,
    n_mels: 40,
    f_min: 0.0,
    f_max: 8_000.0,
    target_dbfs: -30.0,
    window_frames: 160,
    window_hop_frames: 77,
    last_window: LastWindow::Pad { min_coverage: 0.75 },
};

#[derive(Deserialize)]
struct Golden {
    windows: Vec<Windows>,
    embeddings: Vec<Clip>,
}

#[derive(Deserialize)]
struct Windows {
    samples: usize,
    start_frames: Vec<usize>,
}

#[derive(Deserialize)]
struct Clip {
    name: String,
    audio: String,
    samples: usize,
    gain: f32,
    windows: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Segmentation {
    audio: String,
    samples: usize,
    classes: Vec<[f32; 7]>,
}

fn golden() -> Golden {
    from_slice(&read("tests/data/golden/ge2e.json")).unwrap()
}

fn settings(card: &Card) -> MelSettings {
    match card.front_end() {
        FrontEndSettings::Ge2eMel(settings) => settings,
        other => panic!("GE2E's card asks for {other:?}"),
    }
}

#[test]
fn the_card_of_ge2e_asks_for_resemblyzers_front_end_but_for_the_last_window() {
    let (_folder, card) = altered_model(&[]);
    let asked = settings(&card);
    assert_ne!(asked.last_window, RESEMBLYZER.last_window);
    let but_for_it = MelSettings {
        last_window: RESEMBLYZER.last_window,
        ..asked
    };
    assert_eq!(but_for_it, RESEMBLYZER);
}

/// A ten-thousandth of a band's largest value: a symmetric instead of a periodic Hann window moves each
/// band by 8 to 60 of them, frames one sample late by 20 and more, reflected edges by thousands.
#[test]
fn mel_frames_are_librosas() {
    let settings = MelSettings {
        target_dbfs: -200.0,
        window_frames: 51,
        ..RESEMBLYZER
    };
    let expected = floats("tests/data/golden/mel.f32");
    let whole = 0..51 * settings.hop;
    let mel = Ge2eMel::new(settings).mel(&sentence()[..8_000], std::slice::from_ref(&whole));
    assert_eq!((mel.dim(), expected.len()), ((1, 51, 40), 51 * 40));
    for band in 0..40 {
        let of_band = |frame: usize| expected[frame * 40 + band];
        let largest = (0..51).map(of_band).fold(0.0, f32::max);
        for frame in 0..51 {
            let apart = (mel[[0, frame, band]] - of_band(frame)).abs();
            assert!(
                apart <= 1e-4 * largest,
                "frame {frame}, band {band}: {apart} of {largest}"
            );
        }
    }
}

/// A sinusoid on bin k has, through a periodic Hann window, power 1 there, a quarter on either side and
/// nothing elsewhere: every filter can be read off from outside.
#[test]
fn mel_filters_are_librosas_at_every_bin() {
    let filters = floats("tests/data/golden/filterbank.f32");
    assert_eq!(filters.len(), 40 * 201);
    let largest = filters.iter().copied().fold(0.0, f32::max);
    let settings = MelSettings {
        window_frames: 11,
        ..RESEMBLYZER
    };
    let mut front_end = Ge2eMel::new(settings);
    let whole = 0..11 * settings.hop;
    for bin in 2..199 {
        let tone = tones(&[bin as f64 * 40.0], 0.5, 1_600);
        let mel = front_end.mel(&tone, std::slice::from_ref(&whole));
        // Half the amplitude over half the window's sum, squared.
        let power = (0.5f32 * 400.0 / 4.0).powi(2);
        for band in 0..40 {
            let weight = |bin: usize| filters[band * 201 + bin];
            let expected = weight(bin) + (weight(bin - 1) + weight(bin + 1)) / 4.0;
            let apart = (mel[[0, 5, band]] / power - expected).abs();
            assert!(apart <= 1e-4 * largest, "bin {bin}, band {band}: {apart}");
        }
    }
}

#[test]
fn windows_lie_where_resemblyzer_cuts_them() {
    let front_end = Ge2eMel::new(RESEMBLYZER);
    for Windows {
        samples,
        start_frames,
    } in golden().windows
    {
        let windows = front_end.windows(samples);
        let starts: Vec<usize> = windows.iter().map(|window| window.start / 160).collect();
        assert_eq!(starts, start_frames, "{samples} samples");
        assert!(windows.iter().all(|window| window.len() == 160 * 160));
    }
}

/// One frame too late is a cosine of 0.9997, a symmetric Hann window 0.999 989. The telephone clip may
/// differ more: it went through our resampler there and through scipy's here.
#[test]
fn embeddings_are_resemblyzers() {
    let (_folder, card) = altered_model(&[
        ("last_window = \"align_end\"", "last_window = \"pad\""),
        ("min_frames = 20", "min_coverage = 0.75"),
    ]);
    let mut extractor = Extractor::load(&runtime(), &card).unwrap();
    let clips = golden().embeddings;
    assert_eq!(clips.len(), 5);
    for golden in clips {
        let audio = clip(&format!("tests/data/golden/{}", golden.audio));
        let speech: Vec<f32> = audio
            .iter()
            .cycle()
            .take(golden.samples)
            .map(|sample| sample * golden.gain)
            .collect();
        let windows = Ge2eMel::new(settings(&card)).windows(speech.len());
        assert_eq!(windows.len(), golden.windows, "{}", golden.name);
        let ours = extractor.embed(&speech).unwrap();
        let theirs = Embedding::from_direction(golden.embedding).unwrap();
        let cosine = ours.cosine(&theirs).unwrap().get();
        let needed = if golden.name.contains("telephone") {
            0.9999
        } else {
            0.999_99
        };
        assert!(cosine >= needed, "{}: {cosine}", golden.name);
    }
}

/// PyTorch's own, of the networks as they were trained and a mel front end of its own (models/training/export.py).
/// Another level rule, one frame too late or windows elsewhere would be a cosine of 0.9999 and less; the layers for
/// the other bandwidth far less still.
#[test]
fn embeddings_of_the_shipped_model_are_pytorchs() {
    #[derive(Deserialize)]
    struct Clip {
        samples: usize,
        gain: f32,
        smoothed: usize,
        embedding: Vec<f32>,
    }
    let clips: Vec<Clip> = from_slice(&read("tests/data/golden/voxline-phone-1.json")).unwrap();
    assert_eq!(clips.len(), 6);
    let mut extractor = Extractor::load(&runtime(), &models().card).unwrap();
    for golden in clips {
        let endless = sentence().into_iter().cycle();
        let mut speech: Vec<f32> = endless
            .take(golden.samples)
            .map(|sample| sample * golden.gain)
            .collect();
        for _ in 0..golden.smoothed {
            let mean = |end: usize| speech[end.saturating_sub(7)..=end].iter().sum::<f32>() / 8.0;
            speech = (0..speech.len()).map(mean).collect();
        }
        let ours = extractor.embed(&speech).unwrap();
        let theirs = Embedding::from_direction(golden.embedding).unwrap();
        let cosine = ours.cosine(&theirs).unwrap().get();
        assert!(cosine >= 0.999_99, "{} samples: {cosine}", golden.samples);
    }
}

/// The weights of the LSTM layers are of eight bits in the shipped graph: a probability moves by 0.004 on average,
/// and by up to a tenth where one of two voices is about to end.
#[test]
fn who_speaks_is_what_pyannotes_own_network_says() {
    let golden: Segmentation = from_slice(&read("tests/data/golden/segmentation.json")).unwrap();
    let window = &clip(&golden.audio)[..golden.samples];
    let found = Vad::load(&runtime(), &models().vad_graph)
        .unwrap()
        .frames(window)
        .unwrap();
    assert_eq!(found.len(), golden.classes.len());
    let (mut sum, mut most) = (0.0f32, 0.0f32);
    for (found, expected) in found.iter().zip(&golden.classes) {
        for (found, expected) in found.0.iter().zip(expected) {
            sum += (found - expected).abs();
            most = most.max((found - expected).abs());
        }
    }
    let mean = sum / (7 * found.len()) as f32;
    assert!(mean < 0.006 && most < 0.15, "apart by {mean} on average, by {most} at most");
}
