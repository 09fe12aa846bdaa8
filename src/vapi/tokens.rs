//! The tokens of our own token endpoint: OAuth 2.0 client credentials (RFC 6749 section 4.4).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Tokens that are good at a time. Vapi needs one, and a few around its renewal; whoever has the client's
/// secret and asks for more loses the oldest.
const MOST: usize = 64;

/// Random bytes of a token: far from any guessing, so one fast hash keeps it.
const RANDOM_BYTES: usize = 32;

/// The tokens that are good, by the SHA-256 of each: the tokens themselves are known to their holder alone.
#[derive(Default)]
pub struct Tokens {
    good: Mutex<HashMap<[u8; 32], OffsetDateTime>>,
}

/// A new token, shown to whoever asked for it and kept as a hash.
pub struct Issued {
    /// The token itself, which is shown once.
    pub token: Zeroizing<String>,
    /// What is kept of it.
    pub sha256: [u8; 32],
    /// When it stops being good.
    pub expires_at: OffsetDateTime,
}

impl Tokens {
    /// Makes a token that is good for `lifetime`. `None` when the system gives no randomness.
    pub fn issue(&self, lifetime: Duration, now: OffsetDateTime) -> Option<Issued> {
        let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
        getrandom::fill(&mut *bytes).ok()?;
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        let issued = Issued {
            sha256: Sha256::digest(token.as_bytes()).into(),
            token,
            expires_at: now + lifetime,
        };
        self.remember(issued.sha256, issued.expires_at, now);
        Some(issued)
    }

    /// Takes a token that was issued before, as by an earlier run of the service.
    pub fn remember(&self, sha256: [u8; 32], expires_at: OffsetDateTime, now: OffsetDateTime) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.retain(|_, until| *until > now);
        if good.len() >= MOST
            && let Some(oldest) = good
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(hash, _)| *hash)
        {
            good.remove(&oldest);
        }
        good.insert(sha256, expires_at);
    }

    /// What a token that is not known here would be kept as; `None` for one that is.
    pub fn unknown(&self, token: &str, now: OffsetDateTime) -> Option<[u8; 32]> {
        (!self.is_good(token, now)).then(|| Sha256::digest(token.as_bytes()).into())
    }

    /// Whether `token` is good now. It is looked up by its hash: how long that takes tells nothing about a
    /// secret of 256 random bits.
    pub fn is_good(&self, token: &str, now: OffsetDateTime) -> bool {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(&hash).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_good_until_it_expires_and_nobody_elses_ever_is() {
        let (tokens, start) = (Tokens::default(), OffsetDateTime::UNIX_EPOCH);
        let issued = tokens.issue(HOUR, start).unwrap();
        assert!(tokens.is_good(&issued.token, start));
        assert!(!tokens.is_good(&issued.token, start + HOUR));
        assert!(!tokens.is_good("", start) && !tokens.is_good("x", start));
        let restarted = Tokens::default();
        assert!(!restarted.is_good(&issued.token, start));
        restarted.remember(issued.sha256, issued.expires_at, start);
        assert!(restarted.is_good(&issued.token, start));
    }

    #[test]
    fn however_many_are_asked_for_memory_is_bounded_and_the_newest_is_good() {
        let (tokens, start) = (Tokens::default(), OffsetDateTime::UNIX_EPOCH);
        let mut last = None;
        for second in 0..1_000 {
            last = tokens.issue(HOUR, start + Duration::from_secs(second));
        }
        assert!(tokens.good.lock().unwrap().len() <= MOST);
        assert!(tokens.is_good(&last.unwrap().token, start + Duration::from_secs(1_000)));
    }
}
