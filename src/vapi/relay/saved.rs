//! The servers that stood on Vapi's side before Voxline's did, as `voxline vapi apply` noted them.

use std::collections::{BTreeMap, HashSet};

use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::store::{Store, StoreError};
use crate::units::DialedNumber;
use crate::vapi::settings::{UpstreamSettings, VapiSettings};

use super::super::account::{Entry, Journal, JournalFault};

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
        let noted = store.noted_backends().await?;
        let mut all = noted
            .as_deref()
            .map_or_else(Self::default, |text| Self::read_noted(text, upstream));
        let before = all.clone();
        all.numbers.extend(self.numbers);
        all.assistants.extend(self.assistants);
        if all != before {
            store.note_backends(&all.noted()).await?;
        }
        Ok(all)
    }

    /// As nodes note it for one another.
    fn noted(&self) -> String {
        let of_numbers = self.numbers.iter().map(|(number, url)| (number.as_e164(), url));
        let of_assistants = self.assistants.iter().map(|(id, url)| (id.as_str(), url));
        let numbers: BTreeMap<&str, &str> = of_numbers.map(|(name, url)| (name, url.as_str())).collect();
        let assistants: BTreeMap<&str, &str> =
            of_assistants.map(|(name, url)| (name, url.as_str())).collect();
        json!({"numbers": numbers, "assistants": assistants}).to_string()
    }

    /// Reads it back; what this configuration does not let be asked is left out.
    fn read_noted(text: &str, upstream: &UpstreamSettings) -> Self {
        let noted: Value = serde_json::from_str(text).unwrap_or_default();
        let urls = |shelf: &str| {
            let pairs = noted[shelf].as_object().into_iter().flatten();
            let read = pairs.filter_map(|(name, url)| Some((name.clone(), Url::parse(url.as_str()?).ok()?)));
            read.filter(|(_, url)| upstream.may_be_asked(url))
                .collect::<Vec<_>>()
        };
        let numbers = urls("numbers").into_iter();
        Self {
            numbers: numbers
                .filter_map(|(number, url)| Some((number.parse().ok()?, url)))
                .collect(),
            assistants: urls("assistants").into_iter().collect(),
        }
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
                "assistant" => {
                    saved.assistants.insert(entry.id.clone(), url);
                }
                "phone-number" => {
                    let number = entry.what.rsplit(' ').next().and_then(|text| text.parse().ok());
                    if let Some(number) = number {
                        saved.numbers.insert(number, url);
                    }
                }
                _ => {}
            }
        }
        saved
    }
}

/// Notes for the other nodes of a shared store which backends Vapi's side had before it was changed from here: with what was known
/// before, or, once it was put back, `instead` of it.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written.
pub async fn note_backends(settings: &VapiSettings, store: &Store, instead: bool) -> Result<(), StoreError> {
    let Ok(own) = Saved::read(settings) else {
        // The start says so.
        return Ok(());
    };
    if instead {
        return store.note_backends(&own.noted()).await;
    }
    own.with_other_nodes(store, &settings.upstream).await.map(drop)
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
        assert_eq!(Saved::read_noted(&saved.noted(), &upstream), saved);
        let known = saved.clone();
        saved
            .assistants
            .insert("a-2".to_owned(), url("http://plain.example.com/vapi"));
        assert_eq!(Saved::read_noted(&saved.noted(), &upstream), known);
        assert_eq!(
            Saved::read_noted("of another release", &upstream),
            Saved::default()
        );
    }
}
