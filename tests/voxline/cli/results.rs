//! What hours of hearing come to: whether it can be kept is found out before, and what is kept is of one run.

use std::path::Path;

use voxline::measure::stored_reports;

use super::calibrating::{CALIBRATE, PEOPLE, protocol};
use super::*;

/// A protocol with one number that everybody is on, and a call to it.
fn with_a_call(site: &Site) -> String {
    let folder = protocol(site.path(), "short", 2.8);
    let roster = PEOPLE.map(|who| format!("{NUMBER}\t{who}\n")).concat();
    std::fs::write(folder.join("rosters.tsv"), roster).unwrap();
    let call = format!("signup/alice/2.flac\talice\t{NUMBER}\n");
    std::fs::write(folder.join("search.tsv"), call).unwrap();
    folder.display().to_string()
}

/// A protocol whose recordings are not there.
fn unheard(site: &Site) -> String {
    let folder = protocol(site.path(), "unheard", 2.8);
    let settings = "name = \"unheard\"\naudio = \"nowhere\"\n";
    std::fs::write(folder.join("protocol.toml"), settings).unwrap();
    folder.display().to_string()
}

/// The program, run so that no file of its can hold a byte.
fn run_on_a_full_disk(site: &Site, args: &[&str]) -> Said {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    command.arg(crate::support::binary()).args(args);
    command.current_dir(site.path()).env_clear();
    said(command)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn results_that_cannot_be_written_are_told_before_a_recording_is_heard() {
    let site = Site::new();
    let protocol = unheard(&site);
    let below = format!("{}/below", site.file("file", b"a file"));
    let there = site.path().display().to_string();
    for (command, flag, out) in [
        ("bench", "--out", &below),
        ("calibrate", "--out", &below),
        ("calibrate", "--out", &there),
        ("calibrate", "--trials", &below),
    ] {
        let said = site.run(&[command, "--protocol", &protocol, flag, out]);
        assert_eq!(said.status, 1, "{said:?}");
        let told = said.stderr.contains(out.as_str()) && !said.stderr.contains(".flac");
        assert!(told, "{command} {flag} {out}: {said:?}");
    }
    // Where they can be, it is the recording that is missing, and nothing is left of having tried.
    let out = site.path().join("fitted.toml").display().to_string();
    let said = site.run(&["calibrate", "--protocol", &protocol, "--out", &out]);
    assert!(said.status == 1 && said.stderr.contains(".flac"), "{said:?}");
    assert!(names(site.path()).iter().all(|name| !name.starts_with("fitted")));
}

#[test]
fn what_cannot_be_written_after_all_is_printed() {
    let site = Site::new();
    let plain = protocol(site.path(), "plain", 2.8);
    let more = ["--protocol", plain.to_str().unwrap(), "--out", "fitted.toml"];
    let said = run_on_a_full_disk(&site, &[&CALIBRATE[..], &more].concat());
    assert!(
        said.status == 1 && said.stderr.contains("fitted.toml"),
        "{said:?}"
    );
    let fitted: toml::Table = said.stdout.parse().unwrap();
    assert!(fitted["curve"]["scale"].is_float(), "{said:?}");

    // A table of trials is too long for that; half of one does not stay.
    let more = ["--protocol", plain.to_str().unwrap(), "--trials", "trials.tsv"];
    let said = run_on_a_full_disk(&site, &[&CALIBRATE[..], &more].concat());
    assert_eq!(said.status, 1, "{said:?}");
    assert!(names(site.path()).iter().all(|name| !name.starts_with("trials")));

    let protocol = with_a_call(&site);
    let args = ["bench", "--no-cache", "--no-leakage", "--threads", "1", "--json"];
    let more = [
        "--replicates",
        "10",
        "--protocol",
        protocol.as_str(),
        "--out",
        "out",
    ];
    let said = run_on_a_full_disk(&site, &[&args[..], &more].concat());
    assert!(said.status == 1 && said.stderr.contains("out"), "{said:?}");
    assert!(said.document()["eer"].is_number(), "{said:?}");
    assert!(names(&site.path().join("out")).is_empty());
}

#[test]
fn a_pipe_gets_every_line_of_a_table_of_trials() {
    let site = Site::new();
    let short = protocol(site.path(), "short", 2.8);
    let pipe = site.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let read = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    let more = [
        "--json",
        "--protocol",
        short.to_str().unwrap(),
        "--trials",
        "pipe",
    ];
    let said = site.run(&[&CALIBRATE[..], &more].concat());
    assert_eq!(said.status, 0, "{said:?}");
    let lines = read.join().unwrap().lines().count();
    assert_eq!(said.document()["lines"], lines - 1, "but for the head");
    assert!(lines > 36 && names(site.path()).iter().all(|name| !name.ends_with(".partial")));
}

#[test]
fn a_folder_of_results_is_of_the_last_run_alone() {
    let site = Site::new();
    let protocol = with_a_call(&site);
    let out = site.path().join("out");
    let bench = |more: &[&str]| {
        let args = ["bench", "--no-cache", "--no-leakage", "--threads", "1"];
        let where_to = [
            "--replicates",
            "10",
            "--protocol",
            protocol.as_str(),
            "--out",
            "out",
        ];
        let said = site.run(&[&args[..], &where_to, more].concat());
        assert_eq!(said.status, 0, "{said:?}");
    };
    bench(&["--words"]);
    assert!(out.join("words.jsonl").is_file());
    let details = std::fs::read(out.join("details.json")).unwrap();
    bench(&["--condition", "clean"]);
    assert_eq!(
        names(&out),
        [
            "curves.json",
            "details.json",
            "metrics.json",
            "report.html",
            "scores.tsv"
        ]
    );
    let report = &stored_reports(&out)[0];
    assert_eq!(
        report.read().unwrap().details["run"]["test_conditions"][0],
        "clean"
    );
    std::fs::write(out.join("details.json"), details).unwrap();
    let fault = report.read().unwrap_err().to_string();
    assert!(
        fault.contains(".json of this report is of another run"),
        "{fault}"
    );
}
