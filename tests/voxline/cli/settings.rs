//! The configuration and the installation, as they go wrong.

use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::countermeasures::{installed, loudness};

fn refusal(said: &Said, status: i32, parts: &[&str]) {
    assert_eq!((said.status, said.stdout.as_str()), (status, ""), "{said:?}");
    for part in parts {
        assert!(said.stderr.contains(part), "{part} is not in:\n{}", said.stderr);
    }
}

#[test]
fn every_fault_of_a_configuration_is_listed_at_once_and_stops_the_start() {
    let site = Site::new();
    site.file(
        "voxline.toml",
        b"colour = \"red\"\n[decision]\naccept = 2\n[gallery]\nbackend = \"cloud\"\n\
          [signup]\norganisation = true\nconsent_file = \"nowhere.toml\"\n[vapi]\nhosts = [\".vapi.ai\", \".vapi.example\"]",
    );
    let mut command = site.command(&["doctor"]);
    command
        .env("VOXLINE_INFERENCE_THREADS", "none")
        .env("VOXLINE_LISTEN", std::ffi::OsStr::from_bytes(b"\xFF"));
    let parts = [
        "7 faults",
        "`colour` (voxline.toml): no such setting",
        "`decision.accept` (voxline.toml): 2 is not a number from 0.5 to 0.999999",
        "`gallery.backend` (voxline.toml): `cloud` is not one of: embedded, qdrant",
        "`inference.threads` (VOXLINE_INFERENCE_THREADS): `none` is not a whole number from 1 to 256",
        "VOXLINE_LISTEN: is not valid UTF-8",
        "`signup.organisation` (voxline.toml): is of TOML's type boolean: write it as text, in quotes",
        "`signup.consent_file`: nowhere.toml: No such file",
    ];
    refusal(&said(command), 2, &parts);
}

#[test]
fn a_countermeasure_unlike_its_card_stops_the_start_and_is_named() {
    let examined = |folder: &tempfile::TempDir| {
        let site = Site::new();
        let mut command = site.command(&["doctor", "--json"]);
        command.env("VOXLINE_DECISION_COUNTERMEASURE", folder.path());
        let report = said(command).document();
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|found| found["what"] == "countermeasure");
        found.unwrap().clone()
    };
    let good = installed(&loudness(), &[]);
    let found = examined(&good);
    assert_eq!(found["state"], "ok", "{found}");
    for (from, to, part) in [
        ("sha256 = \"", "sha256 = \"0", "SHA-256"),
        ("sample_rate = 16000", "sample_rate = 8000", "sample_rate is 8000"),
    ] {
        let bad = installed(&loudness(), &[(from, to)]);
        let found = examined(&bad);
        let detail = found["detail"].as_str().unwrap();
        assert!(
            found["state"] == "wrong" && detail.contains(part),
            "{to}: {found}"
        );
        let site = Site::new();
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("VOXLINE_DECISION_COUNTERMEASURE", bad.path());
        let refused = said(command);
        assert!(
            refused.status != 0 && refused.stderr.contains(part),
            "{refused:?}"
        );
    }
}

#[test]
fn a_missing_configuration_is_refused_with_all_else_that_is_wrong() {
    let site = Site::new();
    let mut command = site.command(&["--config", "nowhere.toml", "number", "list"]);
    command.env("VOXLINE_LISTEM", "127.0.0.1:1");
    let parts = [
        "2 faults",
        "nowhere.toml: cannot be read: No such file",
        "VOXLINE_LISTEM: no such setting; did you mean VOXLINE_LISTEN?",
    ];
    refusal(&said(command), 2, &parts);
    assert!(!site.path().join("data").exists());
}

#[test]
fn a_configuration_that_is_no_toml_says_the_line() {
    let site = Site::new();
    let file = site.file("broken.toml", b"model = \"voxline-phone-2\"\n[decision\n");
    refusal(
        &site.run(&["--config", &file, "number", "list"]),
        2,
        &["broken.toml: line 2"],
    );
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let site = Site::new();
    let mut command = site.command(&["number", "list"]);
    command.env("RUST_LOG", "voxline=loud");
    refusal(&said(command), 2, &["RUST_LOG", "as in debug"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named_once_with_the_remedy() {
    let site = Site::new();
    let file = site.file("taken", b"");
    let said = site.run(&["--data-dir", &file, "number", "add", NUMBER]);
    refusal(
        &said,
        1,
        &[
            "taken/voxline.db cannot be opened for writing",
            "check that the folder exists",
        ],
    );
    assert_eq!(said.stderr.matches("os error").count(), 1, "{}", said.stderr);
}

#[test]
fn what_is_not_installed_is_named_with_the_way_to_get_it() {
    let site = Site::with_number();
    let file = site.file("silence.wav", &silence(1, 1));
    for (flag, what) in [
        (
            "--models-dir",
            "the folder with the models' cards was not found in any of: /nonexistent",
        ),
        ("--ort-lib", "ONNX Runtime was not found in any of: /nonexistent"),
    ] {
        for command in [&["identify", "--number", NUMBER, &file][..], &["embed", &file]] {
            let said = site.run(&[&[flag, "/nonexistent"], command].concat());
            refusal(&said, 1, &[what, "make provision", flag]);
        }
    }
    let said = site.run(&["--ort-lib", "/etc/passwd", "embed", &file]);
    refusal(
        &said,
        1,
        &["could not be loaded from /etc/passwd", "make provision"],
    );
    let said = site.run(&["embed", "--model", "unheard_of", &file]);
    refusal(
        &said,
        1,
        &["unheard_of/card.toml cannot be read", "voxline models list"],
    );
}

#[test]
fn weights_other_than_the_cards_are_never_run() {
    let site = Site::with_number();
    let models = models_of_its_own(&site);
    let models_dir = models.display().to_string();
    let run = |args: &[&str]| site.run(&[&["--models-dir", &models_dir], args].concat());
    assert_eq!(run(&["models", "check"]).status, 0);

    let weights = models.join("voxline-phone-2/voxline-phone-2.onnx");
    std::fs::remove_file(&weights).unwrap();
    let listed = run(&["models", "list", "--json"]).document();
    assert_eq!(listed[0]["state"], "missing");
    refusal(
        &run(&["models", "check"]),
        1,
        &["voxline-phone-2.onnx cannot be read", "make provision"],
    );

    std::fs::write(&weights, b"other weights").unwrap();
    let parts = ["is not the file its card describes", "expected "];
    refusal(&run(&["models", "check"]), 1, &parts);
    refusal(
        &run(&["identify", "--number", NUMBER, &sample("calls/alice-1.wav")]),
        1,
        &parts,
    );
    let doctor = run(&["doctor", "--json"]);
    assert_eq!(doctor.status, 1);
    assert_eq!(doctor.document()["findings"][4]["state"], "wrong");
    assert_eq!(
        run(&["models", "list", "--json"]).document()[0]["state"],
        "damaged"
    );
}

#[test]
fn nobody_is_identified_without_a_calibration() {
    let site = Site::with_number();
    let models = models_of_its_own(&site);
    std::fs::remove_file(models.join("voxline-phone-2/calibration.toml")).unwrap();
    let models_dir = models.display().to_string();
    let call = sample("calls/alice-1.wav");
    let said = site.run(&["--models-dir", &models_dir, "identify", "--number", NUMBER, &call]);
    refusal(&said, 1, &["calibration.toml cannot be read"]);
}

#[test]
fn a_card_that_cannot_be_read_does_not_hide_the_other_models() {
    let site = Site::new();
    let models = models_of_its_own(&site);
    std::fs::create_dir(models.join("broken")).unwrap();
    std::fs::write(models.join("broken/card.toml"), "id = ").unwrap();
    let models_dir = models.display().to_string();
    let said = site.run(&["--models-dir", &models_dir, "models", "list", "--json"]);
    assert_eq!((said.status, said.document().as_array().unwrap().len()), (1, 1));
    assert!(said.stderr.contains("broken/card.toml"), "{}", said.stderr);
}
