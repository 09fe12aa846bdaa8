//! Vapi's own API, as far as it is needed: assistants, tools, numbers, credentials, and a call's recording.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

use crate::outward::{Allowed, Refused, Unfetched, body, causes, client};

use super::settings::VapiSettings;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most bytes of an answer: a list of assistants with their prompts can be long.
const LARGEST: usize = 16 * 1024 * 1024;
/// Entries that a page of a list has unless another limit is asked for, and the most entries of a list that are read.
const PAGE: usize = 100;
const MOST_ENTRIES: usize = 50_000;
/// How often a request is repeated that came too soon after others, and the longest pause before it.
const ATTEMPTS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Characters of a refusal that are shown.
const SHOWN: usize = 300;

/// Why the API did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApiFault {
    /// There is no key.
    #[error(
        "no key for Vapi's API: set vapi.api_key (VOXLINE_VAPI_API_KEY) to the private key of the dashboard"
    )]
    NoKey,
    /// Its address may not be asked.
    #[error("vapi.api_url cannot be asked: {0}")]
    Refused(#[from] Refused),
    /// It did not answer.
    #[error("Vapi's API: {0}")]
    Unfetched(#[from] Unfetched),
    /// It answered with a status other than success.
    #[error("Vapi's API answered {method} {path} with {status}: {said}")]
    Status {
        /// The method of the request.
        method: String,
        /// The path, without identifiers of others.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// It answered something that is no JSON.
    #[error("Vapi's API answered {0} with something that is not JSON: is vapi.api_url right?")]
    NotJson(String),
    /// A list cannot be read to its end.
    #[error("Vapi's API gives no end of the list {0}: {1}")]
    Endless(String, &'static str),
}

impl ApiFault {
    /// Whether what was asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }
}

/// A client of the API with its key.
pub struct Api {
    client: Client,
    base: Url,
    key: SecretString,
    attempts: u32,
}

impl Api {
    /// The API that is configured.
    ///
    /// # Errors
    /// [`ApiFault`] without a key, or when the address may not be asked.
    pub fn open(settings: &VapiSettings) -> Result<Self, ApiFault> {
        let key = settings.api_key.clone().ok_or(ApiFault::NoKey)?;
        // Who configured the address has allowed its host.
        let host = settings.api_url.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default().to_lowercase();
        let mut hosts = settings.hosts.clone();
        hosts.push(host);
        let base = Allowed::new(&hosts, &settings.plain_hosts).http(&settings.api_url)?;
        Ok(Self {
            client: client(PATIENCE)?,
            base,
            key,
            attempts: 1,
        })
    }

    /// The same, asking again after a pause where Vapi says that too much is asked (429): for whoever has time.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.attempts = ATTEMPTS;
        self
    }

    /// All entries of a list, of whatever length. Vapi's pages hold a hundred entries; the next begins where the last
    /// one ended, by the moments the entries were made at, and entries of one moment are told apart by their ids.
    ///
    /// # Errors
    /// [`ApiFault`], also for a list that has no end.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, ApiFault> {
        let mut all: Vec<Value> = Vec::new();
        let mut seen = HashSet::new();
        let mut cursor: Option<(&str, String)> = None;
        loop {
            let asked = cursor.as_ref().map(|(name, moment)| (*name, moment.as_str()));
            let page = entries(self.ask(Method::GET, path, asked, None).await?);
            let full = page.len() >= PAGE;
            let before = all.len();
            let cursor_ignored = page.len() == before;
            let next = full.then(|| next_page(&page)).flatten();
            let fresh = page.into_iter().filter(|entry| match entry["id"].as_str() {
                Some(id) => seen.insert(id.to_owned()),
                None => cursor.is_none(),
            });
            all.extend(fresh);
            let endless = |why| ApiFault::Endless(path.to_owned(), why);
            if all.len() > MOST_ENTRIES {
                return Err(endless("it has more than 50000 entries"));
            }
            match next {
                None => return Ok(all),
                // Whoever gives more than a page at once gives everything, whatever is asked.
                Some(_) if all.len() == before && before > PAGE && cursor_ignored => return Ok(all),
                Some(_) if all.len() == before => {
                    return Err(endless(
                        "a page brought nothing new; more than a page was made at one moment",
                    ));
                }
                next => cursor = next,
            }
        }
    }

    /// What lies at `path`.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn get(&self, path: &str) -> Result<Value, ApiFault> {
        self.ask(Method::GET, path, None, None).await
    }

    /// Makes something.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn post(&self, path: &str, document: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::POST, path, None, Some(document)).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn patch(&self, path: &str, document: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::PATCH, path, None, Some(document)).await
    }

    /// Takes something away.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn delete(&self, path: &str) -> Result<(), ApiFault> {
        let response = self.send(Method::DELETE, path, None, None).await?;
        let status = response.status();
        let bytes = body(response, LARGEST).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(ApiFault::Status {
            method: Method::DELETE.to_string(),
            path: path.to_owned(),
            status: status.as_u16(),
            said: words(&bytes),
        })
    }

    /// Where `path` (an id and what stands before it) redirects to: recordings are told so.
    ///
    /// # Errors
    /// [`ApiFault`] unless it is a redirect.
    pub async fn redirect(&self, path: &str) -> Result<String, ApiFault> {
        let response = self.send(Method::GET, path, None, None).await?;
        let status = response.status();
        let location = response.headers().get(reqwest::header::LOCATION);
        match location.and_then(|value| value.to_str().ok()) {
            Some(location) if status.is_redirection() => Ok(location.to_owned()),
            _ => Err(ApiFault::Status {
                method: "GET".to_owned(),
                path: path.to_owned(),
                status: status.as_u16(),
                said: "no redirect to a recording".to_owned(),
            }),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: Option<(&str, &str)>,
        document: Option<&Value>,
    ) -> Result<Value, ApiFault> {
        let response = self.send(method.clone(), path, query, document).await?;
        let status = response.status();
        let bytes = body(response, LARGEST).await?;
        if !status.is_success() {
            return Err(ApiFault::Status {
                method: method.to_string(),
                path: path.to_owned(),
                status: status.as_u16(),
                said: words(&bytes),
            });
        }
        serde_json::from_slice(&bytes).map_err(|_| ApiFault::NotJson(path.to_owned()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: Option<(&str, &str)>,
        document: Option<&Value>,
    ) -> Result<reqwest::Response, ApiFault> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut attempt = 1;
        loop {
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .bearer_auth(self.key.expose_secret());
            if let Some(document) = document {
                request = request
                    .header(reqwest::header::CONTENT_TYPE, "application/json")
                    .body(document.to_string());
            }
            let sent = request.send().await;
            let answer = sent.map_err(|fault| Unfetched::Unreachable(causes(fault)))?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS || attempt >= self.attempts {
                return Ok(answer);
            }
            tokio::time::sleep(pause(&answer, attempt)).await;
            attempt += 1;
        }
    }
}

/// How long to wait before a request is repeated: as long as the answer says, else longer each time.
fn pause(answer: &reqwest::Response, attempt: u32) -> Duration {
    let said = answer.headers().get(reqwest::header::RETRY_AFTER);
    let said = said.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let usual = Duration::from_secs(1 << attempt.min(6));
    said.map_or(usual, Duration::from_secs).min(LONGEST_PAUSE)
}

/// The entries of a page: a bare array, or one in an envelope.
fn entries(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(entries) => entries,
        Value::Object(mut page) => match page.remove("results") {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The query that asks for what comes after a page: what was made before its last entry or at the same moment, or
/// after it in a list that begins with the oldest. `None` where entries do not say when they were made.
fn next_page(page: &[Value]) -> Option<(&'static str, String)> {
    let made = |entry: Option<&Value>| Some(entry?.get("createdAt")?.as_str()?.to_owned());
    let (first, last) = (made(page.first())?, made(page.last())?);
    // ISO 8601 in UTC sorts as text.
    Some((
        if first < last {
            "createdAtGe"
        } else {
            "createdAtLe"
        },
        last,
    ))
}

/// The id of a thing, as it may stand in a path.
pub(super) fn id(entry: &Value) -> String {
    path_part(entry["id"].as_str().unwrap_or_default())
}

/// An id as part of a path: Vapi's are UUIDs, and nothing else is put into an address.
pub(super) fn path_part(id: &str) -> String {
    id.chars()
        .filter(|sign| sign.is_ascii_alphanumeric() || "-_".contains(*sign))
        .collect()
}

/// What a refusal says, on one line.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let message = serde_json::from_str::<Value>(&text).ok();
    let message = message.as_ref().and_then(|body| body.get("message"));
    let said = match message {
        Some(Value::String(said)) => said.clone(),
        Some(other) => other.to_string(),
        None => text.into_owned(),
    };
    said.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(SHOWN)
        .collect()
}
