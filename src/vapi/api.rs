//! Vapi's own API, as far as it is needed: assistants, tools, numbers, credentials, and a call's recording.

use std::time::Duration;

use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

use crate::config::VapiConfig;

use crate::outward::{Allowed, Refused, Unfetched, body, causes, client};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most bytes of an answer: a list of assistants with their prompts can be long.
const LARGEST: usize = 16 * 1024 * 1024;
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
    /// It refused.
    #[error("Vapi's API answered {method} {path} with {status}: {said}")]
    Status {
        /// The method.
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
}

impl Api {
    /// The API that is configured.
    ///
    /// # Errors
    /// [`ApiFault`] without a key, or when the address may not be asked.
    pub fn open(config: &VapiConfig) -> Result<Self, ApiFault> {
        let key = config.api_key.clone().ok_or(ApiFault::NoKey)?;
        // Who configured the address has allowed its host.
        let host = config.api_url.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default().to_lowercase();
        let mut hosts = config.hosts.clone();
        hosts.push(host);
        let base = Allowed::new(&hosts, &config.plain_hosts).http(&config.api_url)?;
        Ok(Self {
            client: client(PATIENCE)?,
            base,
            key,
        })
    }

    /// What lies at `path`.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn get(&self, path: &str) -> Result<Value, ApiFault> {
        self.ask(Method::GET, path, None).await
    }

    /// Makes something.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn post(&self, path: &str, document: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::POST, path, Some(document)).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// [`ApiFault`].
    pub async fn patch(&self, path: &str, document: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::PATCH, path, Some(document)).await
    }

    /// Where `path` (an id and what stands before it) redirects to: recordings are told so.
    ///
    /// # Errors
    /// [`ApiFault`] unless it is a redirect.
    pub async fn redirect(&self, path: &str) -> Result<String, ApiFault> {
        let response = self.send(Method::GET, path, None).await?;
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

    async fn ask(&self, method: Method, path: &str, document: Option<&Value>) -> Result<Value, ApiFault> {
        let response = self.send(method.clone(), path, document).await?;
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
        document: Option<&Value>,
    ) -> Result<reqwest::Response, ApiFault> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let mut request = self
            .client
            .request(method, url)
            .bearer_auth(self.key.expose_secret());
        if let Some(document) = document {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(document.to_string());
        }
        let sent = request.send().await;
        Ok(sent.map_err(|fault| Unfetched::Unreachable(causes(fault)))?)
    }
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
