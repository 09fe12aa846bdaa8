//! When the audio of a live call arrived, so that it can be said how long after that a verdict came.
//!
//! A frame that had to be waited for arrived when it was read. One that was there already when it was asked for lay in
//! the socket, for how long nobody says: a caller speaks at the pace of speech, so it came as long after the last frame
//! that was waited for as its place in the audio is behind that one's, and not after it was read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metrics::histogram;

use crate::units::Seconds;

/// The time from the arrival of the last sample that a verdict needed until the verdict was said.
pub(crate) const DECISION_LAG: &str = "voxline_decision_lag_seconds";

/// Places in the audio are compared with this tolerance (s): they are sums.
const SAME: f64 = 1e-6;
/// Most frames whose arrival is remembered: ten seconds at 20 ms, of which a verdict needs the last few.
const MOST_FRAMES: usize = 500;

/// The arrival of a call's latest frames.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When the stream's first sample would have come, judged by the last frame that was waited for.
    began: Option<Instant>,
    /// Seconds of audio so far.
    heard: f64,
    /// Where each frame ends in the audio (s), and when it arrived.
    frames: VecDeque<(f64, Instant)>,
}

impl Arrivals {
    /// Notes a frame of so many seconds that was read at `now`, and whether it had to be waited for.
    pub fn note(&mut self, now: Instant, seconds: f64, waited: bool) {
        let pace = Duration::from_secs_f64(self.heard.max(0.0));
        let on_time = self.began.map(|began| began + pace);
        let arrived = match on_time {
            Some(on_time) if !waited => on_time.min(now),
            _ => {
                self.began = now.checked_sub(pace);
                now
            }
        };
        self.heard += seconds;
        if self.frames.len() == MOST_FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back((self.heard, arrived));
    }

    /// Nothing comes for a while: what comes next says anew when the stream would have begun.
    pub fn pause(&mut self) {
        self.began = None;
    }

    /// When the audio up to this place had arrived; `None` when it is not remembered.
    pub fn of(&self, place: Seconds) -> Option<Instant> {
        let at = self.up_to(place);
        let (_, arrived) = self.frames.get(at).or(self.frames.back())?;
        Some(*arrived)
    }

    /// Measures how long ago the audio up to this place arrived: a verdict that needed no more was just said.
    pub fn said(&mut self, place: Seconds) {
        if let Some(arrived) = self.of(place) {
            histogram!(DECISION_LAG).record(arrived.elapsed());
        }
        let past = self.up_to(place);
        self.frames.drain(..past);
    }

    /// How many of the frames that are remembered end before this place.
    fn up_to(&self, place: Seconds) -> usize {
        self.frames.partition_point(|(end, _)| *end < place.get() - SAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: f64 = 0.02;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_pause_is_no_delay() {
        let (mut arrivals, began) = (Arrivals::default(), Instant::now());
        arrivals.note(began, FRAME, true);
        arrivals.pause();
        arrivals.note(began + ms(40_000), FRAME, false);
        assert_eq!(arrivals.of(Seconds::new(0.04)), Some(began + ms(40_000)));
    }

    #[test]
    fn a_frame_that_was_waited_for_arrived_when_it_was_read() {
        let (mut arrivals, began) = (Arrivals::default(), Instant::now());
        for frame in 0..10 {
            arrivals.note(began + ms(20 * frame), FRAME, true);
        }
        assert_eq!(arrivals.of(Seconds::new(0.1)), Some(began + ms(80)));
        assert_eq!(arrivals.of(Seconds::new(0.101)), Some(began + ms(100)));
    }

    #[test]
    fn frames_that_lay_in_the_socket_arrived_at_the_pace_of_speech() {
        let (mut arrivals, began) = (Arrivals::default(), Instant::now());
        arrivals.note(began, FRAME, true);
        // The reader was busy for a second, and reads the fifty frames of it at once.
        for _ in 0..50 {
            arrivals.note(began + ms(1_000), FRAME, false);
        }
        assert_eq!(arrivals.of(Seconds::new(0.52)), Some(began + ms(500)));
        assert_eq!(arrivals.of(Seconds::new(1.02)), Some(began + ms(1_000)));
    }

    #[test]
    fn audio_that_comes_faster_than_speech_arrived_when_it_was_read() {
        let (mut arrivals, began) = (Arrivals::default(), Instant::now());
        arrivals.note(began, FRAME, true);
        for _ in 0..500 {
            arrivals.note(began + ms(1), FRAME, false);
        }
        assert_eq!(arrivals.of(Seconds::new(9.0)), Some(began + ms(1)));
    }

    #[test]
    fn a_pause_of_the_sender_is_nobodys_lag() {
        let (mut arrivals, began) = (Arrivals::default(), Instant::now());
        arrivals.note(began, FRAME, true);
        arrivals.note(began + ms(10_000), FRAME, true);
        arrivals.note(began + ms(10_030), FRAME, false);
        assert_eq!(arrivals.of(Seconds::new(0.06)), Some(began + ms(10_020)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut arrivals, now) = (Arrivals::default(), Instant::now());
        for _ in 0..100_000 {
            arrivals.note(now, 1e-4, true);
        }
        assert_eq!(arrivals.frames.len(), MOST_FRAMES);
    }
}
