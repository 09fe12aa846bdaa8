//! Identifiers, one type each, so that a user's id cannot be given where an enrolment's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by the time it was made (UUID version 7, RFC 9562 section 5.7).
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that `uuid` names.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The plain UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text.trim()).map(Self)
            }
        }
    };
}

uuid_id! {
    /// A person with an account.
    UserId
}
uuid_id! {
    /// One accepted enrolment: some clips, recorded under one consent.
    EnrolmentId
}
uuid_id! {
    /// One embedding of one clip.
    PrintId
}
uuid_id! {
    /// An API key, by which it is listed and revoked; never the key itself.
    KeyId
}
uuid_id! {
    /// A link by which a user enrols, by which it is listed and revoked; never its token.
    InviteId
}

uuid_id! {
    /// One of the companies that share a deployment: numbers, users, keys and calls belong to one each.
    TenantId
}

impl TenantId {
    /// The operator's own tenant, which is always there: what a store held before it knew of tenants is its.
    pub const DEFAULT: Self = Self(Uuid::nil());
}

/// A call's id as its carrier or Vapi gave it: 1 to 128 printable ASCII characters.
///
/// The ids that one tenant's clients choose say nothing of another's: the store has them as [`CallId::of_tenant`] makes
/// them, and they are shown as they were given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(String);

/// A call id that is empty, too long, or holds characters no carrier sends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a call id is 1 to 128 printable ASCII characters without spaces; this one has {length}")]
pub struct InvalidCallId {
    /// How many bytes the rejected id had.
    pub length: usize,
}

impl CallId {
    /// A call id made here, for a caller that sent none.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The same id in the tenant's own name space. `None` when it has more than 91 characters: both together have 128.
    pub fn of_tenant(&self, tenant: TenantId) -> Option<Self> {
        format!("{tenant}{TENANT_ENDS}{}", self.0).parse().ok()
    }

    /// The id as text, as the store has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of an id in a tenant's name space, whoever gave it: then [`CallId::shown`] is without that tenant.
    pub fn is_of_a_tenant(&self) -> bool {
        self.shown().len() < self.0.len()
    }

    /// The id as it was given.
    pub fn shown(&self) -> &str {
        let (tenant, id) = self.0.split_at_checked(TENANT_LENGTH).unwrap_or(("", ""));
        match id.strip_prefix(TENANT_ENDS) {
            Some(id) if !id.is_empty() && Uuid::parse_str(tenant).is_ok() => id,
            _ => &self.0,
        }
    }
}

/// Characters of a UUID with hyphens.
const TENANT_LENGTH: usize = 36;
/// What stands between a tenant and the id that one of its clients chose.
const TENANT_ENDS: char = '/';

impl FromStr for CallId {
    type Err = InvalidCallId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCallId { length: text.len() })
        }
    }
}

impl TryFrom<String> for CallId {
    type Error = InvalidCallId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> Self {
        id.shown().to_owned()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = UserId::fresh();
        assert_eq!(id.to_string().parse::<UserId>().unwrap(), id);
        assert!("not-an-id".parse::<UserId>().is_err());
    }

    #[test]
    fn a_tenants_call_id_is_shown_as_it_was_given() {
        let given: CallId = "call-1".parse().unwrap();
        let own = given.of_tenant(TenantId::fresh()).unwrap();
        assert_ne!(own, given);
        assert_eq!((own.shown(), own.to_string()), ("call-1", "call-1".to_owned()));
        assert_eq!(serde_json::to_value(&own).unwrap(), "call-1");
        assert_eq!(
            own.as_str().parse::<CallId>().unwrap(),
            own,
            "the store reads it back"
        );
        assert!(own.is_of_a_tenant() && !given.is_of_a_tenant());
        // One that a client made of a UUID and more is such an id itself, in a name space of its own.
        let twice = own.of_tenant(TenantId::DEFAULT).unwrap();
        assert_eq!(twice.shown(), own.as_str());
        let long: CallId = "x".repeat(92).parse().unwrap();
        assert_eq!(long.of_tenant(TenantId::DEFAULT), None);
        for plain in ["CA0123", "/", &format!("{}/", TenantId::DEFAULT), &"x".repeat(60)] {
            assert_eq!(plain.parse::<CallId>().unwrap().shown(), plain);
        }
    }

    #[test]
    fn a_call_id_is_short_printable_ascii() {
        assert!("CA0123".parse::<CallId>().is_ok());
        for bad in ["", "two words", "naïve", &"x".repeat(129)] {
            assert!(bad.parse::<CallId>().is_err(), "{bad:?} passed");
        }
    }
}
