//! What is being typed on callers' keypads whose keys come by webhooks, for whichever node a key comes to. It goes with the last
//! word on its call, and where that never comes after an hour.

use time::Duration;
use zeroize::Zeroizing;

use crate::store::database::{query, query_as};
use crate::store::secrets::Place;
use crate::store::values::time_text;
use crate::store::{Store, StoreError};
use crate::units::CallId;

/// How long what was typed last is kept: longer than a carrier sends a key again.
const KEPT: Duration = Duration::hours(1);

/// Where what is typed on a call stands.
fn place(call: &CallId) -> Place<'_> {
    Place::of("keypads", "typed", call.as_str())
}

impl Store {
    /// Changes what is kept of a call's keypad, so that several nodes that do so at once do it one after the other: `change`
    /// takes what is there and gives what is to be kept, which is sealed, and what is given out.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; then nothing has changed.
    pub async fn change_keypad<T: Send>(
        &self,
        call: &CallId,
        change: impl FnOnce(Option<&str>) -> (String, T) + Send,
    ) -> Result<T, StoreError> {
        // Beside whoever writes of other calls: each key comes here twice.
        let mut tx = self.write_beside().await?;
        // From here on the row is this one's, whoever else is at it.
        let (sealed,): (Vec<u8>,) = query_as(
            "INSERT INTO keypads (call_id, typed, changed_at) VALUES ($1, $2, $3) \
             ON CONFLICT (call_id) DO UPDATE SET changed_at = excluded.changed_at RETURNING typed",
        )
        .bind(call.as_str())
        .bind(Vec::<u8>::new())
        .bind(time_text(self.shared_time()))
        .fetch_one(&mut tx)
        .await?;
        let keys = tx.keys().await?;
        // What a key sealed that is gone by now is forgotten; what is new does not open either.
        let kept = keys.open(place(call), &sealed);
        let kept = kept.as_ref().and_then(|plain| std::str::from_utf8(plain).ok());
        let (next, given) = change(kept);
        let next = Zeroizing::new(next);
        query("UPDATE keypads SET typed = $2 WHERE call_id = $1")
            .bind(call.as_str())
            .bind(keys.seal(place(call), next.as_bytes())?)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(given)
    }

    /// Forgets what was typed on calls of whose end no word came.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn forget_keypads(&self) -> Result<(), StoreError> {
        query("DELETE FROM keypads WHERE changed_at < $1")
            .bind(time_text(self.shared_time() - KEPT))
            .execute(self.writers())
            .await?;
        Ok(())
    }
}
