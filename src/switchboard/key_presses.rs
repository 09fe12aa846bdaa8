//! Keys that come by webhooks of their own, in whichever order, sent again or not, and each to another node: every one is
//! pressed once, and in its turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::keypad::Keypad;

/// How long a key waits for those that were pressed before it.
pub(super) const SETTLING: Duration = Duration::from_secs(1);

/// Most keys that wait at a time: more than anybody presses in that time.
const MOST_WAITING: usize = 64;

/// Keys by whose times one that is sent again is known.
const REMEMBERED: usize = 16;

/// The keys of one call.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct KeyPresses {
    keypad: Keypad,
    /// Keys that wait for their turn, and when each was pressed: microseconds since 1970 by the carrier's clock.
    waiting: Vec<(i64, char)>,
    /// When the last keys were pressed that had their turn, the latest at the end.
    pressed: Vec<i64>,
}

impl KeyPresses {
    /// Those that were kept as [`KeyPresses::text`]; of anything else none.
    pub fn read(kept: Option<&str>) -> Self {
        let read = kept.and_then(|text| serde_json::from_str(text).ok());
        read.unwrap_or_default()
    }

    /// What they are kept as, sealed.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes a key that was pressed at `at`; a second time it is passed over. One that comes after its turn makes no PIN of
    /// what is being typed: it would be digits that nobody typed.
    pub fn add(&mut self, key: char, at: OffsetDateTime) {
        let press = (micros(at), key);
        if self.waiting.contains(&press) || self.pressed.contains(&press.0) {
            return;
        }
        let is_late = self.pressed.last().is_some_and(|last| press.0 < *last);
        if is_late || self.waiting.len() >= MOST_WAITING {
            self.spoil();
            return;
        }
        let turn = self.waiting.partition_point(|(other, _)| *other <= press.0);
        self.waiting.insert(turn, press);
    }

    /// Makes no PIN of what is being typed: a key of it was lost.
    pub fn spoil(&mut self) {
        self.keypad.spoil();
    }

    /// Presses the keys that wait, up to one that was pressed at `until`, and gives the PINs that they complete.
    pub fn press(
        &mut self,
        until: OffsetDateTime,
        length: usize,
        timeout: Duration,
    ) -> Vec<Zeroizing<String>> {
        let until = micros(until);
        let due = self.waiting.partition_point(|(at, _)| *at <= until);
        let timeout = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        let mut typed = Vec::new();
        for (at, key) in self.waiting.drain(..due) {
            let paused = self.pressed.last().is_some_and(|last| at - last > timeout);
            self.pressed.push(at);
            typed.extend(self.keypad.press(key, paused, length).map(Zeroizing::new));
        }
        let forgotten = self.pressed.len().saturating_sub(REMEMBERED);
        self.pressed.drain(..forgotten);
        typed
    }
}

fn micros(at: OffsetDateTime) -> i64 {
    // The years that there are fit.
    (at.unix_timestamp_nanos() / 1_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys come as they are listed, with the seconds at which they were pressed; then all have their turn.
    fn come(presses: &mut KeyPresses, keys: &[(char, i64)]) -> Vec<String> {
        let at = |seconds: i64| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds as u64);
        for (key, seconds) in keys {
            // At another node each.
            *presses = KeyPresses::read(Some(&presses.text()));
            presses.add(*key, at(*seconds));
        }
        let latest = keys.iter().map(|(_, seconds)| *seconds).max().unwrap_or(0);
        let typed = presses.press(at(latest), 4, Duration::from_secs(8));
        typed.iter().map(|digits| digits.to_string()).collect()
    }

    #[test]
    fn keys_count_in_the_order_in_which_they_were_pressed_and_once() {
        for keys in [
            [('4', 1), ('8', 2), ('2', 3), ('1', 4)],
            [('1', 4), ('4', 1), ('2', 3), ('8', 2)],
        ] {
            let mut presses = KeyPresses::default();
            let twice: Vec<_> = keys.iter().chain(&keys).copied().collect();
            assert_eq!(come(&mut presses, &twice), ["4821"]);
            // Sent again when they have had their turn.
            assert!(come(&mut presses, &keys).is_empty());
            assert!(come(&mut presses, &[('#', 5)]).is_empty());
            let next = [('1', 6), ('1', 7), ('1', 8), ('1', 9)];
            assert_eq!(come(&mut presses, &next), ["1111"], "the same key anew");
        }
    }

    #[test]
    fn a_key_that_comes_after_its_turn_makes_no_pin_of_the_others() {
        let mut presses = KeyPresses::default();
        assert!(come(&mut presses, &[('4', 1), ('2', 3)]).is_empty());
        assert!(come(&mut presses, &[('8', 2), ('1', 4), ('9', 5)]).is_empty());
        // Typed again: after a pause, or after the star.
        let again = [('*', 6), ('4', 7), ('8', 8), ('2', 9), ('1', 10)];
        assert_eq!(come(&mut presses, &again), ["4821"]);
        let later = [('4', 30), ('8', 31), ('2', 32), ('1', 33)];
        assert_eq!(come(&mut presses, &later), ["4821"]);
    }

    #[test]
    fn a_key_that_was_lost_makes_no_pin_of_the_others() {
        let mut presses = KeyPresses::default();
        assert!(come(&mut presses, &[('4', 1), ('8', 2)]).is_empty());
        presses.spoil();
        assert!(come(&mut presses, &[('1', 4), ('4', 5), ('8', 6)]).is_empty());
        let again = [('*', 7), ('4', 8), ('8', 9), ('2', 10), ('1', 11)];
        assert_eq!(come(&mut presses, &again), ["4821"]);
    }

    #[test]
    fn a_pause_is_one_between_keys_and_not_between_their_webhooks() {
        let mut presses = KeyPresses::default();
        assert!(come(&mut presses, &[('4', 1), ('8', 2)]).is_empty());
        assert!(come(&mut presses, &[('2', 11), ('1', 12)]).is_empty());
        assert_eq!(come(&mut presses, &[('4', 13), ('8', 14)]), ["2148"]);
    }

    #[test]
    fn however_many_keys_come_memory_is_bounded() {
        let mut presses = KeyPresses::default();
        for seconds in 0..1_000 {
            presses.add('4', OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds));
        }
        assert!(presses.text().len() < 4_000);
        presses.press(OffsetDateTime::now_utc(), 4, Duration::from_secs(8));
        assert!(presses.text().len() < 1_000 && presses.pressed.len() == REMEMBERED);
    }

    #[test]
    fn what_cannot_be_read_is_nothing_typed() {
        for kept in [None, Some(""), Some("{}"), Some("4821")] {
            assert!(KeyPresses::read(kept).waiting.is_empty());
        }
    }
}
