//! One request to the server: bounded in time, tried again when that can help, failing in words.

use std::future::Future;
use std::time::Duration;

use qdrant_client::qdrant::{
    CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, HnswConfigDiffBuilder,
    KeywordIndexParamsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Qdrant, QdrantError};
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};

use super::{QdrantSettings, points};
use crate::gallery::GalleryError;

/// How often a request is sent before the server counts as unavailable.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; each later one is twice as long (350 ms in all).
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The most of a server's own message that goes into ours, in characters.
const MESSAGE_LIMIT: usize = 200;

/// Status codes of gRPC by their numbers (`doc/statuscodes.md` of the gRPC project).
mod code {
    pub const CANCELLED: i32 = 1;
    pub const UNKNOWN: i32 = 2;
    pub const DEADLINE_EXCEEDED: i32 = 4;
    pub const NOT_FOUND: i32 = 5;
    pub const RESOURCE_EXHAUSTED: i32 = 8;
    pub const INTERNAL: i32 = 13;
    pub const UNAVAILABLE: i32 = 14;
}

/// The connection to one server. Made without any traffic: the first request connects.
pub(super) struct Link {
    /// The client whose requests go through [`Link::call`].
    pub client: Qdrant,
    url: String,
    timeout: Duration,
}

/// Why a request failed, for the caller that can still make something of it.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server has no such collection.
    Absent(GalleryError),
    /// Whatever else a request failed of.
    Other(GalleryError),
}

impl From<Fault> for GalleryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Absent(error) | Fault::Other(error) => error,
        }
    }
}

impl From<GalleryError> for Fault {
    fn from(error: GalleryError) -> Self {
        Self::Other(error)
    }
}

/// The answer, or `None` where there is no such collection.
///
/// # Errors
/// Whatever else the request failed of.
pub(super) fn if_there<T>(answer: Result<T, Fault>) -> Result<Option<T>, GalleryError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault::Absent(_)) => Ok(None),
        Err(Fault::Other(error)) => Err(error),
    }
}

impl Link {
    /// A link to the server that `settings` name.
    ///
    /// # Errors
    /// [`GalleryError::Settings`] when they cannot be used.
    pub fn new(settings: &QdrantSettings) -> Result<Self, GalleryError> {
        let url = settings.checked_url()?;
        // Half of the time for each of connecting and answering: the client reconnects once by
        // itself when a connection has gone silent, and that has to fit within the whole.
        let part = settings.timeout / 2;
        let client = Qdrant::from_url(&url)
            .api_key(settings.api_key.as_ref().map(ExposeSecret::expose_secret))
            .timeout(part)
            .connect_timeout(part)
            .skip_compatibility_check()
            .build()
            .map_err(|_| GalleryError::Settings {
                fault: "the address is not a valid URI: it should look like http://127.0.0.1:6334",
            })?;
        Ok(Self {
            client,
            url,
            timeout: settings.timeout,
        })
    }

    /// Sends the request that `attempt` makes, again with growing waits while the server cannot be
    /// reached. `purpose` names the request in messages ("search the gallery"). Every request of this
    /// room is idempotent, so one whose answer was lost may be repeated.
    pub async fn call<T, F>(&self, purpose: &'static str, attempt: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let mut last = None;
        match timeout(self.timeout, self.persist(attempt, &mut last)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.fault(purpose, &error)),
            Err(_) => {
                let before =
                    last.map_or_else(String::new, |error| format!(" (before that: {})", words(&error)));
                let waited = self.timeout.as_secs_f64();
                Err(Fault::Other(self.unavailable(
                    purpose,
                    format!("no answer within {waited} s{before}"),
                )))
            }
        }
    }

    /// Waits for `turn`, which other requests of this process hold up, no longer than for an answer.
    ///
    /// # Errors
    /// [`GalleryError::Unavailable`] when it takes longer than one request may.
    pub async fn turn<T>(
        &self,
        purpose: &'static str,
        turn: impl Future<Output = T>,
    ) -> Result<T, GalleryError> {
        timeout(self.timeout, turn).await.map_err(|_| {
            let waited = self.timeout.as_secs_f64();
            self.unavailable(purpose, format!("others were still at it after {waited} s"))
        })
    }

    /// The error for an answer that this room cannot have caused: somebody else wrote there.
    pub fn foreign(&self, what: impl Into<String>) -> GalleryError {
        GalleryError::Foreign {
            url: self.url.clone(),
            what: what.into(),
        }
    }

    async fn persist<T, F>(
        &self,
        attempt: impl Fn() -> F,
        last: &mut Option<QdrantError>,
    ) -> Result<T, QdrantError>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            let error = match attempt().await {
                Err(error) if may_pass(&error) => error,
                done => return done,
            };
            let asked = match &error {
                QdrantError::ResourceExhaustedError {
                    retry_after_seconds, ..
                } => Duration::from_secs(*retry_after_seconds),
                _ => Duration::ZERO,
            };
            *last = Some(error);
            sleep(wait.max(asked)).await;
            wait *= 2;
        }
        attempt().await
    }

    fn fault(&self, purpose: &'static str, error: &QdrantError) -> Fault {
        if may_pass(error) {
            return Fault::Other(self.unavailable(purpose, words(error)));
        }
        let refused = GalleryError::Refused {
            url: self.url.clone(),
            purpose,
            reason: words(error),
        };
        if code_of(error) == Some(code::NOT_FOUND) {
            Fault::Absent(refused)
        } else {
            Fault::Other(refused)
        }
    }

    fn unavailable(&self, purpose: &'static str, reason: String) -> GalleryError {
        GalleryError::Unavailable {
            url: self.url.clone(),
            purpose,
            reason,
        }
    }

    /// Makes a collection of vectors of `dim` numbers.
    pub async fn create(&self, collection: &str, dim: usize) -> Result<(), Fault> {
        let request = CreateCollectionBuilder::new(collection)
            .vectors_config(VectorParamsBuilder::new(dim as u64, Distance::Cosine))
            .hnsw_config(HnswConfigDiffBuilder::default().m(0).payload_m(16))
            .build();
        let client = &self.client;
        self.call("create a collection", || {
            client.create_collection(request.clone())
        })
        .await?;
        Ok(())
    }

    /// Makes the payload indexes; the server leaves those alone that are there already.
    pub async fn create_indexes(&self, collection: &str) -> Result<(), Fault> {
        for (field, is_tenant) in [(points::NUMBER, true), (points::MODEL, false)] {
            let request = CreateFieldIndexCollectionBuilder::new(collection, field, FieldType::Keyword)
                .field_index_params(KeywordIndexParamsBuilder::default().is_tenant(is_tenant))
                .wait(true)
                .build();
            let client = &self.client;
            self.call("create an index", || client.create_field_index(request.clone()))
                .await?;
        }
        Ok(())
    }
}

fn code_of(error: &QdrantError) -> Option<i32> {
    match error {
        QdrantError::ResponseError { status } | QdrantError::ResourceExhaustedError { status, .. } => {
            Some(status.code().into())
        }
        _ => None,
    }
}

/// Whether the same request could succeed in a moment. The client reports a failed connection as
/// INTERNAL and its own timeout as CANCELLED, so those count as well.
fn may_pass(error: &QdrantError) -> bool {
    match code_of(error) {
        Some(code) => [
            code::CANCELLED,
            code::UNKNOWN,
            code::DEADLINE_EXCEEDED,
            code::RESOURCE_EXHAUSTED,
            code::INTERNAL,
            code::UNAVAILABLE,
        ]
        .contains(&code),
        None => matches!(error, QdrantError::Io(_)),
    }
}

/// The error in a line. Never its `Display`: that prints the reply's metadata as well.
fn words(error: &QdrantError) -> String {
    match error {
        QdrantError::ResponseError { status } | QdrantError::ResourceExhaustedError { status, .. } => {
            let message: String = status.message().chars().take(MESSAGE_LIMIT).collect();
            format!("{:?}: {message}", status.code())
        }
        other => other.to_string().chars().take(MESSAGE_LIMIT).collect(),
    }
}
