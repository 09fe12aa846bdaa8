//! A model that is not exactly what its card says does not serve anybody, and the fault says why.

use std::fs;

use ndarray::ArrayD;
use serde::Deserialize;
use serde_json::from_slice;
use voxline::decision::Calibration;
use voxline::onnx::{Graph, Input, OnnxError};
use voxline::speech::{Vad, VadError};
use voxline::voiceprint::{Card, CardError, ExtractError, Extractor};

use crate::support::{altered_model, models, project, provisioned, read, runtime};

/// What is said when the model is loaded with these changes to its card.
fn refusal(changes: &[(&str, &str)]) -> String {
    let (_folder, card) = altered_model(changes);
    match Extractor::load(&runtime(), &card) {
        Err(fault @ ExtractError::Card(CardError::GraphDiffers { .. })) => fault.to_string(),
        Err(other) => panic!("another fault: {other}"),
        Ok(_) => panic!("{changes:?} was not noticed"),
    }
}

#[test]
fn the_provisioned_model_is_what_its_card_says() {
    let models = models();
    assert!(Extractor::load(&runtime(), &models.card).is_ok());
    assert!(Vad::load(&runtime(), &models.vad_graph).is_ok());
}

#[test]
fn a_graph_that_differs_from_its_card_is_refused_with_the_difference() {
    for (from, to, said) in [
        (
            "name = \"feats\"",
            "name = \"melody\"",
            "calls `feats` what the card calls `melody`",
        ),
        ("name = \"embs\"", "name = \"dvector\"", "`dvector`"),
        (
            "shape = [\"batch\", \"frames\", 80]",
            "shape = [\"batch\", \"frames\", 40]",
            "the card says",
        ),
        (
            "shape = [\"batch\", \"frames\", 80]",
            "shape = [\"batch\", 80]",
            "the card says",
        ),
        (
            "shape = [\"batch\", \"frames\", 80]",
            "shape = [1, \"frames\", 80]",
            "-1 is free",
        ),
        (
            "shape = [\"batch\", 192]",
            "shape = [\"batch\", 256]",
            "`embs` has shape",
        ),
        ("dimension = 192", "dimension = 256", "the dimension 256"),
        ("n_mels = 80", "n_mels = 40", "the front end gives 40"),
    ] {
        let message = refusal(&[(from, to)]);
        assert!(
            message.contains(said) && message.contains("voxline-phone-2.onnx"),
            "{to}: {message}"
        );
    }
}

#[test]
fn a_file_other_than_the_cards_is_refused_by_its_hash() {
    let (folder, card) = altered_model(&[]);
    assert!(card.check_files().is_ok());
    let weights = folder.path().join("voxline-phone-2.onnx");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let fault = card.check_files().unwrap_err();
    assert!(matches!(&fault, CardError::WrongFile { path, .. } if *path == weights));
    assert!(fault.to_string().contains("make provision"), "{fault}");
    // The installed files are found by the same check before the engine loads anything.
    let mut installed = provisioned();
    installed.models_dir = folder.path().to_owned();
    assert!(installed.models(&card).is_err());
}

#[test]
fn a_models_identity_is_of_all_that_makes_its_voiceprints() {
    let (_folder, usual) = altered_model(&[]);
    for (from, to) in [
        ("preemphasis = 0.97", "preemphasis = 0.0"),
        ("sample_scale = 32768.0", "sample_scale = 1.0"),
        ("window = \"povey\"", "window = \"hamming\""),
        ("f_max = 0.0", "f_max = 7600.0"),
        ("name = \"embs\"", "name = \"dvector\""),
        (
            "shape = [\"batch\", \"frames\", 80]",
            "shape = [\"batch\", 80, \"frames\"]\nlayout = \"features_time\"",
        ),
        ("[front_end]", "[segment]\nmax_seconds = 10.0\n\n[front_end]"),
    ] {
        let (_folder, other) = altered_model(&[(from, to)]);
        assert_eq!(other.sha256(), usual.sha256(), "{to}");
        assert_ne!(other.identity(), usual.identity(), "{to}");
    }
    let said = ("description = \"CAM++", "description = \"Our CAM++");
    let told_otherwise = altered_model(&[said, ("dimension = 192", "dimension = 192 # numbers")]).1;
    assert_eq!(told_otherwise.identity(), usual.identity());
    // Stores keep it: with another of the same card every one of them would refuse its model.
    let kept = "e4eb8bdd21b9d93d7764a103b2f1ab2b767ea2ba116fa8a347ed007d13f5c945";
    assert_eq!(usual.identity(), kept);
    let both = Card::read(&project("models/voxline-phone-3")).unwrap();
    let kept = "402c92eb12b931fdca6a8c8c5798c2698c552c08f94a24221e76fb5da5449ecc";
    assert_eq!(both.identity(), kept);
}

#[test]
fn a_calibration_is_of_the_card_it_was_fitted_with() {
    let (folder, fitted) = altered_model(&[]);
    let shipped = read(&format!("models/{}/calibration.toml", fitted.id()));
    let shipped = String::from_utf8(shipped).unwrap();
    let path = folder.path().join("calibration.toml");
    let load = |text: &str, card: &Card| {
        fs::write(&path, text).unwrap();
        Calibration::load(&path, card)
            .map(drop)
            .map_err(|fault| fault.to_string())
    };
    let (_folder, other) = altered_model(&[("window = \"povey\"", "window = \"hamming\"")]);
    // One that does not tell its card is believed.
    assert_eq!(load(&shipped, &other), Ok(()));
    let told = format!("[origin]\nmodel_identity = \"{}\"", fitted.identity());
    let told = shipped.replace("[origin]", &told);
    assert_eq!(load(&told, &fitted), Ok(()));
    let refused = load(&told, &other).unwrap_err();
    assert!(
        refused.contains("another card") && refused.contains(other.identity()),
        "{refused}"
    );
}

#[test]
fn weights_that_were_not_fetched_are_named_with_what_to_do() {
    let (folder, card) = altered_model(&[]);
    let weights = folder.path().join("voxline-phone-2.onnx");
    fs::remove_file(&weights).unwrap();
    assert_eq!(card.files(), [(weights.clone(), None)]);
    let message = card.check_files().unwrap_err().to_string();
    assert!(
        message.contains("make provision") && message.contains(weights.to_str().unwrap()),
        "{message}"
    );
    let Err(fault) = Extractor::load(&runtime(), &card) else {
        panic!("a graph without its weights was loaded")
    };
    assert!(
        matches!(fault, ExtractError::Onnx(OnnxError::Graph { .. })),
        "{fault}"
    );
    assert!(fault.to_string().contains("voxline-phone-2.onnx"), "{fault}");
}

#[test]
fn what_is_no_graph_is_refused_by_name() {
    let (folder, card) = altered_model(&[]);
    for garbage in [&b""[..], b"not a graph at all", &[0xFF; 4096]] {
        fs::write(folder.path().join("voxline-phone-2.onnx"), garbage).unwrap();
        let Err(fault) = Extractor::load(&runtime(), &card) else {
            panic!("garbage was loaded")
        };
        assert!(
            matches!(fault, ExtractError::Onnx(OnnxError::Graph { .. })),
            "{fault}"
        );
        assert!(fault.to_string().contains("voxline-phone-2.onnx"), "{fault}");
    }
}

#[test]
fn another_models_graph_is_not_taken_for_the_speech_detector() {
    let speaker = models().card.graph();
    let Err(fault) = Vad::load(&runtime(), &speaker) else {
        panic!("a speaker model was taken for the speech detector")
    };
    assert!(matches!(fault, VadError::NotSilero { .. }));
    let message = fault.to_string();
    assert!(
        message.contains("stft.forward_basis_buffer") && message.contains("make provision"),
        "{message}"
    );
}

#[test]
fn a_graph_says_what_was_wrong_with_what_it_was_fed() {
    let mut graph: Graph = runtime().open(&models().card.graph()).unwrap();
    let wrong = ndarray::ArrayD::<f32>::zeros(vec![1, 160, 79]);
    let feed = [("feats", voxline::onnx::Input::Floats(wrong.view()))];
    let fault = graph.run(&feed, &["embs"]).unwrap_err();
    assert!(matches!(&fault, OnnxError::Run { path, .. } if path.ends_with("voxline-phone-2.onnx")));
    let right = ndarray::ArrayD::<f32>::zeros(vec![1, 160, 80]);
    let feed = [("feats", voxline::onnx::Input::Floats(right.view()))];
    let fault = graph.run(&feed, &["nothing"]).unwrap_err();
    assert!(fault.to_string().contains("no output called `nothing`"));
    assert!(
        graph.run(&feed, &["embs"]).is_ok(),
        "a fault leaves the graph usable"
    );
}

#[derive(Deserialize)]
struct Answered {
    shape: [usize; 3],
    heard: Vec<f32>,
    said: Vec<f32>,
}

#[test]
fn rewritten_convolutions_say_what_onnxs_own_evaluator_says() {
    let answered: Answered = from_slice(&read("tests/data/graphs/convolutions.json")).unwrap();
    let mut graph = runtime()
        .open(&project("tests/data/graphs/convolutions.onnx"))
        .unwrap();
    let [batch, ..] = answered.shape;
    let heard =
        ArrayD::from_shape_vec(vec![batch, 8, answered.heard.len() / 8 / batch], answered.heard).unwrap();
    let said = graph
        .run(&[("heard", Input::Floats(heard.view()))], &["said"])
        .unwrap();
    assert_eq!(said[0].shape(), answered.shape);
    for (ours, theirs) in said[0].iter().zip(&answered.said) {
        assert!((ours - theirs).abs() < 1e-5, "{ours} and {theirs}");
    }
}

#[test]
fn a_card_that_asks_for_the_impossible_or_says_too_little_is_refused() {
    let (folder, _) = altered_model(&[]);
    let path = folder.path().join("card.toml");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, said) in [
        ("window = \"povey\"", "window = \"kaiser\"", "kaiser"),
        ("preemphasis = 0.97", "preemphasis = 1.5", "preemphasis"),
        ("sample_scale = 32768.0", "sample_scale = 0.0", "sample_scale"),
        ("sample_rate = 16000", "sample_rate = 8000", "sample rate"),
        ("f_max = 0.0", "f_max = 9000.0", "f_max"),
        ("hop_length = 160", "hop_length = 0", "hop_length"),
        ("n_mels = 80", "bands = 80", "bands"),
        ("kind = \"kaldi_fbank\"", "kind = \"fbank\"", "fbank"),
    ] {
        assert!(text.contains(from), "the card no longer says `{from}`");
        fs::write(&path, text.replace(from, to)).unwrap();
        let fault = Card::read(folder.path()).unwrap_err();
        let message = fault.to_string();
        assert!(matches!(fault, CardError::Malformed { .. }), "{to}: {message}");
        assert!(
            message.contains(said) && message.contains("card.toml"),
            "{to}: {message}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        Card::read(folder.path()),
        Err(CardError::Unreadable { .. })
    ));
}
