//! Digits typed on a caller's keypad, as they come.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_util::task::task_tracker::TaskTrackerToken;
use zeroize::Zeroizing;

/// Most digits of a PIN.
const LONGEST: usize = 8;
/// Fewest digits of a PIN.
const SHORTEST: usize = 4;

/// Whether so many digits, typed one after the other, are a PIN: `length` of them complete one, and `#` ends a shorter one
/// (`is_ended`).
pub(super) fn is_pin(digits: usize, is_ended: bool, length: usize) -> bool {
    digits == length || (is_ended && (SHORTEST..length).contains(&digits))
}

/// Collects digits to a PIN.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Keypad {
    #[serde(serialize_with = "in_plain", deserialize_with = "to_be_cleared")]
    digits: Zeroizing<String>,
    /// Whether the first digits of what is being typed were given: the rest is no PIN of its own.
    given: bool,
}

impl Keypad {
    /// Takes a key, `paused` where it came long after the last; gives the PIN when it is complete: `length` digits were
    /// typed, or `#` after at least four. `*` begins anew, and so does a pause. Other keys are passed over, and so are the
    /// digits that follow a PIN, up to a `#`, a `*` or a pause: they are of a longer number.
    pub fn press(&mut self, key: char, paused: bool, length: usize) -> Option<String> {
        if paused || key == '*' {
            self.begin_anew();
        }
        if key.is_ascii_digit() && !self.given && self.digits.len() < LONGEST {
            self.digits.push(key);
        }
        let complete = is_pin(self.digits.len(), key == '#', length);
        let typed = complete.then(|| std::mem::take(&mut *self.digits));
        if key == '#' {
            self.begin_anew();
        } else if complete {
            self.given = true;
        }
        typed
    }

    /// Makes no PIN of what is being typed, up to a `#`, a `*` or a pause: one of its digits is missing.
    pub fn spoil(&mut self) {
        self.digits.clear();
        self.given = true;
    }

    fn begin_anew(&mut self) {
        self.digits.clear();
        self.given = false;
    }
}

/// Into what is sealed before it is kept.
fn in_plain<S: Serializer>(digits: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(digits)
}

fn to_be_cleared<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// A keypad whose keys come one after the other, as they are pressed.
#[derive(Default)]
pub(super) struct StreamKeypad {
    keypad: Keypad,
    last: Option<Instant>,
}

impl StreamKeypad {
    /// Takes a key at `now`, as [`Keypad::press`] does; a pause is one of more than `timeout`.
    pub fn press(&mut self, key: char, now: Instant, length: usize, timeout: Duration) -> Option<String> {
        let paused = self.last.is_some_and(|last| now.duration_since(last) > timeout);
        self.last = Some(now);
        self.keypad.press(key, paused, length)
    }
}

/// A PIN that was typed and is to be tried. The call does not end before it was, or was dropped. Its `Debug` shows
/// nothing.
pub struct Typed {
    digits: Zeroizing<String>,
    _counts: TaskTrackerToken,
}

impl Typed {
    pub(super) fn new(digits: String, counts: TaskTrackerToken) -> Self {
        Self {
            digits: Zeroizing::new(digits),
            _counts: counts,
        }
    }

    /// The digits that were pressed so far.
    pub(super) fn digits(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[(char, u64)], length: usize) -> Vec<String> {
        let (mut keypad, begin) = (StreamKeypad::default(), Instant::now());
        let mut at = begin;
        let mut pins = Vec::new();
        for (key, pause) in keys {
            at += Duration::from_secs(*pause);
            pins.extend(keypad.press(*key, at, length, Duration::from_secs(8)));
        }
        pins
    }

    fn at_once(keys: &str, length: usize) -> Vec<String> {
        let keys: Vec<(char, u64)> = keys.chars().map(|key| (key, 0)).collect();
        typed(&keys, length)
    }

    #[test]
    fn a_pin_is_complete_at_its_length_or_at_the_hash() {
        assert_eq!(at_once("4821", 4), ["4821"]);
        assert_eq!(at_once("4821#", 4), ["4821"]);
        assert_eq!(at_once("482173#", 8), ["482173"]);
        assert_eq!(at_once("4821#999999#", 8), ["4821", "999999"]);
        assert_eq!(at_once("48#4821#", 6), ["4821"], "what is too short is forgotten");
    }

    #[test]
    fn of_a_longer_number_the_first_digits_are_the_one_pin() {
        assert_eq!(at_once("48219999", 4), ["4821"]);
        assert_eq!(at_once("482199990000", 4), ["4821"]);
        assert_eq!(at_once("482199990000#1234", 4), ["4821", "1234"]);
        for again in ["4821*9999", "4821#9999", "482199*9999"] {
            assert_eq!(at_once(again, 4), ["4821", "9999"], "{again}");
        }
        let slowly = |pause| {
            let first = "482199".chars().map(|key| (key, 1));
            let keys: Vec<(char, u64)> = first
                .chain([('1', pause), ('2', 1), ('3', 1), ('4', 1)])
                .collect();
            typed(&keys, 4)
        };
        assert_eq!(slowly(9), ["4821", "1234"]);
        assert_eq!(slowly(8), ["4821"]);
    }

    #[test]
    fn what_is_typed_as_a_whole_is_a_pin_by_its_length() {
        for (digits, is_ended, fits) in [
            (6, false, true),
            (6, true, true),
            (5, true, true),
            (4, true, true),
            (5, false, false),
            (3, true, false),
            (7, true, false),
            (7, false, false),
        ] {
            assert_eq!(is_pin(digits, is_ended, 6), fits, "{digits}, {is_ended}");
        }
    }

    #[test]
    fn a_star_and_a_pause_begin_anew() {
        assert_eq!(at_once("48*4821", 4), ["4821"]);
        assert_eq!(
            typed(&[('4', 0), ('8', 1), ('2', 9), ('1', 1), ('2', 1), ('3', 8)], 4),
            ["2123"]
        );
        assert!(at_once("4A8B2", 4).is_empty());
    }
}
