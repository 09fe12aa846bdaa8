//! What is on Vapi's side, read once before anything is decided.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::units::DialedNumber;
use crate::vapi::api::{Api, ApiFault};
use crate::vapi::inventory::dialed_of;

/// An account, as far as it concerns us.
pub struct Account {
    /// Credentials, without what is secret in them.
    pub credentials: Vec<Value>,
    /// Tools, each as Vapi's API gives it.
    pub tools: Vec<Value>,
    /// The assistants of the account, as Vapi gives them.
    pub assistants: Vec<Value>,
    /// Telephone numbers and SIP addresses.
    pub numbers: Vec<Value>,
    /// Squads, where a number points to one.
    pub squads: Vec<Value>,
}

impl Account {
    /// Reads an account: lists to their ends.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn read(api: &Api) -> Result<Self, ApiFault> {
        let numbers = api.list("/phone-number").await?;
        let squads = if numbers.iter().any(|number| text(number, "squadId").is_some()) {
            api.list("/squad").await?
        } else {
            Vec::new()
        };
        Ok(Self {
            credentials: api.list("/credential").await?,
            tools: api.list("/tool").await?,
            assistants: api.list("/assistant").await?,
            numbers,
            squads,
        })
    }

    /// The assistant of this id; `None` where the account has none.
    pub fn assistant(&self, id: &str) -> Option<&Value> {
        self.assistants.iter().find(|entry| entry["id"] == id)
    }

    /// The credential of this id; `None` where the account has none.
    pub fn credential(&self, id: &str) -> Option<&Value> {
        self.credentials.iter().find(|entry| entry["id"] == id)
    }

    /// What Vapi has for a dialed number: usually one, and a SIP address beside it where somebody made one.
    pub fn of_number<'a>(
        &'a self,
        number: &'a DialedNumber,
        sip: &'a BTreeMap<DialedNumber, String>,
    ) -> impl Iterator<Item = &'a Value> {
        let numbers = self.numbers.iter();
        numbers.filter(move |entry| dialed_of(entry, sip).as_ref() == Some(number))
    }

    /// The assistants that a number's calls may reach without anybody being asked: its own, or its squad's.
    pub fn reached_by<'a>(&'a self, number: &'a Value) -> Vec<&'a str> {
        if let Some(assistant) = text(number, "assistantId") {
            return vec![assistant];
        }
        let squad = text(number, "squadId").and_then(|id| self.squads.iter().find(|squad| squad["id"] == id));
        let members = squad
            .and_then(|squad| squad["members"].as_array())
            .into_iter()
            .flatten();
        members.filter_map(|member| text(member, "assistantId")).collect()
    }

    /// What uses a tool or a credential.
    pub fn users_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.assistants.iter().chain(&self.numbers).chain(&self.tools);
        all.filter(move |user| {
            let model = &user["model"];
            let named = model["toolIds"]
                .as_array()
                .is_some_and(|ids| ids.iter().any(|tool| tool == id));
            named || super::merge::pinned(model, id).is_some() || user["server"]["credentialId"] == id
        })
    }
}

/// A text that is set.
pub fn text<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    let value = entry.get(name).and_then(Value::as_str);
    value.filter(|text| !text.is_empty())
}

/// What takes a number's calls without anybody being asked, other than an assistant: it is left as it is.
pub fn kept_route(number: &Value) -> Option<(&'static str, &str)> {
    let squad = text(number, "squadId").map(|id| ("squad", id));
    squad.or_else(|| text(number, "workflowId").map(|id| ("workflow", id)))
}
