//! Laws of the service as a whole, on the synthetic callers of enrollment_samples.

mod call_pins;
mod call_sessions;
mod calls;
mod echoes;
mod enrolling;
mod everybody;
mod exchanging;
mod identifying;
mod in_slices;
mod in_the_dark;
mod keeping;
mod roster_reach;
mod recording;
mod replays;
mod signs;
mod spoofing;
mod systems;
mod too_late;
mod two_nodes;
mod unheard;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use voxline::engine::Asker;
use voxline::store::NewUser;
use voxline::switchboard::{ClipBytes, EnrolmentReport, Identification, Switchboard};
use voxline::units::{DialedNumber, UserId};

use crate::support::{config, read};

#[derive(Deserialize)]
struct Manifest {
    number: Vec<NumberEntry>,
    user: Vec<UserEntry>,
    call: Vec<CallEntry>,
}

#[derive(Deserialize)]
struct NumberEntry {
    number: DialedNumber,
}

#[derive(Deserialize)]
struct UserEntry {
    key: String,
    name: String,
    number: DialedNumber,
    consent: String,
    signup: Vec<String>,
}

#[derive(Deserialize)]
struct CallEntry {
    file: String,
    number: DialedNumber,
    expect: String,
    user: Option<String>,
    reason: Option<String>,
}

impl Manifest {
    fn read() -> Self {
        toml::from_str(&String::from_utf8(read("enrollment_samples/manifest.toml")).unwrap()).unwrap()
    }

    fn person(&self, key: &str) -> &UserEntry {
        self.user.iter().find(|user| user.key == key).unwrap()
    }
}

/// A deployment of its own, in a temporary folder.
struct TestDeployment {
    board: Arc<Switchboard>,
    people: HashMap<String, UserId>,
    folder: TempDir,
}

impl TestDeployment {
    /// A deployment with the manifest's numbers and nobody on them.
    async fn empty() -> Self {
        Self::empty_with(&[]).await
    }

    async fn empty_with(flags: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let board = open(&folder, flags).await;
        for entry in Manifest::read().number {
            board.store().add_number(&entry.number, None, None).await.unwrap();
        }
        Self {
            board,
            people: HashMap::new(),
            folder,
        }
    }

    /// A deployment with everybody of the manifest enrolled: a copy of one that is made once a run of the tests.
    async fn full() -> Self {
        Self::full_with(&[]).await
    }

    async fn full_with(flags: &[(&'static str, &str)]) -> Self {
        let enrolled = tokio::task::spawn_blocking(everybody_enrolled).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy_files(&enrolled.0, folder.path());
        Self {
            board: open(&folder, flags).await,
            people: enrolled.1,
            folder,
        }
    }

    async fn add(&mut self, key: &str) -> UserId {
        let manifest = Manifest::read();
        let person = manifest.person(key);
        let new = NewUser {
            name: person.name.clone(),
            number: person.number.clone(),
            phones: Vec::new(),
            pin: None,
            exclusive: false,
        };
        let id = self.board.store().add_user(new).await.unwrap().id;
        self.people.insert(key.to_owned(), id);
        id
    }

    async fn enrol(&self, user: UserId, files: &[&str]) -> EnrolmentReport {
        let permit = self.board.admit(Asker::recording(None)).unwrap();
        let report = self
            .board
            .enrol(&permit, user, "I agree.", clips(files), None)
            .await;
        report.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Adds a person of the manifest and enrols their signup recordings.
    async fn sign_up(&mut self, key: &str) -> UserId {
        let user = self.add(key).await;
        let manifest = Manifest::read();
        let person = manifest.person(key);
        let permit = self.board.admit(Asker::recording(None)).unwrap();
        let files: Vec<&str> = person.signup.iter().map(String::as_str).collect();
        let report = self
            .board
            .enrol(&permit, user, &person.consent, clips(&files), None)
            .await;
        let report = report.unwrap_or_else(|fault| panic!("{key}: {fault}"));
        assert!(report.accepted, "{key}: {:?}", report.issues);
        user
    }

    /// The final word on a call of enrollment_samples.
    async fn identify(&self, number: &DialedNumber, file: &str) -> Identification {
        let permit = self.board.admit(Asker::recording(None)).unwrap();
        let said = self
            .board
            .identify(&permit, number, clips(&[file]).remove(0), None, false)
            .await;
        let mut said = said.unwrap_or_else(|fault| panic!("{file}: {fault}"));
        assert_eq!(said.len(), 1);
        said.remove(0)
    }
}

/// A deployment with everybody enrolled, closed, to be copied, and who they are. The first test of a run that needs it
/// makes it, and those in other processes meanwhile wait.
fn everybody_enrolled() -> (PathBuf, HashMap<String, UserId>) {
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("enrolled");
    std::fs::create_dir_all(&all).unwrap();
    let lock = File::create(all.join("lock")).unwrap();
    lock.lock().unwrap();
    let ours = all.join(run);
    if !ours.exists() {
        forget_earlier_runs(&all);
        enrol_everybody(&ours);
    }
    let people = std::fs::read(ours.join(PEOPLE)).unwrap();
    (ours, serde_json::from_slice(&people).unwrap())
}

/// Who is enrolled, beside the files of the deployment.
const PEOPLE: &str = "people.json";

fn enrol_everybody(ours: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(async {
        let mut deployment = TestDeployment::empty().await;
        for person in Manifest::read().user {
            deployment.sign_up(&person.key).await;
        }
        deployment.board.store().close().await;
        deployment
    });
    let begun = ours.with_extension("begun");
    copy_files(deployment.folder.path(), &begun);
    let people = serde_json::to_vec(&deployment.people).unwrap();
    std::fs::write(begun.join(PEOPLE), people).unwrap();
    std::fs::rename(begun, ours).unwrap();
}

/// Removes what runs of more than an hour ago left.
fn forget_earlier_runs(all: &Path) {
    for entry in std::fs::read_dir(all).unwrap().flatten() {
        let age = entry.metadata().and_then(|known| known.modified()).ok();
        let age = age.and_then(|made| made.elapsed().ok()).unwrap_or_default();
        if entry.path().is_dir() && age > Duration::from_secs(3600) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let file = entry.unwrap();
        if file.path().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

async fn open(folder: &TempDir, flags: &[(&'static str, &str)]) -> Arc<Switchboard> {
    let mut all = vec![
        ("data_dir", folder.path().to_str().unwrap()),
        ("inference.threads", "1"),
    ];
    all.extend_from_slice(flags);
    let board = Switchboard::open(&config(&all).board).await;
    Arc::new(board.unwrap_or_else(|fault| panic!("run `make provision`: {fault}")))
}

/// Recordings of enrollment_samples.
fn clips(files: &[&str]) -> Vec<ClipBytes> {
    files
        .iter()
        .map(|file| ClipBytes {
            name: (*file).to_owned(),
            bytes: read(&format!("enrollment_samples/{file}")),
        })
        .collect()
}

fn number(line: u32) -> DialedNumber {
    format!("+1202555010{line}").parse().unwrap()
}
