//! Whose a server is. Vapi sends each message to one address: the first that is set of tool, assistant, number and
//! organisation. Whoever writes another address there takes the messages from the backend that had them.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::vapi::settings::{VapiAuth, VapiSettings};
use crate::vapi::wanted::SECRET_HEADER;

use super::journal::Journal;
use super::step::{State, Step};

/// Knows which addresses are ours.
pub struct Owners {
    ours: HashSet<String>,
    /// Headers by which our webhooks are known, in lower case.
    signed_by: Vec<String>,
}

impl Owners {
    /// Ours are the address of the webhooks and those that were written before, as under another `public_url`.
    pub fn new(events_url: &str, journal: &Journal, vapi: &VapiSettings) -> Self {
        let written = journal.entries().iter().filter_map(|entry| {
            let server = entry.after.get("server")?;
            Some(server.get("url")?.as_str()?.to_owned())
        });
        Self {
            ours: written.chain([events_url.to_owned()]).collect(),
            signed_by: signed_by(&vapi.auth),
        }
    }

    /// Whether an address is ours.
    pub fn is_ours(&self, url: &str) -> bool {
        self.ours.contains(url)
    }

    /// The address of somebody else's that a thing has.
    pub fn foreign<'a>(&self, entry: &'a Value) -> Option<&'a str> {
        url_of(entry).filter(|url| !self.is_ours(url))
    }

    /// A header of a thing's server that would stand in the place of the one by which our webhooks are known.
    pub fn clash<'a>(&self, entry: &'a Value) -> Option<&'a str> {
        let headers = entry.get("server")?.get("headers")?.as_object()?;
        let mut names = headers.keys();
        let taken = |name: &&String| self.signed_by.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        names.find(taken).map(String::as_str)
    }

    /// Says that a thing has somebody else's server, what it means to take it, and the two ways.
    pub fn refusal(what: &str, entry: &Value, url: &str) -> Step {
        let remedy = format!(
            "its server is {}, and Vapi sends each message to one address only: that backend would get nothing any \
             more, no transfers, no tool calls, no reports. Nothing was changed. Either `voxline vapi apply --take-over`, \
             which notes that address, and Voxline passes everything on to it from its next start on (or wherever \
             vapi.upstream says); or vapi.mode = \"number\", which leaves the server of assistants as it is",
            shown_url(url)
        );
        Step::new(what, State::Foreign)
            .with_id(super::id(entry))
            .with_remedy(remedy)
            .with_was(shown(entry))
    }
}

/// The address of a thing's server; `serverUrl` is where older things have it.
pub fn url_of(entry: &Value) -> Option<&str> {
    let server = entry.get("server").and_then(|server| server.get("url"));
    let url = server.or_else(|| entry.get("serverUrl")).and_then(Value::as_str);
    url.map(str::trim).filter(|url| !url.is_empty())
}

/// A thing's server for people: its address without what may be secret in it, and of its headers the names.
pub fn shown(entry: &Value) -> Value {
    let mut told = Map::new();
    for (name, value) in entry
        .get("server")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let plain = match (name.as_str(), value) {
            ("url", Value::String(url)) => json!(shown_url(url)),
            ("headers", Value::Object(headers)) => {
                let names = headers.keys().map(|name| (name.clone(), json!("***")));
                Value::Object(names.collect())
            }
            ("timeoutSeconds" | "credentialId" | "staticIpAddressesEnabled" | "backoffPlan", value) => {
                value.clone()
            }
            _ => json!("***"),
        };
        told.insert(name.clone(), plain);
    }
    if let Some(url) = entry.get("serverUrl").and_then(Value::as_str) {
        told.entry("url").or_insert_with(|| json!(shown_url(url)));
    }
    let mut whole = json!({ "server": told });
    if let Some(assistant) = entry["assistantId"].as_str() {
        whole["assistantId"] = json!(assistant);
    }
    whole
}

/// An address without its password and without the values of its query, either of which may be a secret.
pub fn shown_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "an address that cannot be read".to_owned();
    };
    if url.password().is_some() {
        // It has a host, or there would be no password.
        let _ = url.set_password(Some("***"));
    }
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    if !names.is_empty() {
        url.query_pairs_mut()
            .clear()
            .extend_pairs(names.iter().map(|name| (name, "***")));
    }
    url.to_string()
}

fn signed_by(auth: &VapiAuth) -> Vec<String> {
    match auth {
        VapiAuth::Refuse => Vec::new(),
        VapiAuth::Secret(_) => vec![SECRET_HEADER.to_owned()],
        VapiAuth::Bearer { header, .. } => vec![header.clone()],
        VapiAuth::Hmac(plan) => [
            Some(&plan.signature_header),
            plan.timestamp_header.as_ref(),
            plan.id_header.as_ref(),
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect(),
        VapiAuth::OAuth2 { .. } => vec!["authorization".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_server_names_its_headers_and_no_secret() {
        let entry = json!({"assistantId": "a-1", "server": {
            "url": "https://me:hunter2@crm.example.com/hook?token=hunter2&x=1", "credentialId": "c-1",
            "headers": {"Authorization": "Bearer hunter2"}, "secret": "hunter2", "timeoutSeconds": 7}});
        let told = shown(&entry).to_string();
        assert!(!told.contains("hunter2"), "{told}");
        for part in ["crm.example.com/hook", "Authorization", "c-1", "a-1", "token="] {
            assert!(told.contains(part), "{told} says nothing of {part}");
        }
        assert_eq!(shown_url("not an address"), "an address that cannot be read");
    }

    #[test]
    fn a_server_is_found_where_older_things_have_it() {
        assert_eq!(url_of(&json!({"serverUrl": "https://a"})), Some("https://a"));
        assert_eq!(url_of(&json!({"server": {"url": " "}})), None);
        assert_eq!(url_of(&json!({})), None);
    }
}
