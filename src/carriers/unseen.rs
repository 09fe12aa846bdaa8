//! Ends of calls that this node does not hear: another node may, or they began before a restart and are not known here.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::Provenance;
use crate::switchboard::{BoardError, CallSession, Switchboard};
use crate::units::CallId;

/// How long another node that hears the call has for the last word: as long as a PIN is waited for, and a little.
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
    /// Ends the call in its own time, in one of `tasks`, unless it is unknown to the store or has ended there. A service that is
    /// `leaving` waits for nothing more.
    pub(super) fn end(
        &self,
        board: &Arc<Switchboard>,
        call: &CallId,
        (tasks, leaving): (&TaskTracker, &CancellationToken),
    ) {
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
        let leaving = leaving.clone();
        tasks.spawn(Provenance::carried(async move {
            match finish_once_read(&board, &call, &leaving).await {
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
async fn finish_once_read(
    board: &Switchboard,
    call: &CallId,
    leaving: &CancellationToken,
) -> Result<(), BoardError> {
    for _ in 1..TRIES {
        match finish(board, call, leaving).await {
            Err(BoardError::Store(_)) if !leaving.is_cancelled() => {
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = leaving.cancelled() => {}
                }
            }
            done => return done,
        }
    }
    finish(board, call, leaving).await
}

async fn finish(board: &Switchboard, call: &CallId, leaving: &CancellationToken) -> Result<(), BoardError> {
    let record = board.call_record(call).await?;
    if let Some(record) = record.filter(|record| !record.is_final) {
        let call_session = board.known_call_session(call, &record.number).await?;
        finish_unless_heard_elsewhere(&call_session, leaving).await;
    }
    Ok(())
}

/// Finishes a call that nobody listens to here; where another node is known to hear it, once that one has had time for the last
/// word, which this one would cut off, or the service is `leaving`.
pub(super) async fn finish_unless_heard_elsewhere(call_session: &CallSession, leaving: &CancellationToken) {
    if call_session.is_heard_elsewhere().await {
        let mut verdicts = call_session.watch();
        tokio::select! {
            _ = verdicts.wait_for(|verdict| verdict.ended) => {}
            () = sleep(PATIENCE) => {}
            () = leaving.cancelled() => {}
        }
    }
    if !call_session.is_listened_to() {
        call_session.finish().await;
    }
}
