//! The service from when it is made ready until it is closed: messages are received, each by those who know its kind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::outward::{Allowed, client};
use crate::store::Provenance;
use crate::switchboard::Switchboard;

use super::account::Journal;
use super::api::Api;
use super::capture::Capture;
use super::dedup::Dedup;
use super::inventory::Inventory;
use super::marker::Markers;
use super::message::{Message, News};
use super::relay::{Relay, Saved};
use super::service::{Overloaded, Vapi, VapiError};
use super::settings::VapiSettings;
use super::tokens::Tokens;
use super::vapi_calls::VapiCalls;
use super::wanted::EVENTS_PATH;

/// Messages that are worked on at a time, answered or not.
const MOST_AT_WORK: usize = 512;
/// How long a request to Vapi may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often calls without an end are looked for.
const SWEEP: Duration = Duration::from_secs(60);

impl Vapi {
    /// Makes ready to take messages.
    ///
    /// # Errors
    /// [`VapiError`] when the store, the API's address, the folder of captures or what `voxline vapi apply` noted cannot
    /// be used.
    pub async fn open(board: Arc<Switchboard>, settings: VapiSettings) -> Result<Arc<Self>, VapiError> {
        // First of all: whoever does not know the backends would drop what waits for them.
        let saved = Saved::read(&settings)?;
        let markers = Markers::new(&board.store().marker_key().await?);
        let relay = Relay::open(board.store(), &settings, &saved).await?;
        let capture = settings
            .capture_dir
            .as_deref()
            .map(Capture::into_folder)
            .transpose();
        let vapi = Arc::new(Self {
            api: settings
                .api_key
                .is_some()
                .then(|| Api::open(&settings))
                .transpose()?,
            capture: capture.map_err(VapiError::Capture)?,
            relay: relay.map(Arc::new),
            events_url: settings
                .public_url
                .as_ref()
                .map(|url| format!("{url}{EVENTS_PATH}")),
            credential: settings
                .credential
                .clone()
                .or_else(|| applied_credential(&settings)),
            allowed: Allowed::new(&settings.hosts, &settings.plain_hosts),
            http: client(PATIENCE)?,
            board,
            settings,
            markers,
            dedup: Dedup::default(),
            vapi_calls: VapiCalls::default(),
            node: Uuid::now_v7().to_string(),
            inventory: Inventory::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            // Those of an earlier run are looked up when they come.
            tokens: Tokens::default(),
            work: Arc::new(Semaphore::new(MOST_AT_WORK)),
        });
        tokio::spawn(Arc::clone(&vapi).sweep());
        tokio::spawn(Arc::clone(&vapi).follow_other_nodes());
        Ok(vapi)
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

    /// Ends what is going on here: nobody is listened to any more, and what was heard is said.
    pub async fn close(&self) {
        self.leaving.cancel();
        for vapi_call in self.vapi_calls.all() {
            self.leave(&vapi_call).await;
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

/// That the servers that were there before can be read.
///
/// # Errors
/// [`VapiError::Saved`], with which no service starts.
pub fn check_saved(settings: &VapiSettings) -> Result<(), VapiError> {
    Saved::read(settings)?;
    Ok(())
}

/// That captures can be written into `folder`; makes none.
///
/// # Errors
/// [`VapiError::Capture`].
pub fn check_capture(folder: &Path) -> Result<(), VapiError> {
    Capture::check(folder).map_err(VapiError::Capture)
}

/// The credential that `voxline vapi apply` made, as it noted.
fn applied_credential(settings: &VapiSettings) -> Option<String> {
    let journal = Journal::read(&settings.data_dir, &settings.api_url).ok()?;
    let mut entries = journal.entries().iter().rev();
    let made = entries.find(|entry| entry.shelf == "credential")?;
    Some(made.id.clone())
}

/// The types of messages as labels.
pub(crate) const MESSAGE_KINDS: &[&str] = &[
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
    "transfer-update",
    "transfer-destination-request",
    "handoff-destination-request",
    "other",
];

/// A message's type as a label: what a client makes up would fill the memory of the metrics.
fn known_kind(kind: &str) -> &'static str {
    let bare = kind.split('[').next().unwrap_or(kind);
    MESSAGE_KINDS
        .iter()
        .find(|known| **known == bare)
        .copied()
        .unwrap_or("other")
}
