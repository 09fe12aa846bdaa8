//! Wrong PINs of a moment ago: the same digits of the same caller, once more, are no new guess.
//!
//! A carrier's keys go on to Vapi as tones, so what is typed once comes on two calls of one caller. What is kept is in this
//! process alone: keyed hashes of number, caller and digits together, never the digits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::store::{KeyedHash, PinCaller, PinTry};

/// How long the same digits are the same guess.
const SAME_GUESS: Duration = Duration::from_secs(120);
/// The most that are remembered at a time; the oldest give way, and count again.
const MOST: usize = 2_048;

/// How often digits that were wrong are looked at again, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A PIN that was found wrong; `None` before that. It is locked while the PIN is tried, so that the same digits that come
/// twice at once are tried once.
pub(super) type WrongPin = Arc<tokio::sync::Mutex<Option<FoundWrong>>>;

/// What is known of a PIN that was found wrong.
pub(super) struct FoundWrong {
    /// How many tries were left then.
    pub left: u32,
    looked_at: Instant,
}

impl FoundWrong {
    /// Found wrong at `now`, with so many tries left.
    pub fn new(left: u32, now: Instant) -> Self {
        Self { left, looked_at: now }
    }

    /// Whether it may be looked at again at `now`, which then counts as a look.
    pub fn may_look(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.looked_at) >= LOOK_AGAIN;
        if is_due {
            self.looked_at = now;
        }
        is_due
    }
}

/// The wrong PINs of the last two minutes.
#[derive(Default)]
pub(super) struct WrongPins(Mutex<HashMap<String, (Instant, WrongPin)>>);

impl WrongPins {
    /// What is remembered of these digits of this caller on this number.
    pub fn of(&self, hash: &KeyedHash, attempt: &PinTry, digits: &str) -> WrongPin {
        let (kind, caller) = match &attempt.caller {
            PinCaller::Number(hash) => ("number", hash.as_str()),
            PinCaller::Withheld(call) => ("call", call.as_str()),
        };
        let text = format!("{} {kind} {caller} {digits}", attempt.number.as_e164());
        self.at(hash.of("wrong pin", &Zeroizing::new(text)), Instant::now())
    }

    fn at(&self, key: String, now: Instant) -> WrongPin {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (since, _)| now.duration_since(*since) < SAME_GUESS);
        if held.len() >= MOST && !held.contains_key(&key) {
            let oldest = held.iter().min_by_key(|(_, (since, _))| *since);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| held.remove(&key));
        }
        let (_, wrong) = held.entry(key).or_insert_with(|| (now, WrongPin::default()));
        Arc::clone(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_were_wrong_are_looked_at_once_in_ten_seconds() {
        let begin = Instant::now();
        let mut found = FoundWrong::new(2, begin);
        let looks: Vec<u64> = (0..25)
            .filter(|second| found.may_look(begin + Duration::from_secs(*second)))
            .collect();
        assert_eq!(looks, [10, 20]);
    }

    #[test]
    fn digits_are_the_same_guess_for_two_minutes_and_memory_is_bounded() {
        let (wrong_pins, begin) = (WrongPins::default(), Instant::now());
        let at = |key: &str, seconds| wrong_pins.at(key.to_owned(), begin + Duration::from_secs(seconds));
        let first = at("a", 0);
        assert!(Arc::ptr_eq(&first, &at("a", 119)));
        assert!(!Arc::ptr_eq(&first, &at("b", 119)));
        assert!(!Arc::ptr_eq(&first, &at("a", 120)));
        for nth in 0..MOST + 10 {
            at(&nth.to_string(), 121);
        }
        assert_eq!(wrong_pins.0.lock().unwrap().len(), MOST);
        at("c", 300);
        assert_eq!(wrong_pins.0.lock().unwrap().len(), 1);
    }
}
