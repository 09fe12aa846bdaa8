//! The customer's backends: which one a message goes to, and how it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::outward::{Unfetched, body, causes};
use crate::units::DialedNumber;
use crate::vapi::settings::UpstreamSettings;

use super::headers::Headers;
use super::saved::Saved;

/// The most bytes of an answer.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// How soon a backend that fails is spoken of again.
const AGAIN: Duration = Duration::from_secs(10);

/// Why a backend's answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RelayFault {
    /// None came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The backend could not be reached.
    #[error(transparent)]
    Unfetched(#[from] Unfetched),
    /// It sends elsewhere.
    #[error("it answered with a redirect ({0}), which is not followed: give the address it leads to")]
    Redirect(u16),
}

/// A backend's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What its body is.
    pub content_type: Option<String>,
    /// The body, byte by byte.
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether it is what was asked for.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The status and the length alone: the body may be about somebody.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

/// A backend of the customer's.
pub struct Upstream {
    /// Its address. Secret: a token may stand in it.
    url: Url,
    permits: Semaphore,
    spoken_of: Mutex<Option<Instant>>,
}

impl Upstream {
    fn new(url: Url, concurrency: usize) -> Arc<Self> {
        Arc::new(Self {
            url,
            permits: Semaphore::new(concurrency),
            spoken_of: Mutex::default(),
        })
    }

    /// Where the customer's backend is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its host, by which logs name it.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Sends it a message and waits for its answer: for a place among others and for the answer, together at most
    /// `budget`.
    ///
    /// # Errors
    /// [`RelayFault`] when no answer came that could be handed on.
    pub async fn ask(
        &self,
        http: &Client,
        headers: Headers,
        content: Vec<u8>,
        budget: Duration,
    ) -> Result<Reply, RelayFault> {
        let asked = timeout(budget, async {
            // The semaphore is never closed.
            let _permit = self.permits.acquire().await;
            self.send(http, headers, content).await
        });
        asked.await.unwrap_or(Err(RelayFault::Late(budget)))
    }

    /// Sends it a message, however many others wait.
    ///
    /// # Errors
    /// [`RelayFault`] likewise; how long it takes is the caller's matter.
    pub async fn send(&self, http: &Client, headers: Headers, content: Vec<u8>) -> Result<Reply, RelayFault> {
        let mut request = http.post(self.url.clone()).body(content);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let unreachable = |fault| RelayFault::Unfetched(Unfetched::Unreachable(causes(fault)));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(RelayFault::Redirect(status));
        }
        let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let mut bytes = body(response, LARGEST_ANSWER).await?;
        Ok(Reply {
            status,
            content_type,
            body: std::mem::take(&mut *bytes),
        })
    }

    /// Says that it fails; of one backend at most every ten seconds, however much is relayed.
    pub fn complain(&self, what: &str, why: &dyn std::fmt::Display) {
        let mut spoken_of = self.spoken_of.lock().unwrap_or_else(PoisonError::into_inner);
        if spoken_of.is_none_or(|at| at.elapsed() >= AGAIN) {
            *spoken_of = Some(Instant::now());
            let host = self.host();
            tracing::warn!(host, what, "the backend at {host} fails ({what}): {why}");
        }
    }
}

/// Which backend is whose.
#[derive(Default)]
pub struct Upstreams {
    default: Option<Arc<Upstream>>,
    numbers: BTreeMap<DialedNumber, Arc<Upstream>>,
    assistants: BTreeMap<String, Arc<Upstream>>,
    all: Vec<Arc<Upstream>>,
}

impl Upstreams {
    /// The backends of a configuration; where it says nothing of a number or an assistant, those that were `saved`.
    pub fn new(settings: &UpstreamSettings, saved: &Saved) -> Self {
        let mut made = Self::default();
        let concurrency = settings.concurrency;
        made.default = settings.default.as_ref().map(|url| made.one(url, concurrency));
        for (number, url) in saved.numbers.iter().chain(&settings.numbers) {
            let upstream = made.one(url, concurrency);
            made.numbers.insert(number.clone(), upstream);
        }
        for (assistant, url) in saved.assistants.iter().chain(&settings.assistants) {
            let upstream = made.one(url, concurrency);
            made.assistants.insert(assistant.clone(), upstream);
        }
        made
    }

    /// The backend of an assistant, else of a number, else of all: the order in which Vapi looks for a server.
    pub fn of(&self, assistant: Option<&str>, number: Option<&DialedNumber>) -> Option<&Arc<Upstream>> {
        let own = assistant.and_then(|assistant| self.assistants.get(assistant));
        own.or_else(|| number.and_then(|number| self.numbers.get(number)))
            .or(self.default.as_ref())
    }

    /// The backend at an address, if there is one.
    pub fn at(&self, url: &str) -> Option<&Arc<Upstream>> {
        let url = Url::parse(url).ok()?;
        self.all.iter().find(|known| known.url == url)
    }

    /// Whether the dialed number decides anything.
    pub fn differ_by_number(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// All of them, each once.
    pub fn all(&self) -> &[Arc<Upstream>] {
        &self.all
    }

    fn one(&mut self, url: &Url, concurrency: usize) -> Arc<Upstream> {
        if let Some(known) = self.all.iter().find(|known| known.url == *url) {
            return Arc::clone(known);
        }
        let upstream = Upstream::new(url.clone(), concurrency);
        self.all.push(Arc::clone(&upstream));
        upstream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vapi::settings::of_section;

    #[test]
    fn an_assistants_backend_beats_a_numbers_and_that_beats_everybodys() {
        let text = "upstream.url = \"https://all.example/v\"\n\
                    upstream.numbers = \"+12025550102=https://number.example/v\"\n\
                    upstream.assistants = \"a-1=https://assistant.example/v, a-2=https://all.example/v\"";
        let settings = of_section(text).unwrap().upstream;
        let number: DialedNumber = "+12025550102".parse().unwrap();
        let other: DialedNumber = "+12025550103".parse().unwrap();
        let stood = Url::parse("https://saved.example/v").unwrap();
        let saved = Saved {
            numbers: [&number, &other]
                .map(|number| (number.clone(), stood.clone()))
                .into(),
            assistants: BTreeMap::new(),
        };
        let upstreams = Upstreams::new(&settings, &saved);
        for (assistant, dialed, host) in [
            (Some("a-1"), Some(&number), "assistant.example"),
            (Some("a-2"), Some(&number), "all.example"),
            (Some("a-3"), Some(&number), "number.example"),
            (None, Some(&number), "number.example"),
            (None, Some(&other), "saved.example"),
            (None, None, "all.example"),
        ] {
            assert_eq!(upstreams.of(assistant, dialed).unwrap().host(), host);
        }
        let hosts: Vec<&str> = upstreams.all().iter().map(|one| one.host()).collect();
        let all = hosts.iter().filter(|host| **host == "all.example").count();
        assert_eq!(all, 1, "{hosts:?}");
        assert!(upstreams.at("https://all.example/v").is_some());
        assert!(upstreams.at("https://all.example/w").is_none());
    }
}
