//! Ends of calls that this node does not know, or does not hear where another may: another node has them, or they began
//! before a restart.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::store::{CallRecord, Provenance};
use crate::switchboard::{BoardError, Switchboard};
use crate::units::CallId;

/// How long another node, which may hear the call, has for the last word: as long as a PIN is waited for, and a little.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a call is looked into while the store cannot be read: for about five minutes.
const TRIES: usize = 60;

/// The time between two tries.
const PAUSE: Duration = Duration::from_secs(5);

/// Most calls that are looked into at a time.
const MOST: usize = 1_024;

/// The calls whose end is looked into: each once, however often a carrier tells it.
#[derive(Clone, Default)]
pub(super) struct Unseen(Arc<Mutex<HashSet<CallId>>>);

impl Unseen {
    /// Ends the call in its own time, unless it is unknown to the store or has ended there. No shutdown waits for it.
    pub(super) fn end(&self, board: &Arc<Switchboard>, call: &CallId) {
        let mut held = self.held();
        if held.contains(call) {
            return;
        }
        if held.len() >= MOST {
            tracing::warn!(call.id = %call, "call {call} ended, and stays unfinished: {MOST} others are looked into");
            return;
        }
        held.insert(call.clone());
        let (unseen, board, call) = (self.clone(), Arc::clone(board), call.clone());
        tokio::spawn(Provenance::carried(async move {
            match finish_once_read(&board, &call).await {
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

/// Finishes the call as soon as the store can be read.
async fn finish_once_read(board: &Switchboard, call: &CallId) -> Result<(), BoardError> {
    for _ in 1..TRIES {
        match finish(board, call).await {
            Err(BoardError::Store(_)) => sleep(PAUSE).await,
            done => return done,
        }
    }
    finish(board, call).await
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
