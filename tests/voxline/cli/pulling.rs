//! `voxline models pull` against hubs that answer well, badly and maliciously: a model is installed whole and
//! right, or not at all.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use super::hub_server::{Hub, good, head, trickle};
use super::*;
use crate::support::{project, read, sha256};

/// A site with models of its own and a catalogue entry `tiny.toml` for a file at `urls`.
pub struct Depot {
    pub site: Site,
    pub bytes: Vec<u8>,
}

impl Depot {
    pub fn new() -> Self {
        Self::of(read("tests/data/hub/tiny.onnx"))
    }

    /// A depot whose file has these bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        let site = super::adding::stocked_site();
        Self { site, bytes }
    }

    /// Writes the entry for the file at these addresses.
    pub fn entry(&self, urls: &[String]) {
        let size = format!("bytes = {}", self.bytes.len());
        self.entry_with(urls, &size);
    }

    pub fn entry_with(&self, urls: &[String], size: &str) {
        let text = format!(
            "id = \"tiny\"\ndescription = \"random weights\"\nrecipe = \"wespeaker\"\ndimension = 64\n\
             [file]\nname = \"tiny++.onnx\"\nurls = {urls:?}\n{size}\nsha256 = \"{}\"\nsha256_sources = 1\n\
             [licence]\nname = \"CC0-1.0\"\nnote = \"ours\"\n",
            sha256(&self.bytes)
        );
        self.site.file("tiny.toml", text.as_bytes());
    }

    pub fn pull(&self, flags: &[&str]) -> Said {
        let mut args = vec!["models", "pull", "tiny.toml"];
        for usual in [["--stall", "2"], ["--retries", "1"]] {
            if !flags.contains(&usual[0]) {
                args.extend(usual);
            }
        }
        args.extend(flags);
        self.site.run(&args)
    }

    /// A pull that must work; the document.
    pub fn pulled(&self, flags: &[&str]) -> Value {
        let said = self.pull(&[flags, &["--json"]].concat());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{said:?}");
        let document = said.document();
        assert_eq!(document["state"], "ready", "{document}");
        assert_eq!(std::fs::read(self.path("tiny/model.onnx")).unwrap(), self.bytes);
        assert_eq!(self.left(), Vec::<String>::new());
        document
    }

    /// A pull that must fail for all of these reasons and leave nothing in sight.
    pub fn refused(&self, flags: &[&str], reasons: &[&str]) {
        let said = self.pull(flags);
        assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
        for reason in reasons {
            assert!(
                said.stderr.contains(reason),
                "{reason} is not in:\n{}",
                said.stderr
            );
        }
        assert!(!self.path("tiny").exists(), "something was installed");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.site.path().join("models").join(name)
    }

    /// What lies where models come together, but for the lock.
    pub fn left(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(".incoming")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name != "tiny.lock" && name != ".gitignore")
            .collect()
    }
}

#[test]
fn a_pulled_model_is_whole_checked_carded_and_fetched_only_once() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let document = depot.pulled(&[]);
    assert_eq!(
        (
            &document["id"],
            &document["already"],
            &document["calibrated"],
            &document["in_use"]
        ),
        (&json!("tiny"), &json!(false), &json!(false), &json!(false))
    );
    assert_eq!(document["from"], json!(format!("{}/tiny.onnx", hub.base)));
    let card = std::fs::read_to_string(depot.path("tiny/card.toml")).unwrap();
    assert!(card.contains("CC0-1.0") && card.contains(&hub.base), "{card}");
    assert_eq!(depot.pulled(&[])["already"], true);
    assert_eq!(hub.asked().len(), 1, "it was fetched again");

    let said = depot.site.run(&["models", "list"]);
    assert!(
        said.stdout.contains("tiny  ready") && said.stdout.contains("CC0-1.0"),
        "{said:?}"
    );
    assert_eq!(depot.site.json(&["models", "check", "tiny"])["dimension"], 64);
}

#[test]
fn the_licence_and_the_size_are_said_before_anything_is_fetched() {
    let depot = Depot::new();
    depot.entry_with(
        &["http://127.0.0.1:9/tiny.onnx".to_owned()],
        "at_most_bytes = 60000",
    );
    let reasons = ["CC0-1.0", "size not published", "127.0.0.1:9"];
    depot.refused(&["--retries", "0"], &reasons);
}

#[test]
fn a_mirror_is_asked_instead_by_the_files_name() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    depot.pulled(&["--mirror", &format!("{}/models", hub.base)]);
    assert_eq!(hub.asked()[0].target, "/models/tiny%2B%2B.onnx");
    let said = depot.pull(&["--mirror", "ftp://x/y"]);
    assert!(
        said.status == 1 && said.stderr.contains("begins with https://"),
        "{said:?}"
    );
}

#[test]
fn a_mirror_can_be_a_folder_and_is_believed_no_more_than_a_hub() {
    let depot = Depot::new();
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    let shelf = depot.site.path().join("shelf");
    std::fs::create_dir(&shelf).unwrap();
    let flags = ["--mirror", "shelf"];
    depot.refused(&flags, &["tiny++.onnx cannot be read"]);
    let mut wrong = depot.bytes.clone();
    wrong.push(0);
    std::fs::write(shelf.join("tiny++.onnx"), wrong).unwrap();
    depot.refused(&flags, &["SHA-256"]);
    std::fs::write(shelf.join("tiny++.onnx"), &depot.bytes).unwrap();
    depot.pulled(&flags);
}

#[test]
fn right_bytes_that_are_no_model_are_not_installed() {
    let depot = Depot::of(b"no graph at all".repeat(100));
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.refused(&[], &["could not be loaded"]);
    assert_eq!(depot.left(), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_another_model_is_left_alone() {
    let depot = Depot::new();
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    std::fs::create_dir(depot.path("tiny")).unwrap();
    std::fs::write(depot.path("tiny/card.toml"), "mine").unwrap();
    let said = depot.pull(&[]);
    assert!(
        said.status == 1 && said.stderr.contains("choose another id"),
        "{said:?}"
    );
    assert_eq!(std::fs::read(depot.path("tiny/card.toml")).unwrap(), b"mine");
}

#[test]
fn two_pulls_of_one_model_do_not_meet() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |_, wire| {
        head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
        trickle(wire, &bytes, 2_000, Duration::from_millis(100));
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let mut first = depot.site.command(&["models", "pull", "tiny.toml"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while hub.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = depot.pull(&[]);
    assert!(
        second.status == 1 && second.stderr.contains("wait for it"),
        "{second:?}"
    );
    assert!(first.wait().unwrap().success());
    depot.pulled(&[]);
}

#[test]
fn a_name_that_is_in_no_catalogue_is_answered_with_those_that_are() {
    let depot = Depot::new();
    let said = depot.site.run(&["models", "pull", "titanic"]);
    assert!(
        said.status == 1 && said.stderr.contains("titanet-large"),
        "{said:?}"
    );
    depot.site.file("bad.toml", b"id = \"x\"");
    let said = depot.site.run(&["models", "pull", "bad.toml"]);
    assert!(said.status == 1 && said.stderr.contains("bad.toml"), "{said:?}");
}

#[test]
fn the_recommendation_says_what_is_best_and_what_is_ready() {
    let site = Site::new();
    let document = site.json(&["models", "recommend"]);
    let choices = document["choices"].as_array().unwrap();
    assert_eq!(choices[0]["id"], document["best"]);
    let ready = choices
        .iter()
        .find(|choice| choice["id"] == document["best_ready"])
        .unwrap();
    assert_eq!(
        (&ready["installed"], &ready["calibrated"]),
        (&json!(true), &json!(true))
    );
    assert!(ready["ms_per_speech_second"].as_f64().unwrap() > 0.0);
    let pullable = choices
        .iter()
        .find(|choice| choice["installed"] == json!(false))
        .unwrap();
    assert!(pullable["ms_per_speech_second"].is_null());
    // What was measured on real calls comes first, and that is what is shipped.
    assert_eq!(
        (&document["best"], &document["best_ready"]),
        (&json!("voxline-phone-3"), &json!("voxline-phone-3"))
    );
    assert_eq!(choices[1]["id"], json!("voxline-phone-2"));
    let said = site.run(&["models", "recommend"]);
    assert!(
        said.stdout
            .starts_with("best for telephone calls: voxline-phone-3"),
        "{said:?}"
    );
    let figures = crate::support::read("models/voxline-phone-3/figures.toml");
    let figures: toml::Table = String::from_utf8(figures).unwrap().parse().unwrap();
    let first = &figures["measured"][0];
    let measured = format!(
        "{} EER {} %",
        first["protocol"].as_str().unwrap(),
        first["eer_percent"]
    );
    assert!(said.stdout.contains(&measured), "{measured}: {said:?}");
    let pullable = pullable["id"].as_str().unwrap();
    assert!(
        project("models/catalogue")
            .join(format!("{pullable}.toml"))
            .is_file()
    );
}
