//! A model with another one beside it: both hear the same speech, and a voiceprint is both embeddings.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use voxline::voiceprint::{Card, CardError, Embedding, Extractor, Recipe};

use crate::public_models::install;
use crate::support::{runtime, sentence, sha256};

/// The `mean` and the `nemo` graph as models of one folder, and the first with a `[beside]` of these lines.
fn models(beside: &str) -> TempDir {
    let models = tempfile::tempdir().unwrap();
    for name in ["mean", "nemo"] {
        let (installed, _) = install(name, Recipe::Metadata, &[]);
        let folder = models.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in ["card.toml", &format!("{name}.onnx")] {
            fs::copy(installed.path().join(file), folder.join(file)).unwrap();
        }
    }
    add(&models.path().join("mean"), beside);
    models
}

fn add(folder: &Path, beside: &str) {
    let path = folder.join("card.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n[beside]\n{beside}\n")).unwrap();
}

fn card(models: &TempDir, name: &str) -> Result<Card, CardError> {
    Card::read(&models.path().join(name))
}

const NEMO: &str = "model = \"nemo\"\nweight = 0.25";

fn embeddings(card: &Card, voices: &[Vec<f32>]) -> Vec<Embedding> {
    let mut extractor = Extractor::load(&runtime(), card).unwrap();
    voices
        .iter()
        .map(|voice| extractor.embed(voice).unwrap())
        .collect()
}

#[test]
fn a_cosine_of_two_models_is_theirs_by_their_weights() {
    let models = models(NEMO);
    let (alone, _) = install("mean", Recipe::Metadata, &[]);
    let tone: Vec<f32> = (0..32_000).map(|at| (at as f32 * 1.2).sin() * 0.3).collect();
    let voices = [sentence()[..30_000].to_vec(), tone];
    let cosine = |card: &Card| {
        let found = embeddings(card, &voices);
        assert_eq!(found[0].dim(), card.dimension());
        f64::from(found[0].cosine(&found[1]).unwrap().get())
    };
    let (own, others) = (
        cosine(&Card::read(alone.path()).unwrap()),
        cosine(&card(&models, "nemo").unwrap()),
    );
    assert!(
        (own - others).abs() > 0.01,
        "alike, they show nothing: {own}, {others}"
    );
    let both = card(&models, "mean").unwrap();
    assert_eq!(both.dimension(), 160);
    let sum = cosine(&both);
    assert!(
        (sum - (0.75 * own + 0.25 * others)).abs() < 1e-5,
        "{sum} of {own} and {others}"
    );
}

/// The graphs say the mean of their frames: of equal segments of one sound, each half is what a single segment's is.
#[test]
fn each_of_two_models_hears_every_segment_of_long_speech() {
    let models = models(NEMO);
    let both = card(&models, "mean").unwrap();
    let second: Vec<f32> = (0..16_000).map(|at| (at as f32 * 0.7).sin() * 0.3).collect();
    let long: Vec<f32> = second.iter().copied().cycle().take(75 * 16_000).collect();
    let found = embeddings(&both, &[long[..30 * 16_000].to_vec(), long]);
    let alike = found[0].cosine(&found[1]).unwrap().get();
    assert!(alike > 0.999_9, "{alike}");
    let half = |at: usize| {
        found[1].as_slice()[at..at + 80]
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
    };
    let (own, others) = (half(0), half(80));
    assert!(
        (own - 0.75).abs() < 1e-3 && (others - 0.25).abs() < 1e-3,
        "{own}, {others}"
    );
}

#[test]
fn two_models_have_a_name_that_changes_with_the_weight() {
    let (one, other) = (models(NEMO), models("model = \"nemo\"\nweight = 0.5"));
    let (both, otherwise) = (card(&one, "mean").unwrap(), card(&other, "mean").unwrap());
    assert_ne!(both.sha256(), card(&one, "nemo").unwrap().sha256());
    assert_ne!(both.sha256(), otherwise.sha256());
    assert_eq!(both.files().len(), 2, "{:?}", both.files());
}

#[test]
fn two_models_ask_for_what_both_need_and_tell_both_licences() {
    let models = models(NEMO);
    let path = models.path().join("nemo/card.toml");
    let text = fs::read_to_string(&path).unwrap();
    let stricter = [
        ("min_seconds = 0.5", "min_seconds = 0.9"),
        ("max_seconds = 30.0", "max_seconds = 10.0"),
        (
            "minimum_net_speech_seconds = 1.0",
            "minimum_net_speech_seconds = 3.5",
        ),
    ];
    let mut changed = text.replace("licence = \"", "licence = \"CC-BY-NC-4.0, ");
    for (from, to) in stricter {
        assert!(text.contains(from), "no `{from}` in\n{text}");
        changed = changed.replace(from, to);
    }
    fs::write(&path, changed).unwrap();
    let both = card(&models, "mean").unwrap();
    assert_eq!(both.minimum_net_speech().get(), 3.5);
    assert_eq!(
        (both.segment().shortest.get(), both.segment().longest.get()),
        (0.9, 10.0)
    );
    assert!(both.licence().contains("CC-BY-NC-4.0"), "{}", both.licence());
}

#[test]
fn the_file_of_the_model_beside_is_checked_as_well() {
    let models = models(NEMO);
    for name in ["mean", "nemo"] {
        let folder = models.path().join(name);
        let hash = sha256(&fs::read(folder.join(format!("{name}.onnx"))).unwrap());
        let text = fs::read_to_string(folder.join("card.toml")).unwrap();
        fs::write(folder.join("card.toml"), text.replace(&"0".repeat(64), &hash)).unwrap();
    }
    let both = card(&models, "mean").unwrap();
    both.check_files().unwrap();
    fs::write(models.path().join("nemo/nemo.onnx"), "another").unwrap();
    let fault = both.check_files().unwrap_err().to_string();
    assert!(
        fault.contains("nemo.onnx") && fault.contains("SHA-256"),
        "{fault}"
    );
}

#[test]
fn a_card_whose_neighbour_cannot_be_is_refused_with_its_name() {
    for weight in ["0.0", "1.0", "-0.5", "nan"] {
        let models = models(&format!("model = \"nemo\"\nweight = {weight}"));
        let fault = card(&models, "mean").unwrap_err().to_string();
        assert!(fault.contains("beside.weight"), "{weight}: {fault}");
    }
    for (beside, said) in [
        ("model = \"nobody\"\nweight = 0.5", "beside.model is `nobody`"),
        ("model = \"mean\"\nweight = 0.5", "only two models"),
        ("folder = \"nemo\"\nweight = 0.5", "folder"),
    ] {
        let fault = card(&models(beside), "mean").unwrap_err().to_string();
        assert!(
            fault.contains(said) && fault.contains("mean/card.toml"),
            "{beside}: {fault}"
        );
    }
    let models = models(NEMO);
    let path = models.path().join("mean/card.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[beside]", "[besides]")).unwrap();
    assert!(card(&models, "mean").unwrap_err().to_string().contains("besides"));
}
