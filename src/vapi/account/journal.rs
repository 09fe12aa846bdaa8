//! What was changed on Vapi's side and how it was before: `vapi-undo.json` in the data folder, for its owner alone.
//!
//! ```json
//! {"format": 1, "api_url": "https://api.vapi.ai", "entries": [
//!   {"shelf": "assistant", "id": "…", "what": "assistant …", "made": false,
//!    "before": {"server": {"url": "https://crm.example.com/vapi"}},
//!    "after": {"server": {"url": "https://id.example.com/vapi/events"}}, "draft": "v3"}]}
//! ```
//!
//! `before` and `after` hold the parts that differ; what is missing in `before` was not there. Of a thing that was
//! `made`, `after` is all of it. `draft` is the published version that calls went on taking after the change, where
//! the account has versions. `seal` stands for the secret of a credential, salted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::store::{lock, write_private};

use super::back::{back, parts};

/// The file's name in the data folder.
pub const FILE: &str = "vapi-undo.json";
/// The layout that is written.
const FORMAT: u32 = 1;
/// The most bytes that are read.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub enum JournalFault {
    /// It cannot be read or written.
    #[error("{path} cannot be used, and without it nothing could be put back: {why}")]
    File {
        /// Where it lies.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It holds something else.
    #[error(
        "{path} is not what `voxline vapi apply` writes ({why}): move it away, and keep it, for it says how Vapi's side was before"
    )]
    Malformed {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It tells of another account.
    #[error(
        "{path} tells of changes at {known}, and this is {asked}: undo those first, or move the file away and keep it"
    )]
    Elsewhere {
        /// Where it lies.
        path: PathBuf,
        /// The API it tells of.
        known: String,
        /// The API that is asked.
        asked: String,
    },
}

/// One thing on Vapi's side that was made or changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the API, as in `assistant`.
    pub shelf: String,
    /// Its id.
    pub id: String,
    /// What it is, for people.
    pub what: String,
    /// Whether it was not there before.
    pub made: bool,
    /// What differs, as it was.
    pub before: Map<String, Value>,
    /// What differs, as it was left.
    pub after: Map<String, Value>,
    /// The published version that a draft waits behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// Stands for a secret that was written and cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

/// Tells whether a secret is the one that was written last, and what Vapi's side was like then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    salt: String,
    sha256: String,
    updated_at: Option<String>,
}

impl Seal {
    /// Seals a document; `held` is what Vapi answered when it was written. `None` when the system gives no randomness:
    /// then it is written again the next time.
    pub fn of(document: &Value, held: &Value) -> Option<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        let salt = hex(&salt);
        Some(Self {
            sha256: digest(&salt, document),
            salt,
            updated_at: held["updatedAt"].as_str().map(ToOwned::to_owned),
        })
    }

    /// Whether this document was written last, and nobody has touched what Vapi holds since.
    pub fn holds(&self, document: &Value, held: &Value) -> bool {
        self.sha256 == digest(&self.salt, document)
            && self.updated_at.as_deref() == held["updatedAt"].as_str()
    }
}

fn digest(salt: &str, document: &Value) -> String {
    hex(&Sha256::digest(format!("{salt}{document}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    api_url: String,
    entries: Vec<Entry>,
}

/// The file, and what it says.
pub struct Journal {
    path: PathBuf,
    api_url: String,
    entries: Vec<Entry>,
    /// Held while something is changed: two runs at once would each undo the other's record.
    _lock: Option<File>,
}

impl Journal {
    /// Reads the file of `folder`; one that is not there says nothing.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be read, or tells of another API than `api_url`.
    pub fn read(folder: &Path, api_url: &str) -> Result<Self, JournalFault> {
        let path = folder.join(FILE);
        let entries = match read(&path)? {
            None => Vec::new(),
            Some(document) if document.api_url != api_url && !document.entries.is_empty() => {
                return Err(JournalFault::Elsewhere {
                    path,
                    known: document.api_url,
                    asked: api_url.to_owned(),
                });
            }
            Some(document) => document.entries,
        };
        Ok(Self {
            path,
            api_url: api_url.to_owned(),
            entries,
            _lock: None,
        })
    }

    /// The same for whoever will write: nobody else does meanwhile.
    ///
    /// # Errors
    /// [`JournalFault`].
    pub fn open(folder: &Path, api_url: &str) -> Result<Self, JournalFault> {
        let path = folder.join(FILE);
        let held = lock(&path).map_err(|why| JournalFault::File { path, why })?;
        let mut journal = Self::read(folder, api_url)?;
        journal._lock = Some(held);
        Ok(journal)
    }

    /// What was made and changed, in this order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known of one thing.
    pub fn entry(&self, shelf: &str, id: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.shelf == shelf && entry.id == id)
    }

    /// Notes something that was made.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be written.
    pub fn made(&mut self, entry: Entry) -> Result<(), JournalFault> {
        self.forget(&entry.shelf, &entry.id);
        self.entries.push(entry);
        self.save()
    }

    /// Notes that `found` is being changed to `fields`, or was: what it was before any change of ours stays known,
    /// together with what others changed of it since.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be written.
    pub fn changed(
        &mut self,
        (shelf, what): (&str, &str),
        found: &Value,
        fields: &Map<String, Value>,
    ) -> Result<(), JournalFault> {
        let id = found["id"].as_str().unwrap_or_default();
        let known = self.entry(shelf, id).cloned();
        let mut original = found.clone();
        let mut all = fields.clone();
        if let Some(known) = known.as_ref().filter(|known| !known.made) {
            // As undoing would leave it now; where others changed the same, theirs counts.
            let undone = back(&known.before, &known.after, found, false).fields;
            for (name, value) in undone {
                let now = found.get(&name).cloned().unwrap_or_default();
                all.entry(name.clone()).or_insert(now);
                put(&mut original, &name, value);
            }
        }
        let mut entry = known.unwrap_or_else(|| Entry {
            shelf: shelf.to_owned(),
            id: id.to_owned(),
            what: what.to_owned(),
            made: false,
            before: Map::new(),
            after: Map::new(),
            draft: None,
            seal: None,
        });
        if entry.made {
            entry.after.extend(fields.clone());
        } else {
            (entry.before, entry.after) = parts(&original, &all);
        }
        match self
            .entries
            .iter_mut()
            .find(|known| known.shelf == shelf && known.id == id)
        {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
        self.save()
    }

    /// Notes more of something that is known.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be written.
    pub fn note(&mut self, shelf: &str, id: &str, add: impl FnOnce(&mut Entry)) -> Result<(), JournalFault> {
        let mut entries = self.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.shelf == shelf && entry.id == id) {
            add(entry);
            return self.save();
        }
        Ok(())
    }

    /// Forgets what was put back.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be written.
    pub fn undone(&mut self, shelf: &str, id: &str) -> Result<(), JournalFault> {
        self.forget(shelf, id);
        self.save()
    }

    fn forget(&mut self, shelf: &str, id: &str) {
        self.entries
            .retain(|entry| !(entry.shelf == shelf && entry.id == id));
    }

    fn save(&self) -> Result<(), JournalFault> {
        let document = Document {
            format: FORMAT,
            api_url: self.api_url.clone(),
            entries: self.entries.clone(),
        };
        let fault = |why| JournalFault::File {
            path: self.path.clone(),
            why,
        };
        if self.entries.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => Err(fault(why)),
                _ => Ok(()),
            };
        }
        let bytes = serde_json::to_vec_pretty(&document).map_err(|why| fault(io::Error::other(why)))?;
        write_private(&self.path, &bytes).map_err(fault)
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
}

fn read(path: &Path) -> Result<Option<Document>, JournalFault> {
    let fault = |why| JournalFault::File {
        path: path.to_owned(),
        why,
    };
    let size = match std::fs::metadata(path) {
        Ok(known) => known.len(),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(fault(why)),
    };
    let malformed = |why: String| JournalFault::Malformed {
        path: path.to_owned(),
        why,
    };
    if size > LARGEST {
        return Err(malformed(format!("it has more than {LARGEST} bytes")));
    }
    let bytes = std::fs::read(path).map_err(fault)?;
    let document: Document = serde_json::from_slice(&bytes).map_err(|why| malformed(why.to_string()))?;
    if document.format != FORMAT {
        return Err(malformed(format!(
            "its format is {}, not {FORMAT}",
            document.format
        )));
    }
    Ok(Some(document))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_before_the_first_change_is_known_after_the_second_with_what_others_did_between() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "api").unwrap();
        let fields = |value: Value| value.as_object().unwrap().clone();
        let first = json!({"id": "a", "server": {"url": "theirs"}});
        let change = fields(json!({"server": {"url": "ours"}}));
        journal
            .changed(("assistant", "assistant a"), &first, &change)
            .unwrap();
        // Somebody adds a header, then we change the patience.
        let second = json!({"id": "a", "server": {"url": "ours", "headers": {"x": "1"}}});
        let change = fields(json!({"server": {"url": "ours", "headers": {"x": "1"}, "timeoutSeconds": 30}}));
        journal
            .changed(("assistant", "assistant a"), &second, &change)
            .unwrap();
        drop(journal);
        let journal = Journal::read(folder.path(), "api").unwrap();
        let entry = journal.entry("assistant", "a").unwrap();
        let now = json!({"id": "a", "server": {"url": "ours", "headers": {"x": "1"}, "timeoutSeconds": 30}});
        let found = back(&entry.before, &entry.after, &now, false);
        assert!(found.conflicts.is_empty());
        let expected = json!({"server": {"url": "theirs", "headers": {"x": "1"}}});
        assert_eq!(json!(found.fields), expected);
        let other = Journal::read(folder.path(), "another");
        assert!(matches!(other.err(), Some(JournalFault::Elsewhere { .. })));
    }

    #[test]
    fn a_seal_knows_its_document_and_says_nothing_of_it() {
        let (document, held) = (json!({"token": "hunter2"}), json!({"updatedAt": "t"}));
        let seal = Seal::of(&document, &held).unwrap();
        assert!(seal.holds(&document, &held));
        assert!(!seal.holds(&json!({"token": "hunter3"}), &held));
        assert!(!seal.holds(&document, &json!({"updatedAt": "u"})));
        assert!(!serde_json::to_string(&seal).unwrap().contains("hunter2"));
    }
}
