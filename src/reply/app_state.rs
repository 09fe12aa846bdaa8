//! What every handler works with, and who is on the line at the moment.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carriers::CarrierSettings;
use crate::carriers::asked::Asked;
use crate::carriers::command::Commander;
use crate::carriers::token::CallTokens;
use crate::switchboard::Switchboard;
use crate::units::CallId;
use crate::vapi::Vapi;

use super::console::{ConsoleSettings, Sessions};
use super::problem::{Kind, Problem};
use super::serve::{ServeError, Timeouts};
use super::signup::{SignupSettings, Tries};
use super::telemetry;

/// The service as its handlers see it.
pub struct AppState {
    pub(super) board: Arc<Switchboard>,
    pub(super) insecure_dev: bool,
    pub(super) carriers: CarrierSettings,
    /// What carriers' streams bring that were told to come.
    pub(super) tokens: CallTokens,
    /// Calls whose callers were asked for a PIN.
    pub(super) asked: Asked,
    pub(super) vapi: Option<Arc<Vapi>>,
    pub(super) signup: SignupSettings,
    /// How often links were tried lately.
    pub(super) tries: Tries,
    /// Who is logged in to the console.
    pub(super) sessions: Sessions,
    pub(super) timeouts: Timeouts,
    pub(super) metrics: PrometheusHandle,
    /// Cancelled when the service begins to shut down.
    pub(super) leaving: CancellationToken,
    /// Connections and calls that a shutdown waits for.
    pub(super) tasks: TaskTracker,
    /// Commands Telnyx's calls, where there is a key for it.
    pub(super) commander: Option<Arc<Commander>>,
    on_the_line: Mutex<HashSet<CallId>>,
}

/// How a [`AppState`] is set up.
#[derive(Default)]
pub struct AppSettings {
    /// Whether nobody needs a key. For one's own machine alone.
    pub insecure_dev: bool,
    /// How carriers are dealt with.
    pub carriers: CarrierSettings,
    /// The side that deals with Vapi.
    pub vapi: Option<Arc<Vapi>>,
    /// How users are asked for their voice in a browser.
    pub signup: SignupSettings,
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
        let api = settings.carriers.telnyx_api.clone();
        let commander = api.map(Commander::new).transpose()?;
        Ok(Arc::new(Self {
            board,
            commander: commander.map(Arc::new),
            insecure_dev: settings.insecure_dev,
            tokens: CallTokens::new(settings.carriers.token_lifetime),
            asked: Asked::default(),
            carriers: settings.carriers,
            vapi: settings.vapi,
            signup: settings.signup,
            tries: Tries::default(),
            sessions: Sessions::new(settings.console),
            timeouts: settings.timeouts,
            metrics: telemetry::install().ok_or(ServeError::Telemetry)?,
            leaving: CancellationToken::new(),
            tasks: TaskTracker::new(),
            on_the_line: Mutex::default(),
        }))
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

    /// Takes the slot of a call's audio: a second stream under the same id would be lost in the record of the
    /// first, so it is refused, and so is one of a call that is over. A call of which others already brought
    /// news is joined.
    pub(super) async fn call_slot(self: &Arc<Self>, call: &CallId) -> Result<CallSlot, Problem> {
        let taken = || {
            let detail = format!("there was a call {call} already: give every call an id of its own");
            Problem::new(Kind::CallExists, detail)
        };
        if !self.call_slots().insert(call.clone()) {
            return Err(taken());
        }
        telemetry::call_began();
        // From here on the slot is given back whatever happens.
        let call_slot = CallSlot {
            app: Arc::clone(self),
            call: call.clone(),
        };
        match self.board.store().call(call).await? {
            // One that a webhook has told of and that is not over is the same call.
            Some(record) if record.is_final => Err(taken()),
            _ => Ok(call_slot),
        }
    }

    /// Whether a call's audio is being listened to.
    pub(super) fn has_call_slot(&self, call: &CallId) -> bool {
        self.call_slots().contains(call)
    }

    fn call_slots(&self) -> std::sync::MutexGuard<'_, HashSet<CallId>> {
        self.on_the_line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live call's place; given back when dropped.
pub(super) struct CallSlot {
    app: Arc<AppState>,
    call: CallId,
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        self.app.call_slots().remove(&self.call);
        telemetry::call_ended();
    }
}

/// `duration` in words for a message.
pub(super) fn in_words(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
