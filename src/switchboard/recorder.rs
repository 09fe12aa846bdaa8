//! The record of what was said of calls, kept beside the calls: a store that cannot be written holds up nobody.
//!
//! Verdicts wait here in the order in which they were reached, and one task brings them into the store. Whoever
//! reached one waits for it to be recorded too, for a moment only: as long as the store can be written, what is given
//! out is on record, and a call that is taken up after a crash goes on from there; where it cannot, it is given out
//! all the same and recorded once it can be. What must be on record before it is acted on, such as tries of PINs and
//! consents, does not come through here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use crate::store::{CallRecord, NewVersion, Store, StoreError};
use crate::units::CallId;

/// Verdicts that could not be recorded and are lost.
pub(crate) const UNRECORDED: &str = "voxline_verdicts_not_recorded_total";
/// Verdicts that wait to be recorded.
pub(crate) const WAITING: &str = "voxline_verdicts_waiting";

/// Most bytes of verdicts that wait: those of some ten thousand usual ones.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The pause after a failure, before the same verdict is tried again. A store that is only busy has waited already.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest a verdict that is not the last waits for its record.
const LONGEST_MOMENT: Duration = Duration::from_secs(1);
/// How long the last word of a call waits for its record: as long as the store waits for whoever writes, and a little.
const LAST_WORD: Duration = Duration::from_secs(12);

/// Whether the store refused a version of a call's, for another node's is there which it was not made over.
#[derive(Default)]
pub(super) struct Refused {
    any: AtomicBool,
    news: AtomicBool,
}

impl Refused {
    fn note(&self, is_news: bool) {
        self.news.fetch_or(is_news, Ordering::AcqRel);
        self.any.store(true, Ordering::Release);
    }

    /// Whether it refused any.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether it refused one that said something new.
    pub fn news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }
}

/// Brings verdicts into the store, one after the other.
pub(super) struct Recorder {
    queue: Arc<Queue>,
    /// How long a verdict waits for its record before it is given out.
    moment: Duration,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is a verdict, and when there will be none any more.
    news: Notify,
    /// Told when nothing waits any more.
    idle: Notify,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many came before the first of the entries.
    gone: u64,
    /// The store did not record the latest in time: nobody waits until it has caught up.
    behind: bool,
    /// There will be no others.
    closed: bool,
}

struct Entry {
    version: Arc<NewVersion>,
    refused: Arc<Refused>,
    bytes: usize,
    /// Told after the first attempt, whatever came of it.
    tried: Option<oneshot::Sender<()>>,
}

impl Recorder {
    /// Begins to record in `store`. A ringing call is answered within `budget`: half of it, and a second at most, a
    /// verdict waits for its record before it is given out.
    pub fn begin(store: Store, budget: Duration) -> Self {
        let queue = Arc::new(Queue::default());
        tokio::spawn(Arc::clone(&queue).work(store));
        let moment = (budget / 2).min(LONGEST_MOMENT);
        Self { queue, moment }
    }

    /// Has `version` recorded, and waits a moment for it; for the last word on a call longer, for nobody waits for that. Where
    /// others have the same store it may come too late, which is noted in `refused`; a last word never does.
    pub async fn record(&self, version: NewVersion, refused: Arc<Refused>) {
        let is_final = version.record.is_final;
        let patience = if is_final { LAST_WORD } else { self.moment };
        let (tried, answer) = oneshot::channel();
        let behind = self.queue.add(version, refused, tried);
        // One that was pushed out by others is not waited for either.
        if !behind && timeout(patience, answer).await.is_err() {
            let mut waiting = self.queue.held();
            if !waiting.entries.is_empty() && !waiting.behind {
                waiting.behind = true;
                tracing::warn!(
                    "the store cannot be written at the moment: verdicts are given out before they are recorded"
                );
            }
        }
    }

    /// The latest of a call's verdicts that wait.
    pub fn latest(&self, call: &CallId) -> Option<Arc<NewVersion>> {
        self.waiting_of(call).pop()
    }

    /// Those of a call's verdicts that wait, oldest first.
    pub fn waiting_of(&self, call: &CallId) -> Vec<Arc<NewVersion>> {
        let waiting = self.queue.held();
        let versions = waiting.entries.iter().map(|entry| &entry.version);
        let of_call = versions.filter(|version| version.record.call_id == *call);
        of_call.cloned().collect()
    }

    /// Waits until everything is recorded.
    pub async fn caught_up(&self) {
        loop {
            let idle = self.queue.idle.notified();
            if self.queue.held().entries.is_empty() {
                return;
            }
            idle.await;
        }
    }
}

/// What waits is tried once more.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.held().closed = true;
        self.queue.news.notify_one();
    }
}

impl Queue {
    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a verdict behind the others; says whether the store is behind anyway.
    fn add(&self, version: NewVersion, refused: Arc<Refused>, tried: oneshot::Sender<()>) -> bool {
        let record = &version.record;
        let evidence = record.evidence.as_ref().map_or(0, |kept| kept.to_string().len());
        let bytes = record.verdict.to_string().len() + evidence;
        let mut waiting = self.held();
        waiting.entries.push_back(Entry {
            version: Arc::new(version),
            refused,
            bytes,
            tried: Some(tried),
        });
        waiting.bytes += bytes;
        metrics::gauge!(WAITING).increment(1.0);
        // What is newest says most. The newest itself stays, however large it is: the store bounds it.
        while waiting.bytes > MOST_BYTES && waiting.entries.len() > 1 {
            if let Some(oldest) = waiting.pop() {
                lost(&oldest.record, &"too many verdicts wait for the store");
            }
        }
        self.news.notify_one();
        waiting.behind
    }

    /// Records what comes, for as long as something may come.
    async fn work(self: Arc<Self>, store: Store) {
        let mut failing = false;
        loop {
            let news = self.news.notified();
            let (next, closed) = {
                let waiting = self.held();
                let first = waiting.entries.front();
                let first = first.map(|entry| (Arc::clone(&entry.version), Arc::clone(&entry.refused)));
                (first.map(|first| (waiting.gone, first)), waiting.closed)
            };
            let Some((place, (version, refused))) = next else {
                if closed {
                    return;
                }
                news.await;
                continue;
            };
            let record = &version.record;
            match store.put_version(&version).await {
                Ok(is_stored) => {
                    failing = false;
                    // A last word is refused where another is there.
                    if !is_stored && !record.is_final {
                        refused.note(version.is_news);
                        // Where others have the same store, whoever came second says theirs anew.
                        if !store.is_shared() {
                            lost(record, &"a later version is on record");
                        }
                    }
                    self.done(place);
                }
                Err(fault) if closed || !passes(&fault) => {
                    lost(record, &fault);
                    self.done(place);
                }
                Err(fault) => {
                    // One line a fault, however long it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        let id = &record.call_id;
                        tracing::warn!(
                            call.id = %id, %fault,
                            "the verdict of call {id} is not recorded yet, and is tried until it is: {fault}"
                        );
                    }
                    self.tried(place);
                    if !matches!(fault, StoreError::Busy) {
                        sleep(AGAIN).await;
                    }
                }
            }
        }
    }

    /// Lets go of what was recorded, unless it was pushed out meanwhile.
    fn done(&self, place: u64) {
        self.tried(place);
        let mut waiting = self.held();
        if waiting.gone == place {
            waiting.pop();
        }
        if waiting.entries.is_empty() {
            if std::mem::take(&mut waiting.behind) {
                tracing::info!("the store can be written again: every verdict that waited is recorded");
            }
            self.idle.notify_waiters();
        }
    }

    fn tried(&self, place: u64) {
        let mut waiting = self.held();
        let first = (waiting.gone == place)
            .then(|| waiting.entries.front_mut())
            .flatten();
        if let Some(tried) = first.and_then(|entry| entry.tried.take()) {
            // Nobody waits who has waited long enough.
            let _ = tried.send(());
        }
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Arc<NewVersion>> {
        let first = self.entries.pop_front()?;
        self.bytes -= first.bytes;
        metrics::gauge!(WAITING).decrement(1.0);
        self.gone += 1;
        Some(first.version)
    }
}

/// Whether what stands in the way may pass by itself.
fn passes(fault: &StoreError) -> bool {
    !matches!(
        fault,
        StoreError::VerdictTooLarge { .. } | StoreError::OutOfRange { .. }
    )
}

/// The caller is served all the same; the record of it is what is lost.
fn lost(record: &CallRecord, fault: &dyn std::fmt::Display) {
    let (id, version) = (&record.call_id, record.version);
    metrics::counter!(UNRECORDED).increment(1);
    tracing::error!(
        call.id = %id, version, %fault,
        "version {version} of the verdict of call {id} was not recorded: {fault}"
    );
}
