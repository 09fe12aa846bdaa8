//! What changes or erases a user, and the gallery that is made equal to the store after it.

use super::board::Switchboard;
use super::error::BoardError;
use super::gallery_cache::GalleryCacheError;
use crate::store::{Provenance, Receipt, StoreError, User, UserPatch};
use crate::units::{DialedNumber, EnrolmentId, UserId};

/// An erasure is several steps: it goes on when whoever asked for it hangs up in between.
async fn to_the_end(
    erasure: impl Future<Output = Result<Receipt, StoreError>> + Send + 'static,
) -> Result<Receipt, StoreError> {
    let done = tokio::spawn(Provenance::carried(erasure)).await;
    done.unwrap_or(Err(StoreError::Interrupted))
}

impl Switchboard {
    /// Removes a user and erases their voiceprints everywhere: from the store before this returns, and
    /// from the gallery too unless it is out of reach; then [`Switchboard::refresh`] erases it later.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or the store fails.
    pub async fn remove_user(&self, user: UserId) -> Result<Receipt, BoardError> {
        let numbers = self.numbers_of(user).await?;
        let store = self.store.clone();
        let receipt = to_the_end(async move { store.remove_user(user).await }).await?;
        self.refresh_numbers(&numbers).await;
        Ok(receipt)
    }

    /// Erases one enrolment of a user, as far and as soon as [`Switchboard::remove_user`] does.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or enrolment, or the store fails.
    pub async fn remove_enrolment(
        &self,
        user: UserId,
        enrolment: EnrolmentId,
    ) -> Result<Receipt, BoardError> {
        let numbers = self.numbers_of(user).await?;
        let store = self.store.clone();
        let receipt = to_the_end(async move { store.remove_enrolment(user, enrolment).await }).await?;
        self.refresh_numbers(&numbers).await;
        Ok(receipt)
    }

    /// Erases all enrolments of a user, as far and as soon as [`Switchboard::remove_user`] does. The
    /// user stays on their numbers.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or the store fails.
    pub async fn remove_enrolments(&self, user: UserId) -> Result<Receipt, BoardError> {
        let numbers = self.numbers_of(user).await?;
        let store = self.store.clone();
        let receipt = to_the_end(async move { store.remove_enrolments(user).await }).await?;
        self.refresh_numbers(&numbers).await;
        Ok(receipt)
    }

    /// Changes a user. From a number they are taken off, their voice goes as far and as soon as in
    /// [`Switchboard::remove_user`].
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or number, a value is not acceptable, or the store fails.
    pub async fn update_user(&self, user: UserId, patch: UserPatch) -> Result<User, BoardError> {
        // The store says what is wrong with the patch first, then that nobody is there.
        let before = self.store.user(user).await?;
        let mut numbers = before.map_or_else(Vec::new, |known| known.numbers);
        let changed = self.store.update_user(user, patch).await?;
        let joined = changed.numbers.iter().filter(|now| !numbers.contains(now));
        numbers.extend(joined.cloned().collect::<Vec<_>>());
        self.refresh_numbers(&numbers).await;
        Ok(changed)
    }

    /// Makes the gallery equal to the store, also for changes that another process made. A failure is
    /// logged and made good by the next search or refresh.
    pub async fn refresh(&self) {
        warn_of(self.active_model().gallery_cache.refresh().await);
        self.weigh_anew(|_| true).await;
    }

    async fn refresh_numbers(&self, numbers: &[DialedNumber]) {
        warn_of(self.active_model().gallery_cache.refresh_numbers(numbers).await);
        self.weigh_anew(|number| numbers.contains(number)).await;
    }

    /// Has the calls to some numbers weighed by the roster as it is now: whoever is on it no longer is named on none.
    async fn weigh_anew(&self, is_one: impl Fn(&DialedNumber) -> bool) {
        for call in self.calls.live_sessions() {
            if is_one(call.number()) {
                call.follow_roster().await;
            }
        }
    }
}

fn warn_of(outcome: Result<(), GalleryCacheError>) {
    if let Err(fault) = outcome {
        tracing::warn!(%fault, "the gallery is not up to date yet: {fault}");
    }
}
