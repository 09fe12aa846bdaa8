//! Whether several people speak at once in a stream's latest speech, or in a recording.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::samples::RATE;
use crate::speech::{Overlap, OverlapDetector, OverlapError};
use crate::units::Seconds;

use super::level::levelled;

/// Speech that the network hears in one piece. Of longer pieces it would be surer, and say later what it hears.
const WINDOW: Seconds = Seconds::new(5.0);

/// The shortest rest that is heard by itself at the end.
const SHORTEST_REST: Seconds = Seconds::new(1.0);

/// By how many of the windows that were heard last a live call is judged.
const LATEST: usize = 4;

/// So many windows are heard at a live call's beginning, where a second voice matters most, and afterwards one of [`LATEST`] as long as
/// no name stands: calls that begin together would wait for each other.
const AT_FIRST: usize = 2;

/// The share of the speech from which on several people speak at once. `models/README.md` has what it finds, and in how many
/// calls of one voice.
const SHARE: f64 = 0.15;

/// What was counted of one stream.
pub(super) struct OverlapMeter {
    /// Speech that fills no window yet.
    fresh: Zeroizing<Vec<f32>>,
    /// Windows that are heard once it matters who speaks: the [`LATEST`] of them, since no more are judged by.
    waiting: VecDeque<Zeroizing<Vec<f32>>>,
    matters: bool,
    counted: VecDeque<Overlap>,
    is_recording: bool,
    /// Windows that were full.
    windows: usize,
}

impl OverlapMeter {
    /// Nothing yet. All of a recording is heard and counts; of a live call all of the first 10 s of speech, and a window of four
    /// after those, and what was heard last counts.
    pub fn new(is_recording: bool) -> Self {
        Self {
            fresh: room(),
            waiting: VecDeque::new(),
            matters: true,
            counted: VecDeque::new(),
            is_recording,
            windows: 0,
        }
    }

    /// Whether it matters from now on how many speak, as it does not while a name stands: what comes after the first 10 s of speech
    /// waits then, and is heard when it matters again.
    pub fn set_matters(&mut self, matters: bool) {
        self.matters = matters;
    }

    /// Takes the next of the speech (16 kHz), and hears every window that it fills.
    ///
    /// # Errors
    /// [`OverlapError`] when the network fails.
    pub fn push(&mut self, detector: &mut OverlapDetector, mut speech: &[f32]) -> Result<(), OverlapError> {
        while self.matters
            && let Some(window) = self.waiting.pop_front()
        {
            self.hear(detector, &window)?;
        }
        let window = RATE.samples(WINDOW);
        while !speech.is_empty() {
            let (next, rest) = speech.split_at(speech.len().min(window - self.fresh.len()));
            speech = rest;
            self.fresh.extend_from_slice(next);
            if self.fresh.len() == window {
                self.windows += 1;
                let full = std::mem::replace(&mut self.fresh, room());
                if self.is_heard() {
                    self.take(detector, full)?;
                }
            }
        }
        Ok(())
    }

    /// Hears the rest, at the end.
    ///
    /// # Errors
    /// [`OverlapError`] when the network fails.
    pub fn finish(&mut self, detector: &mut OverlapDetector) -> Result<(), OverlapError> {
        let rest = std::mem::take(&mut self.fresh);
        if rest.len() >= RATE.samples(SHORTEST_REST) && (self.is_recording || self.windows < AT_FIRST) {
            self.take(detector, rest)?;
        }
        Ok(())
    }

    /// Whether the window that is full now is heard.
    fn is_heard(&self) -> bool {
        self.is_recording || self.windows <= AT_FIRST || self.windows.is_multiple_of(LATEST)
    }

    /// Hears a window, or lays it aside.
    fn take(
        &mut self,
        detector: &mut OverlapDetector,
        window: Zeroizing<Vec<f32>>,
    ) -> Result<(), OverlapError> {
        if self.matters || self.windows <= AT_FIRST {
            return self.hear(detector, &window);
        }
        if self.waiting.len() == LATEST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(window);
        Ok(())
    }

    fn hear(&mut self, detector: &mut OverlapDetector, window: &[f32]) -> Result<(), OverlapError> {
        let counted = detector.hear(&levelled(window))?;
        self.count(counted);
        Ok(())
    }

    fn count(&mut self, window: Overlap) {
        if !self.is_recording && self.counted.len() == LATEST {
            self.counted.pop_front();
        }
        self.counted.push_back(window);
    }

    /// Whether several people speak at once; `None` before anything was heard.
    pub fn at_once(&self) -> Option<bool> {
        let of = |count: fn(&Overlap) -> usize| self.counted.iter().map(count).sum::<usize>() as f64;
        let (speech, at_once) = (of(|window| window.speech), of(|window| window.at_once));
        (speech > 0.0).then_some(at_once >= SHARE * speech)
    }
}

/// Room for a window, so that speech is never moved and left behind.
fn room() -> Zeroizing<Vec<f32>> {
    Zeroizing::new(Vec::with_capacity(RATE.samples(WINDOW)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_call_is_heard_whole_at_first_and_then_by_a_quarter() {
        for (is_recording, heard) in [(false, vec![1, 2, 4, 8, 12]), (true, (1..=13).collect())] {
            let mut meter = OverlapMeter::new(is_recording);
            let mut found = Vec::new();
            for window in 1..=13 {
                meter.windows = window;
                found.extend(meter.is_heard().then_some(window));
            }
            assert_eq!(found, heard);
        }
    }

    #[test]
    fn a_live_call_is_judged_by_what_was_heard_last_and_a_recording_by_all() {
        let (clear, mixed) = ((100, 0), (100, 70));
        for (windows, live, recording) in [
            (vec![], None, None),
            (vec![(0, 0)], None, None),
            (vec![clear, (100, 14)], Some(false), Some(false)),
            (vec![clear, (100, 30)], Some(true), Some(true)),
            (vec![mixed, clear, clear, clear, clear], Some(false), Some(false)),
            (
                vec![mixed, mixed, clear, clear, clear, clear],
                Some(false),
                Some(true),
            ),
            (
                vec![clear, clear, clear, clear, clear, mixed],
                Some(true),
                Some(false),
            ),
        ] {
            for (is_recording, expected) in [(false, live), (true, recording)] {
                let mut meter = OverlapMeter::new(is_recording);
                for (speech, at_once) in &windows {
                    meter.count(Overlap {
                        speech: *speech,
                        at_once: *at_once,
                    });
                }
                assert_eq!(meter.at_once(), expected, "{windows:?}");
            }
        }
    }
}
