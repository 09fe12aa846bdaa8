//! What the documents name as a test or a setting is one, every route is in the document of the API, and every point of telephony
//! has a test or says what is open.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{self, sources};

/// The points of telephony that were checked against public sources.
const POINTS: u32 = 21;

fn document(name: &str) -> String {
    String::from_utf8(support::read(&format!("docs/{name}"))).unwrap()
}

/// Every document: its name and its text.
fn documents() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(support::project("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let texts = names.filter(|name| name.ends_with(".md"));
    texts
        .map(|name| (format!("docs/{name}"), document(&name)))
        .collect()
}

/// The names of the tests in a file.
fn tests_of(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        let (_, function) = line.split_once("fn ").unwrap_or_default();
        if line.starts_with("#[") {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if marked && !function.is_empty() {
            let name = function.split('(').next().unwrap_or_default();
            tests.insert(name.to_owned());
            marked = false;
        } else if !line.starts_with("//") {
            marked = false;
        }
    }
    tests
}

fn all_tests() -> BTreeSet<String> {
    let files = ["tests", "src"].into_iter().flat_map(sources);
    files.flat_map(|file| tests_of(&file)).collect()
}

/// The tables of a text: the cells of each row, the header's first.
fn tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables: Vec<Vec<Vec<String>>> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        if !line.starts_with('|') {
            within = false;
            continue;
        }
        if !within {
            tables.push(Vec::new());
            within = true;
        }
        if line.chars().all(|sign| "|-: ".contains(sign)) {
            continue;
        }
        tables.last_mut().unwrap().push(cells(line));
    }
    tables
}

/// The cells of a row; a stroke between backticks is none.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut code = false;
    for sign in line.trim().trim_start_matches('|').trim_end_matches('|').chars() {
        code ^= sign == '`';
        match sign {
            '|' if !code => cells.push(String::new()),
            _ => cells.last_mut().unwrap().push(sign),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a text reads like a test's name: a sentence in snake case.
fn is_sentence(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(plain) && text.matches('_').count() >= 3
}

/// The rows of the tables in a document whose header speaks of tests, with the cell that does.
fn rows_with_tests(text: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for table in tables(text) {
        let column = table[0].iter().position(|cell| cell.contains("test"));
        for row in table.iter().skip(1) {
            if let Some(cell) = column.and_then(|column| row.get(column)) {
                found.push((row.clone(), cell.clone()));
            }
        }
    }
    found
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let tests = all_tests();
    assert!(tests.len() > 500, "{}", tests.len());
    let mut named = 0;
    for (document, text) in documents() {
        for (row, cell) in rows_with_tests(&text) {
            // Metrics are written alike.
            for name in quoted(&cell).filter(|text| is_sentence(text) && !text.starts_with("voxline_")) {
                assert!(
                    tests.contains(name),
                    "{document}, {}: there is no test {name}",
                    row[0]
                );
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn every_point_of_telephony_has_a_test_or_says_what_is_open() {
    let text = document("telephony.md");
    let rows = rows_with_tests(&text);
    let mut points = BTreeSet::new();
    for (row, cell) in &rows {
        let point = row[0]
            .split('.')
            .next()
            .and_then(|number| number.parse::<u32>().ok());
        points.extend(point);
        let open = row[1].starts_with("open");
        assert!(
            open || !cell.is_empty(),
            "{} names no test, and not how it is settled",
            row[0]
        );
    }
    assert!((1..=POINTS).all(|point| points.contains(&point)), "{points:?}");
}

#[test]
fn every_place_that_testing_names_is_there() {
    for row in tables(&document("testing.md"))[0].iter().skip(1) {
        for place in quoted(&row[1]) {
            assert!(
                is_there(place),
                "docs/testing.md, {}: there is no {place}",
                row[0]
            );
        }
    }
}

/// Whether a place of tests is there: a path, a module of the integration tests, or a test in one, whose name may be
/// cut with `…`. Commands are not looked into.
fn is_there(place: &str) -> bool {
    if place.contains(' ') {
        return true;
    }
    if place.contains('/') {
        return support::project(place).exists();
    }
    let path = place.replace("::", "/");
    let module = |path: &str| support::project(&format!("tests/voxline/{path}.rs"));
    if module(&path).exists() {
        return true;
    }
    let Some((path, name)) = path.rsplit_once('/') else {
        return false;
    };
    let file = module(path);
    let fits = |test: &String| match name.strip_suffix('…') {
        Some(start) => test.starts_with(start),
        None => test == name,
    };
    file.exists() && tests_of(&file).iter().any(fits)
}

#[test]
fn files_that_documents_name_are_there() {
    let ours = ["src/", "tests/", "examples/", "docs/"];
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-".contains(sign);
    for (document, text) in documents() {
        let places = quoted(&text).filter(|place| ours.iter().any(|folder| place.starts_with(folder)));
        for place in places.filter(|place| place.chars().all(plain)) {
            assert!(
                support::project(place).exists(),
                "{document}: there is no {place}"
            );
        }
    }
}

/// The variables of all settings.
fn variables() -> BTreeSet<String> {
    let (mut found, mut section) = (BTreeSet::new(), String::new());
    for line in document("settings.md").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let named = title.strip_prefix("`[").and_then(|rest| rest.strip_suffix("]`"));
            section = named.map_or_else(String::new, |name| format!("{name}."));
        } else if let Some(row) = line.strip_prefix("| `") {
            let key = row.split('`').next().unwrap_or_default();
            found.insert(format!("VOXLINE_{section}{key}").to_uppercase().replace('.', "_"));
        }
    }
    found
}

/// The routes between backticks, as `POST/GET /v1/users`: method and path. A path alone is one to get.
fn routes(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for place in quoted(text) {
        let (methods, path) = place.split_once(' ').unwrap_or(("GET", place));
        let methods = methods.split('/').filter(|_| path.starts_with('/'));
        found.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    found
}

#[test]
fn every_route_stands_in_the_document_of_the_api() {
    let openapi: Value = serde_json::from_slice(&support::read("tests/data/openapi.json")).unwrap();
    let mut there = BTreeSet::new();
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys();
        there.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let text = document("api.md");
    let (_, table) = text.split_once("\n## Every route\n").unwrap();
    let named = routes(table);
    let missing: Vec<_> = there.difference(&named).collect();
    assert!(missing.is_empty(), "docs/api.md lacks {missing:?}");
    let others = named.difference(&there);
    let gone: Vec<_> = others.filter(|(_, path)| path.starts_with("/v1/")).collect();
    assert!(gone.is_empty(), "docs/api.md has {gone:?}, which are no routes");
}

#[test]
fn every_variable_that_people_are_told_of_is_taken() {
    let known = variables();
    assert!(known.len() > 100, "{}", known.len());
    let mut texts = documents();
    for name in ["README.md", "CONTRIBUTING.md", "Makefile", "voxline.example.toml"] {
        texts.push((name.to_owned(), String::from_utf8(support::read(name)).unwrap()));
    }
    let scripts = ["benches", "scripts", "models/calibration"];
    let scripts = scripts
        .iter()
        .flat_map(|folder| std::fs::read_dir(support::project(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    for file in sources("src/cli").into_iter().chain(scripts) {
        texts.push((
            file.display().to_string(),
            std::fs::read_to_string(&file).unwrap(),
        ));
    }
    let is_of_a_name = |sign: char| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_';
    for (place, text) in texts {
        for (at, _) in text.match_indices("VOXLINE_") {
            let word = text[at..].split(|sign| !is_of_a_name(sign)).next().unwrap();
            // The prefix itself, as in `VOXLINE_*`, and what tests and benchmarks are told.
            let good = ["VOXLINE_", "VOXLINE_SHARED"].contains(&word)
                || word.starts_with("VOXLINE_TEST_")
                || known.contains(word);
            assert!(
                good,
                "{place} names {word}, which is no setting: the program refuses it"
            );
        }
    }
}
