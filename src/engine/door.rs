//! Admission: so many places, and no key takes them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::units::KeyId;

/// A key may hold so many places for each that is free (dynamic thresholds, Choudhury and Hahne 1998): one key alone takes
/// seven eighths of all, and whoever else comes finds the rest. Up to seven places are not shared out.
const PLACES_FOR_ONE_FREE: usize = 7;

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
pub struct Asker {
    /// The API key; `None` for carriers, Vapi, the command line and work of our own, which are not shared out.
    pub key: Option<KeyId>,
    /// Who comes first.
    pub urgency: Urgency,
}

impl Asker {
    /// Somebody on the line.
    pub const fn live(key: Option<KeyId>) -> Self {
        let urgency = Urgency::Live;
        Self { key, urgency }
    }

    /// Somebody with a recording.
    pub const fn recording(key: Option<KeyId>) -> Self {
        let urgency = Urgency::Recording;
        Self { key, urgency }
    }
}

/// Nobody more is let in now. Ask again after [`Busy::retry_after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{}; ask again in {} s", self.why(), self.retry_after.as_secs())]
pub struct Busy {
    /// A polite time to wait.
    pub retry_after: Duration,
    /// Whether it is the key that has as much going on as one may, and others would still be let in.
    pub of_the_key: bool,
}

impl Busy {
    fn new(of_the_key: bool) -> Self {
        Self {
            retry_after: Duration::from_secs(2),
            of_the_key,
        }
    }

    fn why(self) -> &'static str {
        if self.of_the_key {
            "as much is being analysed for this API key as one may ask for while the rest is kept for others"
        } else {
            "as much is being analysed as this machine can bear"
        }
    }
}

/// Proof of having been admitted. Work is accepted only together with one; dropping it lets the next in.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
    urgency: Urgency,
    _share: Option<Share>,
}

impl Permit {
    pub(super) fn urgency(&self) -> Urgency {
        self.urgency
    }
}

/// One place of a key's; given back when dropped.
#[derive(Debug)]
struct Share {
    door: Arc<Door>,
    key: KeyId,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.door.held();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// The places, and who holds them.
#[derive(Debug)]
pub(super) struct Door {
    slots: Arc<Semaphore>,
    capacity: usize,
    /// Places by key; never more entries than places.
    held: Mutex<HashMap<KeyId, usize>>,
}

impl Door {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity,
            held: Mutex::default(),
        }
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.capacity - self.slots.available_permits(), self.capacity)
    }

    pub(super) fn admit(door: &Arc<Self>, asker: Asker) -> Result<Permit, Busy> {
        // Under the lock, so that two of one key do not both take the last place that it may.
        let mut held = door.held();
        if let Some(key) = asker.key {
            let has = held.get(&key).copied().unwrap_or(0);
            let free = door.slots.available_permits();
            if free > 0 && has >= PLACES_FOR_ONE_FREE.saturating_mul(free) {
                return Err(Busy::new(true));
            }
        }
        let slot = Arc::clone(&door.slots)
            .try_acquire_owned()
            .map_err(|_| Busy::new(false))?;
        let share = asker.key.map(|key| {
            *held.entry(key).or_default() += 1;
            Share {
                door: Arc::clone(door),
                key,
            }
        });
        Ok(Permit {
            _slot: slot,
            urgency: asker.urgency,
            _share: share,
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<KeyId, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
