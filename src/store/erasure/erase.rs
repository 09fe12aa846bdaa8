//! Erasing voices, so that neither the tables nor the file's bytes hold them any more.

use serde_json::json;

use super::receipts::{ErasedWhat, Receipt};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::calls::sealed_verdicts::forget_answers;
use crate::store::calls::{erase_relays, redact_calls};
use crate::store::database::{Tx, query, query_as};
use crate::store::erased::{ErasedId, note};
use crate::store::keys::{condemn_user, is_condemned, note_renewal};
use crate::store::people::{erase_unused, require_user};
use crate::store::tenancy::touch_numbers_of;
use crate::store::values::{now, read};
use crate::store::voices::erase_unconsented;
use crate::store::{Store, StoreError};
use crate::units::{EnrolmentId, UserId};

impl Store {
    /// Removes a user from every number, destroys their key, and erases voiceprints, enrolments, phones, PIN and invites, and their
    /// id, name and scores in the verdicts of calls. Of the consents the sums and times stay, as proof
    /// that they were given.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn remove_user(&self, user: UserId) -> Result<Receipt, StoreError> {
        let mut tx = self.write().await?;
        require_user(&mut tx, user).await?;
        touch_numbers_of(&mut tx, user).await?;
        let mut erased = erase_enrolments(&mut tx, user, None).await?;
        let redacted = redact_calls(&mut tx, user).await?;
        erase_relays(&mut tx, user, &redacted.calls).await?;
        // Answers to tool calls name who spoke, and do not say in which of them.
        forget_answers(&mut tx).await?;
        (erased.what, erased.calls) = (ErasedWhat::User, redacted.changed);
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
    /// [`StoreError::UnknownUser`], [`StoreError::UnknownEnrolment`].
    pub async fn remove_enrolment(
        &self,
        user: UserId,
        enrollment: EnrolmentId,
    ) -> Result<Receipt, StoreError> {
        self.remove_voices(user, Some(enrollment)).await
    }

    /// Erases all enrolments of a user, who stays on their numbers.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn remove_enrolments(&self, user: UserId) -> Result<Receipt, StoreError> {
        self.remove_voices(user, None).await
    }

    /// Erases one enrolment of a user who stays, or all.
    async fn remove_voices(
        &self,
        user: UserId,
        enrollment: Option<EnrolmentId>,
    ) -> Result<Receipt, StoreError> {
        let mut tx = self.write().await?;
        require_user(&mut tx, user).await?;
        let erased = erase_enrolments(&mut tx, user, enrollment).await?;
        let mut told = NewAudit::new(Act::EnrolmentErase).on(user);
        if let Some(enrollment) = enrollment {
            if erased.enrollments == 0 {
                return Err(StoreError::UnknownEnrolment { user, enrollment });
            }
            told = told.object(enrollment);
        }
        if erased.enrollments > 0 {
            touch_numbers_of(&mut tx, user).await?;
        }
        append(&mut tx, &erased.told(told)).await?;
        note_renewal(&mut tx, user).await?;
        tx.commit().await?;
        self.renew_after_erasure(user).await;
        self.receipt(user, erased).await
    }

    /// What is left to do when voices were erased that nobody gets a receipt for.
    pub(super) async fn follow_up(&self, users: &[UserId], recordings: Vec<String>) {
        if users.is_empty() {
            return;
        }
        if let Err(error) = self.renew_voices(users).await {
            tracing::warn!(%error, "voices are erased, but some users' keys are still the old ones: older copies of the data can be read with them until the store is next opened");
        }
        self.overwrite().await;
        if let Err(error) = self.unlink(recordings).await {
            tracing::warn!(%error, "the files of erased recordings were not removed yet");
        }
        self.write_erased_list().await;
    }

    /// Gives who stays another key, so that an older copy of the data does not show what is erased now.
    async fn renew_after_erasure(&self, user: UserId) {
        if let Err(error) = self.renew_voices(&[user]).await {
            tracing::warn!(%error, "an erasure is committed, but the user's key is still the old one: older copies of the data can be read with it");
        }
    }

    /// Destroys the keys whose time has come; says whether none of an erased user's is left, as one is whose time a clock that
    /// was set back put off.
    async fn keys_are_destroyed(&self, user: UserId) -> Result<bool, StoreError> {
        self.destroy_condemned(false).await?;
        Ok(!is_condemned(&mut self.read().await?, user).await?)
    }

    async fn receipt(&self, user_id: UserId, erased: Erased) -> Result<Receipt, StoreError> {
        let destroyed = self.keys_are_destroyed(user_id).await;
        if let Err(error) = &destroyed {
            tracing::warn!(%error, "an erasure is committed, but keys are not destroyed yet: that is done when the store is next opened");
        }
        let overwritten = self.overwrite().await && destroyed.is_ok_and(|all| all);
        let recordings = erased.recordings.len() as u64;
        if let Err(error) = self.unlink(erased.recordings).await {
            // Their salts are gone: what is left of them is noise, and is swept at the next start.
            tracing::warn!(%error, "the files of erased recordings were not removed yet");
        }
        self.write_erased_list().await;
        let receipt = Receipt {
            user_id,
            erased: Some(erased.what),
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
}

pub(super) struct Erased {
    what: ErasedWhat,
    voiceprints: u64,
    enrollments: u64,
    /// The clips whose recordings were kept.
    pub recordings: Vec<String>,
    calls: u64,
}

impl Erased {
    /// `entry` with these counts as its detail.
    pub fn told(&self, entry: NewAudit) -> NewAudit {
        entry.detail(json!({
            "voiceprints": self.voiceprints,
            "enrollments": self.enrollments,
            "recordings": self.recordings.len(),
            "calls": self.calls,
        }))
    }
}

/// Deletes one enrolment of `user`, or all, with clips, voiceprints and the words of its consent.
pub(super) async fn erase_enrolments(
    conn: &mut Tx,
    user: UserId,
    only: Option<EnrolmentId>,
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
        note(conn, ErasedId::Enrolment(read(&id, "enrolment id")?)).await?;
    }
    let [voiceprints, _, _, enrollments] = counts;
    Ok(Erased {
        what: ErasedWhat::Enrolments,
        voiceprints,
        enrollments,
        recordings: kept.into_iter().map(|(clip,)| clip).collect(),
        calls: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::{Purpose, UserKeys, Whose};

    #[tokio::test]
    async fn a_renewal_that_a_crash_prevented_is_made_at_the_next_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voxline.db");
        let store = Store::open(&path).await.unwrap();
        let user = UserId::fresh();
        store.make_user_keys(&[user]).await.unwrap();
        let mut tx = store.write().await.unwrap();
        note_renewal(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        for _ in 0..2 {
            let store = Store::open(&path).await.unwrap();
            let (mut tx, user) = (store.read().await.unwrap(), user.to_string());
            let keys = UserKeys::read(&mut tx, Whose::User(&user)).await.unwrap();
            assert_eq!(keys.generation(&user, Purpose::Voice).unwrap(), 2);
            drop(tx);
            store.close().await;
        }
    }
}
