//! The audit log of what writes nothing else to the store: calls that are served and recordings that are identified.
//!
//! Entries wait here in their order, and one task writes them, many in one transaction. A call does not wait for its entry;
//! a recording's answer waits a moment. What cannot be written is tried until it is, meanwhile the service is not ready,
//! and no recording is identified any more once too many wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::engine::{Busy, Full};
use crate::store::{NewAudit, Store, StoreError};

/// Entries that could not be written and are lost.
pub(crate) const UNACCOUNTED: &str = "voxline_audit_entries_lost_total";
/// Entries that wait to be written.
pub(crate) const UNWRITTEN: &str = "voxline_audit_entries_waiting";

/// Most entries that wait: an hour of a busy deployment's calls, some megabytes.
const CAPACITY: usize = 10_000;
/// Entries that are written in one transaction.
const BATCH: usize = 64;
/// The pause after a failure. A store that is only busy has waited already.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest that an answer waits for its entry.
const MOMENT: Duration = Duration::from_secs(1);

/// Writes entries, one after the other.
pub(super) struct Auditor {
    queue: mpsc::Sender<Waiting>,
    state: Arc<State>,
}

struct Waiting {
    entry: NewAudit,
    /// Told after the first attempt, whatever came of it.
    tried: Option<oneshot::Sender<()>>,
}

struct State {
    waiting: watch::Sender<usize>,
    /// Why the latest entries could not be written.
    fault: Mutex<Option<String>>,
}

impl Auditor {
    /// Begins to write to `store`.
    pub fn begin(store: Store) -> Self {
        let (queue, coming) = mpsc::channel(CAPACITY);
        let state = Arc::new(State {
            waiting: watch::Sender::new(0),
            fault: Mutex::default(),
        });
        tokio::spawn(work(store, coming, Arc::clone(&state)));
        Self { queue, state }
    }

    /// Has `entry` written in its time. One too many is lost, and said to be.
    pub fn note(&self, entry: NewAudit) {
        if self.add(entry, None).is_err() {
            metrics::counter!(UNACCOUNTED).increment(1);
            tracing::error!("an entry of the audit log is lost: {CAPACITY} wait for the store");
        }
    }

    /// Has `entry` written, and waits a moment for it.
    ///
    /// # Errors
    /// [`Busy`] when too many wait for the store: then what it tells of is not to be given out.
    pub async fn noted(&self, entry: NewAudit) -> Result<(), Busy> {
        let (tried, answer) = oneshot::channel();
        self.add(entry, Some(tried)).map_err(|()| Busy {
            retry_after: Duration::from_secs(5),
            why: Full::Places,
        })?;
        // Later than a moment it is written all the same.
        let _ = timeout(MOMENT, answer).await;
        Ok(())
    }

    /// Why entries cannot be written now.
    pub fn fault(&self) -> Option<String> {
        self.state.held().clone()
    }

    /// Waits until everything is written.
    pub async fn caught_up(&self) {
        let mut waiting = self.state.waiting.subscribe();
        // The sender lives as long as this.
        let _ = waiting.wait_for(|waiting| *waiting == 0).await;
    }

    fn add(&self, entry: NewAudit, tried: Option<oneshot::Sender<()>>) -> Result<(), ()> {
        self.state.waiting.send_modify(|waiting| *waiting += 1);
        let added = self.queue.try_send(Waiting { entry, tried });
        if added.is_err() {
            self.state.waiting.send_modify(|waiting| *waiting -= 1);
        }
        metrics::gauge!(UNWRITTEN).set(self.state.count());
        added.map_err(drop)
    }
}

impl State {
    fn held(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> f64 {
        f64::from(u32::try_from(*self.waiting.borrow()).unwrap_or(u32::MAX))
    }

    fn done(&self, entries: usize) {
        self.waiting.send_modify(|waiting| *waiting -= entries);
        metrics::gauge!(UNWRITTEN).set(self.count());
    }
}

/// Writes what comes, for as long as something may come.
async fn work(store: Store, mut coming: mpsc::Receiver<Waiting>, state: Arc<State>) {
    let mut batch = Vec::with_capacity(BATCH);
    while coming.recv_many(&mut batch, BATCH).await > 0 {
        let (entries, tried): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .map(|waiting| (waiting.entry, waiting.tried))
            .unzip();
        let mut tried: Vec<_> = tried.into_iter().flatten().collect();
        loop {
            let written = store.audit(&entries).await;
            for answer in tried.drain(..) {
                // Nobody waits who has waited long enough.
                let _ = answer.send(());
            }
            match written {
                Ok(()) => break recovered(&state),
                // There will be no others, and nobody to try again for.
                Err(fault) if coming.is_closed() => break lost(entries.len(), &fault),
                Err(fault) => failed(&state, &fault).await,
            }
        }
        state.done(entries.len());
    }
}

async fn failed(state: &State, fault: &StoreError) {
    // One line a fault, however long it lasts.
    if state.held().replace(fault.to_string()).is_none() {
        tracing::error!(%fault, "the audit log is not written at the moment, and is tried until it is: {fault}");
    }
    if !matches!(fault, StoreError::Busy) {
        sleep(AGAIN).await;
    }
}

fn recovered(state: &State) {
    if state.held().take().is_some() {
        tracing::info!("the audit log can be written again: the entries that waited are in it");
    }
}

fn lost(entries: usize, fault: &StoreError) {
    metrics::counter!(UNACCOUNTED).increment(u64::try_from(entries).unwrap_or(u64::MAX));
    tracing::error!(%fault, entries, "{entries} entries of the audit log are lost: {fault}");
}
