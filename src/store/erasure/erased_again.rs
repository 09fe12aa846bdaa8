//! Erasing again what an older copy of the data brought back.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::query_as;
use crate::store::erased::{ErasedId, note};
use crate::store::keys::{is_buried, users_to_renew, users_without_keys};
use crate::store::values::read;
use crate::store::{KeyringFault, Store, StoreError};
use crate::units::{EnrolmentId, KeyId};

/// What a list brought about in a store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErasedAgain {
    /// Users who were in the store again, and are erased.
    pub users: u64,
    /// Enrolments that were erased again.
    pub enrollments: u64,
    /// Keys that worked again, and are revoked.
    pub keys: u64,
}

impl Store {
    /// Erases what is on `list` and here again, and notes all of it.
    pub(in crate::store) async fn erase_again(
        &self,
        list: &BTreeSet<ErasedId>,
    ) -> Result<ErasedAgain, StoreError> {
        let mut again = ErasedAgain::default();
        for id in list {
            match *id {
                ErasedId::User(user) => match self.remove_user(user).await {
                    Ok(_) => again.users += 1,
                    Err(StoreError::UnknownUser(_)) => {}
                    Err(fault) => return Err(fault),
                },
                ErasedId::Enrolment(enrolment) => {
                    again.enrollments += self.erase_if_there(enrolment).await?;
                }
                ErasedId::Key(key) => again.keys += self.revoke_if_there(key).await?,
            }
        }
        let mut tx = self.write().await?;
        for id in list {
            note(&mut tx, *id).await?;
        }
        let restored = NewAudit::new(Act::StoreRestore).detail(json!(again));
        append(&mut tx, &restored).await?;
        tx.commit().await?;
        self.write_erased_list().await;
        Ok(again)
    }

    async fn erase_if_there(&self, enrolment: EnrolmentId) -> Result<u64, StoreError> {
        let row: Option<(String,)> = query_as("SELECT user_id FROM enrollments WHERE id = $1")
            .bind(enrolment.to_string())
            .fetch_optional(self.pool())
            .await?;
        let Some((user,)) = row else {
            return Ok(0);
        };
        self.remove_enrolment(read(&user, "user id")?, enrolment).await?;
        Ok(1)
    }

    async fn revoke_if_there(&self, key: KeyId) -> Result<u64, StoreError> {
        let row: Option<(i64,)> =
            query_as("SELECT COUNT(*) FROM api_keys WHERE id = $1 AND revoked_at IS NULL")
                .bind(key.to_string())
                .fetch_optional(self.pool())
                .await?;
        if row.is_none_or(|(works,)| works == 0) {
            return Ok(0);
        }
        self.revoke_key(key).await?;
        Ok(1)
    }

    /// Finishes what was begun, and sees to it that data and keyring go together.
    ///
    /// # Errors
    /// [`KeyringFault::Older`] when users have no key.
    pub(in crate::store) async fn reconcile_keyring(&self) -> Result<(), StoreError> {
        if self.destroy_condemned(true).await? {
            // Else their bytes stand in the keyring's file until its log is full.
            self.overwrite().await;
        }
        let mut without = 0;
        for user in users_without_keys(&mut self.read().await?).await? {
            if !is_buried(&mut self.read().await?, &user).await? {
                without += 1;
                continue;
            }
            tracing::warn!(
                "an older copy of the data brought back a user who was erased: they are erased again"
            );
            self.remove_user(read(&user, "user id")?).await?;
        }
        if without > 0 {
            let path = self.keyring.shown.clone();
            return Err(KeyringFault::Older { path, users: without }.into());
        }
        // Of who was erased since there is no key by now, and nothing to renew.
        let cut_off = users_to_renew(&mut self.read().await?).await?;
        for user in cut_off {
            if let Err(error) = self.renew_voices(&[read(&user, "user id")?]).await {
                tracing::warn!(%error, "a user whose voice was erased in part still has the old key");
            }
        }
        Ok(())
    }
}
