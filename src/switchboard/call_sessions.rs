//! The calls that are under way: one session a call, whoever asks for it first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call_session::CallSession;
use super::error::BoardError;
use crate::engine::Busy;
use crate::units::CallId;

/// Most calls at a time.
const CAPACITY: usize = 10_000;

/// How long a call is kept after its end, for news that come late.
const AFTER_THE_END: Duration = Duration::from_secs(5 * 60);

/// How long a call may be silent, with nobody holding it, before it is taken for ended.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// The calls, by their ids.
#[derive(Default)]
pub(super) struct CallSessions(Mutex<HashMap<CallId, Arc<CallSession>>>);

impl CallSessions {
    fn held(&self) -> MutexGuard<'_, HashMap<CallId, Arc<CallSession>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of a call, while there is one.
    pub fn find(&self, call: &CallId) -> Option<Arc<CallSession>> {
        self.held().get(call).cloned()
    }

    /// The session that is there by now, or else `begun`. Room is made for it: calls that are over go first, the longest
    /// quiet of them before the others.
    ///
    /// # Errors
    /// [`BoardError::Busy`] when there are too many.
    pub fn add(&self, begun: CallSession) -> Result<Arc<CallSession>, BoardError> {
        let mut calls = self.held();
        if calls.len() >= CAPACITY {
            let over = calls.values().filter(|call| call.verdict().ended);
            let longest = over
                .min_by_key(|call| call.touched())
                .map(|call| call.id().clone());
            let busy = || Busy {
                retry_after: Duration::from_secs(5),
                why: crate::engine::Full::Places,
            };
            calls.remove(&longest.ok_or_else(busy)?);
        }
        let id = begun.id().clone();
        Ok(Arc::clone(calls.entry(id).or_insert_with(|| Arc::new(begun))))
    }

    /// The sessions of calls that are not over.
    pub fn live_sessions(&self) -> Vec<Arc<CallSession>> {
        let calls = self.held();
        let live = calls.values().filter(|call| !call.verdict().ended);
        live.cloned().collect()
    }

    /// Lets go of calls that are over, and gives those that nobody has had news of for long.
    pub fn sweep(&self) -> Vec<Arc<CallSession>> {
        let now = Instant::now();
        let mut calls = self.held();
        calls.retain(|_, call| !(call.verdict().ended && now.duration_since(call.touched()) > AFTER_THE_END));
        // Whoever holds a session has a call under way.
        let quiet = calls
            .values()
            .filter(|call| Arc::strong_count(call) == 1 && now.duration_since(call.touched()) > SILENCE);
        quiet.cloned().collect()
    }
}
