//! `voxline calibrate`, on the shipped samples: synthetic voices, which say nothing about real ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::*;

/// Fits on one line, with one thread; what it fits on and where to comes behind it.
pub const CALIBRATE: [&str; 5] = ["calibrate", "--threads", "1", "--condition", "phone"];

pub const PEOPLE: [&str; 6] = ["alice", "robert", "walter", "nuria", "fergus", "helmi"];

/// A protocol of the samples in a folder of its own: a recording of each signup is enrolled, another is the call.
pub fn protocol(folder: &Path, name: &str, seconds: f64) -> PathBuf {
    let samples = crate::support::root().join("enrollment_samples");
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    let (mut enrol, mut speakers, mut trials) = (String::new(), String::new(), String::new());
    for model in PEOPLE {
        writeln!(enrol, "{model}\tsignup/{model}/1.flac").unwrap();
        writeln!(speakers, "signup/{model}/2.flac\t{model}").unwrap();
        for test in PEOPLE {
            let kind = if model == test { "target" } else { "nontarget" };
            writeln!(trials, "{model}\tsignup/{test}/2.flac\t{kind}").unwrap();
        }
    }
    let head = format!(
        "name = \"{name}\"\ndescription = \"samples\"\naudio = \"{}\"\n[enroll]\ncondition = \"clean\"\n\
         [test]\nmax_seconds = {seconds}\ncondition = \"phone\"\n",
        samples.display()
    );
    for (file, text) in [
        ("protocol.toml", &head),
        ("enroll.tsv", &enrol),
        ("speakers.tsv", &speakers),
        ("trials.tsv", &trials),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder
}

#[test]
fn lines_are_fitted_on_every_protocol_and_the_rest_on_the_first() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = (
        protocol(folder.path(), "long", 4.0),
        protocol(folder.path(), "short", 2.8),
    );
    let cache = folder.path().join("cache");
    let fit = |protocols: &[&PathBuf]| {
        let out = folder.path().join("fitted.toml");
        let mut args = vec!["calibrate", "--out", out.to_str().unwrap(), "--threads", "1"];
        args.extend(["--condition", "clean", "--condition", "phone"]);
        args.extend(["--cache", cache.to_str().unwrap()]);
        for one in protocols {
            args.extend(["--protocol", one.to_str().unwrap()]);
        }
        let said = site.run(&args);
        assert_eq!(said.status, 0, "{said:?}");
        let text = std::fs::read_to_string(&out).unwrap();
        text.parse::<toml::Table>().unwrap()
    };
    let (one, other, both) = (fit(&[&long]), fit(&[&short]), fit(&[&long, &short]));
    let trials = |fitted: &toml::Table, kind: &str| fitted["curve"][kind].as_integer().unwrap();
    for kind in ["target_trials", "nontarget_trials"] {
        let sum = trials(&one, kind) + trials(&other, kind);
        assert_eq!(trials(&both, kind), sum, "{kind}");
        assert!(trials(&other, kind) > 0, "{kind}");
    }
    // As many people were heard, so no more is supported.
    assert_eq!(both["curve"]["llr_bounds"], one["curve"]["llr_bounds"]);
    assert_ne!(both["curve"]["scale"], one["curve"]["scale"]);
    assert_eq!(both["origin"]["protocol"].as_str(), Some("long + short"));
    let card = voxline::voiceprint::Card::read(&project("models").join(DEFAULT_MODEL)).unwrap();
    assert_eq!(both["origin"]["model_identity"].as_str(), Some(card.identity()));
    assert_eq!(both["origin"]["callers"].as_integer(), Some(6));
    assert!(both["curve"].get("roster_reach").is_none(), "nobody asked for it");

    let check = ["calibrate", "--check", "--protocol", long.to_str().unwrap()];
    let found = site.run(&[&check[..], &["--json"]].concat()).document();
    let of_phone = &found["by_condition"]["phone"];
    for figure in ["loss", "act_dcf", "min_dcf", "eer"] {
        assert!(of_phone[figure].is_number(), "{found}");
    }
    let said = site.run(&[&check[..], &["--protocol", short.to_str().unwrap()]].concat());
    assert!(
        said.status == 2 && said.stderr.contains("--check takes one --protocol"),
        "{said:?}"
    );
}

#[test]
fn real_calls_are_fitted_on_as_they_came_and_by_whom_is_named_alone() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let long = protocol(folder.path(), "long", 4.0);
    let (cache, out) = (folder.path().join("cache"), folder.path().join("fitted.toml"));
    let [long, cache] = [&long, &cache].map(|path| path.to_str().unwrap());
    let calibrate = |more: &[&str]| {
        let how = ["calibrate", "--threads", "1", "--cache", cache, "--out"];
        site.run(&[&how[..], &[out.to_str().unwrap()], more].concat())
    };
    let fit = |more: &[&str]| -> toml::Table {
        let said = calibrate(more);
        assert_eq!(said.status, 0, "{said:?}");
        std::fs::read_to_string(&out).unwrap().parse().unwrap()
    };
    let recorded = fit(&["--recorded", long]);
    let asked = fit(&["--protocol", long, "--condition", "phone"]);
    assert_eq!(recorded["curve"], asked["curve"]);
    assert_eq!(recorded["operating_points"], asked["operating_points"]);
    assert_eq!(recorded["origin"], asked["origin"]);
    let said = calibrate(&["--recorded", long, "--condition", "clean"]);
    assert!(
        said.status == 2 && said.stderr.contains("--condition is for the calls of --protocol"),
        "{said:?}"
    );

    let speakers = site.file("speakers", b"alice\nrobert\nwalter\nnuria\n");
    let named = fit(&["--recorded", long, "--speakers", &speakers]);
    let people = |fitted: &toml::Table| {
        ["callers", "users", "speakers"].map(|of| fitted["origin"][of].as_integer().unwrap())
    };
    assert_eq!((people(&recorded), people(&named)), ([6; 3], [4; 3]));
    assert_ne!(named["curve"]["scale"], recorded["curve"]["scale"]);
}

#[test]
fn the_rosters_reach_is_fitted_or_refused_where_none_shows_it() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let short = protocol(folder.path(), "short", 2.8);
    let out = folder.path().join("fitted.toml");
    let fit = || {
        let paths = [
            "--out",
            out.to_str().unwrap(),
            "--protocol",
            short.to_str().unwrap(),
        ];
        let how = [
            "calibrate",
            "--roster-reach",
            "--threads",
            "1",
            "--condition",
            "phone",
        ];
        site.run(&[&how[..], &paths].concat())
    };
    let said = fit();
    assert!(
        said.status == 1 && said.stderr.contains("no roster has three users") && !out.exists(),
        "{said:?}"
    );
    let rosters: String = PEOPLE
        .iter()
        .map(|who| format!("+12025550101\t{who}\n"))
        .collect();
    std::fs::write(short.join("rosters.tsv"), rosters).unwrap();
    std::fs::write(
        short.join("search.tsv"),
        "signup/alice/2.flac\talice\t+12025550101\n",
    )
    .unwrap();
    let said = fit();
    assert_eq!(said.status, 0, "{said:?}");
    let fitted: toml::Table = std::fs::read_to_string(&out).unwrap().parse().unwrap();
    let reach = fitted["curve"]["roster_reach"].as_float().unwrap();
    assert!((0.05..1.5).contains(&reach), "{reach}");
}

#[test]
fn a_fit_without_long_calls_keeps_the_models_test_of_voices() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let short = protocol(folder.path(), "short", 2.8);
    let out = folder.path().join("fitted.toml");
    let args = ["calibrate", "--threads", "1", "--condition", "phone", "--out"];
    let paths = [out.to_str().unwrap(), "--protocol", short.to_str().unwrap()];
    let said = site.run(&[&args[..], &paths].concat());
    assert!(
        said.status == 0
            && said
                .stdout
                .contains("two voices: that is as in the calibration in use"),
        "{said:?}"
    );
    let read = |path: &Path| -> toml::Table { std::fs::read_to_string(path).unwrap().parse().unwrap() };
    let shipped = project("models").join(DEFAULT_MODEL).join("calibration.toml");
    let gain = |path: &Path| read(path)["voices"]["gain"].clone();
    assert_eq!(gain(&out), gain(&shipped));
}

#[test]
fn every_checkpoint_of_every_trial_is_a_line_of_a_table_without_a_voice() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let long = protocol(folder.path(), "long", 4.0);
    let (out, speakers) = (folder.path().join("trials.tsv"), folder.path().join("speakers"));
    std::fs::write(&speakers, "alice\nrobert\n").unwrap();
    let table = |more: &[&str]| -> Vec<Vec<String>> {
        let mut args = vec!["calibrate", "--trials", out.to_str().unwrap(), "--threads", "1"];
        args.extend(["--protocol", long.to_str().unwrap(), "--condition", "phone"]);
        args.extend(more);
        let said = site.run(&args);
        assert_eq!(said.status, 0, "{said:?}");
        let text = std::fs::read_to_string(&out).unwrap();
        let split = |line: &str| line.split('\t').map(str::to_owned).collect();
        text.lines().map(split).collect()
    };
    let lines = table(&["--speakers", speakers.to_str().unwrap()]);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    let column = |name: &str| lines[0].iter().position(|one| one == name).unwrap();
    let (checkpoint, target, cosine) = (column("checkpoint"), column("target"), column("cosine"));
    let ends: Vec<_> = lines[1..]
        .iter()
        .filter(|line| line[checkpoint] == "end")
        .collect();
    assert_eq!(ends.len(), 4, "two people against each other");
    assert_eq!(ends.iter().filter(|line| line[target] == "1").count(), 2);
    assert!(lines.len() > 1 + 2 * ends.len(), "checkpoints on the way too");
    assert!(
        lines[1..]
            .iter()
            .all(|line| line[cosine].parse::<f64>().unwrap().abs() <= 1.0)
    );
    // As `calibrate` hears them: real calls as they came, and nobody against a call that they were enrolled by.
    let condition = column("condition");
    for (what, targets) in [("--recorded", 2), ("--same-call", 0)] {
        let more = protocol(folder.path(), what.trim_start_matches('-'), 2.8);
        let head = std::fs::read_to_string(more.join("protocol.toml")).unwrap();
        std::fs::write(more.join("protocol.toml"), head.replace("\"phone\"", "\"alaw\"")).unwrap();
        let lines = table(&[
            what,
            more.to_str().unwrap(),
            "--speakers",
            speakers.to_str().unwrap(),
        ]);
        let own: Vec<_> = lines[1..].iter().filter(|line| line[0] != "long").collect();
        assert!(own.iter().all(|line| line[condition] == "alaw"), "{what}");
        let ends = own.iter().filter(|line| line[checkpoint] == "end");
        assert_eq!(ends.filter(|line| line[target] == "1").count(), targets, "{what}");
        assert!(!own.is_empty());
    }
    let other = protocol(folder.path(), "other", 2.8);
    let head = std::fs::read_to_string(other.join("protocol.toml")).unwrap();
    let head = head.replace(
        "[enroll]\ncondition = \"clean\"",
        "[enroll]\ncondition = \"phone\"",
    );
    std::fs::write(other.join("protocol.toml"), head).unwrap();
    let args = ["calibrate", "--protocol", long.to_str().unwrap(), "--trials"];
    let paths = [out.to_str().unwrap(), "--protocol", other.to_str().unwrap()];
    let said = site.run(&[&args[..], &paths].concat());
    assert!(
        said.status == 1 && said.all().contains("enrol under different conditions"),
        "{said:?}"
    );
}
