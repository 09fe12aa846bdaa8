//! What is kept in memory of the keyring's newest state, and for a while of the one before.
//!
//! A transaction that began before a change of the master key sees the keys as the old one wrapped them, and that one is in no
//! file any more when it comes to open them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a transaction may go on with the state before.
const GRACE: Duration = Duration::from_secs(10);

/// What was read of two states, by their epochs.
pub(in crate::store) struct Recent<T>(Mutex<States<T>>);

struct States<T> {
    newest: Option<(i64, Arc<T>)>,
    before: Option<(i64, Arc<T>, Instant)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(States {
            newest: None,
            before: None,
        }))
    }
}

impl<T> Recent<T> {
    /// What was read of the state with this epoch, if it is the newest or was not long ago.
    pub fn of(&self, epoch: i64, now: Instant) -> Option<Arc<T>> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states
            .before
            .take_if(|(_, _, since)| now.saturating_duration_since(*since) > GRACE);
        let newest = states.newest.as_ref().map(|(epoch, read)| (*epoch, read));
        let before = states.before.as_ref().map(|(epoch, read, _)| (*epoch, read));
        let found = [newest, before]
            .into_iter()
            .flatten()
            .find(|(known, _)| *known == epoch);
        found.map(|(_, read)| Arc::clone(read))
    }

    /// Keeps what was read of a state; not of one that is older than the newest.
    pub fn keep(&self, epoch: i64, read: Arc<T>, now: Instant) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &states.newest {
            Some((newest, _)) if *newest >= epoch => {}
            _ => {
                let before = states.newest.replace((epoch, read));
                states.before = before.map(|(epoch, read)| (epoch, read, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_before_is_known_for_who_began_with_it_and_not_for_long() {
        let (recent, start) = (Recent::default(), Instant::now());
        let of = |epoch, now| recent.of(epoch, now).map(|read| *read);
        recent.keep(1, Arc::new("first"), start);
        recent.keep(2, Arc::new("second"), start);
        assert_eq!((of(1, start), of(2, start)), (Some("first"), Some("second")));
        recent.keep(1, Arc::new("late"), start);
        assert_eq!((of(1, start), of(2, start)), (Some("first"), Some("second")));
        let later = start + GRACE + Duration::from_millis(1);
        assert_eq!((of(1, later), of(2, later)), (None, Some("second")));
        recent.keep(3, Arc::new("third"), later);
        recent.keep(4, Arc::new("fourth"), later);
        assert_eq!((of(2, later), of(3, later)), (None, Some("third")));
    }
}
