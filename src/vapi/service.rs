//! Vapi's side of the service: one object that takes its messages and answers them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carriers::signature::same;
use crate::store::StoreError;
use crate::switchboard::Switchboard;

use super::account::JournalFault;
use super::api::{Api, ApiFault};
use super::authentic::{Arrived, NotVapi, after_scheme, authenticate};
use super::capture::Capture;
use super::dedup::Dedup;
use super::inventory::Inventory;
use super::marker::Markers;
use super::pass::{self, PASS_HEADER, Proof};
use super::relay::Relay;
use super::settings::{VapiAuth, VapiSettings};
use super::tokens::{Issued, Tokens};
use super::vapi_call::VapiCall;
use super::vapi_calls::VapiCalls;
use crate::outward::{Allowed, Unfetched};

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
    /// Nobody knows to whom messages are relayed.
    #[error(
        "the backends that `voxline vapi apply` noted are not known, and their messages would be lost: {0}. Give the file to \
         the user whom the service runs as, or put it right; or set vapi.upstream.saved = false, and what waits for those \
         backends is dropped"
    )]
    Saved(#[from] JournalFault),
}

/// As many messages are being worked on as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("as many messages of Vapi's are being worked on as may be; send this one again in a moment")]
pub struct Overloaded;

/// Vapi's side of the service.
pub struct Vapi {
    pub(super) board: Arc<Switchboard>,
    pub(super) settings: VapiSettings,
    pub(super) events_url: Option<String>,
    /// Vapi's credential that signs the webhooks: the configured one, or the one that was applied.
    pub(super) credential: Option<String>,
    pub(super) allowed: Allowed,
    pub(super) http: Client,
    pub(super) api: Option<Api>,
    pub(super) markers: Markers,
    pub(super) dedup: Dedup,
    pub(super) vapi_calls: VapiCalls,
    /// By which this process is told from other nodes of the store.
    pub(super) node: String,
    pub(super) inventory: Inventory,
    pub(super) capture: Option<Capture>,
    pub(super) relay: Option<Arc<Relay>>,
    pub(super) tasks: TaskTracker,
    /// Cancelled when the service begins to shut down.
    pub(super) leaving: CancellationToken,
    pub(super) tokens: Tokens,
    pub(super) work: Arc<Semaphore>,
}

impl Vapi {
    /// The most bytes of a message.
    pub fn largest_event(&self) -> usize {
        self.settings.largest_event
    }

    /// The address Vapi calls, where it is known.
    pub fn events_url(&self) -> Option<&str> {
        self.events_url.as_deref()
    }

    /// Whether webhooks are taken at all.
    pub fn takes_webhooks(&self) -> bool {
        self.settings.takes_webhooks()
    }

    /// Checks that a request is Vapi's: by what is configured or, where Vapi sent nothing of that, by the pass of a
    /// call. Which messages the proof is one of, [`Proof::covers`] says.
    ///
    /// # Errors
    /// [`NotVapi`].
    pub fn authenticate(&self, arrived: &Arrived<'_>) -> Result<Proof, NotVapi> {
        match authenticate(&self.settings.auth, &self.tokens, arrived) {
            Ok(()) => Ok(Proof::Configured),
            Err(NotVapi::Missing(header)) => {
                let pass = (arrived.header)(PASS_HEADER).and_then(|text| pass::read(&self.markers, text));
                pass.map(Proof::Pass).ok_or(NotVapi::Missing(header))
            }
            Err(why) => Err(why),
        }
    }

    /// Takes over the token of a request that another node of this deployment issued, or an earlier run of this one, before
    /// the request is checked.
    pub async fn recognise(&self, authorization: Option<&str>) {
        let VapiAuth::OAuth2 { .. } = &self.settings.auth else {
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

    /// Gives a token to who knows the client's secret (RFC 6749 section 4.4), where that is how webhooks are known.
    pub async fn issue_token(&self, client_id: &str, client_secret: &str) -> Option<Issued> {
        use secrecy::ExposeSecret;
        let VapiAuth::OAuth2 {
            client_id: id,
            client_secret: secret,
            lifetime,
        } = &self.settings.auth
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
        vapi_call.has_ended() || self.leaving.is_cancelled()
    }
}
