//! Scores of any system, put to their trials.

use std::collections::BTreeSet;

use voxline::measure::{
    Format, ListedScore, ListedTrial, join, read_scores, read_trials, write_scores, write_trials,
};

use super::file;

fn trial(enrolled: String, test: String, target: bool) -> ListedTrial {
    ListedTrial {
        enrolled,
        test,
        target: Some(target),
        condition: None,
    }
}

fn scored(trials: &[ListedTrial]) -> Vec<ListedScore> {
    let score = |trial: &ListedTrial| ListedScore {
        enrolled: trial.enrolled.clone(),
        test: trial.test.clone(),
        score: 0.0,
        is_heard: true,
    };
    trials.iter().map(score).collect()
}

#[test]
fn recordings_that_chains_of_targets_join_are_one_speakers() {
    let name = |speaker: usize, recording: usize| format!("{speaker}/{recording}.wav");
    let mut trials = Vec::new();
    for speaker in 0..40 {
        // From the last to the first: each pair is met before what joins it to the pairs before.
        for recording in (0..20).rev() {
            trials.push(trial(
                name(speaker, recording),
                name(speaker, recording + 1),
                true,
            ));
            trials.push(trial(
                name(speaker, recording),
                name((speaker + 1) % 40, recording),
                false,
            ));
        }
    }
    let (paired, speakers) = join(&trials, &scored(&trials)).unwrap();
    assert_eq!(speakers, 40);
    assert!(
        paired
            .iter()
            .all(|one| (one.enrolled == one.tested) == one.target),
        "a target trial is of one person, any other of two"
    );
    let numbers: BTreeSet<u32> = paired.iter().flat_map(|one| [one.enrolled, one.tested]).collect();
    assert_eq!(numbers, (0..40).collect::<BTreeSet<u32>>());
}

#[test]
fn two_scores_of_one_pair_are_refused_with_both_lines() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| read_scores(&file(&folder, "scores.tsv", text), Format::Voxline);
    let fault = read("a\tb\t1\t0.5\n\na\tc\t1\t0.5\na\tb\t2\t0.5\n")
        .unwrap_err()
        .to_string();
    for part in ["scores.tsv:4: ", "line 1:", "a against b"] {
        assert!(fault.contains(part), "{fault}");
    }
    // The same once more says nothing else.
    assert_eq!(read("a\tb\t1\t0.5\na\tb\t1\t0.5\n").unwrap().len(), 2);
}

#[test]
fn the_two_sides_of_a_segment_keep_two_scores() {
    let folder = tempfile::tempdir().unwrap();
    let text = "modelid\tsegmentid\tside\ttargettype\nm\ts\ta\ttarget\nm\ts\tb\tnontarget\n";
    let key = file(&folder, "key", text);
    let trials = read_trials(&key, Format::Sre).unwrap();
    let tests: Vec<&str> = trials.iter().map(|trial| trial.test.as_str()).collect();
    assert_eq!(tests, ["s", "s:b"]);
    let scores = file(
        &folder,
        "scores",
        "modelid\tsegmentid\tside\tLLR\nm\ts\tB\t-2\nm\ts\ta\t3\n",
    );
    let scores = read_scores(&scores, Format::Sre).unwrap();
    let (paired, _) = join(&trials, &scores).unwrap();
    assert_eq!((paired[0].score, paired[1].score), (3.0, -2.0));

    let again = folder.path().join("again");
    write_trials(&again, Format::Sre, &trials).unwrap();
    assert_eq!(
        std::fs::read_to_string(&again).unwrap(),
        text,
        "sides are written as they came"
    );
    write_scores(&again, Format::Sre, &scores).unwrap();
    assert_eq!(read_scores(&again, Format::Sre).unwrap(), scores);
}

#[test]
fn a_list_with_a_byte_order_mark_is_the_list_without() {
    let folder = tempfile::tempdir().unwrap();
    for (format, text) in [
        (Format::Voxline, "a\tb\ttarget\n\u{feff}a\tc\tnontarget\n"),
        (
            Format::Sre,
            "modelid\tsegmentid\ttargettype\na\tb\ttarget\na\tc\tnontarget\n",
        ),
    ] {
        let plain = read_trials(&file(&folder, "plain", text), format).unwrap();
        let marked = file(&folder, "marked", &format!("\u{feff}{text}"));
        assert_eq!(read_trials(&marked, format).unwrap(), plain, "{format}");
    }
}
