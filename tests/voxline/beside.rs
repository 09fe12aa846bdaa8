//! A model with another one beside it: both hear the same speech, and a voiceprint is both embeddings.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use voxline::voiceprint::{Card, CardError, Embedding, Extractor, Recipe};

use crate::public_models::install;
use crate::support::{runtime, sentence};

/// The `mean` graph, with NeMo's beside it for `share` of the cosine.
fn pair(share: &str) -> (TempDir, TempDir, Result<Card, CardError>) {
    let (other, _) = install("nemo", Recipe::Metadata, &[]);
    let (folder, _) = install("mean", Recipe::Metadata, &[]);
    name_beside(folder.path(), other.path(), share);
    let card = Card::read(folder.path());
    (folder, other, card)
}

fn name_beside(folder: &Path, other: &Path, share: &str) {
    let path = folder.join("card.toml");
    let text = fs::read_to_string(&path).unwrap();
    let named = format!("[beside]\nfolder = \"{}\"\nshare = {share}\n", other.display());
    fs::write(&path, format!("{text}\n{named}")).unwrap();
}

fn embeddings(card: &Card, voices: &[Vec<f32>]) -> Vec<Embedding> {
    let mut extractor = Extractor::load(&runtime(), card).unwrap();
    voices
        .iter()
        .map(|voice| extractor.embed(voice).unwrap())
        .collect()
}

#[test]
fn a_cosine_of_two_models_side_by_side_is_the_sum_of_theirs_by_their_shares() {
    let (folder, other, both) = pair("0.25");
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
        cosine(&Card::read(other.path()).unwrap()),
    );
    assert!(
        (own - others).abs() > 0.01,
        "alike, they show nothing: {own}, {others}"
    );
    let both = both.unwrap();
    assert_eq!(both.dimension(), 160);
    let sum = cosine(&both);
    assert!(
        (sum - (0.75 * own + 0.25 * others)).abs() < 1e-5,
        "{sum} of {own} and {others}"
    );
    drop(folder);
}

#[test]
fn two_models_side_by_side_have_a_name_of_their_own_that_changes_with_either_and_with_the_share() {
    let (_folder, other, both) = pair("0.25");
    let (_third, _fourth, shared_otherwise) = pair("0.5");
    let alone = Card::read(other.path()).unwrap();
    let both = both.unwrap();
    assert_ne!(both.sha256(), alone.sha256());
    assert_ne!(both.sha256(), shared_otherwise.unwrap().sha256());
    assert_eq!(both.files().len(), 2, "{:?}", both.files());
}

#[test]
fn the_file_of_the_model_beside_is_checked_as_well() {
    let (folder, other, _) = pair("0.5");
    for (folder, graph) in [(&folder, "mean.onnx"), (&other, "nemo.onnx")] {
        let hash = Sha256::digest(fs::read(folder.path().join(graph)).unwrap());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let card = folder.path().join("card.toml");
        let text = fs::read_to_string(&card).unwrap();
        fs::write(&card, text.replace(&"0".repeat(64), &hash)).unwrap();
    }
    let both = Card::read(folder.path()).unwrap();
    both.check_files().unwrap();
    fs::write(other.path().join("nemo.onnx"), "another").unwrap();
    let fault = both.check_files().unwrap_err().to_string();
    assert!(
        fault.contains("nemo.onnx") && fault.contains("SHA-256"),
        "{fault}"
    );
}

#[test]
fn a_card_whose_neighbour_cannot_be_is_refused() {
    for share in ["0.0", "1.0", "-0.5", "nan"] {
        let (_folder, _other, card) = pair(share);
        let fault = card.unwrap_err().to_string();
        assert!(fault.contains("beside.share"), "{share}: {fault}");
    }
    let (folder, _) = install("mean", Recipe::Metadata, &[]);
    name_beside(folder.path(), Path::new("no/such/folder"), "0.5");
    let fault = Card::read(folder.path()).unwrap_err().to_string();
    assert!(fault.contains("no/such/folder"), "{fault}");
    let (folder, _) = install("mean", Recipe::Metadata, &[]);
    name_beside(folder.path(), folder.path(), "0.5");
    let fault = Card::read(folder.path()).unwrap_err().to_string();
    assert!(fault.contains("a sum is of two"), "{fault}");
}
