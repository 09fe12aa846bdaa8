//! The servers that stood on Vapi's side before Voxline's did, as `voxline vapi apply` noted them.

use std::collections::{BTreeMap, HashSet};

use reqwest::Url;
use serde_json::{Map, Value};

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
}
