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

/// Lags are counted up to these bounds (milliseconds), those beyond the last with it. [`KNEE`] is one of them, so that it is
/// known exactly how many jobs waited longer.
const BOUNDS: [u64; 32] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600,
    800, 1_000, 1_500, 2_000, 3_000, 5_000,
];

/// What was measured of one tenth of a second.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which one since the start; a slot of an older round counts for nothing.
    at: u64,
    /// How many jobs waited up to each of the bounds, and longer than the one before it.
    waited: [u32; BOUNDS.len()],
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
        slot.busy += worked;
        let bound = BOUNDS.partition_point(|bound| Duration::from_millis(*bound) < waited);
        slot.waited[bound.min(BOUNDS.len() - 1)] += 1;
    }

    /// The 95th percentile of how long live jobs waited, up to the next of the bounds, and the share of the threads' time
    /// that they took, over the last two seconds.
    pub(super) fn measured(&self, now: Instant) -> (Duration, f64) {
        let latest = self.slot_of(now);
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut waited, mut busy) = ([0u32; BOUNDS.len()], Duration::ZERO);
        for slot in slots.iter().filter(|slot| slot.at + SLOTS as u64 > latest) {
            busy += slot.busy;
            for (all, of_slot) in waited.iter_mut().zip(&slot.waited) {
                *all += of_slot;
            }
        }
        let span = SLOT.as_secs_f64() * SLOTS as f64 * self.threads as f64;
        (percentile_95(&waited), busy.as_secs_f64() / span)
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

/// The least bound that at most a twentieth of the jobs exceed; of no jobs nought.
fn percentile_95(waited: &[u32]) -> Duration {
    let jobs: u32 = waited.iter().sum();
    let mut longer = 0u32;
    for (bound, jobs_here) in BOUNDS.iter().zip(waited).rev() {
        longer += jobs_here;
        if longer > jobs / 20 {
            return Duration::from_millis(*bound);
        }
    }
    Duration::ZERO
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
    fn a_burst_of_late_jobs_closes_the_door_as_evenly_spread_ones_do() {
        assert!(BOUNDS.map(Duration::from_millis).contains(&KNEE));
        for (late_slots, is_late) in [(4, true), (1, false)] {
            let lag = Lag::new(8);
            for slot in 0..20 {
                let waited = if slot < late_slots { 200 * MS } else { 2 * MS };
                for _ in 0..80 {
                    lag.took(lag.started + slot * 100 * MS, waited, MS);
                }
            }
            let now = lag.started + 1_950 * MS;
            assert_eq!(lag.measured(now).0 > KNEE, is_late, "{late_slots} late slots");
            assert_eq!(lag.is_at_the_knee(now, 64, Duration::ZERO), is_late);
        }
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
