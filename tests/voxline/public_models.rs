//! Models that came as a graph alone: the card that is drafted for them, and what they are then fed.
//! tests/data/graphs/make_graphs.py made the small graphs, which answer with a statistic of their input.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::from_slice;
use tempfile::TempDir;
use voxline::voiceprint::{
    BadEmbedding, Card, CardDraft, CardError, DraftError, Embedding, ExtractError, Extractor,
    FrontEndSettings, KaldiFbank, ModelId, NemoMel, Recipe, check_sha256, draft_card,
};

use crate::support::{Rng, project, read, runtime, sentence, shared};

/// The card that is drafted for a graph file, as text.
pub fn drafted(graph: &Path, recipe: Recipe) -> Result<String, DraftError> {
    let id = ModelId::new("drafted");
    let name = graph.file_name().unwrap().to_str().unwrap();
    draft_card(
        &runtime().open(graph).unwrap(),
        &CardDraft {
            id: &id,
            description: "",
            licence: "",
            file: name,
            bytes: fs::metadata(graph).unwrap().len(),
            sha256: &"0".repeat(64),
            source: &[("url", "https://models.example/drafted.onnx")],
            recipe,
        },
    )
}

/// A small graph installed with its drafted card, with every `from` in it written as `to`.
pub fn install(name: &str, recipe: Recipe, changes: &[(&str, &str)]) -> (TempDir, Result<Card, CardError>) {
    let graph = project(&format!("tests/data/graphs/{name}.onnx"));
    install_file(&graph, recipe, changes)
}

fn install_file(
    graph: &Path,
    recipe: Recipe,
    changes: &[(&str, &str)],
) -> (TempDir, Result<Card, CardError>) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = drafted(graph, recipe).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "the card does not say `{from}`:\n{text}");
        text = text.replace(from, to);
    }
    fs::copy(graph, folder.path().join(graph.file_name().unwrap())).unwrap();
    fs::write(folder.path().join("card.toml"), text).unwrap();
    let card = Card::read(folder.path());
    (folder, card)
}

fn extractor(name: &str, recipe: Recipe, changes: &[(&str, &str)]) -> Extractor {
    // The graph is in memory once it is loaded; its folder may go.
    let (_folder, card) = install(name, recipe, changes);
    Extractor::load(&runtime(), &card.unwrap()).unwrap()
}

fn cosine(a: &Embedding, b: &Embedding) -> f32 {
    a.cosine(b).unwrap().get()
}

/// The mean of each of 80 bins over the frames.
fn means(features: &[f32]) -> Embedding {
    let frames = (features.len() / 80) as f32;
    let mean = |bin: usize| features.iter().skip(bin).step_by(80).sum::<f32>() / frames;
    Embedding::from_direction((0..80).map(mean).collect()).unwrap()
}

#[derive(Deserialize)]
struct Clip {
    graph: String,
    seconds: usize,
    sha256: String,
    embedding: Vec<f32>,
}

impl Clip {
    /// The sentence, repeated for so many seconds.
    fn speech(&self) -> Vec<f32> {
        sentence()
            .into_iter()
            .cycle()
            .take(self.seconds * 16_000)
            .collect()
    }

    fn embedding(&self) -> Embedding {
        Embedding::from_direction(self.embedding.clone()).unwrap()
    }
}

/// How far another window or another upper edge would move it is in the test after this one.
#[test]
fn embeddings_are_those_sherpa_onnx_gives_for_the_same_file_and_audio() {
    let clips: Vec<Clip> = from_slice(&read("tests/data/golden/sherpa.json")).unwrap();
    assert_eq!(clips.len(), 4);
    for of_a_graph in clips.chunk_by(|one, next| one.graph == next.graph) {
        let first = &of_a_graph[0];
        let Some(graph) = shared(&format!("models/random_weights/{}", first.graph)) else {
            eprintln!(
                "skipped: {} is only in the shared folder, which is not here",
                first.graph
            );
            continue;
        };
        check_sha256(&graph, &first.sha256).unwrap();
        let (_folder, card) = install_file(&graph, Recipe::Metadata, &[]);
        let mut extractor = Extractor::load(&runtime(), &card.unwrap()).unwrap();
        for clip in of_a_graph {
            let alike = cosine(&extractor.embed(&clip.speech()).unwrap(), &clip.embedding());
            assert!(alike >= 0.999_99, "{}, {} s: {alike}", clip.graph, clip.seconds);
        }
    }
}

/// The trainers' own features differ from sherpa-onnx's by the window and the band, and it shows: a front end
/// that were only roughly right would not pass the test above.
#[test]
fn embeddings_by_the_trainers_own_front_end_are_not_sherpas() {
    let clips: Vec<Clip> = from_slice(&read("tests/data/golden/sherpa.json")).unwrap();
    let Some(graph) = shared("models/random_weights/ecapa512.onnx") else {
        eprintln!("skipped: ecapa512.onnx is only in the shared folder, which is not here");
        return;
    };
    let clip = clips
        .into_iter()
        .find(|clip| clip.graph == "ecapa512.onnx")
        .unwrap();
    let (_folder, card) = install_file(&graph, Recipe::WeSpeaker, &[]);
    let mut extractor = Extractor::load(&runtime(), &card.unwrap()).unwrap();
    let speech: Vec<f32> = sentence()
        .into_iter()
        .cycle()
        .take(clip.seconds * 16_000)
        .collect();
    let theirs = Embedding::from_direction(clip.embedding).unwrap();
    let alike = cosine(&extractor.embed(&speech).unwrap(), &theirs);
    assert!(alike < 0.999_9, "{alike}");
}

#[test]
fn a_file_with_sherpas_keys_makes_its_card_by_itself() {
    let graph = project("tests/data/graphs/mean.onnx");
    let text = drafted(&graph, Recipe::Metadata).unwrap();
    for line in [
        "kind = \"kaldi_fbank\"",
        "sample_scale = 32768.0",
        "window = \"povey\"",
        "snip_edges = false",
        "f_max = -400.0",
        "normalisation = \"none\"",
        "shape = [\"batch\", \"frames\", 80]",
        "dimension = 80",
        "description = \"wespeaker: the mean of its input\"",
        "preemphasis = 0.97\n",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    let (_folder, card) = install("mean", Recipe::Metadata, &[]);
    let mut extractor = Extractor::load(&runtime(), &card.unwrap()).unwrap();
    let FrontEndSettings::KaldiFbank(settings) = extractor.card().front_end() else {
        panic!("another front end");
    };
    let mut features = Vec::new();
    KaldiFbank::new(settings).append(&sentence(), &mut features);
    let ours = extractor.embed(&sentence()).unwrap();
    assert!(cosine(&ours, &means(&features)) > 0.999_999);
}

/// The graph divides the sum over the frames by the length it was given.
#[test]
fn nemos_graphs_are_fed_bins_by_frames_with_the_number_of_frames() {
    let mut extractor = extractor("nemo", Recipe::Metadata, &[]);
    let FrontEndSettings::NemoMel(settings) = extractor.card().front_end() else {
        panic!("another front end");
    };
    let mut features = Vec::new();
    NemoMel::new(settings).append(&sentence(), &mut features);
    let ours = extractor.embed(&sentence()).unwrap();
    assert_eq!(ours.dim(), 80);
    assert!(cosine(&ours, &means(&features)) > 0.999_999);
}

#[test]
fn a_waveform_model_hears_the_samples_themselves() {
    let mut extractor = extractor(
        "waveform",
        Recipe::RawWaveform,
        &[("sample_scale = 1.0", "sample_scale = 2.0")],
    );
    let speech: Vec<f32> = sentence().iter().map(|sample| sample + 0.25).collect();
    let count = speech.len() as f32;
    let mean = speech.iter().map(|sample| 2.0 * sample).sum::<f32>() / count;
    let power = speech.iter().map(|sample| 4.0 * sample * sample).sum::<f32>() / count;
    let expected = Embedding::from_direction(vec![mean, power]).unwrap();
    assert!(cosine(&extractor.embed(&speech).unwrap(), &expected) > 0.999_999);
}

#[test]
fn long_speech_is_the_mean_direction_of_its_segments() {
    let speech: Vec<f32> = sentence().into_iter().cycle().take(90_001).collect();
    let bound = ("max_seconds = 30.0", "max_seconds = 1.3");
    for (name, recipe) in [
        ("mean", Recipe::Metadata),
        ("nemo", Recipe::NeMo),
        ("waveform", Recipe::RawWaveform),
    ] {
        // Without a normalisation, or every mean is zero.
        let mut changes = vec![bound];
        if name == "nemo" {
            changes.push(("normalisation = \"per_feature\"", "normalisation = \"none\""));
        }
        let mut extractor = extractor(name, recipe, &changes);
        let segment = extractor.card().segment();
        let cuts = segment.cuts(speech.len());
        assert_eq!(cuts.len(), 5);
        let parts: Vec<Embedding> = cuts
            .iter()
            .map(|cut| extractor.embed(&speech[cut.clone()]).unwrap())
            .collect();
        let mean = Embedding::mean(parts.iter().map(|part| (part, 1.0))).unwrap();
        let whole = extractor.embed(&speech).unwrap();
        assert!(cosine(&whole, &mean) > 0.999_999, "{name}");
        assert!(
            parts.iter().any(|part| cosine(part, &mean) < 0.999_99),
            "{name}: segments differ"
        );
    }
}

/// A sound that never changes has one embedding, however it is cut. (It repeats itself every hop, and the
/// cuts lie on whole hops.)
#[test]
fn any_cut_of_a_steady_sound_gives_the_same_embedding() {
    let period = Rng::new(3).noise(-20.0, 160);
    let steady: Vec<f32> = period.into_iter().cycle().take(64_000).collect();
    let whole = extractor("mean", Recipe::WeSpeaker, &[("utterance_mean", "none")])
        .embed(&steady)
        .unwrap();
    for bound in ["0.7", "1.0", "1.6", "2.5", "3.99"] {
        let bound = format!("max_seconds = {bound}");
        let changes = [("utterance_mean", "none"), ("max_seconds = 30.0", bound.as_str())];
        let cut = extractor("mean", Recipe::WeSpeaker, &changes)
            .embed(&steady)
            .unwrap();
        assert!(cosine(&cut, &whole) > 0.999_999, "{bound}");
    }
}

#[test]
fn too_little_speech_is_said_and_never_guessed() {
    let mut extractor = extractor("mean", Recipe::Metadata, &[]);
    for samples in [0, 1, 400, 7_999] {
        let fault = extractor.embed(&sentence()[..samples]).unwrap_err();
        assert!(matches!(fault, ExtractError::TooShort { .. }), "{fault}");
        assert!(fault.to_string().contains("0.50 s"), "{fault}");
    }
    assert!(extractor.embed(&sentence()[..8_000]).is_ok());
}

#[test]
fn what_has_no_direction_gives_no_voiceprint() {
    // Every frame of silence is the same: nothing is left when the mean is taken off.
    let mut extractor = extractor("mean", Recipe::WeSpeaker, &[]);
    let fault = extractor.embed(&[0.0; 16_000]).unwrap_err();
    assert!(
        matches!(fault, ExtractError::Embedding(BadEmbedding::Zero)),
        "{fault}"
    );
    let mut speech = sentence();
    speech[20_000] = f32::NAN;
    let fault = extractor.embed(&speech).unwrap_err();
    assert!(
        matches!(fault, ExtractError::Embedding(BadEmbedding::NotFinite)),
        "{fault}"
    );
}
