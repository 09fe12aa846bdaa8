//! Lists in the formats the field exchanges, and protocol folders.

use voxline::measure::{
    Format, Init, ListError, ListedScore, ListedTrial, Protocol, init, join, read_scores, read_trials,
    write_scores, write_trials,
};

use super::file;
use crate::support::project;

fn trial(enrolled: &str, test: &str, target: bool) -> ListedTrial {
    ListedTrial {
        enrolled: enrolled.into(),
        test: test.into(),
        target: Some(target),
        condition: None,
    }
}

fn score(enrolled: &str, test: &str, score: f64) -> ListedScore {
    ListedScore {
        enrolled: enrolled.into(),
        test: test.into(),
        score,
        is_heard: true,
    }
}

#[test]
fn every_format_reads_what_its_owners_write() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = vec![trial("a", "b/1.wav", true), trial("a", "c/2.wav", false)];
    for (format, text) in [
        (Format::VoxCeleb, "1 a b/1.wav\n0 a c/2.wav\n"),
        (Format::Kaldi, "a b/1.wav target\r\na c/2.wav nontarget\r\n"),
        (
            Format::Sre,
            "modelid\tsegmentid\tside\ttargettype\na\tb/1.wav\ta\ttarget\na\tc/2.wav\ta\tnontarget",
        ),
        (Format::Voxline, "a\tb/1.wav\ttarget\n\na\tc/2.wav\tnontarget\n"),
    ] {
        assert_eq!(
            read_trials(&file(&folder, "trials", text), format).unwrap(),
            wanted,
            "{format}"
        );
    }
    let unlabelled = file(&folder, "trials", "modelid\tsegmentid\tside\na\tb/1.wav\ta\n");
    assert_eq!(read_trials(&unlabelled, Format::Sre).unwrap()[0].target, None);
    let wanted = vec![score("a", "b", 1.5), score("a", "c", -2e-3)];
    for (format, text) in [
        (Format::VoxCeleb, "1.5 a b\n-2e-3 a c\n"),
        (Format::Kaldi, "a b 1.5 target\na c -2e-3\n"),
        (
            Format::Sre,
            "modelid\tsegmentid\tside\tLLR\na\tb\ta\t1.5\na\tc\ta\t-0.002\n",
        ),
        (Format::Voxline, "a\tb\t1.5\t0.7\na\tc\t-\t-0.002\n"),
    ] {
        assert_eq!(
            read_scores(&file(&folder, "scores", text), format).unwrap(),
            wanted,
            "{format}"
        );
    }
}

#[test]
fn what_is_written_reads_back_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let trials = vec![
        trial("m1", "t1", true),
        trial("m1", "t2", false),
        trial("m2", "t1", false),
    ];
    let scores = vec![
        score("m1", "t1", 0.1 + 0.2),
        score("m1", "t2", -1e300),
        score("m2", "t1", f64::NEG_INFINITY),
    ];
    for format in Format::ALL {
        write_trials(&path, format, &trials).unwrap();
        assert_eq!(read_trials(&path, format).unwrap(), trials, "{format}");
        write_scores(&path, format, &scores).unwrap();
        assert_eq!(read_scores(&path, format).unwrap(), scores, "{format}");
        assert_eq!(format.name().parse::<Format>(), Ok(format));
    }
}

#[test]
fn a_wrong_line_is_named_by_file_and_number() {
    let folder = tempfile::tempdir().unwrap();
    for (format, text, line, said) in [
        (
            Format::Kaldi,
            "a b target\n\na c tarjet\n",
            3,
            "`target` or `nontarget`",
        ),
        (Format::VoxCeleb, "1 a b\n2 a c\n", 2, "`1` or `0`"),
        (Format::Voxline, "a\tb\n", 1, "there are 2 columns"),
        (
            Format::Voxline,
            "a\tb\ttarget\tphone\textra\n",
            1,
            "no more columns",
        ),
        (Format::Sre, "model\tsegment\na\tb\n", 1, "`modelid`"),
        (
            Format::Sre,
            "modelid\tsegmentid\ttargettype\na\tb\n",
            2,
            "as many columns as the header",
        ),
    ] {
        let path = file(&folder, "list.txt", text);
        let fault = read_trials(&path, format).unwrap_err().to_string();
        assert!(
            fault.contains(&format!("list.txt:{line}: ")) && fault.contains(said),
            "{fault}"
        );
    }
    for (format, text, line) in [
        (Format::Kaldi, "a b NaN\n", 1),
        (Format::Kaldi, "a b 1\na c high\n", 2),
        (Format::Sre, "modelid\tsegmentid\n", 1),
    ] {
        let path = file(&folder, "scores.txt", &format!("{text}a\tb\t1\n"));
        let fault = read_scores(&path, format).unwrap_err().to_string();
        assert!(fault.contains("scores.txt:"), "{line}: {fault}");
    }
    let long = file(&folder, "long.txt", &"x".repeat(70_000));
    assert!(
        read_trials(&long, Format::Kaldi)
            .unwrap_err()
            .to_string()
            .contains("longer than")
    );
    let missing = read_trials(&folder.path().join("nothing"), Format::Kaldi);
    assert!(matches!(missing, Err(ListError::Unreadable { .. })));
}

#[test]
fn a_trial_without_a_score_is_not_left_out() {
    let trials = vec![
        trial("a", "a1", true),
        trial("b", "a1", false),
        trial("b", "b1", true),
    ];
    let scores = vec![score("b", "b1", 2.0), score("a", "a1", 1.0), score("z", "z", 0.0)];
    let fault = join(&trials, &scores).unwrap_err().to_string();
    assert!(
        fault.contains("1 of 3") && fault.contains("b against a1"),
        "{fault}"
    );
    let (paired, speakers) = join(&trials, &[scores, vec![score("b", "a1", -1.0)]].concat()).unwrap();
    assert_eq!(speakers, 2);
    let seen: Vec<_> = paired
        .iter()
        .map(|one| (one.score, one.enrolled, one.tested, one.target))
        .collect();
    assert_eq!(seen, [(1.0, 0, 0, true), (-1.0, 1, 0, false), (2.0, 1, 1, true)]);
}

#[test]
fn a_protocol_is_made_from_folders_of_recordings_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    for speaker in ["ann", "bob", "cem", "dea", "eve"] {
        std::fs::create_dir(folder.path().join(speaker)).unwrap();
        let recordings = if speaker == "eve" { 1 } else { 3 };
        (0..recordings)
            .for_each(|at| std::fs::write(folder.path().join(format!("{speaker}/{at}.wav")), "").unwrap());
    }
    file(&folder, "ann/notes.txt", "no recording");
    let how = Init {
        enroll: 2,
        roster: 2,
        seed: 3,
        force: false,
    };
    let made = init(folder.path(), how).unwrap();
    // One of the four with enough recordings only calls, and so does the one with too few.
    assert_eq!((made.enrolled, made.strangers), (3, 2));
    let protocol = Protocol::read(folder.path()).unwrap();
    let tables = &protocol.tables;
    assert_eq!(
        (tables.models.len(), tables.trials.len(), tables.searches.len()),
        (3, made.trials, made.searches)
    );
    assert_eq!(tables.speakers.len(), 5);
    assert_eq!(tables.trials.iter().filter(|trial| trial.target).count(), 3);
    assert_eq!(
        tables
            .rosters
            .iter()
            .map(|(_, roster)| roster.len())
            .collect::<Vec<_>>(),
        [2, 1]
    );
    let again = init(folder.path(), how).unwrap_err().to_string();
    assert!(again.contains("--force"), "{again}");
    assert_eq!(init(folder.path(), Init { force: true, ..how }).unwrap(), made);
    let few = init(
        folder.path(),
        Init {
            enroll: 9,
            force: true,
            ..how
        },
    )
    .unwrap_err()
    .to_string();
    assert!(few.contains("at least two speakers"), "{few}");
}

#[test]
fn lists_that_do_not_fit_together_are_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "name = \"t\"\naudio = \".\"\n[test]\nmax_seconds = 3\ncondition = \"phone\"\n";
    file(&folder, "protocol.toml", settings);
    file(&folder, "enroll.tsv", "a\ta.wav\t0.5\t3\nb\tb.wav\n");
    file(
        &folder,
        "trials.tsv",
        "a\ta2.wav\ttarget\tquiet\nb\ta2.wav\tnontarget\n",
    );
    file(&folder, "rosters.tsv", "+12025550101\ta\n");
    let read = || Protocol::read(folder.path()).map_err(|fault| fault.to_string());
    let protocol = read().unwrap();
    assert_eq!(protocol.tables.enrolments[0][0].span, Some((0.5, 3.0)));
    assert_eq!(protocol.tables.conditions, ["quiet", ""]);
    assert_eq!(protocol.test.condition, "phone");
    for (name, text, said) in [
        (
            "trials.tsv",
            "a\tx.wav\ttarget\nz\tx.wav\ttarget\n",
            "trials.tsv:2: \"z\" has no line in enroll.tsv",
        ),
        ("trials.tsv", "", "has no lines"),
        (
            "enroll.tsv",
            "a\ta.wav\t3\t1\n",
            "enroll.tsv:1: a start before its end",
        ),
        (
            "search.tsv",
            "a2.wav\ta\t+1999\n",
            "search.tsv:1: +1999 has no roster",
        ),
        ("search.tsv", "a2.wav\tb\t+12025550101\n", "not on the roster"),
        (
            "rosters.tsv",
            "+12025550101\ta\n+12025550101\ta\n",
            "rosters.tsv:2",
        ),
        ("speakers.tsv", "a\tann\tfemale\n", "speakers.tsv:1: groups"),
        (
            "protocol.toml",
            "name = \"t\"\naudio = \".\"\ncolour = 1\n",
            "protocol.toml is not valid",
        ),
    ] {
        let path = folder.path().join(name);
        let before = std::fs::read_to_string(&path).ok();
        if name == "rosters.tsv" {
            file(&folder, "search.tsv", "a2.wav\ta\t+12025550101\n");
        }
        file(&folder, name, text);
        let fault = read().unwrap_err();
        assert!(fault.contains(said), "{name}: {fault}");
        match before {
            Some(before) => std::fs::write(&path, before).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let _ = std::fs::remove_file(folder.path().join("search.tsv"));
    }
    assert!(read().is_ok());
}

#[test]
fn groups_and_speakers_come_from_their_list() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "protocol.toml", "name = \"t\"\naudio = \".\"\n");
    file(&folder, "enroll.tsv", "a\ta.wav\nb\tb.wav\n");
    file(
        &folder,
        "trials.tsv",
        "a\ta2.wav\ttarget\nb\tx/1.wav\tnontarget\nb\tx/2.wav\tnontarget\n",
    );
    file(
        &folder,
        "speakers.tsv",
        "a\tann\tsex=f\tlanguage=en\nb\tbob\tsex=m\n",
    );
    let protocol = Protocol::read(folder.path()).unwrap();
    let groups = protocol.groups();
    assert_eq!(groups["sex"]["f"], [0]);
    assert_eq!(groups["language"].len(), 1);
    let tables = &protocol.tables;
    // The test is ann's, as she is its target; the two in one folder are one stranger.
    assert_eq!(tables.test_speakers, [0, 2, 2]);
    assert_eq!(tables.speakers[2].name, "x");
}

#[test]
fn the_shipped_protocol_says_what_the_manifest_says() {
    let manifest: toml::Table = std::fs::read_to_string(project("enrollment_samples/manifest.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let list = |key: &str| manifest[key].as_array().unwrap().clone();
    let spoken = list("call")
        .iter()
        .filter(|call| call.get("caller").is_some())
        .count();
    let protocol = Protocol::read(&project("enrollment_samples/protocol")).unwrap();
    let tables = &protocol.tables;
    assert_eq!(tables.models.len(), list("user").len());
    assert_eq!(tables.searches.len(), spoken);
    assert_eq!(tables.trials.len(), spoken * tables.models.len());
    for (user, (model, clips)) in list("user")
        .iter()
        .zip(tables.models.iter().zip(&tables.enrolments))
    {
        assert_eq!(user["key"].as_str(), Some(model.as_str()));
        assert_eq!(user["signup"].as_array().unwrap().len(), clips.len());
    }
    let named = list("call")
        .iter()
        .filter(|call| call.get("user").is_some())
        .count();
    let found = tables
        .searches
        .iter()
        .filter(|search| search.caller.is_some())
        .count();
    // The one word is of somebody on the roster, though nothing is decided from it.
    assert_eq!(found, named + 1);
}
