//! Laws of the slot for a countermeasure: what its card promises is held against the graph before anybody is heard.

use std::fs;

use tempfile::TempDir;
use voxline::onnx::{Attribute, Draft, Weights};
use voxline::voiceprint::{Countermeasure, CountermeasureCard, CountermeasureError};

use crate::support::{runtime, sha256};

/// Samples of a window of the countermeasures here: 2 s.
pub const WINDOW: usize = 32_000;

/// The mean square of a window, from which on speech is spoofed by [`card`]: -33 dBFS.
const LOUD: f64 = 0.000_45;

/// The beginning of a graph that takes a window of any length for the mean of its squares, `power` [1, 1].
fn power(shape: &[Option<u64>]) -> Draft {
    let mut draft = Draft::default();
    draft.input("wave", shape);
    draft.node("Mul", &["wave", "wave"], &["squares"], &[]);
    draft.node("ReduceMean", &["squares"], &["power"], &[]);
    draft
}

/// A graph to which whoever is loud is spoofed: a property that any recording can be given.
pub fn loudness() -> Draft {
    let mut draft = power(&[None, None]);
    draft.node("Identity", &["power"], &["score"], &[]);
    draft.output("score");
    draft
}

/// The same as two logits: of bona fide speech the first, of spoofed speech the second.
fn two_logits() -> Draft {
    let mut draft = power(&[None, None]);
    draft.node("Neg", &["power"], &["less"], &[]);
    let along = [("axis", Attribute::Integer(1))];
    draft.node("Concat", &["less", "power"], &["score"], &along);
    draft.output("score");
    draft
}

/// A graph whose answer is no number from a mean square of `from` on.
pub fn breaking(from: f32) -> Draft {
    let mut draft = power(&[None, None]);
    let bound = Weights {
        shape: vec![1],
        values: vec![from],
    };
    draft.floats("bound", &bound);
    draft.node("Sub", &["bound", "power"], &["left"], &[]);
    draft.node("Sqrt", &["left"], &["root"], &[]);
    draft.node("Mul", &["root", "power"], &["score"], &[]);
    draft.output("score");
    draft
}

/// The card of a countermeasure with this graph. Its ratio is 1000 times the mean square of a window less [`LOUD`].
fn card(graph: &[u8]) -> String {
    format!(
        "id = \"loudness\"\ndescription = \"whoever is loud is spoofed\"\nlicence = \"none\"\nsample_rate = 16000\n\
         [graph]\nfile = \"loudness.onnx\"\nsha256 = \"{}\"\n[input]\nname = \"wave\"\nsamples = {WINDOW}\n\
         [output]\nname = \"score\"\nspoofed = 0\n[llr]\nscale = 1000.0\noffset = {}\nspoofed_from = 0.0\n",
        sha256(graph),
        -1000.0 * LOUD
    )
}

/// A folder with this graph and its card, in which every `from` is written as `to`.
pub fn installed(graph: &Draft, changes: &[(&str, &str)]) -> TempDir {
    let (folder, graph) = (tempfile::tempdir().unwrap(), graph.model());
    let mut text = card(&graph);
    for (from, to) in changes {
        assert!(text.contains(from), "the card no longer says `{from}`");
        text = text.replace(from, to);
    }
    fs::write(folder.path().join("loudness.onnx"), graph).unwrap();
    fs::write(folder.path().join("card.toml"), text).unwrap();
    folder
}

fn load(folder: &TempDir) -> Result<Countermeasure, CountermeasureError> {
    let card = CountermeasureCard::read(folder.path())?;
    Countermeasure::load(&runtime(), &card)
}

#[test]
fn a_ratio_is_the_cards_line_through_a_score_or_two_logits() {
    let window = [0.1_f32; WINDOW];
    let expected = 1000.0 * (0.01 - LOUD);
    let heard = |folder| load(&folder).unwrap().llr(&window).unwrap().get();
    let one = heard(installed(&loudness(), &[]));
    assert!((one - expected).abs() < 1e-3, "{one}");
    let logits = [("spoofed = 0", "spoofed = 1\nbona_fide = 0")];
    let two = heard(installed(&two_logits(), &logits));
    // The logits are as far apart as twice the score.
    assert!((two - (expected + 10.0)).abs() < 1e-3, "{two}");
    let turned = [("spoofed = 0", "spoofed = 0\nbona_fide = 1")];
    let turned = heard(installed(&two_logits(), &turned));
    assert!((turned + 20.0 + 1000.0 * LOUD).abs() < 1e-3, "{turned}");
}

#[test]
fn what_is_not_as_its_card_says_is_refused_with_what_is_wrong_and_where() {
    for (from, to, said) in [
        (
            "sample_rate = 16000",
            "sample_rate = 8000",
            "sample_rate is 8000; speech is heard at 16000",
        ),
        ("samples = 32000", "samples = 0", "input.samples is 0"),
        (
            "\"wave\"",
            "\"audio\"",
            "calls `wave` what the card calls `audio`",
        ),
        ("\"score\"", "\"logits\"", "no output called `logits`"),
        (
            "spoofed = 0",
            "spoofed = 0\nbona_fide = 1",
            "gives 1 numbers for a window where the card says 2",
        ),
        ("spoofed = 0", "spoofed = 2", "output.spoofed"),
        ("scale = 1000.0", "scale = 0.0", "llr.scale"),
        ("offset = -0.45", "offset = nan", "finite"),
        ("licence = \"none\"", "license = \"none\"", "license"),
        ("sha256 = \"", "sha256 = \"0", "SHA-256"),
        (
            "file = \"loudness.onnx\"",
            "file = \"nowhere.onnx\"",
            "nowhere.onnx cannot be read",
        ),
    ] {
        let folder = installed(&loudness(), &[(from, to)]);
        let Err(fault) = load(&folder) else {
            panic!("`{to}` was not noticed")
        };
        let (message, path) = (fault.to_string(), folder.path().display().to_string());
        assert!(
            message.contains(said) && message.contains(&path),
            "{to}: {message}"
        );
    }
}

#[test]
fn a_graph_of_another_window_or_no_number_is_refused_at_the_start() {
    let mut fixed = power(&[Some(1), Some(64_600)]);
    fixed.output("power");
    let mut two = power(&[None, None]);
    two.input("lengths", &[None]);
    two.output("power");
    for (graph, said) in [
        (fixed, "is fed float32 of shape [1, 32000]"),
        (two, "2 inputs"),
        (breaking(0.000_1), "which is no score"),
    ] {
        let name = if said.contains("no score") {
            "score"
        } else {
            "power"
        };
        let folder = installed(&graph, &[("name = \"score\"", &format!("name = \"{name}\""))]);
        let Err(fault) = load(&folder) else {
            panic!("{said}: it was loaded")
        };
        let message = fault.to_string();
        assert!(
            message.contains(said) && message.contains("loudness.onnx"),
            "{message}"
        );
    }
    let folder = installed(&loudness(), &[]);
    fs::write(folder.path().join("loudness.onnx"), "no graph").unwrap();
    let Err(fault @ CountermeasureError::WrongFile { .. }) = load(&folder) else {
        panic!("another file was loaded")
    };
    assert!(fault.to_string().contains("loudness.onnx"), "{fault}");
}
