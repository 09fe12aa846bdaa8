//! Whom `voxline calibrate` fits on, and what it says where that is nobody.

use std::path::Path;

use super::calibrating::{CALIBRATE, PEOPLE, protocol};
use super::*;

#[test]
fn calls_of_strangers_alone_give_no_calibration() {
    let site = Site::new();
    let folder = protocol(site.path(), "strangers", 2.8);
    let trials = folder.join("trials.tsv");
    let all = std::fs::read_to_string(&trials).unwrap();
    let others: Vec<&str> = all.lines().filter(|line| line.ends_with("nontarget")).collect();
    std::fs::write(&trials, others.join("\n")).unwrap();
    let more = ["--protocol", folder.to_str().unwrap(), "--out", "fitted.toml"];
    let said = site.run(&[&CALIBRATE[..], &more].concat());
    assert!(
        said.status == 1 && said.stderr.contains("no calibration comes of these calls"),
        "{said:?}"
    );
}

#[test]
fn speakers_are_a_name_a_line_and_names_of_nobody_are_refused() {
    let site = Site::new();
    let folder = protocol(site.path(), "spaces", 4.0);
    // A name of two words.
    for list in ["enroll.tsv", "trials.tsv", "speakers.tsv"] {
        let path = folder.join(list);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("alice\t", "Alice Smith\t");
        std::fs::write(path, text.replace("\talice\n", "\tAlice Smith\n")).unwrap();
    }
    let table = |names: &str| {
        let speakers = site.file("speakers", names.as_bytes());
        let more = [
            "--speakers",
            speakers.as_str(),
            "--protocol",
            folder.to_str().unwrap(),
            "--trials",
        ];
        site.run(&[&CALIBRATE[..], &more, &["trials.tsv"]].concat())
    };
    let said = table("\u{feff}Alice Smith\r\n\nrobert\r\n");
    assert_eq!(said.status, 0, "{said:?}");
    let lines = std::fs::read_to_string(site.path().join("trials.tsv")).unwrap();
    assert!(lines.contains("\tAlice Smith\trobert\t"), "{lines}");
    assert!(!lines.contains("walter"), "{lines}");

    let said = table("Alice Smith\nrobbert\n");
    assert!(
        said.status == 1 && said.stderr.contains("(robbert)") && !said.stderr.contains("(Alice"),
        "{said:?}"
    );
}

/// Leaves these people alone in the lists of a protocol.
fn keep(folder: &Path, people: &[&str]) {
    for list in ["enroll.tsv", "trials.tsv", "speakers.tsv"] {
        let path = folder.join(list);
        let text = std::fs::read_to_string(&path).unwrap();
        let others = |line: &str| {
            let mut others = PEOPLE.iter().filter(|who| !people.contains(who));
            others.any(|who| line.contains(who))
        };
        let kept: Vec<&str> = text.lines().filter(|line| !others(line)).collect();
        std::fs::write(path, kept.join("\n")).unwrap();
    }
}

#[test]
fn a_fit_on_people_of_a_later_protocol_alone_is_kept_and_checked_on_it() {
    let site = Site::new();
    let (others, own) = (
        protocol(site.path(), "others", 2.8),
        protocol(site.path(), "own", 4.0),
    );
    let callers = ["alice", "robert", "walter", "nuria"];
    keep(&others, &["fergus", "helmi"]);
    keep(&own, &callers);
    let speakers = site.file("speakers", callers.join("\n").as_bytes());
    let fit = |out: &str, more: &[&str]| {
        let how = ["calibrate", "--threads", "1", "--condition", "phone"];
        let [others, own] = [&others, &own].map(|folder| folder.to_str().unwrap());
        let on = ["--protocol", others, "--recorded", own, "--speakers", &speakers];
        let said = site.run(&[&how[..], &on, &["--out", out], more].concat());
        assert_eq!(said.status, 0, "{said:?}");
        assert!(site.path().join(out).is_file());
        said
    };
    let fitted = fit("fitted.toml", &["--json"]).document();
    assert_eq!(fitted["figures"]["protocol"], "own", "{fitted}");
    let said = fit("again.toml", &[]);
    assert!(said.stdout.contains("on the trials of own"), "{said:?}");
}
