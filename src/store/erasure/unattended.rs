//! The schedule as a service keeps it, which nobody watches: a clock that jumped ahead removes nothing. What it would
//! remove is gone for good, and a wrong clock is put right in a minute.

use time::{Duration, OffsetDateTime};

use super::retention::{LAST_RUN, RetentionSchedule, RetentionTally};
use crate::store::database::{query_as, read_text_fact};
use crate::store::values::read_time;
use crate::store::{Store, StoreError};

/// How far the clock may go on from one run to the next: a service that stood still for longer is as rare as a clock
/// that is wrong by more.
const FURTHEST: Duration = Duration::days(30);

impl Store {
    /// As [`Store::retain`], unless the machine's clock is in doubt ([`Store::clock_in_doubt`]): then nothing is removed but
    /// what lost calls rest on, and it is `None`.
    ///
    /// # Errors
    /// As [`Store::retain`].
    pub async fn retain_unattended(
        &self,
        schedule: &RetentionSchedule,
    ) -> Result<Option<RetentionTally>, StoreError> {
        if self.clock_in_doubt().await?.is_some() {
            self.remove_and_tell(&RetentionSchedule::default()).await?;
            return Ok(None);
        }
        self.retain(schedule).await.map(Some)
    }

    /// When time was last known, if the machine's clock has gone on by more than 30 days since: at the last run of the
    /// schedule, or where there was none, at what was last written of calls and in the audit log.
    /// [`Store::retain`] takes the clock for right.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn clock_in_doubt(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let mut tx = self.read().await?;
        let mut last = read_text_fact(&mut tx, LAST_RUN).await?;
        if last.is_none() {
            let newest = "SELECT MAX(at) FROM (SELECT MAX(at) AS at FROM audit \
                          UNION ALL SELECT MAX(updated_at) AS at FROM calls) AS newest";
            (last,) = query_as(newest).fetch_one(&mut tx).await?;
        }
        let last = last.as_deref().map(read_time).transpose()?;
        let now = self.clock.read().wall;
        Ok(last.filter(|last| now - *last > FURTHEST))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::store::audit::{Act, NewAudit};
    use crate::store::database::clock::{Clock, Readings};
    use crate::store::values::now;

    #[tokio::test]
    async fn a_clock_that_jumped_ahead_removes_nothing_until_told_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
        let ahead = Arc::new(Mutex::new(Duration::ZERO));
        let read = Arc::clone(&ahead);
        store.clock = Clock::reading(move || Readings {
            wall: now() + *read.lock().unwrap(),
            since_boot: None,
        });
        let set = |days: i64| *ahead.lock().unwrap() = Duration::days(days);
        store.audit(&[NewAudit::new(Act::Identify)]).await.unwrap();
        let schedule = RetentionSchedule {
            audit: Some(Duration::days(1095)),
            ..RetentionSchedule::default()
        };
        // Whether anything was kept before or not.
        for _ in 0..2 {
            set(3650);
            assert!(store.clock_in_doubt().await.unwrap().is_some());
            assert_eq!(store.retain_unattended(&schedule).await.unwrap(), None);
            assert!(store.due(&schedule).await.unwrap().audit_entries > 0);
            set(0);
            let nothing = RetentionTally::default();
            assert_eq!(store.retain_unattended(&schedule).await.unwrap(), Some(nothing));
        }
        // A month at a time is how clocks go.
        set(29);
        assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
        set(3650);
        assert_eq!(store.retain_unattended(&schedule).await.unwrap(), None);
        // By hand the clock is taken for right. (Entries of the log have the machine's own time.)
        let no_schedule = RetentionSchedule::default();
        store.retain(&no_schedule).await.unwrap();
        let gone = store.retain_unattended(&no_schedule).await.unwrap();
        assert!(gone.is_some());
    }
}
