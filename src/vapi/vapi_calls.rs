//! The calls that are known at the moment, bounded in number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::CallId;

use super::vapi_call::VapiCall;

/// Calls that are known at a time.
const MOST: usize = 4_096;
/// How long a call is known after its end, for messages that come late or twice.
const AFTERWARDS: Duration = Duration::from_secs(600);

/// The calls, by Vapi's id.
#[derive(Default)]
pub(super) struct VapiCalls {
    held: Mutex<HashMap<CallId, Held>>,
}

struct Held {
    vapi_call: Arc<VapiCall>,
    touched: Instant,
}

impl VapiCalls {
    /// The call, made by `make` when there is none.
    pub(super) fn vapi_call(&self, id: &CallId, make: impl FnOnce() -> Arc<VapiCall>) -> Arc<VapiCall> {
        let mut held = self.lock();
        if !held.contains_key(id) && held.len() >= MOST {
            drop_one(&mut held);
        }
        let entry = held.entry(id.clone()).or_insert_with(|| Held {
            vapi_call: make(),
            touched: Instant::now(),
        });
        entry.touched = Instant::now();
        Arc::clone(&entry.vapi_call)
    }

    /// Forgets calls that ended a while ago. Gives the calls to be finished: those that are forgotten, for they may still wait
    /// for a report, and those that are silent for longer than a call may last.
    pub(super) fn sweep(&self, longest: Duration) -> Vec<Arc<VapiCall>> {
        let mut held = self.lock();
        let is_forgotten = |entry: &Held| entry.vapi_call.is_over() && entry.touched.elapsed() >= AFTERWARDS;
        let is_silent = |entry: &Held| !entry.vapi_call.is_over() && entry.touched.elapsed() > longest;
        let ends = held
            .values()
            .filter(|entry| is_forgotten(entry) || is_silent(entry));
        let ends = ends.map(|entry| Arc::clone(&entry.vapi_call)).collect();
        held.retain(|_, entry| !is_forgotten(entry));
        ends
    }

    /// All calls there are.
    pub(super) fn all(&self) -> Vec<Arc<VapiCall>> {
        self.lock()
            .values()
            .map(|entry| Arc::clone(&entry.vapi_call))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room: the call that was longest without a word goes, one that has ended before any other.
fn drop_one(held: &mut HashMap<CallId, Held>) {
    let oldest = held
        .iter()
        .min_by_key(|(_, entry)| (!entry.vapi_call.is_over(), entry.touched));
    if let Some(id) = oldest.map(|(id, _)| id.clone())
        && let Some(entry) = held.remove(&id)
    {
        entry.vapi_call.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_however_many_calls_are_named_and_ended_ones_go() {
        let vapi_calls = VapiCalls::default();
        let id = |nth: usize| format!("c-{nth}").parse::<CallId>().unwrap();
        let first = vapi_calls.vapi_call(&id(0), || VapiCall::new(id(0), String::new()));
        for nth in 0..MOST + 10 {
            vapi_calls.vapi_call(&id(nth), || VapiCall::new(id(nth), String::new()));
        }
        assert_eq!(vapi_calls.all().len(), MOST);
        assert!(first.is_over());
        let same = vapi_calls.vapi_call(&id(MOST), || panic!("it is there"));
        assert_eq!(same.id, id(MOST));
    }
}
