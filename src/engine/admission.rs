//! Admission: so many places, no key and no number takes them all, and no new call where those inside lag.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lag::Lag;
use crate::units::{DialedNumber, KeyId};

/// A key or a number may hold so many places for each that is free (dynamic thresholds, Choudhury and Hahne 1998): one
/// alone takes seven eighths of all, and whoever else comes finds the rest. Up to seven places are not shared out.
const PLACES_FOR_ONE_FREE: usize = 7;

/// Recordings that are admitted at a time, however many places there are: each holds a whole upload in memory.
const MOST_RECORDINGS: usize = 64;

/// Who comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody is on the line, and each second of theirs is worth one.
    Live,
    /// A recording, or work of our own: the answer is as good a little later.
    Recording,
}

/// Who asks to be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The API key; `None` for carriers, Vapi, the command line and work of our own, which are not shared out.
    pub key: Option<KeyId>,
    /// The dialed number, where it is known yet.
    pub number: Option<&'a DialedNumber>,
    /// Who comes first.
    pub urgency: Urgency,
}

impl<'a> Asker<'a> {
    /// Somebody on the line.
    pub const fn live(key: Option<KeyId>) -> Self {
        Self {
            key,
            number: None,
            urgency: Urgency::Live,
        }
    }

    /// Somebody with a recording.
    pub const fn recording(key: Option<KeyId>) -> Self {
        Self {
            key,
            number: None,
            urgency: Urgency::Recording,
        }
    }

    /// The same, to this number.
    #[must_use]
    pub const fn to(self, number: &'a DialedNumber) -> Self {
        Self {
            number: Some(number),
            ..self
        }
    }
}

/// Nobody more is let in now. Ask again after [`Busy::retry_after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}; ask again in {} s", self.why.as_str(), self.retry_after.as_secs())]
pub struct Busy {
    /// A polite time to wait.
    pub retry_after: Duration,
    /// What there is too much of.
    pub why: Full,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Every place is taken.
    Places,
    /// Live calls wait too long for their turns: another would make all of them late.
    Lag,
    /// The key has as much going on as one may, and others would still be let in.
    Key,
    /// So has the number.
    Number,
}

impl Full {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Places => "as much is being analysed as this machine can bear",
            Self::Lag => "the calls that are being analysed take all that this machine can do in time",
            Self::Key => {
                "as much is being analysed for this API key as one may ask for while the rest is kept for others"
            }
            Self::Number => {
                "as much is being analysed for this number as one may ask for while the rest is kept for others"
            }
        }
    }

    const fn busy(self) -> Busy {
        Busy {
            retry_after: Duration::from_secs(2),
            why: self,
        }
    }
}

/// Proof of having been admitted. Work is accepted only together with one; dropping it lets the next in.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
    place: Place,
}

impl Permit {
    pub(super) fn urgency(&self) -> Urgency {
        self.place.urgency
    }
}

/// A place that is taken; given back when dropped.
#[derive(Debug)]
struct Place {
    admission: Arc<Admission>,
    key: Option<KeyId>,
    number: Option<DialedNumber>,
    urgency: Urgency,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.admission.held();
        if let Some(key) = &self.key {
            give_back(&mut held.by_key, key);
        }
        if let Some(number) = &self.number {
            give_back(&mut held.by_number, number);
        }
        self.admission
            .count_of(self.urgency)
            .fetch_sub(1, Ordering::Relaxed);
    }
}

fn give_back<K: Eq + std::hash::Hash>(held: &mut HashMap<K, usize>, holder: &K) {
    if let Some(count) = held.get_mut(holder) {
        *count -= 1;
        if *count == 0 {
            held.remove(holder);
        }
    }
}

/// Places by their holders; never more entries than places.
#[derive(Debug, Default)]
struct Held {
    by_key: HashMap<KeyId, usize>,
    by_number: HashMap<DialedNumber, usize>,
}

/// The places, and who holds them.
#[derive(Debug)]
pub(super) struct Admission {
    slots: Arc<Semaphore>,
    capacity: usize,
    held: Mutex<Held>,
    live: AtomicUsize,
    recordings: AtomicUsize,
    pub(super) lag: Lag,
}

impl Admission {
    pub(super) fn new(capacity: usize, threads: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity,
            held: Mutex::default(),
            live: AtomicUsize::new(0),
            recordings: AtomicUsize::new(0),
            lag: Lag::new(threads),
        }
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.capacity - self.slots.available_permits(), self.capacity)
    }

    /// Whether anybody on the line was admitted.
    pub(super) fn has_live(&self) -> bool {
        self.live.load(Ordering::Relaxed) > 0
    }

    /// `oldest` is how long the oldest live job has waited for its turn.
    pub(super) fn admit(admission: &Arc<Self>, asker: Asker<'_>, oldest: Duration) -> Result<Permit, Busy> {
        // Under the lock, so that two of one holder do not both take the last place that it may.
        let mut held = admission.held();
        if let Some(full) = admission.full_for(asker, &held, oldest) {
            return Err(full.busy());
        }
        let slot = Arc::clone(&admission.slots)
            .try_acquire_owned()
            .map_err(|_| Full::Places.busy())?;
        if let Some(key) = asker.key {
            *held.by_key.entry(key).or_default() += 1;
        }
        if let Some(number) = asker.number {
            *held.by_number.entry(number.clone()).or_default() += 1;
        }
        admission.count_of(asker.urgency).fetch_add(1, Ordering::Relaxed);
        Ok(Permit {
            _slot: slot,
            place: Place {
                admission: Arc::clone(admission),
                key: asker.key,
                number: asker.number.cloned(),
                urgency: asker.urgency,
            },
        })
    }

    /// What there is too much of for this asker, places apart.
    fn full_for(&self, asker: Asker<'_>, held: &Held, oldest: Duration) -> Option<Full> {
        let free = self.slots.available_permits();
        let is_share = |has: Option<&usize>| {
            let has = has.copied().unwrap_or(0);
            free > 0 && has >= PLACES_FOR_ONE_FREE.saturating_mul(free)
        };
        if asker.key.is_some_and(|key| is_share(held.by_key.get(&key))) {
            return Some(Full::Key);
        }
        if asker
            .number
            .is_some_and(|number| is_share(held.by_number.get(number)))
        {
            return Some(Full::Number);
        }
        let inside = self.count_of(asker.urgency).load(Ordering::Relaxed);
        match asker.urgency {
            Urgency::Live => {
                let is_late = self.lag.is_at_the_knee(Instant::now(), inside, oldest);
                is_late.then_some(Full::Lag)
            }
            Urgency::Recording => (inside >= MOST_RECORDINGS).then_some(Full::Places),
        }
    }

    fn count_of(&self, urgency: Urgency) -> &AtomicUsize {
        match urgency {
            Urgency::Live => &self.live,
            Urgency::Recording => &self.recordings,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
