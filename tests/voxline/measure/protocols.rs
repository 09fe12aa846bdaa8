//! Protocol folders that were made, and changed by hand.

use std::path::Path;

use voxline::measure::{Init, Protocol, init};

const HOW: Init = Init {
    enroll: 2,
    roster: 10,
    seed: 1,
    force: false,
};

/// Folders of three recordings each.
fn recordings(folder: &Path, speakers: &[&str]) {
    for speaker in speakers {
        std::fs::create_dir_all(folder.join(speaker)).unwrap();
        for take in 0..3 {
            std::fs::write(folder.join(format!("{speaker}/{take}.wav")), "").unwrap();
        }
    }
}

/// Adds to each line of the list of speakers what `more` says of it.
fn add(folder: &Path, more: impl Fn(&str) -> &'static str) {
    let path = folder.join("speakers.tsv");
    let before = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = before
        .lines()
        .map(|line| format!("{line}{}\n", more(line)))
        .collect();
    std::fs::write(path, lines.concat()).unwrap();
}

#[test]
fn groups_that_are_said_of_recordings_are_their_speakers() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path(), &["ann", "bob", "cem"]);
    init(folder.path(), HOW).unwrap();
    add(folder.path(), |line| {
        if line.starts_with("bob") {
            "\tsex=m"
        } else {
            "\tsex=f"
        }
    });
    // One line of somebody is enough.
    add(folder.path(), |line| {
        if line.starts_with("cem/2") {
            "\tlanguage=tr"
        } else {
            ""
        }
    });
    let protocol = Protocol::read(folder.path()).unwrap();
    let groups = protocol.groups();
    assert_eq!(
        (&groups["sex"]["f"], &groups["sex"]["m"]),
        (&vec![0, 2], &vec![1])
    );
    assert_eq!(groups["language"]["tr"], [2]);
}

#[test]
fn two_values_of_one_group_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path(), &["ann", "bob"]);
    init(folder.path(), HOW).unwrap();
    add(folder.path(), |line| {
        if line.starts_with("ann/1") {
            "\tsex=m"
        } else {
            "\tsex=f"
        }
    });
    let fault = Protocol::read(folder.path()).unwrap_err().to_string();
    for part in ["speakers.tsv:2: ", "ann", "sex=m", "sex=f"] {
        assert!(fault.contains(part), "{fault}");
    }
}

#[test]
fn a_protocol_made_in_a_folder_of_any_name_reads_back() {
    let above = tempfile::tempdir().unwrap();
    // Combining characters, decomposed ones of a Mac's archive, and what TOML has to escape.
    for name in ["हिन्दी", "Gespra\u{308}che", "a \"b\" \\c", "it's"] {
        let folder = above.path().join(name);
        recordings(&folder, &["ann", "bob"]);
        init(&folder, HOW).unwrap();
        assert_eq!(Protocol::read(&folder).unwrap().name, name);
    }
}

#[test]
fn a_list_of_enrolments_with_a_byte_order_mark_names_nobody_anew() {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path(), &["ann", "bob"]);
    init(folder.path(), HOW).unwrap();
    let path = folder.path().join("enroll.tsv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    let tables = Protocol::read(folder.path()).unwrap().tables;
    assert_eq!(tables.models, ["ann", "bob"]);
    assert_eq!(tables.enrolments[0].len(), 2);
}
