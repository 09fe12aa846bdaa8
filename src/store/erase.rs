//! Erasing voices, so that neither the tables nor the file's bytes hold them any more.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::StoreError;
use super::audit::{Act, NewAudit, append};
use super::consents::erase_unused;
use super::erased::{ErasedId, note};
use super::fingerprints::erase_unconsented;
use super::numbers::touch_numbers_of;
use super::open::Store;
use super::redaction::redact_calls;
use super::relays::erase_relays;
use super::retention::due;
use super::shredding::condemn_user;
use super::sql::{Pool, Tx, query, query_as};
use super::users::require_user;
use super::values::{now, read};
use crate::units::{EnrollmentId, UserId};

/// What was erased, for the person who asked for it, signed: [`Receipt::verify`] says whether it is as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Whose voice it was.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// How many voiceprints were erased.
    pub voiceprints_erased: u64,
    /// How many enrolments were erased.
    pub enrollments_erased: u64,
    /// How many kept recordings were erased.
    pub recordings_erased: u64,
    /// In how many calls the verdict said something of this user and does no longer: outcome and time
    /// stay, id, name and scores are gone. 0 where the user stays and only enrolments were erased.
    pub calls_redacted: u64,
    /// When the user was erased.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// Whether the bytes are gone from the store's files too. `false` when another process was reading
    /// all the while: they go with the next erasure, or when the store is next opened. Always `false` on
    /// PostgreSQL, whose files are its own administrators' to look after.
    pub overwritten: bool,
    /// The Ed25519 key it is signed with, in hexadecimal digits; null where it could not be signed.
    pub key: Option<String>,
    /// The signature over the other fields, in base64.
    pub signature: Option<String>,
}

impl Store {
    /// Removes a user from every number, destroys their key, and erases voiceprints, enrolments, phones, PIN and invites, and their
    /// id, name and scores in the verdicts of calls. Of the consents the sums and times stay, as proof
    /// that they were given.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`]; [`StoreError::Unreadable`] when a verdict that names the user is
    /// damaged, and then nothing is erased.
    pub async fn remove_user(&self, user: UserId) -> Result<Receipt, StoreError> {
        let mut tx = self.write().await?;
        require_user(&mut tx, user).await?;
        touch_numbers_of(&mut tx, user).await?;
        let mut erased = erase_enrolments(&mut tx, user, None).await?;
        let redacted = redact_calls(&mut tx, user).await?;
        erase_relays(&mut tx, user, &redacted.calls).await?;
        erased.calls = redacted.changed;
        for statement in [
            "DELETE FROM invites WHERE user_id = $1",
            "DELETE FROM phones WHERE user_id = $1",
            "DELETE FROM memberships WHERE user_id = $1",
            "DELETE FROM pin_locks WHERE scope = 'user' AND subject = $1",
            "DELETE FROM users WHERE id = $1",
        ] {
            query(statement).bind(user.to_string()).execute(&mut tx).await?;
        }
        append(&mut tx, &erased.told(NewAudit::new(Act::UserErase).on(user))).await?;
        note(&mut tx, ErasedId::User(user)).await?;
        condemn_user(&mut tx, user).await?;
        tx.commit().await?;
        self.receipt(user, erased).await
    }

    /// Erases one enrolment of a user.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], [`StoreError::UnknownEnrollment`].
    pub async fn remove_enrollment(
        &self,
        user: UserId,
        enrollment: EnrollmentId,
    ) -> Result<Receipt, StoreError> {
        let mut tx = self.write().await?;
        require_user(&mut tx, user).await?;
        let erased = erase_enrolments(&mut tx, user, Some(enrollment)).await?;
        if erased.enrollments == 0 {
            return Err(StoreError::UnknownEnrollment { user, enrollment });
        }
        touch_numbers_of(&mut tx, user).await?;
        let told = NewAudit::new(Act::EnrolmentErase).on(user).object(enrollment);
        append(&mut tx, &erased.told(told)).await?;
        tx.commit().await?;
        self.renew_after_erasure(user).await;
        self.receipt(user, erased).await
    }

    /// Erases all enrolments of a user, who stays on their numbers.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn remove_enrollments(&self, user: UserId) -> Result<Receipt, StoreError> {
        let mut tx = self.write().await?;
        require_user(&mut tx, user).await?;
        let erased = erase_enrolments(&mut tx, user, None).await?;
        if erased.enrollments > 0 {
            touch_numbers_of(&mut tx, user).await?;
        }
        append(&mut tx, &erased.told(NewAudit::new(Act::EnrolmentErase).on(user))).await?;
        tx.commit().await?;
        self.renew_after_erasure(user).await;
        self.receipt(user, erased).await
    }

    /// Erases the voice of a user whom no call was recognised by since before `before`, if there is one; says of how many.
    pub(super) async fn remove_unused_voice(&self, before: &str) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let unused: Option<(String,)> = query_as(concat!("SELECT u.id ", due!(voices), "LIMIT 1"))
            .bind(before)
            .fetch_optional(&mut tx)
            .await?;
        let Some((user,)) = unused else {
            return Ok(0);
        };
        let user = read(&user, "user id")?;
        let erased = erase_enrolments(&mut tx, user, None).await?;
        touch_numbers_of(&mut tx, user).await?;
        let told = NewAudit::new(Act::EnrolmentErase).on(user).outcome("unused");
        append(&mut tx, &erased.told(told)).await?;
        tx.commit().await?;
        self.renew_after_erasure(user).await;
        self.receipt(user, erased).await?;
        Ok(1)
    }

    /// Gives who stays another key, so that an older copy of the data does not show what is erased now.
    async fn renew_after_erasure(&self, user: UserId) {
        if let Err(error) = self.renew_voice(user).await {
            tracing::warn!(%error, "an erasure is committed, but the user's key is still the old one: older copies of the data can be read with it");
        }
    }

    async fn receipt(&self, user_id: UserId, erased: Erased) -> Result<Receipt, StoreError> {
        let destroyed = self.destroy_condemned(false).await;
        if let Err(error) = &destroyed {
            tracing::warn!(%error, "an erasure is committed, but keys are not destroyed yet: that is done when the store is next opened");
        }
        let overwritten = self.overwrite().await && destroyed.is_ok();
        let recordings = erased.recordings.len() as u64;
        if let Err(error) = self.unlink(erased.recordings).await {
            // Their salts are gone: what is left of them is noise, and is swept at the next start.
            tracing::warn!(%error, "the files of erased recordings were not removed yet");
        }
        self.write_erased_list().await;
        let receipt = Receipt {
            user_id,
            voiceprints_erased: erased.voiceprints,
            enrollments_erased: erased.enrollments,
            recordings_erased: recordings,
            calls_redacted: erased.calls,
            at: now(),
            overwritten,
            key: None,
            signature: None,
        };
        Ok(self.signed(receipt).await)
    }

    /// Takes what was deleted out of the file's bytes; `false` when that could not be finished, as when
    /// a reader kept the old state in use for longer than the store waits.
    ///
    /// `secure_delete` has written zeros over the deleted cells and pages; the checkpoint brings these
    /// into the file and empties the log that held the old bytes. The deletion is committed already, so
    /// a failure here is told by the receipt and not as an error.
    /// The bytes of PostgreSQL's files are its own: it keeps deleted rows until it needs their room, and its log and
    /// backups longer.
    pub(super) async fn overwrite(&self) -> bool {
        let Pool::Sqlite(writers) = self.writers() else {
            return false;
        };
        // The examination of the pages gives way: a reader would keep the log from being emptied.
        let _alone = self.examined.stand_back();
        let done: Result<(i64, i64, i64), _> = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(writers)
            .await;
        match done {
            Ok((busy, _, _)) => busy == 0,
            Err(error) => {
                tracing::warn!(
                    ?error,
                    "an erasure is committed, but the write-ahead log could not be emptied"
                );
                false
            }
        }
    }
}

struct Erased {
    voiceprints: u64,
    enrollments: u64,
    /// The clips whose recordings were kept.
    recordings: Vec<String>,
    calls: u64,
}

impl Erased {
    fn told(&self, entry: NewAudit) -> NewAudit {
        entry.detail(json!({
            "voiceprints": self.voiceprints,
            "enrollments": self.enrollments,
            "recordings": self.recordings.len(),
            "calls": self.calls,
        }))
    }
}

/// Deletes one enrolment of `user`, or all, with clips, voiceprints and the words of its consent.
async fn erase_enrolments(
    conn: &mut Tx,
    user: UserId,
    only: Option<EnrollmentId>,
) -> Result<Erased, StoreError> {
    let only = only.map(|id| id.to_string());
    let kept: Vec<(String,)> = query_as(
        "SELECT r.clip_id FROM recordings r JOIN clips c ON c.id = r.clip_id \
         WHERE c.user_id = $1 AND ($2 IS NULL OR c.enrollment_id = $2)",
    )
    .bind(user.to_string())
    .bind(&only)
    .fetch_all(&mut *conn)
    .await?;
    let enrolments: Vec<(String,)> =
        query_as("SELECT id FROM enrollments WHERE user_id = $1 AND ($2 IS NULL OR id = $2)")
            .bind(user.to_string())
            .bind(&only)
            .fetch_all(&mut *conn)
            .await?;
    let mut counts = [0_u64; 4];
    for (count, statement) in counts.iter_mut().zip([
        "DELETE FROM prints WHERE user_id = $1 AND clip_id IN \
         (SELECT id FROM clips WHERE user_id = $1 AND ($2 IS NULL OR enrollment_id = $2))",
        "DELETE FROM recordings WHERE user_id = $1 AND clip_id IN \
         (SELECT id FROM clips WHERE user_id = $1 AND ($2 IS NULL OR enrollment_id = $2))",
        "DELETE FROM clips WHERE user_id = $1 AND ($2 IS NULL OR enrollment_id = $2)",
        "DELETE FROM enrollments WHERE user_id = $1 AND ($2 IS NULL OR id = $2)",
    ]) {
        *count = query(statement)
            .bind(user.to_string())
            .bind(&only)
            .execute(&mut *conn)
            .await?;
    }
    erase_unconsented(conn, user).await?;
    erase_unused(conn, user).await?;
    for (id,) in enrolments {
        note(conn, ErasedId::Enrollment(read(&id, "enrolment id")?)).await?;
    }
    let [voiceprints, _, _, enrollments] = counts;
    Ok(Erased {
        voiceprints,
        enrollments,
        recordings: kept.into_iter().map(|(clip,)| clip).collect(),
        calls: 0,
    })
}
