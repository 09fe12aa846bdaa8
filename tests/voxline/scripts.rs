//! The scripts that set up what the tests need, and what tests say that lack it.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{project, sources};

/// A script of `scripts/`, copied to a project in which nothing is set up.
fn alone(folder: &Path, script: &str) -> std::path::PathBuf {
    let scripts = folder.join("scripts");
    std::fs::create_dir(&scripts).unwrap();
    let copy = scripts.join(script);
    std::fs::copy(project("scripts").join(script), &copy).unwrap();
    copy
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn peers_that_are_left_out_need_no_environment() {
    let folder = tempfile::tempdir().unwrap();
    let script = alone(folder.path(), "provision_peers.py");
    let mut python = Command::new("python3");
    let done = python
        .arg(script)
        .env("VOXLINE_TEST_SKIP_PEERS", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert!(!folder.path().join(".venv-peers").exists());
}

#[test]
fn tests_that_try_nothing_say_so_in_one_spelling() {
    // As scripts/skipped.py looks for it.
    let mark = "\"skipped: ";
    let mut found = 0;
    for file in sources("tests") {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.to_lowercase().contains(mark)) {
            assert!(line.contains(mark), "{}: {line}", file.display());
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn no_test_runs_the_program_on_what_is_this_machines() {
    let mut found = 0;
    for file in sources("tests") {
        let text = std::fs::read_to_string(&file).unwrap();
        for made in text.split("Command::new(").skip(1) {
            let (of, then) = made.split_once(')').unwrap();
            if !of.ends_with("binary(") {
                continue;
            }
            // What it is told first.
            let told: String = then.chars().take(300).collect();
            let place = file.display();
            assert!(
                told.contains(".env_clear()"),
                "{place}: variables of this shell reach it"
            );
            let in_project = told.contains("project(");
            let own = !in_project || told.contains("\"/dev/null\"");
            assert!(own, "{place}: it reads a voxline.toml of this folder");
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn an_older_python_is_told_which_is_needed() {
    let script = project("scripts/provision.py").display().to_string();
    for version in ["(3, 9, 18)", "(3, 10, 4)"] {
        let older = format!("import runpy, sys; sys.version_info = {version}; runpy.run_path({script:?})");
        let refused = Command::new("python3").args(["-c", &older]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let said = said(&refused);
        assert!(said.lines().count() == 1 && said.contains("PYTHON="), "{said}");
    }
}
