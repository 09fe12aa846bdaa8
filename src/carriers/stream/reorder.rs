//! Messages back into the order they were sent in, by their numbers.

use std::collections::BTreeMap;

use super::{Message, Numbered};

/// How many frames are held back for one that is missing: a tenth of a second at 20 ms a frame, so that
/// a frame that never comes delays nobody noticeably.
const DEPTH: usize = 5;

/// A stream's messages in their order: those with a place wait for it, the rest have their turn at once.
#[derive(Debug, Default)]
pub struct Order(Reorder<Message>);

impl Order {
    /// Takes a message and gives those whose turn it is.
    pub fn push(&mut self, Numbered { place, message }: Numbered) -> Vec<Message> {
        match place {
            Some(place) => self.0.push(place, message),
            None => vec![message],
        }
    }

    /// What was still held back when the stream ended, in order.
    pub fn finish(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.0).finish().collect()
    }
}

/// Holds back what came early until what belongs before it has come, or enough has come that it is
/// given up. Law: what comes out is in order, and is each frame that came in time, once.
#[derive(Debug)]
struct Reorder<T> {
    given: Option<u64>,
    early: BTreeMap<u64, T>,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Reorder<T> {
    /// Nothing yet. The first frame that comes says where the numbers begin.
    fn new() -> Self {
        Self {
            given: None,
            early: BTreeMap::new(),
        }
    }

    /// Takes the frame of this number and gives those whose turn it is. Frames that come a second time,
    /// or after they were given up, are dropped.
    fn push(&mut self, number: u64, frame: T) -> Vec<T> {
        if self.given.is_none_or(|given| given < number) {
            self.early.entry(number).or_insert(frame);
        }
        let mut due = Vec::new();
        while let Some(first) = self.early.first_entry() {
            let number = *first.key();
            let follows = self.given.is_none_or(|given| number - given == 1);
            if !follows && self.early.len() <= DEPTH {
                break;
            }
            due.extend(self.early.remove(&number));
            self.given = Some(number);
        }
        due
    }

    /// What was still held back, in order.
    fn finish(self) -> impl Iterator<Item = T> {
        self.early.into_values()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(numbers: &[u64]) -> Vec<u64> {
        let mut order = Reorder::new();
        let mut out: Vec<u64> = numbers
            .iter()
            .flat_map(|number| order.push(*number, *number))
            .collect();
        out.extend(order.finish());
        out
    }

    #[test]
    fn frames_in_order_are_never_held_back() {
        let mut order = Reorder::new();
        for number in 7..100 {
            assert_eq!(order.push(number, number), [number]);
        }
    }

    #[test]
    fn neighbours_that_changed_places_change_back() {
        assert_eq!(through(&[1, 2, 4, 3, 5]), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_frame_that_never_comes_is_given_up_and_repeated_ones_are_dropped() {
        assert_eq!(
            through(&[1, 3, 4, 5, 6, 7, 8, 9, 2, 9, 10]),
            [1, 3, 4, 5, 6, 7, 8, 9, 10]
        );
    }

    #[test]
    fn the_last_number_there_is_ends_nothing_badly() {
        assert_eq!(
            through(&[u64::MAX - 1, u64::MAX, u64::MAX]),
            [u64::MAX - 1, u64::MAX]
        );
    }

    proptest! {
        #[test]
        fn what_comes_out_rises_and_the_memory_is_bounded(numbers in prop::collection::vec(0_u64..60, 0..200)) {
            let mut order = Reorder::new();
            let mut out = Vec::new();
            for number in numbers {
                out.extend(order.push(number, number));
                prop_assert!(order.early.len() <= DEPTH);
            }
            out.extend(order.finish());
            prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]), "{out:?}");
        }
    }
}
