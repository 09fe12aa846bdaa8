//! Protocol folders: what their lists say of people, and what makes one of another.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use voxline::measure::Protocol;

use crate::support::{binary, project};

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// Two users, and calls of both of them; one's call is the beginning of what she is enrolled with the rest of.
const SOUND: [(&str, &str); 5] = [
    (
        "protocol.toml",
        "name = \"p\"\naudio = \".\"\n[test]\nmax_seconds = 3\n",
    ),
    ("enroll.tsv", "a\ta/1.wav\nb\tb/1.wav\t3\t9\n"),
    (
        "trials.tsv",
        "a\ta/2.wav\ttarget\nb\ta/2.wav\tnontarget\nb\tb/1.wav\ttarget\n",
    ),
    ("rosters.tsv", "+12025550101\ta\n"),
    (
        "search.tsv",
        "a/2.wav\ta\t+12025550101\nb/1.wav\t-\t+12025550101\n",
    ),
];

#[test]
fn lists_that_contradict_one_another_are_refused_with_the_line() {
    for (name, text, said) in [
        (
            "speakers.tsv",
            "a/2.wav\teve\n",
            "trials.tsv:1: the speaker of a is a and that of a/2.wav is eve",
        ),
        (
            "trials.tsv",
            "a\ta/2.wav\ttarget\nb\tb/2.wav\tnontarget\n",
            "trials.tsv:2: the speaker of b and of b/2.wav is b",
        ),
        (
            "trials.tsv",
            "a\ta/2.wav\ttarget\n\na\ta/2.wav\tnontarget\n",
            "trials.tsv:3: a/2.wav is a target of a on another line",
        ),
        (
            "search.tsv",
            "a/2.wav\ta\t+12025550101\na/3.wav\t-\t+12025550101\n",
            "search.tsv:2: the speaker of a/3.wav has the model a on the roster",
        ),
        (
            "trials.tsv",
            "a\ta/1.wav\ttarget\n",
            "trials.tsv:1: a/1.wav is what a is enrolled with",
        ),
        (
            "protocol.toml",
            "name = \"p\"\naudio = \".\"\n[test]\nmax_seconds = 4\n",
            "trials.tsv:3: b/1.wav is what b is enrolled with",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &SOUND);
        Protocol::read(folder.path()).unwrap();
        write(folder.path(), &[(name, text)]);
        let fault = Protocol::read(folder.path()).unwrap_err().to_string();
        assert!(fault.contains(said), "{name}: {fault}");
    }
}

#[test]
fn models_of_whom_nobody_tells_anything_may_be_one_persons() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &SOUND);
    let trials = "a\tx.wav\ttarget\nb\tx.wav\ttarget\n";
    write(folder.path(), &[("trials.tsv", trials)]);
    Protocol::read(folder.path()).unwrap();
}

/// Who calls.
fn callers(folder: &Path) -> BTreeSet<String> {
    let tables = Protocol::read(folder).unwrap().tables;
    let name = |speaker: &u32| tables.speakers[*speaker as usize].name.clone();
    tables.test_speakers.iter().map(name).collect()
}

#[test]
fn a_crowd_around_a_protocol_leaves_its_callers_who_they_are() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let trials: String = ["ann/2.wav", "ann/3.wav", "bob/2.wav", "eve/1.wav", "eve/2.wav"]
        .iter()
        .flat_map(|test| ["ann", "bob"].map(|model| (model, test)))
        .map(|(model, test)| {
            let kind = if test.starts_with(model) {
                "target"
            } else {
                "nontarget"
            };
            format!("{model}\t{test}\t{kind}\n")
        })
        .collect();
    write(
        folder.path(),
        &[
            ("protocol.toml", "name = \"p\"\naudio = \".\"\n"),
            ("enroll.tsv", "ann\tann/1.wav\nbob\tbob/1.wav\n"),
            ("trials.tsv", &trials),
            ("rosters.tsv", "+12025550101\tann\n+12025550101\tbob\n"),
            (
                "search.tsv",
                "ann/2.wav\tann\t+12025550101\neve/1.wav\t-\t+12025550101\n",
            ),
            ("list", "77-1.flac\neve-9.flac\n"),
        ],
    );
    let mut crowd = Command::new("python3");
    crowd.arg(project("models/calibration/crowd.py"));
    crowd.arg(folder.path()).arg(folder.path().join("list"));
    crowd.arg("--audio").arg(folder.path());
    crowd.arg("--on-rosters").arg("--out").arg(out.path());
    let made = match crowd.output() {
        Ok(made) => made,
        Err(fault) => {
            eprintln!("skipped: python3 does not run: {fault}");
            return;
        }
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(callers(out.path()), callers(folder.path()));
    // Who calls is no reader who never does.
    let tables = Protocol::read(out.path()).unwrap().tables;
    assert_eq!(tables.models, ["ann", "bob", "77"]);
    assert_eq!(tables.rosters[0].1.len(), 3);
}

#[test]
fn too_few_people_to_hand_a_phone_on_are_told_of_before_anything_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &SOUND);
    let mut command = Command::new(binary());
    command.env_clear().current_dir(project(""));
    command
        .args(["--config", "/dev/null", "--data-dir"])
        .arg(folder.path().join("data"));
    // Its recordings are not there.
    command.args(["bench", "--handover", "2", "--no-cache", "--protocol"]);
    command
        .arg(folder.path())
        .arg("--out")
        .arg(folder.path().join("out"));
    let refused = command.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(1) && said.contains("--handover needs tests of at least two"),
        "{said}"
    );
}
