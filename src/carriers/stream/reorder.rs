//! Messages back into the order they were sent in, by their numbers.

use std::collections::BTreeMap;

use super::{Message, Numbered};

/// How many frames are held back for one that is missing: a tenth of a second at 20 ms a frame, so that
/// a frame that never comes delays nobody noticeably.
const DEPTH: usize = 5;

/// A frame whose number is further back than this is not late: the numbers have begun anew, as they do when a call
/// is transferred or a counter of 16 bits overflows. It is more than a second of frames, as late as nothing comes.
const LARGE_STEP: u64 = 64;

/// So many frames that follow one another and are late all of them are not late either: the numbers began anew
/// not far from where they were.
const RUN: usize = 2 * DEPTH;

/// So many frames of one number are no copies of a frame: the numbers stand still, and say nothing.
const STANDSTILL: usize = DEPTH;

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

    /// How often the numbers fell back or stood still, and were taken to begin anew.
    pub const fn restarts(&self) -> u64 {
        self.0.restarts
    }

    /// What was still held back when the stream ended, in order.
    pub fn finish(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.0).finish().collect()
    }
}

/// Holds back what came early until what belongs before it has come, or enough has come that it is
/// given up. Laws: as long as the numbers make small steps only, what comes out is in order, and is each frame that
/// came in time, once; and numbers that fall back or stand still mute nobody.
#[derive(Debug)]
struct Reorder<T> {
    given: Option<u64>,
    early: BTreeMap<u64, T>,
    /// The latest frames, while each of them came late: they were dropped, unless the numbers turn out to have begun
    /// anew.
    late: Vec<(u64, T)>,
    /// Whether the numbers stand still: frames of this number pass.
    still: Option<u64>,
    restarts: u64,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Reorder<T> {
    /// Nothing yet. The first frame that comes says where the numbers begin.
    const fn new() -> Self {
        Self {
            given: None,
            early: BTreeMap::new(),
            late: Vec::new(),
            still: None,
            restarts: 0,
        }
    }

    /// Takes the frame of this number and gives those whose turn it is. Frames that come a second time,
    /// or after they were given up, are dropped; a large step back begins anew.
    fn push(&mut self, number: u64, frame: T) -> Vec<T> {
        if self.still == Some(number) {
            return vec![frame];
        }
        self.still = None;
        let Some(given) = self.given.filter(|given| number <= *given) else {
            self.late.clear();
            self.early.entry(number).or_insert(frame);
            return self.due();
        };
        if given - number > LARGE_STEP {
            let mut due = self.begin_anew();
            self.early.insert(number, frame);
            due.extend(self.due());
            return due;
        }
        self.take_late(number, frame)
    }

    /// Keeps a late frame for as long as all that come are late.
    fn take_late(&mut self, number: u64, frame: T) -> Vec<T> {
        let last = self.late.last().map(|(last, _)| *last);
        let same = last == Some(number) && self.late.first().map(|(first, _)| *first) == Some(number);
        let follows = last.and_then(|last| last.checked_add(1)) == Some(number);
        if !same && !follows {
            self.late.clear();
        }
        self.late.push((number, frame));
        let stands = same && self.late.len() >= STANDSTILL;
        if !stands && self.late.len() < RUN {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.late);
        let mut due = self.begin_anew();
        due.extend(held.into_iter().map(|(_, frame)| frame));
        self.given = Some(number);
        self.still = stands.then_some(number);
        due
    }

    /// Forgets where the numbers were, and gives what was held back.
    fn begin_anew(&mut self) -> Vec<T> {
        self.restarts += 1;
        self.given = None;
        self.late.clear();
        std::mem::take(&mut self.early).into_values().collect()
    }

    /// The frames whose turn it is.
    fn due(&mut self) -> Vec<T> {
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

    /// Frames told apart by when they came, whatever their numbers are: how many of them came out, and how often the
    /// numbers began anew.
    fn heard(numbers: impl IntoIterator<Item = u64>) -> (usize, u64) {
        let mut order = Reorder::new();
        let mut out: Vec<usize> = Vec::new();
        for (at, number) in numbers.into_iter().enumerate() {
            out.extend(order.push(number, at));
        }
        let restarts = order.restarts;
        out.extend(order.finish());
        assert!(out.windows(2).all(|pair| pair[0] < pair[1]), "{out:?}");
        (out.len(), restarts)
    }

    #[test]
    fn numbers_that_fall_back_or_stand_still_mute_nobody_and_are_counted() {
        let cases: [(&str, Vec<u64>, usize, u64); 7] = [
            ("a transfer", (1..=500).chain(1..=500).collect(), 1_000, 1),
            (
                "sixteen bits",
                (65_000..=65_535).chain(0..=500).collect(),
                1_037,
                1,
            ),
            ("a constant number", vec![7; 400], 400, 1),
            ("a constant zero", vec![0; 400], 400, 1),
            ("soon after the start", (1..=30).chain(1..=300).collect(), 330, 1),
            ("three transfers", (0..4).flat_map(|_| 1..=200).collect(), 800, 3),
            (
                "standing, then counting",
                vec![5; 50].into_iter().chain(6..=300).collect(),
                345,
                1,
            ),
        ];
        for (name, numbers, frames, restarts) in cases {
            assert_eq!(heard(numbers), (frames, restarts), "{name}");
        }
    }

    #[test]
    fn what_was_held_back_comes_before_the_numbers_that_begin_anew() {
        assert_eq!(through(&[500, 502, 503, 1, 2, 3]), [500, 502, 503, 1, 2, 3]);
    }

    #[test]
    fn a_burst_of_copies_is_dropped() {
        let (frames, restarts) = heard([1, 2, 3, 4, 3, 4, 3, 4, 2, 5, 5, 5, 6, 7]);
        assert_eq!((frames, restarts), (7, 0));
    }

    proptest! {
        #[test]
        fn what_comes_out_rises_and_the_memory_is_bounded(numbers in prop::collection::vec(0_u64..60, 0..200)) {
            let mut order = Reorder::new();
            let mut out = Vec::new();
            for number in numbers {
                out.extend(order.push(number, number));
                prop_assert!(order.early.len() <= DEPTH && order.late.len() < RUN);
            }
            prop_assume!(order.restarts == 0);
            out.extend(order.finish());
            prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]), "{out:?}");
        }
    }
}
