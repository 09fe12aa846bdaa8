//! What a request may see and change: made once, by authentication, and asked of by whatever reads or writes for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::store::Scope;
use crate::units::{DialedNumber, KeyId, TenantId};

/// What somebody may see and change: one tenant's, on all of its numbers or on some, as far as the scopes go.
///
/// The store makes one of a key that is good; a service that asks nobody for a key has [`Access::operator`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub(in crate::store) key: Option<KeyId>,
    pub(in crate::store) tenant: TenantId,
    /// The numbers it is narrowed to; `None` for all of the tenant's.
    pub(in crate::store) numbers: Option<Arc<BTreeSet<DialedNumber>>>,
    pub(in crate::store) scopes: BTreeSet<Scope>,
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
    pub(in crate::store) fn by_invite(tenant: TenantId) -> Self {
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
    pub(in crate::store) fn may_add_numbers(&self) -> bool {
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
    pub(in crate::store) fn tenant_text(&self) -> String {
        self.tenant.to_string()
    }

    /// The key by whose rows of `key_numbers` statements narrow what they give; NULL where nothing is narrowed.
    pub(in crate::store) fn narrowing_key(&self) -> Option<String> {
        let key = self.numbers.as_ref().and(self.key);
        key.map(|key| key.to_string())
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
