//! Vapi's side of the service: one object that takes its messages and answers them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carriers::signature::same;
use crate::config::{Config, VapiAuth, VapiConfig};
use crate::store::{Provenance, StoreError};
use crate::switchboard::Switchboard;

use super::account::Journal;
use super::api::{Api, ApiFault};
use super::authentic::{Arrived, NotVapi, after_scheme, authenticate};
use super::capture::Capture;
use super::dedup::Dedup;
use super::inventory::Inventory;
use super::marker::Markers;
use super::message::{Message, News};
use super::pass::{self, PASS_HEADER, Proof};
use super::relay::{Relay, Saved};
use super::tokens::{Issued, Tokens};
use super::vapi_call::VapiCall;
use super::vapi_calls::VapiCalls;
use super::wanted::EVENTS_PATH;
use crate::outward::{Allowed, Unfetched, client};

/// Messages that are worked on at a time, answered or not.
const MOST_AT_WORK: usize = 512;
/// How long a request to Vapi may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often calls without an end are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long the store may take to keep a token.
const KEEPING: Duration = Duration::from_secs(2);

/// Why Vapi cannot be dealt with.
#[derive(Debug, Error)]
pub enum VapiError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no HTTP client.
    #[error(transparent)]
    Client(#[from] Unfetched),
    /// The API's address cannot be asked.
    #[error(transparent)]
    Api(#[from] ApiFault),
    /// The folder of captures cannot be made.
    #[error("vapi.capture_dir cannot be used: {0}")]
    Capture(std::io::Error),
}

/// As many messages are being worked on as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("as many messages of Vapi's are being worked on as may be; send this one again in a moment")]
pub struct Overloaded;

/// Vapi's side of the service.
pub struct Vapi {
    pub(super) board: Arc<Switchboard>,
    pub(super) config: VapiConfig,
    pub(super) events_url: Option<String>,
    /// Vapi's credential that signs the webhooks: the configured one, or the one that was applied.
    pub(super) credential: Option<String>,
    pub(super) allowed: Allowed,
    pub(super) http: Client,
    pub(super) api: Option<Api>,
    pub(super) markers: Markers,
    pub(super) dedup: Dedup,
    pub(super) vapi_calls: VapiCalls,
    pub(super) inventory: Inventory,
    pub(super) capture: Option<Capture>,
    pub(super) relay: Option<Arc<Relay>>,
    pub(super) tasks: TaskTracker,
    /// Cancelled when the service begins to shut down.
    pub(super) leaving: CancellationToken,
    tokens: Tokens,
    work: Arc<Semaphore>,
}

impl Vapi {
    /// Makes ready to take messages.
    ///
    /// # Errors
    /// [`VapiError`] when the store, the API's address or the folder of captures cannot be used.
    pub async fn open(board: Arc<Switchboard>, config: &Config) -> Result<Arc<Self>, VapiError> {
        let vapi = config.vapi.clone();
        let markers = Markers::new(&board.store().marker_key().await?);
        let tokens = Tokens::default();
        let now = OffsetDateTime::now_utc();
        for (sha256, expires_at) in board.store().good_tokens().await? {
            tokens.remember(sha256, expires_at, now);
        }
        let relay = Relay::open(board.store(), &vapi, &saved(config)).await?;
        let capture = vapi.capture_dir.as_deref().map(Capture::into_folder).transpose();
        let vapi = Arc::new(Self {
            api: vapi.api_key.is_some().then(|| Api::open(&vapi)).transpose()?,
            capture: capture.map_err(VapiError::Capture)?,
            relay: relay.map(Arc::new),
            events_url: config
                .public_url
                .as_ref()
                .map(|url| format!("{url}{EVENTS_PATH}")),
            credential: vapi.credential.clone().or_else(|| applied_credential(config)),
            allowed: Allowed::new(&vapi.hosts, &vapi.plain_hosts),
            http: client(PATIENCE)?,
            board,
            config: vapi,
            markers,
            dedup: Dedup::default(),
            vapi_calls: VapiCalls::default(),
            inventory: Inventory::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            tokens,
            work: Arc::new(Semaphore::new(MOST_AT_WORK)),
        });
        tokio::spawn(Arc::clone(&vapi).sweep());
        Ok(vapi)
    }

    /// The most bytes of a message.
    pub fn largest_event(&self) -> usize {
        self.config.largest_event
    }

    /// The address Vapi calls, where it is known.
    pub fn events_url(&self) -> Option<&str> {
        self.events_url.as_deref()
    }

    /// Checks that a request is Vapi's: by what is configured or, where Vapi sent nothing of that, by the pass of a
    /// call. Which messages the proof is one of, [`Proof::covers`] says.
    ///
    /// # Errors
    /// [`NotVapi`].
    pub fn authenticate(&self, arrived: &Arrived<'_>) -> Result<Proof, NotVapi> {
        match authenticate(&self.config.auth, &self.tokens, arrived) {
            Ok(()) => Ok(Proof::Configured),
            Err(NotVapi::Missing(header)) => {
                let pass = (arrived.header)(PASS_HEADER).and_then(|text| pass::read(&self.markers, text));
                pass.map(Proof::Pass).ok_or(NotVapi::Missing(header))
            }
            Err(why) => Err(why),
        }
    }

    /// Takes over the token of a request that another node of this deployment issued, before the request is checked.
    pub async fn recognise(&self, authorization: Option<&str>) {
        let VapiAuth::OAuth2 { .. } = &self.config.auth else {
            return;
        };
        let now = OffsetDateTime::now_utc();
        let token = authorization.and_then(|value| after_scheme(value.trim(), "bearer"));
        let Some(hash) = token.and_then(|token| self.tokens.unknown(token, now)) else {
            return;
        };
        let kept = self.board.store().good_token(&hash);
        if let Ok(Ok(Some(expires_at))) = tokio::time::timeout(KEEPING, kept).await {
            self.tokens.remember(hash, expires_at, now);
        }
    }

    /// Keeps a redacted copy of a message, where captures are asked for.
    pub fn captured(&self, body: &[u8], headers: impl FnOnce() -> Vec<(String, usize)>) {
        if let Some(capture) = &self.capture {
            capture.webhook(body, &headers(), OffsetDateTime::now_utc());
        }
    }

    /// Takes a message and gives what it is answered. A ringing call is answered within the configured budget,
    /// whatever the rest of the service does; what needs no answer is worked on afterwards.
    ///
    /// # Errors
    /// [`Overloaded`] when too much is going on; a ringing call never is too much.
    pub async fn receive(self: &Arc<Self>, message: Message) -> Result<Value, Overloaded> {
        metrics::counter!("voxline_vapi_messages_total", "type" => known_kind(&message.kind)).increment(1);
        if matches!(message.news, News::AssistantRequest) {
            return Ok(self.ring(message).await);
        }
        let permit = Arc::clone(&self.work)
            .try_acquire_owned()
            .map_err(|_| Overloaded)?;
        match &message.news {
            News::ToolCalls { .. } => {
                let answer = self.tools(message).await;
                drop(permit);
                Ok(answer)
            }
            News::DestinationRequest => Ok(json!({"error": "This line does not transfer calls."})),
            _ => {
                let vapi = Arc::clone(self);
                self.tasks.spawn(Provenance::carried(async move {
                    vapi.attend(message).await;
                    drop(permit);
                }));
                Ok(json!({}))
            }
        }
    }

    /// Gives a token to who knows the client's secret (RFC 6749 section 4.4), where that is how webhooks are known.
    pub async fn issue_token(&self, client_id: &str, client_secret: &str) -> Option<Issued> {
        use secrecy::ExposeSecret;
        let VapiAuth::OAuth2 {
            client_id: id,
            client_secret: secret,
            lifetime,
        } = &self.config.auth
        else {
            return None;
        };
        // Both are compared, so that the time does not tell which was wrong.
        let good = same(client_id.as_bytes(), id.as_bytes())
            & same(client_secret.as_bytes(), secret.expose_secret().as_bytes());
        if !good {
            return None;
        }
        let issued = self.tokens.issue(*lifetime, OffsetDateTime::now_utc())?;
        let kept = self.board.store().keep_token(&issued.sha256, issued.expires_at);
        match tokio::time::timeout(KEEPING, kept).await {
            Ok(Ok(())) => {}
            // Good until the next restart all the same.
            Ok(Err(fault)) => tracing::warn!(%fault, "a token is not kept over a restart: {fault}"),
            Err(_) => tracing::warn!("a token is not kept over a restart: the store takes too long"),
        }
        Some(issued)
    }

    /// Whether a call's audio is over: the call has ended, or the service leaves.
    pub(super) fn is_over(&self, vapi_call: &VapiCall) -> bool {
        vapi_call.is_over() || self.leaving.is_cancelled()
    }

    /// Ends what is going on: live calls are finished and their last verdicts recorded.
    pub async fn close(&self) {
        self.leaving.cancel();
        for vapi_call in self.vapi_calls.all() {
            self.finish(&vapi_call).await;
        }
        if let Some(relay) = &self.relay {
            relay.close().await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Finishes calls of whose end no word came, for ever.
    async fn sweep(self: Arc<Self>) {
        let longest = Duration::from_secs_f64(self.board.longest_call().get());
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.leaving.cancelled() => return,
            }
            for vapi_call in self.vapi_calls.sweep(longest) {
                self.finish(&vapi_call).await;
            }
        }
    }
}

/// The servers that were there before. Without them calls are answered all the same.
fn saved(config: &Config) -> Saved {
    let read = Saved::read(&config.data_dir, &config.vapi.api_url, &config.vapi.upstream);
    read.unwrap_or_else(|fault| {
        tracing::error!(%fault, "nothing is relayed to servers that were there before: {fault}");
        Saved::default()
    })
}

/// The credential that `voxline vapi apply` made, as it noted.
fn applied_credential(config: &Config) -> Option<String> {
    let journal = Journal::read(&config.data_dir, &config.vapi.api_url).ok()?;
    let mut entries = journal.entries().iter().rev();
    let made = entries.find(|entry| entry.shelf == "credential")?;
    Some(made.id.clone())
}

/// A message's type as a label: what a client makes up would fill the memory of the metrics.
fn known_kind(kind: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "assistant-request",
        "status-update",
        "tool-calls",
        "function-call",
        "conversation-update",
        "speech-update",
        "transcript",
        "end-of-call-report",
        "hang",
        "user-interrupted",
        "transfer-destination-request",
        "handoff-destination-request",
    ];
    let bare = kind.split('[').next().unwrap_or(kind);
    KNOWN
        .iter()
        .find(|known| **known == bare)
        .copied()
        .unwrap_or("other")
}
