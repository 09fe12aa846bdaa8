//! Who is on a number, as the chain of evidence needs them.

use super::names::open_name;
use crate::store::database::query_as;
use crate::store::keys::{UserKeys, Whose};
use crate::store::tenancy::require_number;
use crate::store::values::read;
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, UserId};
use crate::voiceprint::ModelId;

/// A user of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberMember {
    /// Id of the user.
    pub user: UserId,
    /// The name to show.
    pub name: String,
    /// Whether this number is the user's alone.
    pub exclusive: bool,
    /// Whether a call's voice is compared with theirs: it is enrolled with the model in use, and they have not opted out.
    pub enrolled: bool,
}

/// What [`Store::numbers_mark`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumbersMark {
    count: i64,
    latest: Option<String>,
}

impl Store {
    /// Everybody on `number`, in the order of their ids, without voiceprints; `model` is the one in use, where one is.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn members(
        &self,
        number: &DialedNumber,
        model: Option<&ModelId>,
    ) -> Result<Vec<NumberMember>, StoreError> {
        let mut tx = self.read().await?;
        require_number(&mut tx, number).await?;
        let rows: Vec<(String, Vec<u8>, bool, bool)> = query_as(
            "SELECT u.id, u.name, m.exclusive, u.opted_out_at IS NULL \
             AND EXISTS (SELECT 1 FROM prints p WHERE p.user_id = u.id AND p.model = $2) \
             FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.number = $1 ORDER BY u.id",
        )
        .bind(number.as_e164())
        .bind(model.map(ModelId::as_str))
        .fetch_all(&mut tx)
        .await?;
        let keys = UserKeys::read(&mut tx, Whose::Number(number.as_e164())).await?;
        let mut members = Vec::with_capacity(rows.len());
        for (id, name, exclusive, enrolled) in rows {
            // Who has no key is being erased.
            let Some(name) = open_name(&keys, &id, &name)? else {
                continue;
            };
            members.push(NumberMember {
                user: read(&id, "user id")?,
                name,
                exclusive,
                enrolled,
            });
        }
        Ok(members)
    }

    /// All dialed numbers of this deployment.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn dialed_numbers(&self) -> Result<Vec<DialedNumber>, StoreError> {
        let rows: Vec<(String,)> = query_as("SELECT number FROM numbers")
            .fetch_all(self.pool())
            .await?;
        rows.into_iter()
            .map(|(number,)| read(&number, "number"))
            .collect()
    }

    /// What changes with every dialed number that comes or goes: for whoever keeps what [`Store::dialed_numbers`] gave.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn numbers_mark(&self) -> Result<NumbersMark, StoreError> {
        let (count, latest) = query_as("SELECT COUNT(*), MAX(created_at) FROM numbers")
            .fetch_one(self.pool())
            .await?;
        Ok(NumbersMark { count, latest })
    }
}
