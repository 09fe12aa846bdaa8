//! The clock of PostgreSQL's server, as it is seen from this machine: the one that all nodes of a deployment share.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{Duration, OffsetDateTime};

/// How far the server's clock is ahead of this machine's, in microseconds, as far as it was seen.
#[derive(Default)]
pub(in crate::store) struct ServerClock(AtomicI64);

impl ServerClock {
    /// Takes what the server's clock showed (microseconds since 1970) at some moment between `asked` and `answered`. What was
    /// known stays as long as it can be so: one node's times do not go back for a slow answer.
    pub fn note(&self, asked: OffsetDateTime, shown: i64, answered: OffsetDateTime) {
        let (Some(asked), Some(answered)) = (micros(asked), micros(answered)) else {
            return;
        };
        let (least, most) = (shown.saturating_sub(answered), shown.saturating_sub(asked));
        // This machine's clock may have been set back meanwhile.
        if least <= most {
            let known = self.0.load(Ordering::Relaxed);
            self.0.store(known.clamp(least, most), Ordering::Relaxed);
        }
    }

    /// What the server's clock shows when this machine's shows `here`.
    pub fn at(&self, here: OffsetDateTime) -> OffsetDateTime {
        let ahead = Duration::microseconds(self.0.load(Ordering::Relaxed));
        here.checked_add(ahead).unwrap_or(here)
    }
}

fn micros(at: OffsetDateTime) -> Option<i64> {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn after(milliseconds: i64) -> OffsetDateTime {
        HERE + Duration::milliseconds(milliseconds)
    }

    #[test]
    fn the_servers_time_is_told_whatever_this_machines_clock_shows() {
        for ahead in [0, 12_000, -31_000, 86_400_000] {
            let clock = ServerClock::default();
            // Twenty milliseconds there and twenty back.
            for asked in [0, 1_000] {
                clock.note(after(asked), 1_000 * (asked + 20 + ahead), after(asked + 40));
            }
            let off = clock.at(after(5_000)) - after(5_000 + ahead);
            assert!(off.abs() <= Duration::milliseconds(20), "{off}");
        }
    }

    #[test]
    fn a_slow_answer_moves_no_time() {
        let clock = ServerClock::default();
        clock.note(after(0), 12_000_000, after(2));
        let before = clock.at(after(5_000));
        for (there, back) in [(0, 900), (900, 2), (900, 900)] {
            let asked = 3_000;
            clock.note(
                after(asked),
                1_000 * (asked + there + 11_999),
                after(asked + there + back),
            );
        }
        assert_eq!(clock.at(after(5_000)), before);
        // Set back while the answer was on its way.
        clock.note(after(100), 0, after(0));
        assert_eq!(clock.at(after(5_000)), before);
    }
}
