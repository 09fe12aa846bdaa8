//! Benchmark protocol folders, as the contract has them.
//!
//! `protocol.toml` and the lists beside it: `enroll.tsv`, `trials.tsv`, and optionally `search.tsv` with
//! `rosters.tsv`. One more list is Voxline's own and optional: `speakers.tsv`, lines of `model or path`, its
//! speaker, and any number of `group=value` (as in `sex=f`), tabs between; a speaker belongs to the groups of all their
//! lines. Without it a test's speaker is the model it is a target of, and a test that is nobody's belongs to the folder it
//! lies in. Lists that contradict one another in who speaks are refused.

mod init;
mod tables;

mod checks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::lists::ListError;
use crate::units::hex;

use checks::check_people;

pub use init::{Init, Made, init};
pub use tables::{Clip, Searched, Speaker, Tables, Trial};

/// A protocol, read and checked.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// The protocol's name, as reports show it.
    pub name: String,
    /// What it tests, in words.
    pub description: String,
    /// The folder that the paths of its lists start from.
    pub audio: PathBuf,
    /// What happens to enrolments.
    pub enroll: Side,
    /// What happens to tests.
    pub test: Side,
    /// Its lists: models, tests, trials, searches, rosters, speakers.
    pub tables: Tables,
    /// SHA-256 of all its files, in hexadecimal: two runs with one hash ran the same protocol.
    pub sha256: String,
}

/// What happens to the recordings of one side before they are heard.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Seconds kept of each, before anything else; 0 keeps all.
    #[serde(default)]
    pub max_seconds: f64,
    /// The condition, as [`super::Condition`] reads it.
    #[serde(default = "clean")]
    pub condition: String,
}

fn clean() -> String {
    "clean".to_owned()
}

impl Default for Side {
    fn default() -> Self {
        Self {
            max_seconds: 0.0,
            condition: clean(),
        }
    }
}

/// A protocol folder that cannot be used.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// A list is missing or wrong.
    #[error(transparent)]
    List(#[from] ListError),
    /// `protocol.toml` is not valid.
    #[error("{path} is not valid: {cause}")]
    Settings {
        /// Path of the file at fault.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// There is nothing to do.
    #[error("{path} has no lines: a protocol needs enrolments and trials")]
    Empty {
        /// Path of the list at fault.
        path: PathBuf,
    },
    /// The folder holds no recordings of two speakers.
    #[error(
        "{folder} has {speakers} folders with at least {files} recordings in them: at least two speakers are needed, each in a folder of their own"
    )]
    TooFewSpeakers {
        /// Path of the folder at fault.
        folder: PathBuf,
        /// How many there are.
        speakers: usize,
        /// How many recordings a speaker needs.
        files: usize,
    },
    /// The lists are there already.
    #[error("{path} is there already: delete it, or say --force to make all lists anew")]
    Exists {
        /// Path of the file at fault.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: String,
    #[serde(default)]
    description: String,
    audio: PathBuf,
    #[serde(default)]
    enroll: Side,
    #[serde(default)]
    test: Side,
}

impl Protocol {
    /// Reads a protocol folder.
    ///
    /// # Errors
    /// [`ProtocolError`], with the file and line.
    pub fn read(folder: &Path) -> Result<Self, ProtocolError> {
        let path = folder.join("protocol.toml");
        let malformed = |cause: String| ProtocolError::Settings {
            path: path.clone(),
            cause,
        };
        let text = std::fs::read_to_string(&path).map_err(|cause| ListError::Unreadable {
            path: path.clone(),
            cause,
        })?;
        let settings: Settings = toml::from_str(&text).map_err(|cause| malformed(cause.to_string()))?;
        for (side, given) in [("enroll", &settings.enroll), ("test", &settings.test)] {
            if !(0.0..=86_400.0).contains(&given.max_seconds) {
                return Err(malformed(format!(
                    "[{side}] max_seconds lies between 0 (all) and a day"
                )));
            }
        }
        let tables = Tables::read(folder)?;
        check_people(folder, &tables, &settings.test)?;
        Ok(Self {
            name: settings.name,
            description: settings.description,
            audio: folder.join(settings.audio),
            enroll: settings.enroll,
            test: settings.test,
            tables,
            sha256: hash(folder),
        })
    }

    /// The groups that speakers belong to, as in `sex` to `f` to the models of that value.
    pub fn groups(&self) -> BTreeMap<&str, BTreeMap<&str, Vec<u32>>> {
        let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<u32>>> = BTreeMap::new();
        for (model, speaker) in self.tables.model_speakers.iter().enumerate() {
            for (group, value) in &self.tables.speakers[*speaker as usize].groups {
                let members = groups.entry(group).or_default().entry(value).or_default();
                members.push(model as u32);
            }
        }
        groups
    }
}

/// The names of a protocol's files.
const FILES: [&str; 6] = [
    "protocol.toml",
    "enroll.tsv",
    "trials.tsv",
    "search.tsv",
    "rosters.tsv",
    "speakers.tsv",
];

fn hash(folder: &Path) -> String {
    let mut hash = Sha256::new();
    for name in FILES {
        if let Ok(bytes) = std::fs::read(folder.join(name)) {
            hash.update(name.as_bytes());
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
    }
    hex(&hash.finalize())
}
