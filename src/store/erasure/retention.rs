//! What goes because its time is over: in small transactions, so that nobody who writes beside waits for long.

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::erase::{Erased, erase_enrolments};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::calls::strip_evidence;
use crate::store::database::postgres::server_time;
use crate::store::database::{query, query_as, read_text_fact, write_fact};
use crate::store::keys::note_renewal;
use crate::store::tenancy::touch_numbers_of;
use crate::store::values::{read, read_time, read_u64, time_text};
use crate::store::{STORE_ERROR_KINDS, STORE_ERRORS, Store, StoreError};
use crate::units::UserId;

/// Calls, or recordings, of one transaction; users who are looked for at a time.
const PAGE: i64 = 100;

/// What the time of the last run is called among the store's facts.
pub(super) const LAST_RUN: &str = "retention_run";

/// How long what is kept is kept; `None` is for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionSchedule {
    /// Calls and everything that was said of them.
    pub calls: Option<Duration>,
    /// What the words on calls rest on with their fingerprints, and the words before the last one.
    pub evidence: Option<Duration>,
    /// Kept recordings of enrolments.
    pub audio: Option<Duration>,
    /// Voices that no call was recognised by.
    pub unused_voices: Option<Duration>,
    /// Entries of the audit log.
    pub audit: Option<Duration>,
}

/// How much went, or is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct RetentionTally {
    /// Calls that went, with their verdicts.
    pub calls: u64,
    /// Calls whose evidence it is.
    pub evidence: u64,
    /// Kept recordings that went.
    pub recordings: u64,
    /// Users whose voice it is.
    pub voices: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
}

impl RetentionTally {
    /// The counts by name.
    pub fn counts(&self) -> [(&'static str, u64); 5] {
        [
            ("calls", self.calls),
            ("evidence", self.evidence),
            ("recordings", self.recordings),
            ("voices", self.voices),
            ("audit_entries", self.audit_entries),
        ]
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a statement speaks of that is older than `$1`.
macro_rules! due {
    (calls) => {
        "FROM calls c WHERE c.started_at < $1 AND c.updated_at < $1 "
    };
    (evidence) => {
        "FROM calls c WHERE c.started_at < $1 AND c.updated_at < $1 \
         AND (EXISTS (SELECT 1 FROM verdicts v WHERE v.call_id = c.call_id) \
         OR EXISTS (SELECT 1 FROM fingerprints f WHERE f.call_id = c.call_id)) "
    };
    (recordings) => {
        "FROM recordings r JOIN clips c ON c.id = r.clip_id JOIN enrollments e ON e.id = c.enrollment_id \
         WHERE e.created_at < $1 "
    };
    (voices) => {
        "FROM users u WHERE (u.identified_on IS NULL OR u.identified_on < $1) \
         AND EXISTS (SELECT 1 FROM enrollments e WHERE e.user_id = u.id) \
         AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.user_id = u.id AND e.created_at >= $1) "
    };
    (audit) => {
        "FROM audit WHERE at < $1 "
    };
}

/// Users whose voice is due, a page in the order of their ids.
const UNUSED_AFTER: &str = concat!(
    "SELECT u.id ",
    due!(voices),
    "AND u.id > $2 ORDER BY u.id LIMIT $3"
);

impl Store {
    /// Removes what is older than `schedule` keeps it, and tells the audit log how much that was, if anything. Whatever is
    /// kept, what lost calls rest on goes too.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; what went before stays gone, and is told.
    pub async fn retain(&self, schedule: &RetentionSchedule) -> Result<RetentionTally, StoreError> {
        self.note_run().await?;
        self.remove_and_tell(schedule).await
    }

    /// What time it is: by the machine's clock, and on PostgreSQL by the server's, whichever node asks.
    pub(super) async fn schedule_time(&self) -> Result<OffsetDateTime, StoreError> {
        if self.is_shared() {
            return server_time(&mut self.read().await?).await;
        }
        Ok(self.clock.read().wall)
    }

    /// Notes what time it is, once a day.
    pub(super) async fn note_run(&self) -> Result<(), StoreError> {
        let now = self.schedule_time().await?;
        let noted = read_text_fact(&mut self.read().await?, LAST_RUN).await?;
        let noted = noted.as_deref().map(read_time).transpose()?;
        if noted.is_some_and(|noted| (now - noted).abs() < Duration::days(1)) {
            return Ok(());
        }
        let mut tx = self.write().await?;
        write_fact(&mut tx, LAST_RUN, time_text(now).as_bytes()).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn remove_and_tell(
        &self,
        schedule: &RetentionSchedule,
    ) -> Result<RetentionTally, StoreError> {
        let mut gone = RetentionTally::default();
        let done = self.remove_due(schedule, &mut gone).await;
        if !gone.is_empty() {
            self.overwrite().await;
            let run = NewAudit::new(Act::RetentionRun).detail(json!(gone));
            let outcome = if done.is_ok() { "done" } else { "failed" };
            self.audit(&[run.outcome(outcome)]).await?;
        }
        done.map(|()| gone)
    }

    /// How much is older than `schedule` keeps it.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn due(&self, schedule: &RetentionSchedule) -> Result<RetentionTally, StoreError> {
        let RetentionSchedule {
            calls,
            evidence,
            audio,
            unused_voices,
            audit,
        } = *schedule;
        Ok(RetentionTally {
            calls: self
                .count(calls, concat!("SELECT COUNT(*) ", due!(calls)))
                .await?,
            evidence: self
                .count(evidence, concat!("SELECT COUNT(*) ", due!(evidence)))
                .await?,
            recordings: self
                .count(audio, concat!("SELECT COUNT(*) ", due!(recordings)))
                .await?,
            voices: self
                .count(
                    unused_voices.map(unused_since),
                    concat!("SELECT COUNT(*) ", due!(voices)),
                )
                .await?,
            audit_entries: self
                .count(audit, concat!("SELECT COUNT(*) ", due!(audit)))
                .await?,
        })
    }

    async fn count(&self, kept: Option<Duration>, statement: &'static str) -> Result<u64, StoreError> {
        let Some(kept) = kept else { return Ok(0) };
        let before = self.schedule_time().await? - kept;
        let (count,): (i64,) = query_as(statement)
            .bind(time_text(before))
            .fetch_one(self.pool())
            .await?;
        read_u64(count, "count")
    }

    async fn remove_due(
        &self,
        schedule: &RetentionSchedule,
        gone: &mut RetentionTally,
    ) -> Result<(), StoreError> {
        let now = self.schedule_time().await?;
        // What fails of one kind keeps nothing of the others.
        let mut done = self.finish_past_erasures().await;
        done = first_of(done, self.forget_lost_calls().await.map(drop));
        if let Some(kept) = schedule.calls {
            done = first_of(done, all(&mut gone.calls, || self.remove_calls(now - kept)).await);
        }
        if let Some(kept) = schedule.evidence {
            done = first_of(
                done,
                all(&mut gone.evidence, || self.remove_evidence(now - kept)).await,
            );
        }
        if let Some(kept) = schedule.audio {
            done = first_of(
                done,
                all(&mut gone.recordings, || self.remove_recordings(now - kept)).await,
            );
        }
        if let Some(kept) = schedule.unused_voices {
            let before = time_text(now - unused_since(kept));
            done = first_of(done, self.remove_unused_voices(&before, &mut gone.voices).await);
        }
        if let Some(kept) = schedule.audit {
            done = first_of(
                done,
                all(&mut gone.audit_entries, || self.cut_audit(now - kept)).await,
            );
        }
        done
    }

    async fn remove_calls(&self, before: OffsetDateTime) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let gone = query(concat!(
            "DELETE FROM calls WHERE call_id IN (SELECT c.call_id ",
            due!(calls),
            "LIMIT $2)"
        ))
        .bind(time_text(before))
        .bind(PAGE)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(gone)
    }

    async fn remove_evidence(&self, before: OffsetDateTime) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let calls: Vec<(String,)> = query_as(concat!("SELECT c.call_id ", due!(evidence), "LIMIT $2"))
            .bind(time_text(before))
            .bind(PAGE)
            .fetch_all(&mut tx)
            .await?;
        let mut damaged = Vec::new();
        for (call,) in &calls {
            if !strip_evidence(&mut tx, call).await? {
                damaged.push(call);
            }
        }
        tx.commit().await?;
        for call in damaged {
            let [_, _, kind, _] = STORE_ERROR_KINDS;
            metrics::counter!(STORE_ERRORS, "kind" => kind).increment(1);
            tracing::warn!(
                call,
                "the last word on a call could not be read, and went with its evidence"
            );
        }
        Ok(calls.len() as u64)
    }

    /// Erases the voices of users whom no call was recognised by since before `before`, and counts them. Each user is looked at
    /// once, beside whoever writes, and those who are due again in a transaction of their own.
    async fn remove_unused_voices(&self, before: &str, count: &mut u64) -> Result<(), StoreError> {
        let mut seen = String::new();
        loop {
            let page: Vec<(String,)> = query_as(UNUSED_AFTER)
                .bind(before)
                .bind(&seen)
                .bind(PAGE)
                .fetch_all(self.pool())
                .await?;
            let Some((last,)) = page.last() else {
                return Ok(());
            };
            seen.clone_from(last);
            let (mut users, mut recordings, mut done) = (Vec::new(), Vec::new(), Ok(()));
            for (user,) in &page {
                let user = read(user, "user id")?;
                match self.remove_unused_voice(user, before).await {
                    Ok(None) => {}
                    Ok(Some(erased)) => {
                        users.push(user);
                        recordings.extend(erased.recordings);
                    }
                    Err(fault) => {
                        done = Err(fault);
                        break;
                    }
                }
            }
            *count += users.len() as u64;
            self.follow_up(&users, recordings).await;
            done?;
        }
    }

    /// Erases the voice of a user, if it is due still.
    async fn remove_unused_voice(&self, user: UserId, before: &str) -> Result<Option<Erased>, StoreError> {
        let mut tx = self.write().await?;
        let unused: Option<(bool,)> = query_as(concat!("SELECT TRUE ", due!(voices), "AND u.id = $2"))
            .bind(before)
            .bind(user.to_string())
            .fetch_optional(&mut tx)
            .await?;
        if unused.is_none() {
            return Ok(None);
        }
        let erased = erase_enrolments(&mut tx, user, None).await?;
        touch_numbers_of(&mut tx, user).await?;
        let told = NewAudit::new(Act::EnrolmentErase).on(user).outcome("unused");
        append(&mut tx, &erased.told(told)).await?;
        note_renewal(&mut tx, user).await?;
        tx.commit().await?;
        Ok(Some(erased))
    }

    async fn remove_recordings(&self, before: OffsetDateTime) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let clips: Vec<(String,)> = query_as(concat!(
            "DELETE FROM recordings WHERE clip_id IN (SELECT r.clip_id ",
            due!(recordings),
            "LIMIT $2) RETURNING clip_id"
        ))
        .bind(time_text(before))
        .bind(PAGE)
        .fetch_all(&mut tx)
        .await?;
        tx.commit().await?;
        let gone = clips.len() as u64;
        self.unlink(clips.into_iter().map(|(clip,)| clip).collect())
            .await?;
        Ok(gone)
    }
}

/// Days of recognition are kept by their beginning: a voice counts as used until the end of its day.
fn unused_since(kept: Duration) -> Duration {
    kept + Duration::days(1)
}

/// The first fault is what is given back: any other is told here.
fn first_of(done: Result<(), StoreError>, next: Result<(), StoreError>) -> Result<(), StoreError> {
    if let (Err(_), Err(fault)) = (&done, &next) {
        tracing::error!(%fault, "what is older than it is kept is still there: {fault}");
    }
    done.and(next)
}

/// Removes and counts page after page until there is no more.
async fn all<F>(count: &mut u64, page: impl Fn() -> F) -> Result<(), StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    loop {
        let gone = page().await?;
        if gone == 0 {
            return Ok(());
        }
        *count += gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unused_voices_are_looked_for_behind_those_that_were_looked_at() {
        let (_folder, store) = Store::in_a_folder().await;
        let plan = store.plan_of(UNUSED_AFTER).await;
        assert!(plan.contains("(id>?)"), "{plan}");
    }
}
