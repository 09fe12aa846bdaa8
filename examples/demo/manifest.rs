//! `enrollment_samples/manifest.toml`: who is enrolled where, and what each call should come to.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Manifest {
    pub number: Vec<Number>,
    pub user: Vec<User>,
    pub call: Vec<Call>,
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
pub struct Number {
    pub number: String,
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct User {
    pub key: String,
    pub name: String,
    pub number: String,
    pub consent: String,
    pub signup: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Call {
    pub file: String,
    pub number: String,
    pub expect: String,
    pub user: Option<String>,
    pub reason: Option<String>,
    pub note: Option<String>,
}

impl Manifest {
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("manifest.toml");
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut manifest: Self =
            toml::from_str(&text).with_context(|| format!("{} is not valid", file.display()))?;
        folder.clone_into(&mut manifest.folder);
        Ok(manifest)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The word a call should end with, in the form [`super::calls::word`] gives.
    pub fn expected(&self, call: &Call) -> String {
        let user = call
            .user
            .as_ref()
            .and_then(|key| self.user.iter().find(|user| user.key == *key));
        match (&user, &call.reason) {
            (Some(user), _) => format!("{} {}", call.expect, user.name),
            (None, Some(reason)) => format!("{} {reason}", call.expect),
            (None, None) => call.expect.clone(),
        }
    }
}
