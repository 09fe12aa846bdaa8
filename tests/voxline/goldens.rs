//! Our arithmetic against that of PyTorch and pyannote themselves; the scripts in tests/data/golden and
//! models/segmentation wrote the values.

use serde::Deserialize;
use serde_json::from_slice;
use voxline::speech::Vad;
use voxline::voiceprint::{Embedding, Extractor, FrontEndSettings, KaldiFbank};

use crate::support::{clip, floats, models, read, runtime, sentence};

#[derive(Deserialize)]
struct Segmentation {
    audio: String,
    samples: usize,
    classes: Vec<[f32; 7]>,
}

/// PyTorch's own, of the card's constants: the front end that the shipped model was trained with.
#[test]
fn the_shipped_models_front_end_is_the_one_it_was_trained_with() {
    let FrontEndSettings::KaldiFbank(settings) = models().card.front_end() else {
        panic!("the shipped model's card asks for another front end");
    };
    let expected = floats("tests/data/golden/fbank_voxline.f32");
    let mut ours = Vec::new();
    let frames = KaldiFbank::new(settings).append(&sentence(), &mut ours);
    assert_eq!((frames, ours.len(), expected.len()), (300, 300 * 80, 300 * 80));
    for (at, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        let apart = (ours - expected).abs();
        assert!(apart <= 2e-3, "frame {}, band {}: {apart}", at / 80, at % 80);
    }
}

/// PyTorch's own, of the network as it was trained and a front end of its own: a pre-emphasis or a window of another
/// kind would be a cosine of 0.99 and less. The graph rounds to eight bits, and where it rounds hangs on the last bit of the
/// front end: 0.9998 is seen.
#[test]
fn embeddings_of_the_shipped_model_are_pytorchs() {
    #[derive(Deserialize)]
    struct Clip {
        samples: usize,
        gain: f32,
        embedding: Vec<f32>,
    }
    let clips: Vec<Clip> = from_slice(&read("tests/data/golden/voxline-phone-2.json")).unwrap();
    assert_eq!(clips.len(), 4);
    let mut extractor = Extractor::load(&runtime(), &models().card).unwrap();
    for golden in clips {
        let endless = sentence().into_iter().cycle();
        let speech: Vec<f32> = endless
            .take(golden.samples)
            .map(|sample| sample * golden.gain)
            .collect();
        let ours = extractor.embed(&speech).unwrap();
        let theirs = Embedding::from_direction(golden.embedding).unwrap();
        let cosine = ours.cosine(&theirs).unwrap().get();
        assert!(cosine >= 0.999, "{} samples: {cosine}", golden.samples);
    }
}

/// The weights of the LSTM layers are of eight bits in the shipped graph: a probability moves by 0.004 on average,
/// and by up to a tenth where one of two voices is about to end.
#[test]
fn who_speaks_is_what_pyannotes_own_network_says() {
    let golden: Segmentation = from_slice(&read("tests/data/golden/segmentation.json")).unwrap();
    let window = &clip(&golden.audio)[..golden.samples];
    let mut vad = Vad::load(&runtime(), &models().vad_graph).unwrap();
    let found = vad.frames(window).unwrap();
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
