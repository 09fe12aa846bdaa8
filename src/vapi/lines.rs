//! The calls that are known at the moment, bounded in number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::CallId;

use super::line::Line;

/// Calls that are known at a time.
const MOST: usize = 4_096;
/// How long a call is known after its end, for messages that come late or twice.
const AFTERWARDS: Duration = Duration::from_secs(600);

/// The calls, by Vapi's id.
#[derive(Default)]
pub(super) struct Lines {
    held: Mutex<HashMap<CallId, Held>>,
}

struct Held {
    line: Arc<Line>,
    touched: Instant,
}

impl Lines {
    /// The line of a call, made by `make` when there is none.
    pub(super) fn line(&self, id: &CallId, make: impl FnOnce() -> Arc<Line>) -> Arc<Line> {
        let mut held = self.lock();
        if !held.contains_key(id) && held.len() >= MOST {
            drop_one(&mut held);
        }
        let entry = held.entry(id.clone()).or_insert_with(|| Held {
            line: make(),
            touched: Instant::now(),
        });
        entry.touched = Instant::now();
        Arc::clone(&entry.line)
    }

    /// Forgets lines that ended a while ago, and gives those that are silent for longer than a call may last: of
    /// their end no word came.
    pub(super) fn sweep(&self, longest: Duration) -> Vec<Arc<Line>> {
        let mut held = self.lock();
        held.retain(|_, entry| !entry.line.is_over() || entry.touched.elapsed() < AFTERWARDS);
        let silent = held
            .values()
            .filter(|entry| !entry.line.is_over() && entry.touched.elapsed() > longest);
        silent.map(|entry| Arc::clone(&entry.line)).collect()
    }

    /// All lines there are.
    pub(super) fn all(&self) -> Vec<Arc<Line>> {
        self.lock()
            .values()
            .map(|entry| Arc::clone(&entry.line))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room: the line that was longest without a word goes, one that has ended before any other.
fn drop_one(held: &mut HashMap<CallId, Held>) {
    let oldest = held
        .iter()
        .min_by_key(|(_, entry)| (!entry.line.is_over(), entry.touched));
    if let Some(id) = oldest.map(|(id, _)| id.clone())
        && let Some(entry) = held.remove(&id)
    {
        entry.line.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_calls_are_named_memory_is_bounded_and_what_goes_has_ended() {
        let lines = Lines::default();
        let id = |nth: usize| format!("c-{nth}").parse::<CallId>().unwrap();
        let first = lines.line(&id(0), || Line::new(id(0), String::new()));
        for nth in 0..MOST + 10 {
            lines.line(&id(nth), || Line::new(id(nth), String::new()));
        }
        assert_eq!(lines.all().len(), MOST);
        assert!(first.is_over());
        let same = lines.line(&id(MOST), || panic!("it is there"));
        assert_eq!(same.id, id(MOST));
    }
}
