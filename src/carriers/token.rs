//! One-time call tokens: what a voice webhook gives a carrier, and the call's stream brings back.
//!
//! A token opens one stream, of the one call it was made for, on the number that was dialed, within minutes.
//! They are kept in memory only, as hashes: a restart forgets them, and a call that rang before it is then
//! answered without its voice.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use uuid::Builder;

use super::Carrier;
use crate::units::{CallId, DialedNumber, hex};

/// The most tokens that wait at a time: calls that rang and did not stream yet. The oldest give way.
const MOST: usize = 10_000;

/// Bytes of a token: as many as nobody guesses.
const BYTES: usize = 24;

/// The tokens that wait for their streams.
pub struct CallTokens {
    lifetime: Duration,
    waiting: Mutex<HashMap<[u8; 32], Waiting>>,
}

struct Waiting {
    carrier: Carrier,
    call: CallId,
    number: DialedNumber,
    expires: Instant,
}

impl CallTokens {
    /// None yet; each will be good for `lifetime`.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            waiting: Mutex::default(),
        }
    }

    /// A token for the stream of `call`: letters and digits alone, so that it fits any carrier's document; a UUID for
    /// Asterisk, whose AudioSocket brings nothing else.
    /// `None` when the system has no random numbers; then there is no token, never a weak one.
    pub fn issue(&self, carrier: Carrier, call: &CallId, number: &DialedNumber) -> Option<String> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random).ok()?;
        let token = match carrier {
            Carrier::Asterisk => {
                let (id, _) = random.split_first_chunk()?;
                Builder::from_random_bytes(*id).into_uuid().to_string()
            }
            Carrier::Twilio
            | Carrier::Telnyx
            | Carrier::Vonage
            | Carrier::Bandwidth
            | Carrier::Plivo
            | Carrier::Jambonz => hex(&random),
        };
        let now = Instant::now();
        let mut waiting = self.waiting();
        if waiting.len() >= MOST {
            waiting.retain(|_, waiting| waiting.expires > now);
        }
        if waiting.len() >= MOST {
            let oldest = waiting.iter().min_by_key(|(_, waiting)| waiting.expires);
            let oldest = oldest.map(|(hash, _)| *hash);
            oldest.and_then(|hash| waiting.remove(&hash));
        }
        let entry = Waiting {
            carrier,
            call: call.clone(),
            number: number.clone(),
            expires: now + self.lifetime,
        };
        waiting.insert(hash(&token), entry);
        Some(token)
    }

    /// The call and number that `token` was made for, if it waits for a stream of `carrier` that calls its
    /// call by one of `ids`. Asterisk's streams call by their own channel's id, so there the token stands alone. Whatever
    /// comes of it, the token is used.
    pub fn redeem(&self, token: &str, carrier: Carrier, ids: &[String]) -> Option<(CallId, DialedNumber)> {
        let found = self.waiting().remove(&hash(token))?;
        let named = ids.iter().any(|id| id == found.call.as_str());
        let fits = found.carrier == carrier
            && found.expires > Instant::now()
            && (named || carrier == Carrier::Asterisk);
        fits.then_some((found.call, found.number))
    }

    /// Whether any stream of `carrier` is waited for.
    pub fn expects(&self, carrier: Carrier) -> bool {
        let now = Instant::now();
        let waiting = self.waiting();
        waiting
            .values()
            .any(|waiting| waiting.carrier == carrier && waiting.expires > now)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<[u8; 32], Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Found by its hash, so that the time a look-up takes says nothing of a token.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> (CallId, DialedNumber) {
        ("CA1".parse().unwrap(), "+12025550102".parse().unwrap())
    }

    fn issued(tokens: &CallTokens) -> String {
        let (id, number) = call();
        tokens.issue(Carrier::Twilio, &id, &number).unwrap()
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_token_opens_its_calls_stream_once() {
        let tokens = CallTokens::new(Duration::from_secs(60));
        let token = issued(&tokens);
        assert!(tokens.expects(Carrier::Twilio) && !tokens.expects(Carrier::Telnyx));
        assert_eq!(tokens.redeem("another", Carrier::Twilio, &ids(&["CA1"])), None);
        assert_eq!(
            tokens.redeem(&token, Carrier::Twilio, &ids(&["x", "CA1"])),
            Some(call())
        );
        assert_eq!(tokens.redeem(&token, Carrier::Twilio, &ids(&["CA1"])), None);
        assert!(!tokens.expects(Carrier::Twilio));
    }

    #[test]
    fn a_token_tried_on_another_call_or_carrier_is_used_up() {
        let tokens = CallTokens::new(Duration::from_secs(60));
        for (carrier, id) in [(Carrier::Twilio, "CA2"), (Carrier::Telnyx, "CA1")] {
            let token = issued(&tokens);
            assert_eq!(tokens.redeem(&token, carrier, &ids(&[id])), None);
            assert_eq!(tokens.redeem(&token, Carrier::Twilio, &ids(&["CA1"])), None);
        }
    }

    #[test]
    fn asterisks_tokens_are_uuids_that_stand_alone_and_open_once() {
        let tokens = CallTokens::new(Duration::from_secs(60));
        let (id, number) = call();
        let token = tokens.issue(Carrier::Asterisk, &id, &number).unwrap();
        let read: uuid::Uuid = token.parse().unwrap();
        assert_eq!(read.to_string(), token);
        assert_eq!(tokens.redeem(&token, Carrier::Asterisk, &[]), Some(call()));
        assert_eq!(tokens.redeem(&token, Carrier::Asterisk, &[]), None);
    }

    #[test]
    fn a_token_whose_time_is_over_opens_nothing() {
        let tokens = CallTokens::new(Duration::ZERO);
        let token = issued(&tokens);
        assert!(!tokens.expects(Carrier::Twilio));
        assert_eq!(tokens.redeem(&token, Carrier::Twilio, &ids(&["CA1"])), None);
    }

    #[test]
    fn the_oldest_give_way_when_too_many_wait() {
        let tokens = CallTokens::new(Duration::from_secs(60));
        let first = issued(&tokens);
        let last = (0..MOST).map(|_| issued(&tokens)).last().unwrap();
        assert_eq!(tokens.waiting().len(), MOST);
        assert_eq!(tokens.redeem(&first, Carrier::Twilio, &ids(&["CA1"])), None);
        assert_eq!(
            tokens.redeem(&last, Carrier::Twilio, &ids(&["CA1"])),
            Some(call())
        );
    }
}
