//! The schedule as a service keeps it, which nobody watches: a clock that jumped ahead removes nothing. What it would
//! remove is gone for good, and a wrong clock is put right in a minute. One that is behind removes less than is due, and what
//! time it shows is not noted: once it is right it would have jumped ahead. One that was ahead and was set right shows the same;
//! the order in which the audit log was written tells the two apart.

use time::{Duration, OffsetDateTime};

use super::retention::{LAST_RUN, RetentionSchedule, RetentionTally};
use crate::store::database::{Tx, query_as, read_text_fact, write_fact};
use crate::store::values::{read_time, time_text};
use crate::store::{Store, StoreError};

/// How far the clock may go on from one run to the next: a service that stood still for longer is as rare as a clock
/// that is wrong by more.
const FURTHEST: Duration = Duration::days(30);

/// How far the clock may be behind what is known.
const NEAR: Duration = Duration::days(1);

/// By how much what is written goes on at once only where the clock was set ahead.
const LEAP: Duration = Duration::days(7);

/// A time before which no clock is right, from the Unix epoch on: the first of January 2026.
const EARLIEST: Duration = Duration::days(20_454);

impl Store {
    /// As [`Store::retain`], unless the machine's clock is in doubt ([`Store::clock_in_doubt`]): then nothing is removed but
    /// what lost calls rest on, and it is `None`. A clock that is behind what is known is told of.
    ///
    /// # Errors
    /// As [`Store::retain`].
    pub async fn retain_unattended(
        &self,
        schedule: &RetentionSchedule,
    ) -> Result<Option<RetentionTally>, StoreError> {
        if let Some(last) = self.clock_in_doubt().await? {
            self.note_last_known(last).await?;
            self.remove_and_tell(&RetentionSchedule::default()).await?;
            return Ok(None);
        }
        match self.clock_behind().await? {
            None => self.note_run().await?,
            Some(known) => tracing::warn!(
                "the machine's clock is before {known}, which was the time already: it is behind, or was ahead then. Set it right, \
                 or where it is right run `voxline retention run`; until then less than is due is removed"
            ),
        }
        self.remove_and_tell(schedule).await.map(Some)
    }

    /// The latest time that is known, if the clock is behind it by more than a day: that of the last run of the schedule, or
    /// where there was none, of what was written since. `None` where the clock was ahead then.
    async fn clock_behind(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let now = self.schedule_time().await?;
        let mut tx = self.read().await?;
        let known = match read_text_fact(&mut tx, LAST_RUN).await? {
            Some(last) => Some(read_time(&last)?),
            None => {
                let [_, newer] = written_around(&mut tx, now + NEAR).await?;
                newer
            }
        };
        let earliest = OffsetDateTime::UNIX_EPOCH + EARLIEST;
        let known = known.map_or(earliest, |known| known.max(earliest));
        let is_behind = known - now > NEAR && (earliest - now > NEAR || !was_ahead(&mut tx, now).await?);
        Ok(is_behind.then_some(known))
    }

    /// When time was last known, if the machine's clock has gone on by more than 30 days since: at the last run of the
    /// schedule, or where there was none, at what was last written of calls and in the audit log before these 30 days. What
    /// was written in them may be of the clock in doubt: it is believed where it begins within 30 days of what is older.
    /// [`Store::retain`] takes the clock for right.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn clock_in_doubt(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let now = self.schedule_time().await?;
        let mut tx = self.read().await?;
        if let Some(last) = read_text_fact(&mut tx, LAST_RUN).await? {
            let last = read_time(&last)?;
            return Ok((now - last > FURTHEST).then_some(last));
        }
        let [older, newer] = written_around(&mut tx, now - FURTHEST).await?;
        let follows = |older: OffsetDateTime| newer.is_some_and(|newer| newer - older <= FURTHEST);
        Ok(older.filter(|older| !follows(*older)))
    }

    /// Notes when time was last known where no run did: what is written by a clock in doubt is itself a month old one day.
    async fn note_last_known(&self, last: OffsetDateTime) -> Result<(), StoreError> {
        if read_text_fact(&mut self.read().await?, LAST_RUN).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        write_fact(&mut tx, LAST_RUN, time_text(last).as_bytes()).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether the audit log tells that the clock was ahead and is right `now`: the first entry of a time to come leaps ahead of the one
/// before it, and what was written since is of now. Where the clock is behind, the times to come were reached day by day.
async fn was_ahead(tx: &mut Tx, now: OffsetDateTime) -> Result<bool, StoreError> {
    let to_come: Option<(i64, String)> =
        query_as("SELECT seq, at FROM audit WHERE at > $1 ORDER BY seq LIMIT 1")
            .bind(time_text(now + NEAR))
            .fetch_optional(&mut *tx)
            .await?;
    if let Some((seq, at)) = &to_come {
        let before: Option<(String,)> =
            query_as("SELECT at FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT 1")
                .bind(*seq)
                .fetch_optional(&mut *tx)
                .await?;
        let Some((before,)) = before else {
            return Ok(false);
        };
        if read_time(at)? - read_time(&before)? < LEAP {
            return Ok(false);
        }
    }
    let (goes_on,): (bool,) =
        query_as("SELECT EXISTS (SELECT 1 FROM audit WHERE seq > $1 AND at >= $2 AND at <= $3)")
            .bind(to_come.map_or(0, |(seq, _)| seq))
            .bind(time_text(now - NEAR))
            .bind(time_text(now + NEAR))
            .fetch_one(tx)
            .await?;
    Ok(goes_on)
}

/// When calls and the audit log were written last up to `at`, and first after it.
async fn written_around(tx: &mut Tx, at: OffsetDateTime) -> Result<[Option<OffsetDateTime>; 2], StoreError> {
    let (older, newer): (Option<String>, Option<String>) = query_as(
        "SELECT (SELECT MAX(at) FROM (SELECT MAX(at) AS at FROM audit WHERE at <= $1 \
         UNION ALL SELECT MAX(updated_at) AS at FROM calls WHERE updated_at <= $1) AS older), \
         (SELECT MIN(at) FROM (SELECT MIN(at) AS at FROM audit WHERE at > $1 \
         UNION ALL SELECT MIN(updated_at) AS at FROM calls WHERE updated_at > $1) AS newer)",
    )
    .bind(time_text(at))
    .fetch_one(tx)
    .await?;
    let read = |at: Option<String>| at.as_deref().map(read_time).transpose();
    Ok([read(older)?, read(newer)?])
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::store::audit::{Act, NewAudit};
    use crate::store::database::clock::{Clock, Readings};
    use crate::store::database::query;
    use crate::store::values::now;

    /// Gives the store a clock that can be set, so many days ahead.
    fn set_by_hand(store: &mut Store) -> impl Fn(i64) + use<> {
        let ahead = Arc::new(Mutex::new(Duration::ZERO));
        let read = Arc::clone(&ahead);
        store.clock = Clock::reading(move || Readings {
            wall: now() + *read.lock().unwrap(),
            since_boot: None,
        });
        move |days| *ahead.lock().unwrap() = Duration::days(days)
    }

    #[tokio::test]
    async fn a_clock_that_was_behind_stops_no_schedule() {
        let schedule = RetentionSchedule::default();
        for (days, was_noted) in [(-20_000, false), (-20_000, true), (-60, false), (-60, true)] {
            let (_folder, mut store) = Store::in_a_folder().await;
            let set = set_by_hand(&mut store);
            store.audit(&[NewAudit::new(Act::Identify)]).await.unwrap();
            if was_noted {
                assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            }
            // Over and over, as at each start of a machine without a clock of its own, or by another node.
            for _ in 0..2 {
                set(days);
                assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
                set(0);
                assert_eq!(store.clock_in_doubt().await.unwrap(), None, "{days} {was_noted}");
                assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            }
            // A clock that goes on by too much is found as before.
            set(31);
            assert_eq!(store.retain_unattended(&schedule).await.unwrap(), None);
        }
        // Nor one that was behind when nothing was written yet.
        let (_folder, mut store) = Store::in_a_folder().await;
        let set = set_by_hand(&mut store);
        for days in [-20_000, 0] {
            set(days);
            assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
        }
    }

    /// Adds entries to the audit log, of so many days from now each.
    async fn entries_at(store: &Store, days: impl IntoIterator<Item = i64>) {
        let mut tx = store.write().await.unwrap();
        for day in days {
            let entry = query(
                "INSERT INTO audit (seq, at, actor, act, outcome, hash) \
                 VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM audit), $1, 'system', 'identify', 'done', $2)",
            );
            let entry = entry
                .bind(time_text(now() + Duration::days(day)))
                .bind(vec![0_u8]);
            entry.execute(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_was_ahead_is_not_called_behind_once_it_is_right() {
        let schedule = RetentionSchedule::default();
        for (ahead, was_noted) in [(Some(20), true), (Some(20), false), (None, true)] {
            let (_folder, mut store) = Store::in_a_folder().await;
            let set = set_by_hand(&mut store);
            entries_at(&store, -40..0).await;
            if was_noted {
                set(20);
                assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            }
            entries_at(&store, ahead).await;
            set(0);
            assert!(
                store.clock_behind().await.unwrap().is_some(),
                "nothing was written since"
            );
            entries_at(&store, [0]).await;
            assert_eq!(store.clock_behind().await.unwrap(), None, "{ahead:?} {was_noted}");
            assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            // What time it is was noted.
            set(29);
            assert_eq!(store.clock_in_doubt().await.unwrap(), None);
            set(31);
            assert!(store.clock_in_doubt().await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn a_service_that_goes_on_with_a_clock_that_is_behind_is_told_of_it() {
        let schedule = RetentionSchedule::default();
        // Of a store that is older than the clock shows, or younger.
        for begun in [-90, -30] {
            let (_folder, mut store) = Store::in_a_folder().await;
            let set = set_by_hand(&mut store);
            entries_at(&store, begun..=0).await;
            assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            set(-60);
            entries_at(&store, [-60, -60]).await;
            assert!(store.clock_behind().await.unwrap().is_some(), "{begun}");
            assert!(store.retain_unattended(&schedule).await.unwrap().is_some());
            set(0);
            assert_eq!(store.clock_in_doubt().await.unwrap(), None, "{begun}");
        }
    }

    #[tokio::test]
    async fn a_clock_that_jumped_ahead_removes_nothing_until_told_by_hand() {
        let (_folder, mut store) = Store::in_a_folder().await;
        let set = set_by_hand(&mut store);
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
    /// Records a call that was last written at `at`.
    async fn a_call_at(store: &Store, at: OffsetDateTime) {
        let mut tx = store.write().await.unwrap();
        let call = query(
            "INSERT INTO calls (call_id, number, started_at, updated_at, version, final, verdict) \
             VALUES ('c', '+12025550101', $1, $1, 1, $2, $3)",
        );
        let call = call.bind(time_text(at)).bind(true).bind("");
        call.execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_clock_in_doubt_had_written_does_not_speak_for_it() {
        let (_folder, mut store) = Store::in_a_folder().await;
        let schedule = RetentionSchedule {
            calls: Some(Duration::days(90)),
            ..RetentionSchedule::default()
        };
        // As an earlier release left it, ten years before what this machine's clock says.
        let long_ago = now() - Duration::days(3650);
        a_call_at(&store, long_ago).await;
        // Whatever comes before the service, a key that is made or a log that is shown.
        store.audit(&[NewAudit::new(Act::Identify)]).await.unwrap();
        assert_eq!(store.clock_in_doubt().await.unwrap(), Some(long_ago));
        assert_eq!(store.retain_unattended(&schedule).await.unwrap(), None);
        // Nor after a month and more in which the service went on with it.
        let mut tx = store.write().await.unwrap();
        let goes_on = query("UPDATE calls SET updated_at = $1").bind(time_text(now() + Duration::days(5)));
        goes_on.execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        store.clock = Clock::reading(|| Readings {
            wall: now() + Duration::days(31),
            since_boot: None,
        });
        assert_eq!(store.retain_unattended(&schedule).await.unwrap(), None);
        store.retain(&RetentionSchedule::default()).await.unwrap();
        assert_eq!(store.clock_in_doubt().await.unwrap(), None, "told by hand");
    }

    #[tokio::test]
    async fn a_store_of_an_earlier_release_that_was_in_use_is_tidied() {
        let (_folder, mut store) = Store::in_a_folder().await;
        store.audit(&[NewAudit::new(Act::Identify)]).await.unwrap();
        a_call_at(&store, now() + Duration::days(20)).await;
        store.clock = Clock::reading(|| Readings {
            wall: now() + Duration::days(40),
            since_boot: None,
        });
        let kept = RetentionSchedule::default();
        assert!(store.retain_unattended(&kept).await.unwrap().is_some());
    }
}
