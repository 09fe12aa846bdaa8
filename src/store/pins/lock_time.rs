//! The time by which lockouts are counted. It goes on evenly, however the machine's clock is set: a clock that jumps
//! frees nobody early and keeps nobody longer.
//!
//! On SQLite it is the time since the machine started (CLOCK_BOOTTIME, `clock_gettime(2)`) from a beginning that the
//! store keeps, which all processes of the machine share. After a restart of the machine it goes on from the machine's
//! clock, and never before the last wrong PIN. On PostgreSQL it is the server's clock: the nodes' own do not matter.

use time::OffsetDateTime;

use crate::store::database::postgres::server_time;
use crate::store::database::{Readings, Tx, query_as, read_text_fact, write_fact};
use crate::store::values::{read_time, whole_micros};
use crate::store::{Store, StoreError};

/// What the beginning is called among the store's facts.
const FACT: &str = "lock_clock";

/// Where the time since a start of the machine counts from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Beginning {
    boot: String,
    at: OffsetDateTime,
}

impl Beginning {
    fn read(text: &str) -> Option<Self> {
        let (boot, micros) = text.split_once(' ')?;
        let nanos = micros.parse::<i128>().ok()?.checked_mul(1_000)?;
        Some(Self {
            boot: boot.to_owned(),
            at: OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?,
        })
    }

    fn text(&self) -> String {
        format!("{} {}", self.boot, self.at.unix_timestamp_nanos() / 1_000)
    }
}

/// The time by these readings, and the beginning that is new. `latest` is the last time that anything was counted.
fn even_time(
    readings: &Readings,
    known: Option<Beginning>,
    latest: Option<OffsetDateTime>,
) -> (OffsetDateTime, Option<Beginning>) {
    let Some((boot, since)) = &readings.since_boot else {
        return (readings.wall, None);
    };
    if let Some(known) = known.filter(|known| known.boot == *boot) {
        return (whole_micros(known.at + *since), None);
    }
    let start = latest.map_or(readings.wall, |latest| latest.max(readings.wall));
    let beginning = Beginning {
        boot: boot.clone(),
        at: whole_micros(start - *since),
    };
    (whole_micros(start), Some(beginning))
}

impl Store {
    /// The time by which lockouts are counted; notes where it begins in a transaction that `writes`.
    pub(super) async fn lock_time(&self, tx: &mut Tx, writes: bool) -> Result<OffsetDateTime, StoreError> {
        if self.is_shared() {
            return server_time(tx).await;
        }
        let readings = self.clock.read();
        let known = read_text_fact(tx, FACT).await?;
        let known = known.as_deref().and_then(Beginning::read);
        let boot = readings.since_boot.as_ref().map(|(boot, _)| boot);
        let latest = if known.as_ref().map(|known| &known.boot) == boot {
            None
        } else {
            let latest = query_as("SELECT MAX(since) FROM pin_locks").fetch_one(&mut *tx);
            let (latest,): (Option<String>,) = latest.await?;
            latest.as_deref().map(read_time).transpose()?
        };
        let (time, new) = even_time(&readings, known, latest);
        if let Some(new) = new.filter(|_| writes) {
            write_fact(tx, FACT, new.text().as_bytes()).await?;
        }
        Ok(time)
    }

    /// A time of lockouts as people's clocks show it.
    pub(super) fn on_the_wall(&self, at: OffsetDateTime, lock_time: OffsetDateTime) -> OffsetDateTime {
        self.clock.read().wall + (at - lock_time)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const BEGAN: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn readings(wall_minutes: i64, boot: &str, minutes: i64) -> Readings {
        Readings {
            wall: BEGAN + Duration::minutes(wall_minutes),
            since_boot: Some((boot.to_owned(), Duration::minutes(minutes))),
        }
    }

    #[test]
    fn time_goes_on_evenly_however_the_clock_is_set() {
        let (first, beginning) = even_time(&readings(1_000, "a", 5), None, None);
        assert_eq!(first, BEGAN + Duration::minutes(1_000));
        let known = Beginning::read(&beginning.unwrap().text());
        for (wall, since) in [(1_001, 6), (99_999, 7), (0, 8), (1_004, 9)] {
            let (time, new) = even_time(&readings(wall, "a", since), known.clone(), None);
            assert_eq!(
                (time - first, new),
                (Duration::minutes(since - 5), None),
                "{wall}"
            );
        }
    }

    #[test]
    fn after_a_restart_of_the_machine_no_time_is_before_what_was_counted() {
        let (_, beginning) = even_time(&readings(1_000, "a", 5), None, None);
        let latest = BEGAN + Duration::minutes(1_010);
        for (wall, expected) in [(1_020, 1_020), (3, 1_010)] {
            let (time, new) = even_time(&readings(wall, "b", 0), beginning.clone(), Some(latest));
            assert_eq!(time, BEGAN + Duration::minutes(expected));
            assert!(new.is_some_and(|new| new.boot == "b"));
        }
    }
}
