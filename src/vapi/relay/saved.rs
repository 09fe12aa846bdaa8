//! The servers that stood on Vapi's side before Voxline's did, as `voxline vapi apply` noted them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::store::{Store, StoreError};
use crate::units::DialedNumber;
use crate::vapi::settings::{UpstreamSettings, VapiSettings};

use super::super::account::{Entry, Journal, JournalFault};

/// What the entries of numbers and of assistants are called.
const NUMBERS: &str = "phone-number";
const ASSISTANTS: &str = "assistant";

/// Server URLs by number and by assistant.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The server URLs that phone numbers had.
    pub numbers: BTreeMap<DialedNumber, Url>,
    /// The server URLs that assistants had, by the assistant's id.
    pub assistants: BTreeMap<String, Url>,
}

impl Saved {
    /// Reads what was noted in the data folder, where the configuration lets it be used. Addresses that may not be asked
    /// are left out and said.
    ///
    /// # Errors
    /// [`JournalFault`] when there is something that cannot be read.
    pub fn read(settings: &VapiSettings) -> Result<Self, JournalFault> {
        if !settings.upstream.saved {
            return Ok(Self::default());
        }
        let journal = Journal::read(&settings.data_dir, &settings.api_url)?;
        Ok(Self::of(journal.entries(), &settings.upstream))
    }

    /// These, and what other nodes of a shared store noted: the file lies at the node where `voxline vapi apply` was run. These are noted
    /// for the others.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read or written.
    pub async fn with_other_nodes(
        self,
        store: &Store,
        upstream: &UpstreamSettings,
    ) -> Result<Self, StoreError> {
        if !upstream.saved {
            return Ok(self);
        }
        let noted = Note::of(store).await?;
        let mut all = noted.clone();
        all.add(&self);
        if all != noted {
            all.keep(store).await?;
        }
        Ok(all.known(upstream))
    }

    fn of(entries: &[Entry], upstream: &UpstreamSettings) -> Self {
        // What we wrote ourselves, as under another public_url, was never anybody else's.
        let ours: HashSet<&str> = entries.iter().filter_map(|entry| url_of(&entry.after)).collect();
        let mut saved = Self::default();
        for entry in entries {
            let Some(url) = url_of(&entry.before).filter(|url| !ours.contains(url)) else {
                continue;
            };
            let Some(url) = Url::parse(url).ok().filter(|url| upstream.may_be_asked(url)) else {
                let what = &entry.what;
                tracing::warn!(
                    what,
                    "the server that {what} had cannot be asked: name it in vapi.upstream.*"
                );
                continue;
            };
            match entry.shelf.as_str() {
                ASSISTANTS => {
                    saved.assistants.insert(entry.id.clone(), url);
                }
                NUMBERS => {
                    if let Some(number) = number_of(entry) {
                        saved.numbers.insert(number, url);
                    }
                }
                _ => {}
            }
        }
        saved
    }
}

/// What nodes note for one another: server URLs by number and by assistant. What one of them may not ask stays in it for the others.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    numbers: BTreeMap<String, String>,
    assistants: BTreeMap<String, String>,
}

impl Note {
    async fn of(store: &Store) -> Result<Self, StoreError> {
        let noted = store.noted_backends().await?;
        Ok(noted.as_deref().map_or_else(Self::default, Self::read))
    }

    /// What another release may have written otherwise says nothing.
    fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    async fn keep(&self, store: &Store) -> Result<(), StoreError> {
        store.note_backends(&json!(self).to_string()).await
    }

    fn add(&mut self, saved: &Saved) {
        let of_numbers = saved.numbers.iter();
        self.numbers
            .extend(of_numbers.map(|(number, url)| (number.as_e164().to_owned(), url.to_string())));
        let of_assistants = saved.assistants.iter();
        self.assistants
            .extend(of_assistants.map(|(id, url)| (id.clone(), url.to_string())));
    }

    /// Takes out what was changed `before` and is no longer so `now`.
    fn take_out(&mut self, before: &AppliedHere, now: &AppliedHere) {
        let undone = |shelf: &str, name: &String| {
            let known = |applied: &AppliedHere| applied.0.contains(&(shelf.to_owned(), name.clone()));
            known(before) && !known(now)
        };
        self.numbers.retain(|number, _| !undone(NUMBERS, number));
        self.assistants.retain(|id, _| !undone(ASSISTANTS, id));
    }

    /// What this configuration lets be asked.
    fn known(&self, upstream: &UpstreamSettings) -> Saved {
        let url = |text: &str| Url::parse(text).ok().filter(|url| upstream.may_be_asked(url));
        let of_numbers = self.numbers.iter();
        let of_assistants = self.assistants.iter();
        Saved {
            numbers: of_numbers
                .filter_map(|(number, text)| Some((number.parse().ok()?, url(text)?)))
                .collect(),
            assistants: of_assistants
                .filter_map(|(id, text)| Some((id.clone(), url(text)?)))
                .collect(),
        }
    }
}

/// The numbers and assistants that were changed from this machine's data folder and not put back.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AppliedHere(BTreeSet<(String, String)>);

impl AppliedHere {
    /// Reads them, whether the configuration lets their earlier servers be used or not.
    ///
    /// # Errors
    /// [`JournalFault`] when there is something that cannot be read.
    pub fn read(settings: &VapiSettings) -> Result<Self, JournalFault> {
        let journal = Journal::read(&settings.data_dir, &settings.api_url)?;
        Ok(Self::of(journal.entries()))
    }

    fn of(entries: &[Entry]) -> Self {
        let name = |entry: &Entry| match entry.shelf.as_str() {
            ASSISTANTS => Some(entry.id.clone()),
            NUMBERS => Some(number_of(entry)?.as_e164().to_owned()),
            _ => None,
        };
        let named = entries
            .iter()
            .filter_map(|entry| Some((entry.shelf.clone(), name(entry)?)));
        Self(named.collect())
    }
}

/// Notes for the other nodes of a shared store which backends Vapi's side had before it was changed from here.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written.
pub async fn note_backends(settings: &VapiSettings, store: &Store) -> Result<(), StoreError> {
    let Ok(own) = Saved::read(settings) else {
        // The start says so.
        return Ok(());
    };
    own.with_other_nodes(store, &settings.upstream).await.map(drop)
}

/// Takes out of what nodes noted for one another what was put back on Vapi's side from here: what was applied `before`, and is no more.
/// What other nodes applied stays.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written.
pub async fn forget_backends(
    settings: &VapiSettings,
    store: &Store,
    before: &AppliedHere,
) -> Result<(), StoreError> {
    let Ok(now) = AppliedHere::read(settings) else {
        return Ok(());
    };
    let noted = Note::of(store).await?;
    let mut left = noted.clone();
    left.take_out(before, &now);
    if left == noted {
        return Ok(());
    }
    left.keep(store).await
}

/// The dialed number that an entry of a number is of.
fn number_of(entry: &Entry) -> Option<DialedNumber> {
    entry.what.rsplit(' ').next()?.parse().ok()
}

fn url_of(fields: &Map<String, Value>) -> Option<&str> {
    let server = fields.get("server").and_then(|server| server.get("url"));
    server.or_else(|| fields.get("serverUrl"))?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::vapi::settings::of_section;

    #[test]
    fn earlier_servers_are_known_by_number_and_assistant_without_ours() {
        let ours = "https://id.example.com/vapi/events";
        let entry = |shelf: &str, what: &str, before: &str| {
            let entry = json!({
                "shelf": shelf, "id": "x-1", "what": what, "made": false,
                "before": {"server": {"url": before}}, "after": {"server": {"url": ours}},
            });
            serde_json::from_value::<Entry>(entry).unwrap()
        };
        let entries = [
            entry("assistant", "assistant x-1", "https://crm.example.com/vapi"),
            entry(
                "phone-number",
                "number +12025550102",
                "https://crm.example.com/ring",
            ),
            entry(
                "phone-number",
                "number +12025550103",
                "http://plain.example.com/ring",
            ),
            entry("phone-number", "number +12025550104", ours),
            entry("tool", "tool x-1", "https://crm.example.com/tool"),
        ];
        let saved = Saved::of(&entries, &of_section("").unwrap().upstream);
        assert_eq!(saved.assistants["x-1"].as_str(), "https://crm.example.com/vapi");
        let numbers: Vec<&str> = saved.numbers.keys().map(DialedNumber::as_e164).collect();
        assert_eq!(numbers, ["+12025550102"]);
    }

    #[test]
    fn what_a_node_notes_another_reads_as_far_as_it_may_ask() {
        let upstream = of_section("").unwrap().upstream;
        let url = |text: &str| Url::parse(text).unwrap();
        let mut saved = Saved {
            numbers: [(
                "+12025550102".parse().unwrap(),
                url("https://crm.example.com/ring"),
            )]
            .into(),
            assistants: [("a-1".to_owned(), url("https://crm.example.com/vapi?key=1"))].into(),
        };
        let written = |saved: &Saved| {
            let mut note = Note::default();
            note.add(saved);
            Note::read(&json!(note).to_string())
        };
        assert_eq!(written(&saved).known(&upstream), saved);
        let known = saved.clone();
        let plain = url("http://plain.example.com/vapi");
        saved.assistants.insert("a-2".to_owned(), plain);
        let mut note = written(&saved);
        assert_eq!(note.known(&upstream), known);
        // Another node may ask it.
        note.add(&known);
        assert_eq!(note, written(&saved));
        assert_eq!(Note::read("of another release"), Note::default());
    }

    #[test]
    fn what_was_put_back_goes_from_the_note_and_nothing_else() {
        let entry = |shelf: &str, id: &str, what: &str| {
            let entry = json!({
                "shelf": shelf, "id": id, "what": what, "made": false, "before": {}, "after": {},
            });
            serde_json::from_value::<Entry>(entry).unwrap()
        };
        let entries = [
            entry("phone-number", "pn-1", "number +12025550102"),
            entry("phone-number", "pn-2", "number +12025550103"),
            entry("assistant", "a-1", "assistant a-1"),
            entry("tool", "a-2", "tool `verify_pin`"),
        ];
        let text = json!({
            "numbers": {"+12025550102": "https://a/", "+12025550103": "https://b/", "+12025550104": "https://c/"},
            "assistants": {"a-1": "https://a/", "a-2": "https://c/"},
        });
        let left = |before: &[Entry], now: &[Entry]| {
            let mut note = Note::read(&text.to_string());
            note.take_out(&AppliedHere::of(before), &AppliedHere::of(now));
            json!(note)
        };
        assert_eq!(left(&[], &[]), text, "nothing was applied here");
        assert_eq!(left(&entries, &entries), text, "nothing was put back");
        let expected = json!({
            "numbers": {"+12025550103": "https://b/", "+12025550104": "https://c/"},
            "assistants": {"a-2": "https://c/"},
        });
        assert_eq!(left(&entries, &entries[1..2]), expected);
    }
}
