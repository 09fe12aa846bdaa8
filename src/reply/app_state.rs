//! What every handler works with.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carriers::command::CommandFault;
use crate::carriers::{CarrierSettings, Carriers};
use crate::decision::Policy;
use crate::engine::Engine;
use crate::store::{Access, Invite, ReceiptKey, StoreError, Token};
use crate::switchboard::{Switchboard, View};
use crate::units::KeyId;
use crate::vapi::Vapi;

use super::consent::ConsentTexts;
use super::key_attempts::{KeyAttempts, Peer};
use super::problem::Problem;
use super::proxies::Proxies;
use super::sessions::{ConsoleSettings, Sessions};
use super::settings::ReplySettings;
use super::telemetry;
use super::tries::Tries;
use super::upload_room::UploadRoom;

/// The service as its handlers see it. The switchboard is not among what they see: whatever reads or writes for somebody
/// goes by `AppState::view`, with what they may see.
pub struct AppState {
    board: Arc<Switchboard>,
    /// How the service is reached, and what its pages show.
    pub(super) settings: ReplySettings,
    pub(super) insecure_dev: bool,
    pub(super) carriers: Carriers,
    pub(super) vapi: Option<Arc<Vapi>>,
    /// The words in which users are asked for their voice in a browser.
    pub(super) consent: ConsentTexts,
    /// How often links were tried lately.
    pub(super) tries: Tries,
    /// Which keys were tried lately.
    pub(super) key_attempts: KeyAttempts,
    /// How much of uploads is in memory.
    pub(super) upload_room: UploadRoom,
    /// Whose word on where a request comes from is taken.
    pub(super) proxies: Proxies,
    /// Who is logged in to the console.
    pub(super) sessions: Sessions,
    pub(super) timeouts: Timeouts,
    pub(super) metrics: PrometheusHandle,
    /// Cancelled when the service begins to shut down.
    pub(super) leaving: CancellationToken,
    /// Connections and calls that a shutdown waits for.
    pub(super) tasks: TaskTracker,
}

/// How a [`AppState`] is set up.
pub struct AppSettings {
    /// How the service is reached, and what its pages show.
    pub reply: ReplySettings,
    /// Whether nobody needs a key; for loopback listeners only.
    pub insecure_dev: bool,
    /// How carriers are dealt with.
    pub carriers: CarrierSettings,
    /// The side that deals with Vapi.
    pub vapi: Option<Arc<Vapi>>,
    /// The words in which users are asked for their voice in a browser.
    pub consent: ConsentTexts,
    /// How long sessions of the console last.
    pub console: ConsoleSettings,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl AppState {
    /// The state of a service on a switchboard.
    ///
    /// # Errors
    /// [`ServeError::Telemetry`] when another library in this process has taken the metrics;
    /// [`ServeError::Carriers`] when Telnyx cannot be commanded.
    pub fn new(board: Arc<Switchboard>, settings: AppSettings) -> Result<Arc<Self>, ServeError> {
        let (leaving, tasks) = (CancellationToken::new(), TaskTracker::new());
        let upload_room = UploadRoom::new(board.limits().max_bytes);
        Ok(Arc::new(Self {
            carriers: Carriers::open(
                Arc::clone(&board),
                settings.carriers,
                leaving.clone(),
                tasks.clone(),
            )?,
            board,
            insecure_dev: settings.insecure_dev,
            vapi: settings.vapi,
            consent: settings.consent,
            tries: Tries::default(),
            key_attempts: KeyAttempts::default(),
            upload_room,
            proxies: Proxies::new(settings.reply.trusted_proxies.clone()),
            settings: settings.reply,
            sessions: Sessions::new(settings.console),
            timeouts: settings.timeouts,
            metrics: telemetry::install().ok_or(ServeError::Telemetry)?,
            leaving,
            tasks,
        }))
    }

    /// What `access` sees of the service, and may change.
    pub(super) fn view<'a>(&'a self, access: &'a Access) -> View<'a> {
        self.board.view(access)
    }

    /// What the holder of `token`, who asks from `peer`, may see and do; `None` when it is no good key's.
    ///
    /// # Errors
    /// [`Problem`] where it is none and too many were; the store's.
    pub(super) async fn access_by(&self, token: &Token, peer: Peer) -> Result<Option<Access>, Problem> {
        let access = self.board.store().key_for(token).await?;
        if access.is_none() {
            let now = Instant::now();
            self.key_attempts.may_try(peer, now)?;
            self.key_attempts.failed(peer, now);
        }
        Ok(access)
    }

    /// What a key may see and do, by its id; `None` when it is no good key's.
    pub(super) async fn access_of(&self, key: KeyId) -> Result<Option<Access>, StoreError> {
        self.board.store().access_of(key).await
    }

    /// The enrolment link that `token` opens, and what its holder acts by; `None` when it is nobody's.
    pub(super) async fn invited(&self, token: &Token) -> Result<Option<(Invite, Access)>, StoreError> {
        let store = self.board.store();
        let Some(invite) = store.invite_for(token).await? else {
            return Ok(None);
        };
        let access = store.access_by(&invite).await?;
        Ok(access.map(|access| (invite, access)))
    }

    /// The public keys of receipts, for everybody.
    pub(super) async fn receipt_keys(&self) -> Result<Vec<ReceiptKey>, StoreError> {
        self.board.store().receipt_keys().await
    }

    /// The speaker model and the calibration in use, by their names.
    pub(super) fn in_use(&self) -> (String, String) {
        (self.board.card().id().to_string(), self.board.calibration().id)
    }

    /// What calls are decided by, where a number promises nothing of its own.
    pub(super) fn policy(&self) -> Policy {
        self.board.policy()
    }

    /// The inference engine, for its load.
    pub(super) fn engine(&self) -> Engine {
        self.board.engine()
    }

    /// The parts that do not work now, each by name and with its fault in words.
    pub(super) async fn out_of_order(&self) -> Vec<(&'static str, String)> {
        self.board.out_of_order().await
    }

    /// Waits until every verdict that was given out is recorded.
    pub(super) async fn recorded(&self) {
        self.board.recorded().await;
    }

    /// The most bytes a request may bring: the largest recording and room for what is around it.
    pub(super) fn largest_upload(&self) -> u64 {
        const AROUND: u64 = 64 * 1024;
        self.board.limits().max_bytes.saturating_add(AROUND)
    }

    /// How long a stream may last by the clock: the longest call's audio, and its silence. Audio alone
    /// would bound nothing for who sends a byte now and then.
    pub(super) fn longest_stream(&self) -> Duration {
        Duration::from_secs_f64(self.board.longest_call().get()) + self.timeouts.idle
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// A TLS handshake, and the place of the connection behind it.
    pub handshake: Duration,
    /// A request's line and headers, and the wait for the next request on a kept connection.
    pub head: Duration,
    /// A request's body.
    pub body: Duration,
    /// Silence of a WebSocket, before its first frame or after any other; a carrier's call is then paused, not ended.
    pub idle: Duration,
    /// A pause of an AudioSocket's call: whether anybody is there cannot be asked, as a WebSocket's other end is by pings.
    pub hold: Duration,
    /// Writing a WebSocket's frame.
    pub send: Duration,
    /// Writing anything to a client that takes nothing of it. Longer: of a large answer the system takes the next piece only
    /// when a third of its buffer is free, for which a slow reader needs half a minute.
    pub answer: Duration,
    /// What is going on when the service is told to stop.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            body: Duration::from_secs(120),
            idle: Duration::from_secs(30),
            hold: Duration::from_secs(30 * 60),
            send: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            grace: Duration::from_secs(10),
        }
    }
}

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Without keys the service is for one's own machine alone.
    #[error(
        "--insecure-dev asks nobody for a key and {0} is reachable from other machines: listen on 127.0.0.1, \
         or leave the flag out and make a key with `voxline keys create`"
    )]
    InsecureBeyondLoopback(SocketAddr),
    /// The listener is of no use.
    #[error("the listener cannot be used: {0}")]
    StreamSession(#[from] io::Error),
    /// The process's metrics belong to somebody else.
    #[error("another library of this process has taken the metrics: install none besides the service")]
    Telemetry,
    /// Telnyx is to be commanded, and there is nothing to do it with.
    #[error(transparent)]
    Carriers(#[from] CommandFault),
}

/// `duration` in words for a message.
pub(super) fn in_words(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
