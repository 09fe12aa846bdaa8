//! The handshakes that are going on: so many at most. Beyond that the one that has taken longest is cut off, so that whoever
//! opens connections and says nothing keeps nobody else out.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Handshakes that are going on, by the order of their coming.
pub(super) struct Handshakes {
    most: usize,
    going_on: Mutex<GoingOn>,
}

#[derive(Default)]
struct GoingOn {
    next: u64,
    by_turn: BTreeMap<u64, CancellationToken>,
}

/// A handshake's turn; over when this is dropped.
pub(super) struct Turn<'a> {
    all: &'a Handshakes,
    number: u64,
    cut: CancellationToken,
}

impl Handshakes {
    /// Room for so many handshakes at a time.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            going_on: Mutex::default(),
        }
    }

    /// One more. The oldest of those going on is cut off where they are too many.
    pub fn begin(&self) -> Turn<'_> {
        let mut going_on = self.going_on();
        if going_on.by_turn.len() >= self.most
            && let Some((_, oldest)) = going_on.by_turn.pop_first()
        {
            oldest.cancel();
        }
        let (number, cut) = (going_on.next, CancellationToken::new());
        going_on.next += 1;
        going_on.by_turn.insert(number, cut.clone());
        Turn {
            all: self,
            number,
            cut,
        }
    }

    fn going_on(&self) -> MutexGuard<'_, GoingOn> {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Comes about when others need its place.
    pub async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.all.going_on().by_turn.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_handshakes_are_too_many_the_oldest_is_cut_off() {
        let all = Handshakes::new(2);
        let (first, second) = (all.begin(), all.begin());
        assert!(!first.cut.is_cancelled());
        let third = all.begin();
        assert!(first.cut.is_cancelled() && !second.cut.is_cancelled());
        drop(second);
        let fourth = all.begin();
        assert!(!third.cut.is_cancelled() && !fourth.cut.is_cancelled());
        drop((first, third, fourth));
        assert!(all.going_on().by_turn.is_empty());
    }
}
