//! The order in which a room's files stand in its `mod.rs`, where it says that they do.

use std::path::{Path, PathBuf};

use crate::support;

/// How a room says that its files are in order.
const SAID: &str = "// In order: a file uses only those above it, and none of its own group.";

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The folders of rooms and parts of rooms whose files are in order.
fn ordered(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let room = path.join("mod.rs");
            if room.exists() && text(&room).contains(SAID) {
                found.push(path.clone());
            }
            ordered(&path, found);
        }
    }
}

/// The files that a `mod.rs` names, in groups.
fn groups(room: &str) -> Vec<Vec<String>> {
    let (_, from) = room.split_once(SAID).unwrap();
    let name = |line: &str| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    let groups = from
        .split("\n\n")
        .map(|group| group.lines().filter_map(name).collect::<Vec<_>>());
    groups.take_while(|group| !group.is_empty()).collect()
}

/// The neighbours that a file uses outside its tests.
fn used(text: &str) -> Vec<String> {
    let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
    let name = |line: &str| {
        let rest = line
            .trim()
            .trim_start_matches("pub ")
            .strip_prefix("use super::")?;
        let end = rest.find([':', ';', ' '])?;
        Some(rest[..end].to_owned())
    };
    code.lines().filter_map(name).collect()
}

#[test]
fn files_of_an_ordered_room_use_only_those_above_them() {
    let mut rooms = Vec::new();
    ordered(&support::project("src"), &mut rooms);
    assert!(rooms.len() >= 7, "{rooms:?}");
    for room in rooms {
        let groups = groups(&text(&room.join("mod.rs")));
        for (at, group) in groups.iter().enumerate() {
            for file in group {
                let one = room.join(format!("{file}.rs"));
                let path = if one.exists() {
                    one
                } else {
                    room.join(file).join("mod.rs")
                };
                for neighbour in used(&text(&path)) {
                    let place = groups.iter().position(|group| group.contains(&neighbour));
                    assert!(
                        place.is_none_or(|place| place < at),
                        "{} uses {neighbour}, which does not stand above it in mod.rs",
                        path.display()
                    );
                }
            }
        }
    }
}
