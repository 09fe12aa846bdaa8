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
use thiserror::Error;

use crate::store::{lock, write_private};

use super::back::{back, names, parts};
use super::seal::Seal;

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
    /// Vapi's id of it.
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
    lock: Option<File>,
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
            lock: None,
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
        journal.lock = Some(held);
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

    /// A thing as undoing would leave it now: as it was before any change of ours, with what others changed of it since;
    /// where they changed the same, theirs counts.
    pub fn original(&self, shelf: &str, found: &Value) -> Value {
        let mut original = found.clone();
        let known = self.entry(shelf, found["id"].as_str().unwrap_or_default());
        if let Some(known) = known.filter(|known| !known.made) {
            for (name, value) in back(&known.before, &known.after, found, false).fields {
                put(&mut original, &name, value);
            }
        }
        original
    }

    /// Notes that `found` is being changed to `fields`, or was. `original` is what [`Journal::original`] said before.
    ///
    /// # Errors
    /// [`JournalFault`] when it cannot be written.
    pub fn changed(
        &mut self,
        (shelf, what): (&str, &str),
        original: &Value,
        found: &Value,
        fields: &Map<String, Value>,
    ) -> Result<(), JournalFault> {
        let id = found["id"].as_str().unwrap_or_default();
        let known = self.entry(shelf, id).cloned();
        let mut all = fields.clone();
        for name in known.iter().flat_map(|known| names(&known.before, &known.after)) {
            let now = || found.get(name).cloned().unwrap_or_default();
            all.entry(name.clone()).or_insert_with(now);
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
            (entry.before, entry.after) = parts(original, &all);
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
    fn the_first_state_is_known_after_two_changes_and_others_between() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "api").unwrap();
        let fields = |value: Value| value.as_object().unwrap().clone();
        let what = ("assistant", "assistant a");
        let mut change = |found: Value, change: Value| {
            let original = journal.original("assistant", &found);
            let fields = fields(change);
            // Before it is sent, and when it is answered.
            for _ in 0..2 {
                journal.changed(what, &original, &found, &fields).unwrap();
            }
        };
        change(
            json!({"id": "a", "server": {"url": "theirs"}}),
            json!({"server": {"url": "ours"}}),
        );
        // Somebody adds a header, then we change the address and the patience.
        change(
            json!({"id": "a", "server": {"url": "ours", "headers": {"x": "1"}}}),
            json!({"server": {"url": "new", "headers": {"x": "1"}, "timeoutSeconds": 30}}),
        );
        drop(journal);
        let journal = Journal::read(folder.path(), "api").unwrap();
        let entry = journal.entry("assistant", "a").unwrap();
        let now = json!({"id": "a", "server": {"url": "new", "headers": {"x": "1"}, "timeoutSeconds": 30}});
        let found = back(&entry.before, &entry.after, &now, false);
        assert!(found.conflicts.is_empty());
        let expected = json!({"server": {"url": "theirs", "headers": {"x": "1"}}});
        assert_eq!(json!(found.fields), expected);
        let other = Journal::read(folder.path(), "another");
        assert!(matches!(other.err(), Some(JournalFault::Elsewhere { .. })));
    }
}
