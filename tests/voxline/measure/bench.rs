//! The benchmark itself, on the shipped samples: the real program, and the same figures every time.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::project;

fn bench(out: &Path, cache: &Path, more: &[&str]) -> Output {
    Command::new(crate::support::binary())
        .env_clear()
        .current_dir(project(""))
        .args(["--config", "/dev/null", "--data-dir"])
        .arg(out.with_file_name("data"))
        .args([
            "bench",
            "--json",
            "--replicates",
            "50",
            "--protocol",
            "enrollment_samples/protocol",
            "--out",
        ])
        .arg(out)
        .arg("--cache")
        .arg(cache)
        .args(more)
        .output()
        .unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The contract's fields of `metrics.json`.
const FIELDS: [&str; 17] = [
    "trials",
    "targets",
    "nontargets",
    "eer",
    "eer_ci95",
    "min_dcf",
    "act_dcf",
    "cllr",
    "min_cllr",
    "failure_to_acquire",
    "identification",
    "wait",
    "by_condition",
    "rtf",
    "model",
    "calibration",
    "machine",
];

#[test]
fn the_samples_are_measured_the_same_with_and_without_a_full_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("out"), folder.path().join("cache"));
    let done = bench(&out, &cache, &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metrics = json(&out.join("metrics.json"));
    let fields: Vec<&str> = metrics.as_object().unwrap().keys().map(String::as_str).collect();
    let (mut fields, mut wanted) = (fields, FIELDS.to_vec());
    fields.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(
        fields, wanted,
        "metrics.json holds the contract's fields and no others"
    );
    assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap(), metrics);
    assert_eq!(
        (metrics["trials"].as_u64(), metrics["targets"].as_u64()),
        (Some(21 * 8), Some(19))
    );
    // One word is too little for a voiceprint: it is counted, and its target trial is missed.
    let missing = metrics["failure_to_acquire"].as_f64().unwrap();
    assert!((missing - 1.0 / 21.0).abs() < 1e-9, "{missing}");
    assert!(metrics["eer"].as_f64().unwrap() < 0.1 && metrics["cllr"].as_f64().is_some());
    assert_eq!(metrics["identification"]["rosters"], 2);
    let scores = std::fs::read_to_string(out.join("scores.tsv")).unwrap();
    assert_eq!(scores.lines().count(), 21 * 8);
    assert!(scores.starts_with("alice\tcalls/alice-1.wav\t"));

    a_report_that_needs_nothing_else(&out);

    let again = folder.path().join("again");
    assert!(bench(&again, &cache, &[]).status.success());
    assert_eq!(std::fs::read_to_string(again.join("scores.tsv")).unwrap(), scores);
    let plain = |path: &Path| {
        let mut details = json(path);
        details["run"]["seconds"] = Value::Null;
        // Of documents that say how fast it was.
        details["sha256"] = Value::Null;
        details
    };
    assert_eq!(
        plain(&again.join("details.json")),
        plain(&out.join("details.json"))
    );
    only_their_owner_reads(&cache);
}

/// Nothing is fetched, no script runs, and links lead to recordings that are there.
fn a_report_that_needs_nothing_else(out: &Path) {
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    let outside = report.replace("http://www.w3.org/2000/svg", "");
    for word in [
        "http:", "https:", "//cdn", "<script", "<link", "<img", "<audio", "@import", "url(",
    ] {
        assert!(!outside.contains(word), "{word}");
    }
    for part in [
        "goals",
        "points",
        "errors",
        "searches",
        "rosters",
        "wait",
        "durations",
        "worst",
        "run",
    ] {
        assert!(report.contains(&format!("<section id=\"{part}\"")), "{part}");
    }
    let links: Vec<&str> = report
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| !link.starts_with('#'))
        .collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(out.join(link).is_file(), "{link}");
    }
    let details = json(&out.join("details.json"));
    assert!(details["search_intervals"]["at_fpir_0_01"]["fnir"].is_array());
    assert!(!details["by_duration"].as_array().unwrap().is_empty());
    let last = details["waiting"]["decided"].as_array().unwrap().last().unwrap()[1]
        .as_f64()
        .unwrap();
    let undecided = json(&out.join("metrics.json"))["wait"]["undecided"]
        .as_f64()
        .unwrap();
    assert!((last + undecided - 1.0).abs() < 1e-9, "{last} {undecided}");
    // Who said nothing is not found, and is not given another's name for it.
    assert_eq!(
        json(&out.join("metrics.json"))["identification"]["misidentification"].as_f64(),
        Some(0.0)
    );
}

fn only_their_owner_reads(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", path.display());
        if path.is_dir() {
            only_their_owner_reads(&path);
        } else {
            files += 1;
        }
    }
    assert!(files < 1_000);
}

#[test]
fn what_a_benchmark_cannot_use_is_said_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let refused = bench(folder.path(), &cache, &["--condition", "speex"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("amr[:KBPS]"));
    let refused = bench(folder.path(), &cache, &["--condition", "noise:10:/nowhere"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("/nowhere"));
    assert!(!cache.exists());
}

#[test]
fn a_run_and_its_own_scores_have_one_rule_for_what_was_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    // A hundred tests of ten models, ten of them unheard, all others perfectly apart.
    let (mut key, mut scores) = (String::new(), String::new());
    for (test, model) in (0..100).flat_map(|test| (0..10).map(move |model| (test, model))) {
        let (kind, said) = match (test < 10, test % 10 == model) {
            (true, true) => ("target", "0.000000\t-1.000000"),
            (true, _) => ("nontarget", "0.000000\t-1.000000"),
            (_, true) => ("target", "9.000000\t0.800000"),
            _ => ("nontarget", "-9.000000\t0.100000"),
        };
        key += &format!("m{model}\tt{test}\t{kind}\n");
        scores += &format!("m{model}\tt{test}\t{said}\n");
    }
    std::fs::write(folder.path().join("key"), key).unwrap();
    std::fs::write(folder.path().join("scores"), scores).unwrap();
    let args = ["bench", "score", "--key", "key", "--scores", "scores", "--ratios"];
    let judged = Command::new(crate::support::binary())
        .env_clear()
        .current_dir(folder.path())
        .args(args)
        .args(["--replicates", "0", "--json"])
        .output()
        .unwrap();
    let figures: Value = serde_json::from_slice(&judged.stdout).unwrap();
    let figure = |name: &str| figures[name].as_f64().unwrap();
    // As `trial_figures` of a run, which is no 5.0 % for the tie of users and strangers at a ratio of 1.
    assert!((figure("eer") - 1.0 / 11.0).abs() < 1e-9, "{figures}");
    assert!((figure("min_dcf") - 0.1).abs() < 1e-9 && (figure("act_dcf") - 0.1).abs() < 1e-9);
    assert!((figure("cllr") - 0.1).abs() < 1e-3, "{figures}");
}

#[test]
fn scores_of_any_system_are_judged_and_converted() {
    let folder = tempfile::tempdir().unwrap();
    let (key, scores) = (folder.path().join("key"), folder.path().join("scores"));
    std::fs::write(&key, "1 a b\n0 a c\n1 d e\n0 d f\n").unwrap();
    std::fs::write(&scores, "a b 2.5\na c -1\nd e 0.5\nd f -3\n").unwrap();
    let voxline = |args: &[&str]| {
        let mut command = Command::new(crate::support::binary());
        command.env_clear();
        command
            .current_dir(folder.path())
            .args(["bench"])
            .args(args)
            .arg("--json")
            .output()
            .unwrap()
    };
    let judged = voxline(&[
        "score",
        "--key",
        "key",
        "--key-format",
        "voxceleb",
        "--scores",
        "scores",
        "--score-format",
        "kaldi",
        "--ratios",
    ]);
    assert!(
        judged.status.success(),
        "{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    let figures: Value = serde_json::from_slice(&judged.stdout).unwrap();
    assert_eq!(
        (figures["eer"].as_f64(), figures["trials"].as_u64()),
        (Some(0.0), Some(4))
    );
    assert!(figures["cllr"].as_f64().unwrap() > 0.0);
    assert!(
        voxline(&[
            "convert", "key", "--from", "voxceleb", "--to", "sre", "--out", "sre"
        ])
        .status
        .success()
    );
    let written = std::fs::read_to_string(folder.path().join("sre")).unwrap();
    assert!(
        written.starts_with("modelid\tsegmentid\ttargettype\na\tb\ttarget\n"),
        "{written}"
    );
}

#[test]
fn calls_of_two_voices_are_composed_heard_and_judged_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("out"), folder.path().join("cache"));
    let more = ["--handover", "2", "--no-leakage"];
    let done = bench(&out, &cache, &more);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found = json(&out.join("details.json"))["handover"].clone();
    let [condition] = found.as_array().unwrap().as_slice() else {
        panic!("{found}")
    };
    assert_eq!(condition["roster"], 5);
    for handed in condition["handed"].as_array().unwrap() {
        assert_eq!(handed["named"]["of"], 2);
        // What stood is one thing or another, and only of calls in which the first voice had its name.
        let after = handed["after"].as_array().unwrap();
        assert_eq!(after.len(), 5);
        for moment in after {
            let stood = moment[1].as_object().unwrap();
            let counts = stood.values().map(|share| share["count"].as_u64().unwrap());
            assert_eq!(counts.sum::<u64>(), stood["first"]["of"].as_u64().unwrap());
            assert!(stood["first"]["of"].as_u64() <= handed["named"]["count"].as_u64());
        }
    }
    assert_eq!(condition["both"].as_array().unwrap().len(), 3);
    assert_eq!(condition["looking"][0]["roster"], 5);
    assert_eq!(condition["looking"][0]["stranger"]["of"], 8);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("<section id=\"voices\""));

    let again = folder.path().join("again");
    assert!(bench(&again, &cache, &more).status.success());
    assert_eq!(json(&again.join("details.json"))["handover"], found);
}
