//! Whether a stream's speech is spoofed, as the countermeasure hears it, where one is installed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::units::Llr;
use crate::voiceprint::{Countermeasure, CountermeasureError};

/// The windows, the latest, whose mean a stream is judged by. More would be surer of a stream that is all of one kind, and let a few
/// spoofed words pass after many that are not.
const WINDOWS: usize = 4;

/// What a countermeasure says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Presentation {
    /// How much likelier the latest speech is where it is spoofed than where it is bona fide.
    pub llr: Llr,
    /// Whether that is enough by the card, or was before, by whole windows.
    pub is_spoofed: bool,
    /// Whether it was enough by whole windows, now or before: that is not forgotten.
    pub was_spoofed: bool,
}

/// What a countermeasure heard of one stream. Every sample of its speech is heard at least once, in the window that ends at the
/// next checkpoint or as soon as it is full; of less speech than a window the whole is heard, said again until it fills it, as
/// such networks are trained.
#[derive(Default)]
pub(super) struct PresentationMeter {
    /// The latest speech, at most a window.
    latest: Zeroizing<Vec<f32>>,
    /// How many samples at its end were not heard yet.
    fresh: usize,
    /// Of the latest whole windows.
    ratios: VecDeque<f64>,
    said: Option<Presentation>,
    /// Whether whole windows were enough once. Who was heard to play a recording is not believed for speaking afterwards.
    was_spoofed: bool,
}

impl PresentationMeter {
    /// Takes the next of the speech (16 kHz), and hears every window that it fills.
    ///
    /// # Errors
    /// [`CountermeasureError`] when the network fails.
    pub fn push(
        &mut self,
        countermeasure: &mut Countermeasure,
        mut speech: &[f32],
    ) -> Result<(), CountermeasureError> {
        let window = countermeasure.card().window();
        while !speech.is_empty() {
            let (next, rest) = speech.split_at(speech.len().min(window - self.fresh.min(window - 1)));
            speech = rest;
            let past = (self.latest.len() + next.len()).saturating_sub(window);
            self.latest.drain(..past);
            self.latest.extend_from_slice(next);
            self.fresh += next.len();
            if self.fresh >= window {
                self.hear(countermeasure)?;
            }
        }
        Ok(())
    }

    /// Hears what is not heard yet, with what was before it.
    ///
    /// # Errors
    /// [`CountermeasureError`] when the network fails.
    pub fn hear(&mut self, countermeasure: &mut Countermeasure) -> Result<(), CountermeasureError> {
        if self.fresh == 0 {
            return Ok(());
        }
        self.fresh = 0;
        let (window, bound) = (
            countermeasure.card().window(),
            countermeasure.card().spoofed_from(),
        );
        let is_whole = self.latest.len() >= window;
        let llr = if is_whole {
            let ratio = countermeasure.llr(&self.latest)?;
            self.mean_with(ratio)
        } else {
            let again = self.latest.iter().copied().cycle().take(window);
            countermeasure.llr(&Zeroizing::new(again.collect::<Vec<f32>>()))?
        };
        let is_over = llr.get() >= bound;
        self.was_spoofed |= is_whole && is_over;
        self.said = Some(Presentation {
            llr,
            is_spoofed: is_over || self.was_spoofed,
            was_spoofed: self.was_spoofed,
        });
        Ok(())
    }

    /// The mean of the latest whole windows with one more.
    fn mean_with(&mut self, ratio: Llr) -> Llr {
        if self.ratios.len() == WINDOWS {
            self.ratios.pop_front();
        }
        self.ratios.push_back(ratio.get());
        let mean = self.ratios.iter().sum::<f64>() / self.ratios.len() as f64;
        Llr::new(mean).unwrap_or(ratio)
    }

    /// What is said of the stream so far; `None` before anything was heard.
    pub fn said(&self) -> Option<Presentation> {
        self.said
    }
}
