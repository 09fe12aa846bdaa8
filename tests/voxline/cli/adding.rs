//! `voxline models add`: a file becomes a model by the metadata inside it, or is refused with the reason.

use serde_json::json;

use super::*;
use crate::support::{link_models, read};

/// A site whose models are links to the shipped ones, so that more can be put beside them.
pub fn stocked_site() -> Site {
    let site = Site::new();
    link_models(site.path());
    site.file("voxline.toml", b"models_dir = \"models\"\n");
    site
}

fn refused(site: &Site, args: &[&str], reason: &str) {
    let said = site.run(args);
    assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
    assert!(
        said.stderr.contains(reason),
        "{reason} is not in:\n{}",
        said.stderr
    );
    assert!(!site.path().join("models/tiny").exists());
}

#[test]
fn a_file_with_metadata_becomes_a_model_by_itself() {
    let site = stocked_site();
    let file = site.file("tiny.onnx", &read("tests/data/hub/tiny.onnx"));
    let added = site.json(&["models", "add", &file]);
    assert_eq!(
        (
            &added["id"],
            &added["state"],
            &added["dimension"],
            &added["calibrated"]
        ),
        (&json!("tiny"), &json!("ready"), &json!(64), &json!(false))
    );
    assert!(
        added["description"].as_str().unwrap().contains("random weights"),
        "{added}"
    );
    // It stands by itself.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(site.json(&["models", "check", "tiny"])["state"], "ready");
    let said = site.run(&["embed", "--model", "tiny", "--json", &sample("calls/alice-1.wav")]);
    assert_eq!(said.lines()[0]["dim"], 64, "{said:?}");

    let file = site.file("tiny.onnx", &read("tests/data/hub/tiny.onnx"));
    let again = site.run(&["models", "add", &file]);
    assert!(
        again.status == 1 && again.stderr.contains("another id"),
        "{again:?}"
    );
    assert_eq!(
        site.json(&["models", "add", &file, "--id", "other"])["id"],
        "other"
    );
}

#[test]
fn what_cannot_be_added_says_why_and_leaves_nothing() {
    let site = stocked_site();
    let nameless = site.file("tiny.onnx", &read("tests/data/hub/nameless.onnx"));
    refused(&site, &["models", "add", &nameless], "card.toml");
    refused(&site, &["models", "add", &nameless], "`framework`");
    let garbage = site.file("tiny.onnx", b"no graph");
    refused(&site, &["models", "add", &garbage], "could not be loaded");
    refused(&site, &["models", "add", "nowhere.onnx"], "nowhere.onnx");
    let tiny = site.file("tiny.onnx", &read("tests/data/hub/tiny.onnx"));
    refused(
        &site,
        &["models", "add", &tiny, "--id", "../tiny"],
        "cannot be a model's id",
    );
}
