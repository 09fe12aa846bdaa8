//! API keys as their holders see them: the token and what it may do. No storage here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::store::values::sha256;
use crate::units::{read_words, words};

/// What a token begins with, so that secret scanners and people recognise one.
const PREFIX: &str = "vx_";
/// What the token of an enrolment link begins with.
const LINK_PREFIX: &str = "ve_";
/// Random bytes of a token: 256 bits, far from any guessing, so one fast hash keeps it.
const RANDOM_BYTES: usize = 32;

/// An API key as it is sent: `vx_` and 32 random bytes in base64url (RFC 4648 section 5, no padding); or the
/// token of an enrolment link, which begins with `ve_`. Shown once when made. Its `Debug` shows nothing, and its memory is cleared.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new API key. `None` when the system gives no randomness.
    pub(in crate::store) fn fresh() -> Option<Self> {
        Self::of_kind(PREFIX)
    }

    /// A new token of an enrolment link. `None` when the system gives no randomness.
    pub(in crate::store) fn fresh_link() -> Option<Self> {
        Self::of_kind(LINK_PREFIX)
    }

    fn of_kind(prefix: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
        getrandom::fill(&mut *bytes).ok()?;
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        Some(Self(Zeroizing::new(format!("{prefix}{}", *encoded))))
    }

    /// The token that a request brought. Any text: whether it is a key's is for the store to say.
    pub fn received(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The token itself. For the one moment it is shown to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The last four characters, by which an owner knows it again.
    pub(in crate::store) fn last4(&self) -> String {
        let skip = self.0.chars().count().saturating_sub(4);
        self.0.chars().skip(skip).collect()
    }

    /// What of it is stored.
    pub(in crate::store) fn sha256(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }

    /// Whether it has an API key's form; what has not is nobody's.
    pub(in crate::store) fn is_well_formed(&self) -> bool {
        // Every 3 bytes are 4 characters, rounded up.
        let length = PREFIX.len() + (RANDOM_BYTES * 4).div_ceil(3);
        self.0.len() == length && self.0.starts_with(PREFIX)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(vx_***)")
    }
}

words! {
    /// What a key may do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Scope {
        /// Enrol users' voices.
        Enroll = "enroll",
        /// Identify callers and stream calls.
        Identify = "identify",
        /// See scores besides outcomes.
        Scores = "scores",
        /// Everything that the other scopes may, and to change what the deployment consists of.
        Admin = "admin",
    }
}

/// A scope no key can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no such scope: a key's scopes are enroll, identify, scores and admin")]
pub struct UnknownScope;

read_words!(Scope, UnknownScope);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognisable_and_never_the_same() {
        let (one, two) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        assert!(one.reveal().starts_with("vx_") && one.reveal().len() == 46);
        assert!(one.is_well_formed());
        assert_ne!(one.reveal(), two.reveal());
        assert_ne!(one.sha256(), two.sha256());
        assert!(one.reveal().ends_with(&one.last4()) && one.last4().len() == 4);
    }

    #[test]
    fn the_token_of_a_link_is_no_api_key() {
        let token = Token::fresh_link().unwrap();
        assert!(token.reveal().starts_with("ve_") && token.reveal().len() == 46);
        assert!(!token.is_well_formed());
    }

    #[test]
    fn printing_a_token_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", Token::received("vx_secret")), "Token(vx_***)");
    }

    #[test]
    fn scopes_read_back_and_others_are_refused_with_the_list() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        let refusal = "root".parse::<Scope>().unwrap_err().to_string();
        assert!(refusal.contains("enroll, identify, scores and admin"));
    }
}
