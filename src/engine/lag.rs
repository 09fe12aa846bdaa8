//! How far behind the live calls are: measured, job by job, and what newcomers are let in by.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a measurement counts: twenty slots of a tenth of a second.
const SLOT: Duration = Duration::from_millis(100);
const SLOTS: usize = 20;

/// From this lag on nobody more is let in: with what a decision takes beside it (pieces of 80 ms, the work itself) those
/// inside still get theirs within 150 ms.
const KNEE: Duration = Duration::from_millis(60);

/// Nor from this share of the threads' time on that live calls take: queues grow without end a little beyond it.
const BUSY: f64 = 0.9;

/// So many calls a thread are let in whatever was measured: a few that catch up faster than they were spoken keep every
/// thread busy, and make nobody late.
const ALWAYS: usize = 8;

/// The lags of single jobs that a slot keeps, the largest of them.
const LARGEST: usize = 16;

/// What was measured of one tenth of a second.
#[derive(Debug, Clone, Default)]
struct Slot {
    /// Which one since the start; a slot of an older round counts for nothing.
    at: u64,
    jobs: usize,
    /// The largest lags, in no order.
    largest: Vec<Duration>,
    busy: Duration,
}

/// The lag of live calls over the last two seconds. Its memory is bounded whatever comes.
#[derive(Debug)]
pub(super) struct Lag {
    started: Instant,
    threads: usize,
    slots: Mutex<Vec<Slot>>,
}

impl Lag {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            started: Instant::now(),
            threads: threads.max(1),
            slots: Mutex::new(vec![Slot::default(); SLOTS]),
        }
    }

    /// A live job waited so long for its turn, and took so long.
    pub(super) fn took(&self, now: Instant, waited: Duration, worked: Duration) {
        let at = self.slot_of(now);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots[at as usize % SLOTS];
        if slot.at != at {
            *slot = Slot {
                at,
                ..Slot::default()
            };
        }
        slot.jobs += 1;
        slot.busy += worked;
        if slot.largest.len() < LARGEST {
            slot.largest.push(waited);
        } else if let Some(least) = slot.largest.iter_mut().min() {
            *least = waited.max(*least);
        }
    }

    /// The 95th percentile of how long live jobs waited, and the share of the threads' time that they took, over the last
    /// two seconds.
    pub(super) fn measured(&self, now: Instant) -> (Duration, f64) {
        let latest = self.slot_of(now);
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let counted: Vec<&Slot> = slots
            .iter()
            .filter(|slot| slot.at + SLOTS as u64 > latest && slot.jobs > 0)
            .collect();
        let jobs: usize = counted.iter().map(|slot| slot.jobs).sum();
        let busy: Duration = counted.iter().map(|slot| slot.busy).sum();
        let mut lags: Vec<Duration> = counted.iter().flat_map(|slot| &slot.largest).copied().collect();
        lags.sort_unstable_by(|a, b| b.cmp(a));
        // A twentieth of the jobs lag more. Where more lagged than are kept, the least that is kept is a lower bound.
        let lag = lags.get(jobs / 20).or(lags.last()).copied().unwrap_or_default();
        let span = SLOT.as_secs_f64() * SLOTS as f64 * self.threads as f64;
        (lag, busy.as_secs_f64() / span)
    }

    /// Whether one more than these live calls would be one too many; `oldest` is how long the oldest live job has waited.
    pub(super) fn is_at_the_knee(&self, now: Instant, calls: usize, oldest: Duration) -> bool {
        if calls < ALWAYS * self.threads {
            return false;
        }
        let (lag, busy) = self.measured(now);
        lag > KNEE || oldest > KNEE || busy > BUSY
    }

    fn slot_of(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started).as_millis();
        // The first slot is 1, so that a slot never used is of no time.
        (since / SLOT.as_millis()) as u64 + SLOTS as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_twentieth_of_the_jobs_may_lag_without_anybody_being_refused() {
        let lag = Lag::new(2);
        for job in 0..1_000 {
            let waited = if job % 25 == 0 { 100 * MS } else { 2 * MS };
            lag.took(lag.started + job * MS, waited, MS / 2);
        }
        let now = lag.started + 1_000 * MS;
        assert_eq!(lag.measured(now).0, 2 * MS);
        assert!(!lag.is_at_the_knee(now, 16, 10 * MS));
        assert!(
            lag.is_at_the_knee(now, 16, 61 * MS),
            "the oldest job tells before it is done"
        );
    }

    #[test]
    fn lag_closes_the_door_and_is_forgotten_after_two_seconds() {
        let lag = Lag::new(2);
        for job in 0..100 {
            lag.took(lag.started + job * MS, 80 * MS, MS);
        }
        assert!(lag.is_at_the_knee(lag.started + 1_000 * MS, 16, Duration::ZERO));
        assert!(
            !lag.is_at_the_knee(lag.started + 1_000 * MS, 15, Duration::ZERO),
            "a few"
        );
        assert!(!lag.is_at_the_knee(lag.started + 2_200 * MS, 16, Duration::ZERO));
    }

    #[test]
    fn threads_that_have_no_time_left_close_the_door_before_anything_lags() {
        let lag = Lag::new(2);
        for slot in 0..20 {
            for _ in 0..2 {
                lag.took(lag.started + slot * 100 * MS, Duration::ZERO, 95 * MS);
            }
        }
        let now = lag.started + 1_950 * MS;
        assert!((lag.measured(now).1 - 0.95).abs() < 1e-9);
        assert!(lag.is_at_the_knee(now, 16, Duration::ZERO));
    }
}
