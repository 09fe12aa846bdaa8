//! Accounting as far as an access reaches: the audit log is the whole deployment's, and so the operator's alone.

use super::error::BoardError;
use super::view::View;
use crate::store::{AuditEntry, AuditSearch, Person, RetentionSchedule, RetentionTally};
use crate::units::UserId;

impl View<'_> {
    /// Entries of the audit log, newest first.
    ///
    /// # Errors
    /// [`BoardError::OperatorsAlone`]; [`BoardError::Store`].
    pub async fn audit_entries(
        &self,
        search: &AuditSearch,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<AuditEntry>, BoardError> {
        self.require_operator()?;
        Ok(self.board.store.audit_entries(search, limit, before).await?)
    }

    /// How long what is kept is kept.
    pub fn retention(&self) -> &RetentionSchedule {
        &self.board.settings.retention
    }

    /// What is older than it is kept.
    ///
    /// # Errors
    /// As [`View::audit_entries`].
    pub async fn due(&self) -> Result<RetentionTally, BoardError> {
        self.require_operator()?;
        Ok(self.board.store.due(self.retention()).await?)
    }

    /// Everything that is kept on a user; with `audio` their recordings too.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`](crate::store::StoreError::UnknownUser),
    /// [`StoreError::UserElsewhere`](crate::store::StoreError::UserElsewhere), in [`BoardError::Store`].
    pub async fn export_user(&self, user: UserId, audio: bool) -> Result<Person, BoardError> {
        self.board.store.own_user(self.access, user).await?;
        Ok(self.board.store.export_user(user, audio).await?)
    }
}
