//! One-time call tokens: what a voice webhook gives a carrier, and the call's stream brings back.
//!
//! A token opens one stream, of the one call it was made for, on the number that was dialed, within minutes. It is kept
//! as a hash: on one machine in memory, and in the store from a shutdown to the next start; where several nodes share a
//! store in it alone, so that the stream may come to any of them and is taken by one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Builder;

use super::Carrier;
use crate::store::{CallToken, Store, StoreError};
use crate::units::{CallId, DialedNumber, hex};

/// The most tokens that wait at a time: calls that rang and did not stream yet. The oldest give way.
const MOST: usize = 10_000;

/// Bytes of a token: as many as nobody guesses.
const BYTES: usize = 24;

/// The tokens that wait for their streams.
pub struct CallTokens {
    store: Store,
    lifetime: Duration,
    /// Those that wait here; none where other nodes share the store.
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
    pub fn new(store: Store, lifetime: Duration) -> Self {
        Self {
            store,
            lifetime,
            waiting: Mutex::default(),
        }
    }

    /// A token for the stream of `call`: letters and digits alone, so that it fits any carrier's document; a UUID for
    /// Asterisk, whose AudioSocket brings nothing else.
    /// `None` when the system has no random numbers; then there is no token, never a weak one.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be written.
    pub async fn issue(
        &self,
        carrier: Carrier,
        call: &CallId,
        number: &DialedNumber,
    ) -> Result<Option<String>, StoreError> {
        let Some(token) = random(carrier) else {
            return Ok(None);
        };
        let (call, number) = (call.clone(), number.clone());
        if self.store.is_shared() {
            let kept = CallToken {
                sha256: hash(&token),
                carrier: carrier.name().to_owned(),
                call,
                number,
                expires_at: OffsetDateTime::now_utc() + self.lifetime,
            };
            self.store.keep_call_tokens(&[kept]).await?;
        } else {
            let entry = Waiting {
                carrier,
                call,
                number,
                expires: Instant::now() + self.lifetime,
            };
            self.remember(hash(&token), entry);
        }
        Ok(Some(token))
    }

    /// The call and number that `token` was made for, if it waits for a stream of `carrier` that calls its
    /// call by one of `ids`. Asterisk's streams call by their own channel's id, so there the token stands alone. Whatever
    /// comes of it, the token is used.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be written.
    pub async fn redeem(
        &self,
        token: &str,
        carrier: Carrier,
        ids: &[String],
    ) -> Result<Option<(CallId, DialedNumber)>, StoreError> {
        let hash = hash(token);
        let found = if self.store.is_shared() {
            let found = self.store.take_call_token(&hash).await?;
            found.map(|kept| (kept.carrier == carrier.name(), kept.call, kept.number))
        } else {
            let found = self.waiting().remove(&hash);
            found.map(|waiting| {
                let fits = waiting.carrier == carrier && waiting.expires > Instant::now();
                (fits, waiting.call, waiting.number)
            })
        };
        Ok(found.and_then(|(fits, call, number)| {
            let named = carrier == Carrier::Asterisk || ids.iter().any(|id| id == call.as_str());
            (fits && named).then_some((call, number))
        }))
    }

    /// Whether any stream of `carrier` is waited for.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be read.
    pub async fn expects(&self, carrier: Carrier) -> Result<bool, StoreError> {
        if self.store.is_shared() {
            return self.store.has_call_tokens(carrier.name()).await;
        }
        let now = Instant::now();
        let waiting = self.waiting();
        Ok(waiting
            .values()
            .any(|waiting| waiting.carrier == carrier && waiting.expires > now))
    }

    /// Takes up the tokens that waited when the service last ended.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn take_up(&self) -> Result<(), StoreError> {
        if self.store.is_shared() {
            return Ok(());
        }
        for kept in self.store.take_call_tokens().await? {
            let left = kept.expires_at - OffsetDateTime::now_utc();
            let carrier = Carrier::ALL
                .into_iter()
                .find(|carrier| carrier.name() == kept.carrier);
            // A clock that was set makes no token last longer.
            if let (Some(carrier), Ok(left)) = (carrier, Duration::try_from(left)) {
                let entry = Waiting {
                    carrier,
                    call: kept.call,
                    number: kept.number,
                    expires: Instant::now() + left.min(self.lifetime),
                };
                self.remember(kept.sha256, entry);
            }
        }
        Ok(())
    }

    /// Puts the tokens that wait into the store, for the next run of the service.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn put_down(&self) -> Result<(), StoreError> {
        let (at, now) = (OffsetDateTime::now_utc(), Instant::now());
        let tokens: Vec<CallToken> = self
            .waiting()
            .drain()
            .map(|(sha256, waiting)| CallToken {
                sha256,
                carrier: waiting.carrier.name().to_owned(),
                call: waiting.call,
                number: waiting.number,
                expires_at: at + waiting.expires.saturating_duration_since(now),
            })
            .collect();
        if tokens.is_empty() {
            return Ok(());
        }
        self.store.keep_call_tokens(&tokens).await
    }

    fn remember(&self, hash: [u8; 32], entry: Waiting) {
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
        waiting.insert(hash, entry);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<[u8; 32], Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that nobody guesses.
fn random(carrier: Carrier) -> Option<String> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).ok()?;
    Some(match carrier {
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
    })
}

/// Found by its hash, so that the time a look-up takes says nothing of a token.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn call() -> (CallId, DialedNumber) {
        ("CA1".parse().unwrap(), "+12025550102".parse().unwrap())
    }

    /// Tokens on one machine, and the folder of its store.
    async fn opened(lifetime: Duration) -> (CallTokens, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
        (CallTokens::new(store, lifetime), folder)
    }

    async fn issued(tokens: &CallTokens, carrier: Carrier) -> String {
        let (id, number) = call();
        tokens.issue(carrier, &id, &number).await.unwrap().unwrap()
    }

    /// What a stream gets that brings `token` and calls its call by these.
    async fn redeemed(
        tokens: &CallTokens,
        token: &str,
        carrier: Carrier,
        ids: &[&str],
    ) -> Option<(CallId, DialedNumber)> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        tokens.redeem(token, carrier, &ids).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_opens_its_calls_stream_once() {
        let (tokens, _folder) = opened(MINUTE).await;
        let token = issued(&tokens, Carrier::Twilio).await;
        for (carrier, is_expected) in [(Carrier::Twilio, true), (Carrier::Telnyx, false)] {
            assert_eq!(tokens.expects(carrier).await.unwrap(), is_expected);
        }
        for (brought, expected) in [
            ("another", None),
            (token.as_str(), Some(call())),
            (token.as_str(), None),
        ] {
            let said = redeemed(&tokens, brought, Carrier::Twilio, &["x", "CA1"]).await;
            assert_eq!(said, expected);
        }
        assert!(!tokens.expects(Carrier::Twilio).await.unwrap());
    }

    #[tokio::test]
    async fn a_token_tried_on_another_call_or_carrier_is_used_up() {
        let (tokens, _folder) = opened(MINUTE).await;
        for (carrier, id) in [(Carrier::Twilio, "CA2"), (Carrier::Telnyx, "CA1")] {
            let token = issued(&tokens, Carrier::Twilio).await;
            assert_eq!(redeemed(&tokens, &token, carrier, &[id]).await, None);
            assert_eq!(redeemed(&tokens, &token, Carrier::Twilio, &["CA1"]).await, None);
        }
    }

    #[tokio::test]
    async fn asterisks_tokens_are_uuids_that_stand_alone_and_open_once() {
        let (tokens, _folder) = opened(MINUTE).await;
        let token = issued(&tokens, Carrier::Asterisk).await;
        let read: uuid::Uuid = token.parse().unwrap();
        assert_eq!(read.to_string(), token);
        for expected in [Some(call()), None] {
            assert_eq!(redeemed(&tokens, &token, Carrier::Asterisk, &[]).await, expected);
        }
    }

    #[tokio::test]
    async fn a_token_whose_time_is_over_opens_nothing() {
        let (tokens, _folder) = opened(Duration::ZERO).await;
        let token = issued(&tokens, Carrier::Twilio).await;
        assert!(!tokens.expects(Carrier::Twilio).await.unwrap());
        assert_eq!(redeemed(&tokens, &token, Carrier::Twilio, &["CA1"]).await, None);
    }

    #[tokio::test]
    async fn the_oldest_give_way_when_too_many_wait() {
        let (tokens, _folder) = opened(MINUTE).await;
        let first = issued(&tokens, Carrier::Twilio).await;
        let mut last = String::new();
        for _ in 0..MOST {
            last = issued(&tokens, Carrier::Twilio).await;
        }
        assert_eq!(tokens.waiting().len(), MOST);
        for (token, expected) in [(&first, None), (&last, Some(call()))] {
            assert_eq!(
                redeemed(&tokens, token, Carrier::Twilio, &["CA1"]).await,
                expected
            );
        }
    }

    #[tokio::test]
    async fn a_token_waits_over_a_restart_and_opens_once_all_the_same() {
        let (tokens, _folder) = opened(MINUTE).await;
        let [used, kept] = [
            issued(&tokens, Carrier::Telnyx).await,
            issued(&tokens, Carrier::Telnyx).await,
        ];
        assert!(
            redeemed(&tokens, &used, Carrier::Telnyx, &["CA1"])
                .await
                .is_some()
        );
        tokens.put_down().await.unwrap();
        let next = CallTokens::new(tokens.store.clone(), MINUTE);
        assert!(!next.expects(Carrier::Telnyx).await.unwrap());
        next.take_up().await.unwrap();
        for (token, expected) in [(&used, None), (&kept, Some(call())), (&kept, None)] {
            assert_eq!(redeemed(&next, token, Carrier::Telnyx, &["CA1"]).await, expected);
        }
        // What was taken up is in the store no more.
        let after = CallTokens::new(tokens.store.clone(), MINUTE);
        after.take_up().await.unwrap();
        assert!(after.waiting().is_empty());
    }
}
