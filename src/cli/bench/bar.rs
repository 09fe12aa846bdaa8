//! Progress over recordings.

use std::sync::Mutex;

use indicatif::ProgressBar;

use super::super::output::Output;
use crate::measure::Progress;

/// A bar that begins anew with each kind of recording.
pub(in crate::cli) struct Bar {
    bar: Mutex<ProgressBar>,
}

impl Bar {
    pub(in crate::cli) fn new() -> Self {
        Self {
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, recordings: usize) {
        let next = Output::bar(recordings).with_message(what.to_owned());
        if let Ok(mut bar) = self.bar.lock() {
            bar.finish_and_clear();
            *bar = next;
        }
    }

    fn step(&self) {
        if let Ok(bar) = self.bar.lock() {
            bar.inc(1);
        }
    }
}
