//! Our arithmetic against that of PyTorch and Silero themselves; the scripts in tests/data/golden wrote the values.

use serde::Deserialize;
use serde_json::from_slice;
use voxline::speech::{Overlap, OverlapDetector, Vad, VadState, WINDOW};
use voxline::voiceprint::{Embedding, Extractor, FrontEndSettings, KaldiFbank, ModelId};

use crate::support::{floats, mix, models, provisioned, read, runtime, sentence};

#[derive(Deserialize)]
struct Silero {
    silence_before: usize,
    silence_after: usize,
    window: usize,
    probabilities: Vec<f32>,
}

/// The sentence over and over, as long and as loud as a golden clip.
fn clip(samples: usize, gain: f32) -> Vec<f32> {
    let endless = sentence().into_iter().cycle().take(samples);
    endless.map(|sample| sample * gain).collect()
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
        let speech = clip(golden.samples, golden.gain);
        let ours = extractor.embed(&speech).unwrap();
        let theirs = Embedding::from_direction(golden.embedding).unwrap();
        let cosine = ours.cosine(&theirs).unwrap().get();
        assert!(cosine >= 0.999, "{} samples: {cosine}", golden.samples);
    }
}

/// The network that `voxline-phone-3` puts beside `voxline-phone-2`: SpeechBrain's own code gives a cosine of 0.97 and more
/// to floats, which bytes and pooling every other frame cost; Kaldi's filter bank in place of SpeechBrain's would give 0.94 and
/// less, and to the graph's own answers less still.
#[test]
fn embeddings_of_two_networks_are_speechbrains_beside_ours() {
    #[derive(Deserialize)]
    struct Clip {
        samples: usize,
        gain: f32,
        floats: Vec<f32>,
        graph: Vec<f32>,
    }
    let clips: Vec<Clip> = from_slice(&read("tests/data/golden/voxline-phone-3.json")).unwrap();
    assert_eq!(clips.len(), 4);
    let card = provisioned().card(&ModelId::new("voxline-phone-3")).unwrap();
    card.check_files().unwrap();
    let mut both = Extractor::load(&runtime(), &card).unwrap();
    let mut usual = Extractor::load(&runtime(), &models().card).unwrap();
    for golden in clips {
        let speech = clip(golden.samples, golden.gain);
        let ours = both.embed(&speech).unwrap();
        let part = |of: &[f32]| Embedding::from_direction(of.to_vec()).unwrap();
        let own = part(&ours.as_slice()[..192]);
        let near = |theirs: &Embedding, ours: &Embedding| ours.cosine(theirs).unwrap().get();
        let (floats, graph) = (
            near(&part(&golden.floats), &own),
            near(&part(&golden.graph), &own),
        );
        assert!(graph >= 0.999, "{} samples: {graph} to the graph", golden.samples);
        assert!(floats >= 0.965, "{} samples: {floats} to floats", golden.samples);
        let beside = near(&usual.embed(&speech).unwrap(), &part(&ours.as_slice()[192..]));
        assert!(
            beside >= 0.999_999,
            "{} samples: {beside} to the usual model",
            golden.samples
        );
    }
}

/// Between silence and speech lie 0.5 and more; a forgotten context or state moves single windows by
/// tenths.
#[test]
fn speech_probabilities_are_those_of_sileros_own_model() {
    let golden: Silero = from_slice(&read("tests/data/golden/silero.json")).unwrap();
    assert_eq!(golden.window, WINDOW);
    let mut wave = vec![0.0; golden.silence_before];
    wave.extend(sentence());
    wave.resize(wave.len() + golden.silence_after, 0.0);
    assert_eq!(wave.len() / WINDOW, golden.probabilities.len());

    let mut vad = Vad::load(&runtime(), &models().vad_graph).unwrap();
    let mut state = VadState::default();
    let (windows, _) = wave.as_chunks::<WINDOW>();
    let probabilities = vad.probabilities(windows, &mut state).unwrap();
    for (at, (probability, expected)) in probabilities.iter().zip(golden.probabilities).enumerate() {
        assert!(
            (probability - expected).abs() <= 1e-3,
            "window {at}: {probability}, not {expected}"
        );
    }
}

/// PyTorch's own, on floats: of either voice no frame in fifty is of two, of both at once most are. Weights of 16 bits change a
/// frame or two.
#[test]
fn frames_of_two_voices_are_counted_as_pytorch_counts_them() {
    #[derive(Deserialize)]
    struct Counts {
        speech: usize,
        at_once: usize,
    }
    #[derive(Deserialize)]
    struct Golden {
        one: Counts,
        other: Counts,
        both: Counts,
    }
    let golden: Golden = from_slice(&read("tests/data/golden/segmentation.json")).unwrap();
    assert!(golden.both.at_once > golden.both.speech / 3);
    let mut detector = OverlapDetector::load(&runtime(), &models().segmentation_graph).unwrap();
    let five_seconds = |key: &str| {
        let speech = crate::support::clip(&format!("enrollment_samples/signup/{key}/1.flac"));
        speech[..80_000].to_vec()
    };
    let (one, other) = (five_seconds("alice"), five_seconds("robert"));
    let both = mix(&one, &other);
    for (audio, golden) in [(&one, golden.one), (&other, golden.other), (&both, golden.both)] {
        let Overlap { speech, at_once } = detector.hear(audio).unwrap();
        assert!(
            speech.abs_diff(golden.speech) <= 3,
            "{speech}, not {}",
            golden.speech
        );
        assert!(
            at_once.abs_diff(golden.at_once) <= 5,
            "{at_once}, not {}",
            golden.at_once
        );
    }
    // Of a moment nothing is counted.
    assert_eq!(detector.hear(&both[..3000]).unwrap(), Overlap::default());
}
