//! Ends of calls that this node does not know: another node has them, or they began before a restart.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::store::{CallRecord, Provenance};
use crate::switchboard::{BoardError, Switchboard};
use crate::units::CallId;

/// How long another node, which may hear the call, has for the last word: as long as a PIN is waited for, and a little.
const PATIENCE: Duration = Duration::from_secs(15);

/// Most calls that are looked into at a time.
const MOST: usize = 1_024;

/// The calls whose end is looked into: each once, however often a carrier tells it.
#[derive(Clone, Default)]
pub(super) struct Unseen(Arc<Mutex<HashSet<CallId>>>);

impl Unseen {
    /// Ends the call in its own time, unless it is unknown to the store or has ended there. No shutdown waits for it.
    pub(super) fn end(&self, board: &Arc<Switchboard>, call: &CallId) {
        let mut held = self.held();
        if held.len() >= MOST || !held.insert(call.clone()) {
            return;
        }
        let (unseen, board, call) = (self.clone(), Arc::clone(board), call.clone());
        tokio::spawn(Provenance::carried(async move {
            match finish(&board, &call).await {
                Ok(()) | Err(BoardError::CallEnded(_)) => {}
                Err(fault) => {
                    tracing::warn!(call.id = %call, %fault, "call {call} ended, and stays unfinished: {fault}");
                }
            }
            unseen.held().remove(&call);
        }));
    }

    fn held(&self) -> MutexGuard<'_, HashSet<CallId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn finish(board: &Switchboard, call: &CallId) -> Result<(), BoardError> {
    let store = board.store();
    let is_open = |found: Option<CallRecord>| found.filter(|record| !record.is_final);
    let mut open = is_open(store.call(call).await?);
    if open.is_some() && store.is_shared() {
        sleep(PATIENCE).await;
        open = is_open(store.call(call).await?);
    }
    if let Some(record) = open {
        let call_session = board.known_call_session(call, &record.number).await?;
        if !call_session.is_listened_to() {
            call_session.finish().await;
        }
    }
    Ok(())
}
