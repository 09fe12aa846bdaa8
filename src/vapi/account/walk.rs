//! The way over Vapi's side, which an application and a check go alike: what is wanted, what is there, what was said of it.

use serde_json::Value;

use crate::units::DialedNumber;
use crate::vapi::api::Api;
use crate::vapi::settings::VapiSettings;
use crate::vapi::wanted::Plan;

use super::journal::Journal;
use super::owner::{Owners, url_of};
use super::read::Account;
use super::step::Step;
use super::{AccountFault, id};

/// The way over Vapi's side.
pub(super) struct Walk<'a> {
    pub(super) settings: &'a VapiSettings,
    pub(super) api: &'a Api,
    pub(super) numbers: &'a [DialedNumber],
    pub(super) account: Account,
    pub(super) journal: Journal,
    pub(super) owners: Owners,
    pub(super) write: bool,
    pub(super) steps: Vec<Step>,
}

impl<'a> Walk<'a> {
    /// Reads what is there.
    pub(super) async fn begin(
        settings: &'a VapiSettings,
        api: &'a Api,
        numbers: &'a [DialedNumber],
        wanted: &Plan,
        journal: Journal,
        write: bool,
    ) -> Result<Self, AccountFault> {
        Ok(Self {
            owners: Owners::new(&wanted.events_url, &journal, settings),
            account: Account::read(api).await?,
            settings,
            api,
            numbers,
            journal,
            write,
            steps: Vec::new(),
        })
    }

    /// The tool of ours that has this name.
    pub(super) fn our_tool(&self, wanted: &Value) -> Option<&Value> {
        let name = &wanted["function"]["name"];
        let made = |tool: &Value| {
            let entry = self.journal.entry("tool", &id(tool));
            entry.is_some_and(|entry| entry.made)
        };
        let ours = |tool: &&Value| {
            tool["function"]["name"] == *name
                && (made(tool) || url_of(tool).is_some_and(|url| self.owners.is_ours(url)))
        };
        self.account.tools.iter().find(ours)
    }
}

/// What a tool is called, for people.
pub(super) fn tool_name(tool: &Value) -> String {
    format!("tool `{}`", tool["function"]["name"].as_str().unwrap_or_default())
}
