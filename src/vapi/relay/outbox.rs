//! What nobody waits for: kept in the store until the customer's backend has taken it.
//!
//! One writer takes messages in and settles others, as many at once as have come: a commit is the price of a disk's
//! sync, however much it holds. For each backend a dispatcher delivers what is due, of one call one after the other. A
//! message that fails comes again later and holds up no other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use time::OffsetDateTime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{DueRelay, NewRelay, RelayBounds, RelayOutcome, Store};

use super::headers::{HeaderRules, Headers, Outgoing};
use super::upstream::{RelayFault, Reply, Upstream};

/// Changes of the queue that wait for the writer.
const MOST_WAITING: usize = 1_024;
/// Bytes of messages that wait for the writer: more only where the store is stuck.
const MOST_WAITING_BYTES: usize = 32 * 1024 * 1024;
/// Changes of one transaction.
const MOST_AT_ONCE: usize = 256;
/// How long whoever brings a message waits for it to be kept.
const KEEPING: Duration = Duration::from_secs(1);
/// The pause before a store that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often what is expired is looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How often a dispatcher looks for what is due again.
const LOOK: Duration = Duration::from_secs(1);
/// Messages that are looked at beyond those under way: some may be of calls that have one under way.
const LOOKED_AT: usize = 256;
/// Deliveries to one backend at a time.
const DELIVERIES: usize = 16;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a node that delivers one has it, should it never come back: longer than an attempt and its record take.
const HOLD: Duration = Duration::from_secs(30);
/// How long those under way may take when the service ends; then they come again.
const PARTING: Duration = Duration::from_secs(5);
/// How often it is said that messages are dropped.
const SPEAKING: Duration = Duration::from_secs(10);
/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: u64 = 300;

/// A change of the queue.
enum Change {
    New(NewRelay, oneshot::Sender<()>),
    Settled(i64, RelayOutcome, oneshot::Sender<()>),
}

/// The messages that wait.
pub struct Outbox {
    store: Store,
    http: Client,
    rules: Arc<HeaderRules>,
    bounds: RelayBounds,
    changes: mpsc::Sender<Change>,
    waiting_bytes: AtomicUsize,
    doors: Vec<Backend>,
    leaving: CancellationToken,
    /// Cancelled when nothing is delivered any more.
    delivered: CancellationToken,
    tasks: TaskTracker,
    deliveries: TaskTracker,
    spoken: Mutex<Option<Instant>>,
}

/// A backend, and what is on its way there.
struct Backend {
    upstream: Arc<Upstream>,
    wake: Notify,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    messages: HashSet<i64>,
    calls: HashSet<String>,
}

impl Outbox {
    /// Opens the queue for these backends and begins to deliver. What waits for others is removed: the operator does
    /// not want it sent there any more.
    pub fn open(
        store: &Store,
        http: &Client,
        rules: &Arc<HeaderRules>,
        bounds: RelayBounds,
        upstreams: &[Arc<Upstream>],
    ) -> Arc<Self> {
        let (changes, coming) = mpsc::channel(MOST_WAITING);
        let doors = upstreams.iter().map(|upstream| Backend {
            upstream: Arc::clone(upstream),
            wake: Notify::new(),
            under_way: Mutex::default(),
        });
        let outbox = Arc::new(Self {
            store: store.clone(),
            http: http.clone(),
            rules: Arc::clone(rules),
            bounds,
            changes,
            waiting_bytes: AtomicUsize::new(0),
            doors: doors.collect(),
            leaving: CancellationToken::new(),
            delivered: CancellationToken::new(),
            tasks: TaskTracker::new(),
            deliveries: TaskTracker::new(),
            spoken: Mutex::default(),
        });
        outbox.tasks.spawn(Arc::clone(&outbox).write(coming));
        for door in 0..outbox.doors.len() {
            outbox.tasks.spawn(Arc::clone(&outbox).dispatch(door));
        }
        outbox
    }

    /// Takes a message; when this returns it is in the store, or has waited for it as long as may be.
    pub async fn put(&self, relay: NewRelay) {
        let size = relay.body.len();
        if self.waiting_bytes.fetch_add(size, Ordering::Relaxed) > MOST_WAITING_BYTES {
            self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            return self.dropped("store", 1);
        }
        let (kept, wait) = oneshot::channel();
        match self.changes.try_send(Change::New(relay, kept)) {
            Ok(()) => {
                let _ = timeout(KEEPING, wait).await;
            }
            Err(refused) => {
                self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
                self.put_past_the_writer(refused).await;
            }
        }
    }

    /// When the service ends the writer may have gone before the last message came.
    async fn put_past_the_writer(&self, refused: mpsc::error::TrySendError<Change>) {
        if let mpsc::error::TrySendError::Closed(Change::New(relay, _)) = refused {
            let relay = [relay];
            let written = self.store.write_relays(&relay, &[], self.bounds);
            if matches!(timeout(KEEPING, written).await, Ok(Ok(_))) {
                return;
            }
        }
        self.dropped("store", 1);
    }

    /// Ends: what is under way is finished, what waits stays in the store.
    pub async fn close(&self) {
        self.leaving.cancel();
        self.deliveries.close();
        let _ = timeout(PARTING, self.deliveries.wait()).await;
        self.delivered.cancel();
        self.tasks.close();
        let _ = timeout(PARTING, self.tasks.wait()).await;
    }

    /// Writes changes to the store, for ever.
    async fn write(self: Arc<Self>, mut coming: mpsc::Receiver<Change>) {
        let mut sweeps = interval(SWEEP);
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                biased;
                taken = coming.recv_many(&mut batch, MOST_AT_ONCE) => if taken == 0 { return },
                () = self.delivered.cancelled() => {
                    coming.close();
                    coming.recv_many(&mut batch, MOST_WAITING).await;
                    self.commit(batch).await;
                    return;
                }
                _ = sweeps.tick() => {}
            }
            self.commit(batch).await;
        }
    }

    /// Writes one batch, as often as it takes; when the service ends, once.
    async fn commit(&self, batch: Vec<Change>) {
        let (mut new, mut settled, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for change in batch {
            match change {
                Change::New(relay, kept) => {
                    new.push(relay);
                    waiting.push(kept);
                }
                Change::Settled(seq, outcome, kept) => {
                    settled.push((seq, outcome));
                    waiting.push(kept);
                }
            }
        }
        loop {
            match self.store.write_relays(&new, &settled, self.bounds).await {
                Ok(tally) => {
                    self.dropped("full", tally.crowded_out);
                    self.dropped("expired", tally.expired);
                    metrics::gauge!("voxline_vapi_relay_waiting").set(tally.waiting as f64);
                    break;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "messages to a backend cannot be kept for the moment: {fault}");
                }
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = self.delivered.cancelled() => {
                    self.dropped("store", new.len() as u64);
                    break;
                }
            }
        }
        let bytes = new.iter().map(|relay| relay.body.len()).sum();
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        for kept in waiting {
            let _ = kept.send(());
        }
        if !new.is_empty() {
            for door in &self.doors {
                door.wake.notify_one();
            }
        }
    }

    /// Delivers to one backend, for ever.
    async fn dispatch(self: Arc<Self>, door: usize) {
        let Some(at) = self.doors.get(door) else { return };
        loop {
            let known = at.under_way().messages.len();
            let due = self
                .store
                .due_relays(at.upstream.url().as_str(), known + LOOKED_AT);
            match due.await {
                Ok(due) => {
                    for relay in due {
                        if at.take(&relay) {
                            let delivery = Arc::clone(&self).deliver(door, relay);
                            self.deliveries.spawn(delivery);
                        }
                    }
                }
                Err(fault) => tracing::warn!(%fault, "messages that wait cannot be read: {fault}"),
            }
            tokio::select! {
                () = at.wake.notified() => {}
                () = sleep(LOOK) => {}
                () = self.leaving.cancelled() => return,
            }
        }
    }

    /// One attempt to deliver a message, and what becomes of it.
    async fn deliver(self: Arc<Self>, door: usize, relay: DueRelay) {
        let Some(at) = self.doors.get(door) else { return };
        if !matches!(self.store.hold_relay(relay.seq, HOLD).await, Ok(true)) {
            return at.release(&relay);
        }
        let attempt = timeout(PATIENCE, self.attempt(&at.upstream, &relay)).await;
        let attempt = attempt.unwrap_or(Err(RelayFault::Late(PATIENCE)));
        let outcome = self.outcome_of(&at.upstream, &relay, &attempt);
        let (kept, wait) = oneshot::channel();
        let change = Change::Settled(relay.seq, outcome, kept);
        if self.changes.send(change).await.is_ok() {
            // Until then it would be found due again.
            let _ = wait.await;
        }
        at.release(&relay);
        at.wake.notify_one();
    }

    async fn attempt(&self, upstream: &Upstream, relay: &DueRelay) -> Result<Option<Reply>, RelayFault> {
        let content = self.store.relay_content(relay.seq).await;
        let (headers, body) = match content {
            Ok(Some(content)) => content,
            // Erased meanwhile.
            Ok(None) => return Ok(None),
            Err(_) => return Err(RelayFault::Late(PATIENCE)),
        };
        let kept: Headers = serde_json::from_str(&headers).unwrap_or_default();
        let outgoing = Outgoing {
            url: upstream.url(),
            body: &body,
            id: &relay.id,
            changed: true,
        };
        let headers = self.rules.to_send(&kept, &outgoing, OffsetDateTime::now_utc());
        upstream.send(&self.http, headers, body).await.map(Some)
    }

    /// What an attempt means: taken, refused for good, or to be tried again.
    fn outcome_of(
        &self,
        upstream: &Upstream,
        relay: &DueRelay,
        attempt: &Result<Option<Reply>, RelayFault>,
    ) -> RelayOutcome {
        let why = match attempt {
            Ok(None) => return RelayOutcome::Done,
            Ok(Some(reply)) if reply.is_success() => {
                metrics::counter!("voxline_vapi_relay_delivered_total").increment(1);
                return RelayOutcome::Done;
            }
            Ok(Some(reply)) => {
                upstream.complain("message", &format_args!("it answered with {}", reply.status));
                // What is refused as it is will be refused again, except where time is the matter.
                let passing = reply.status >= 500 || [408, 425, 429].contains(&reply.status);
                (!passing).then_some("refused")
            }
            Err(fault) => {
                upstream.complain("message", fault);
                matches!(fault, RelayFault::Redirect(_)).then_some("refused")
            }
        };
        match why {
            Some(why) => {
                self.dropped(why, 1);
                RelayOutcome::Done
            }
            None => RelayOutcome::Later(OffsetDateTime::now_utc() + pause(relay.attempts)),
        }
    }

    /// Counts what no backend will get; says so, however much it is, every ten seconds.
    fn dropped(&self, why: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        metrics::counter!("voxline_vapi_relay_dropped_total", "reason" => why).increment(count);
        let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        if spoken.is_none_or(|at| at.elapsed() >= SPEAKING) {
            *spoken = Some(Instant::now());
            tracing::warn!(
                why,
                "messages to a backend are dropped ({why}): see voxline_vapi_relay_dropped_total"
            );
        }
    }
}

impl Backend {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message may go now: a place is free, and none of its call is under way.
    fn take(&self, relay: &DueRelay) -> bool {
        let mut under_way = self.under_way();
        if under_way.messages.len() >= DELIVERIES || under_way.messages.contains(&relay.seq) {
            return false;
        }
        if let Some(call) = &relay.call
            && !under_way.calls.insert(call.clone())
        {
            return false;
        }
        under_way.messages.insert(relay.seq)
    }

    fn release(&self, relay: &DueRelay) {
        let mut under_way = self.under_way();
        under_way.messages.remove(&relay.seq);
        if let Some(call) = &relay.call {
            under_way.calls.remove(call);
        }
    }
}

/// The pause after so many attempts before: one second, twice as long each time, up to five minutes.
fn pause(attempts: u32) -> Duration {
    let doubled = 1_u64.checked_shl(attempts.min(16)).unwrap_or(LONGEST_PAUSE);
    Duration::from_secs(doubled.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses: Vec<u64> = [0, 1, 2, 8, 9, 40, u32::MAX]
            .map(|attempts| pause(attempts).as_secs())
            .to_vec();
        assert_eq!(pauses, [1, 2, 4, 256, 300, 300, 300]);
    }
}
