//! The card that is drafted for a graph which came without one, and what is wrong with cards that do not fit.

use voxline::voiceprint::{CardError, DraftError, ExtractError, Extractor, Recipe, Segment};

use crate::public_models::{drafted, install};
use crate::support::{project, provisioned, runtime};

#[test]
fn a_recipe_overrules_the_keys_of_the_file() {
    let text = drafted(&project("tests/data/graphs/mean.onnx"), Recipe::WeSpeaker).unwrap();
    for line in ["window = \"hamming\"", "snip_edges = true", "f_max = 0.0"] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    let text = drafted(&project("tests/data/graphs/mean.onnx"), Recipe::SpeechBrain).unwrap();
    assert!(
        text.contains("kind = \"speechbrain_fbank\"") && text.contains("amin = 0.0000000001"),
        "{text}"
    );
}

#[test]
fn a_graph_unlike_its_front_end_is_refused_with_the_difference() {
    for (name, recipe, from, to, said) in [
        (
            "mean",
            Recipe::Metadata,
            "n_mels = 80",
            "n_mels = 64",
            "80 values a frame",
        ),
        (
            "mean",
            Recipe::Metadata,
            "time_features",
            "features_time",
            "fixed length",
        ),
        (
            "nemo",
            Recipe::Metadata,
            "features_time",
            "time_features",
            "fixed length",
        ),
        (
            "nemo",
            Recipe::Metadata,
            "name = \"length\"",
            "name = \"len\"",
            "no `len`",
        ),
        (
            "nemo",
            Recipe::Metadata,
            "name = \"embs\"",
            "name = \"xvector\"",
            "only `logits` and `embs`",
        ),
        (
            "nemo",
            Recipe::Metadata,
            "name = \"embs\"",
            "name = \"logits\"",
            "`logits` has shape",
        ),
        (
            "waveform",
            Recipe::RawWaveform,
            "dimension = 2",
            "dimension = 3",
            "the dimension 3",
        ),
    ] {
        let (_folder, card) = install(name, recipe, &[(from, to)]);
        match Extractor::load(&runtime(), &card.unwrap()) {
            Err(ExtractError::Card(fault @ CardError::GraphDiffers { .. })) => {
                assert!(fault.to_string().contains(said), "{to}: {fault}");
            }
            Err(other) => panic!("{to}: another fault: {other}"),
            Ok(_) => panic!("{to} was not noticed"),
        }
    }
}

#[test]
fn a_card_with_an_impossible_front_end_is_refused() {
    for (name, recipe, from, to, said) in [
        ("mean", Recipe::Metadata, "n_fft = 512", "n_fft = 256", "n_fft"),
        (
            "mean",
            Recipe::Metadata,
            "f_max = -400.0",
            "f_max = -8000.0",
            "f_min and f_max",
        ),
        ("mean", Recipe::Metadata, "snip_edges", "dither", "dither"),
        (
            "mean",
            Recipe::Metadata,
            "time_features",
            "samples",
            "input.layout",
        ),
        (
            "mean",
            Recipe::Metadata,
            "min_seconds = 0.5",
            "min_seconds = 0.01",
            "segment.min_seconds",
        ),
        (
            "mean",
            Recipe::Metadata,
            "min_seconds = 0.5",
            "min_seconds = 1.5",
            "segment.min_seconds",
        ),
        (
            "mean",
            Recipe::Metadata,
            "max_seconds = 30.0",
            "max_seconds = 1e9",
            "segment.max_seconds",
        ),
        (
            "nemo",
            Recipe::NeMo,
            "mel_scale = \"slaney\"",
            "mel_scale = \"htk\"",
            "htk",
        ),
        (
            "mean",
            Recipe::SpeechBrain,
            "top_db = 80.0",
            "top_db = -1.0",
            "top_db",
        ),
        (
            "waveform",
            Recipe::RawWaveform,
            "layout = \"samples\"",
            "layout = \"time_features\"",
            "input.layout",
        ),
    ] {
        let (_folder, card) = install(name, recipe, &[(from, to)]);
        match card {
            Err(fault @ CardError::Malformed { .. }) => {
                assert!(fault.to_string().contains(said), "{to}: {fault}");
            }
            Err(other) => panic!("{to}: another fault: {other}"),
            Ok(_) => panic!("{to} was not noticed"),
        }
    }
}

#[test]
fn a_graph_that_says_nothing_of_its_features_gets_no_card() {
    let slow = project("tests/data/graphs/slow.onnx");
    let fault = drafted(&slow, Recipe::Metadata).unwrap_err();
    assert!(matches!(fault, DraftError::NoFramework), "{fault}");
    // The speech detector takes three inputs, none of them an utterance's features.
    let vad = provisioned()
        .models_dir
        .join("silero_vad/weights/silero_vad.onnx");
    let fault = drafted(&vad, Recipe::WeSpeaker).unwrap_err();
    assert!(matches!(fault, DraftError::Shape(_)), "{fault}");
}

#[test]
fn the_default_cut_is_what_a_card_gets_that_says_nothing() {
    let (_folder, card) = install(
        "mean",
        Recipe::Metadata,
        &[("[segment]\nmax_seconds = 30.0\nmin_seconds = 0.5\n", "")],
    );
    assert_eq!(card.unwrap().segment(), Segment::DEFAULT);
}
