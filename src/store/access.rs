//! What a request may see and change: made once, by authentication, and asked of by whatever reads or writes for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::StoreError;
use super::open::Store;
use super::sql::{Tx, query_as};
use super::token::Scope;
use super::user_rows::load_one;
use super::users::User;
use crate::units::{DialedNumber, KeyId, TenantId, UserId};

/// What somebody may see and change: one tenant's, on all of its numbers or on some, as far as the scopes go.
///
/// The store makes one of a key that is good; a service that asks nobody for a key has [`Access::operator`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub(super) key: Option<KeyId>,
    pub(super) tenant: TenantId,
    /// The numbers it is narrowed to; `None` for all of the tenant's.
    pub(super) numbers: Option<Arc<BTreeSet<DialedNumber>>>,
    pub(super) scopes: BTreeSet<Scope>,
}

impl Access {
    /// All of the operator's own tenant, for whoever needs no key: `--insecure-dev`.
    pub fn operator() -> Self {
        Self {
            key: None,
            tenant: TenantId::DEFAULT,
            numbers: None,
            scopes: BTreeSet::from([Scope::Admin]),
        }
    }

    /// All of a tenant, for whoever works on the machine itself: the command line.
    pub fn of_tenant(tenant: TenantId) -> Self {
        Self {
            tenant,
            ..Self::operator()
        }
    }

    /// What the holder of an enrolment link of this tenant's user acts by.
    pub(super) fn by_invite(tenant: TenantId) -> Self {
        Self {
            key: None,
            tenant,
            numbers: None,
            scopes: BTreeSet::from([Scope::Enroll]),
        }
    }

    /// The key it was made of; `None` where there is none.
    pub fn key(&self) -> Option<KeyId> {
        self.key
    }

    /// Whose numbers, users and calls it sees.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What it may do.
    pub fn scopes(&self) -> &BTreeSet<Scope> {
        &self.scopes
    }

    /// Whether it may do what `scope` stands for; `admin` may do everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether it is the operator's: a key of the default tenant with the scope `admin`, for all numbers. Only the
    /// operator gives numbers to tenants and sees what is the whole deployment's.
    pub fn is_operator(&self) -> bool {
        self.tenant == TenantId::DEFAULT && self.numbers.is_none() && self.allows(Scope::Admin)
    }

    /// Whether it may add numbers to its tenant: the operator may, and who works on the machine itself for a tenant.
    pub(super) fn may_add_numbers(&self) -> bool {
        self.numbers.is_none() && self.key.is_none() && self.allows(Scope::Admin) || self.is_operator()
    }

    /// Whether it is for this number, if that is its tenant's at all.
    pub fn covers(&self, number: &DialedNumber) -> bool {
        self.numbers.as_ref().is_none_or(|own| own.contains(number))
    }

    /// The numbers it is narrowed to; `None` for all of its tenant's.
    pub fn narrowed_to(&self) -> Option<&BTreeSet<DialedNumber>> {
        self.numbers.as_deref()
    }

    /// The tenant as statements bind it.
    pub(super) fn tenant_text(&self) -> String {
        self.tenant.to_string()
    }

    /// The key by whose rows of `key_numbers` statements narrow what they give; NULL where nothing is narrowed.
    pub(super) fn narrowing_key(&self) -> Option<String> {
        let key = self.numbers.as_ref().and(self.key);
        key.map(|key| key.to_string())
    }

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
    /// An error unless `access` sees the number; the same as for a number that is not here.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn require_number(&self, access: &Access, number: &DialedNumber) -> Result<(), StoreError> {
        if access.covers(number) && self.tenant_of(number).await? == Some(access.tenant) {
            return Ok(());
        }
        Err(StoreError::UnknownNumber(number.clone()))
    }

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

    /// Whose number it is; `None` where it is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn tenant_of(&self, number: &DialedNumber) -> Result<Option<TenantId>, StoreError> {
        let row: Option<(String,)> = query_as("SELECT tenant_id FROM numbers WHERE number = $1")
            .bind(number.as_e164())
            .fetch_optional(self.pool())
            .await?;
        row.map(|(tenant,)| super::values::read(&tenant, "tenant id"))
            .transpose()
    }

    /// Whose each number is.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn tenants_of_numbers(&self) -> Result<Vec<(DialedNumber, TenantId)>, StoreError> {
        let rows: Vec<(String, String)> = query_as("SELECT number, tenant_id FROM numbers")
            .fetch_all(self.pool())
            .await?;
        let read = |(number, tenant): (String, String)| {
            let number = super::values::read(&number, "number")?;
            Ok((number, super::values::read(&tenant, "tenant id")?))
        };
        rows.into_iter().map(read).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn access(tenant: TenantId, numbers: Option<&[&str]>, scope: Scope) -> Access {
        let own = |numbers: &[&str]| numbers.iter().map(|number| number.parse().unwrap()).collect();
        Access {
            key: Some(KeyId::fresh()),
            tenant,
            numbers: numbers.map(|numbers| Arc::new(own(numbers))),
            scopes: BTreeSet::from([scope]),
        }
    }

    #[test]
    fn the_operator_is_an_admin_of_the_default_tenant_on_all_numbers() {
        assert!(Access::operator().is_operator());
        assert!(access(TenantId::DEFAULT, None, Scope::Admin).is_operator());
        assert!(!access(TenantId::fresh(), None, Scope::Admin).is_operator());
        assert!(!access(TenantId::DEFAULT, Some(&["+12025550101"]), Scope::Admin).is_operator());
        assert!(!access(TenantId::DEFAULT, None, Scope::Identify).is_operator());
    }

    #[test]
    fn a_narrowed_access_covers_its_numbers_and_without_any_none() {
        let (one, other) = ("+12025550101".parse().unwrap(), "+12025550102".parse().unwrap());
        let narrowed = access(TenantId::DEFAULT, Some(&["+12025550101"]), Scope::Enroll);
        assert!(narrowed.covers(&one) && !narrowed.covers(&other));
        assert!(narrowed.narrowing_key().is_some());
        assert!(!access(TenantId::DEFAULT, Some(&[]), Scope::Enroll).covers(&one));
        let wide = access(TenantId::DEFAULT, None, Scope::Enroll);
        assert!(wide.covers(&one) && wide.narrowing_key().is_none());
    }
}
