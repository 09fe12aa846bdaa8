//! Users as an access sees them, and those whom it may change.

use super::user_rows::{User, load_one};
use crate::store::database::{Tx, query_as};
use crate::store::{Access, Store, StoreError};
use crate::units::UserId;

impl Access {
    /// The user, as far as this access sees them: if it covers one of their numbers, and those numbers alone.
    pub(crate) fn sight_of(&self, mut user: User) -> Option<User> {
        if let Some(own) = &self.numbers {
            user.numbers.retain(|number| own.contains(number));
            if user.numbers.is_empty() {
                return None;
            }
        }
        Some(user)
    }
}

impl Store {
    /// A user as far as `access` sees them, with the numbers that it covers alone; the same error for one it does not
    /// see as for one who is not here.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn seen_user(&self, access: &Access, id: UserId) -> Result<User, StoreError> {
        let user = of_tenant(&mut self.read().await?, access, id).await?;
        user.and_then(|user| access.sight_of(user))
            .ok_or(StoreError::UnknownUser(id))
    }

    /// A user whom `access` may change: all their numbers are ones it covers. What is done to a user, their voice and
    /// their PIN is done on every number they are on.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`] for one it does not see; [`StoreError::UserElsewhere`] for one it sees in part.
    pub async fn own_user(&self, access: &Access, id: UserId) -> Result<User, StoreError> {
        let user = of_tenant(&mut self.read().await?, access, id).await?;
        let user = user.ok_or(StoreError::UnknownUser(id))?;
        if user.numbers.iter().all(|number| access.covers(number)) {
            return Ok(user);
        }
        match access.sight_of(user) {
            Some(_) => Err(StoreError::UserElsewhere(id)),
            None => Err(StoreError::UnknownUser(id)),
        }
    }
}

/// A user of the tenant, whole.
async fn of_tenant(conn: &mut Tx, access: &Access, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<(bool,)> = query_as("SELECT TRUE FROM users WHERE id = $1 AND tenant_id = $2")
        .bind(id.to_string())
        .bind(access.tenant_text())
        .fetch_optional(&mut *conn)
        .await?;
    match row {
        Some(_) => load_one(conn, id).await,
        None => Ok(None),
    }
}
