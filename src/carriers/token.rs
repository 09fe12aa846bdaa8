//! One-time call tokens: what a voice webhook gives a carrier, and the call's stream brings back.
//!
//! A token opens one stream, of the one call it was made for, on the number that was dialed, within minutes. It is kept
//! as a hash: in memory, and in the store from a shutdown to the next start; where several nodes share a store also there at
//! once, so that the stream may come to any of them and is taken by one. A shared store that does not answer costs the other
//! nodes' knowledge of the token, and not the call: the node that made it takes it by its memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};

use super::Carrier;
use super::together::Together;
use super::token_text::{hash, may_be_one, random};
use crate::store::{CallToken, Store, StoreError};
use crate::units::{CallId, DialedNumber};

/// The most tokens that wait at a time: calls that rang and did not stream yet. The oldest give way.
const MOST: usize = 10_000;

/// How long a stream whose token was made here waits for a shared store to say whether another node took it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many tokens that were not made here are looked for in a shared store at a time. Anybody can send some that nobody made: they
/// wait for one another, and hold up nothing else. Nobody is refused for those of others, as streams of all calls may come from one
/// address.
const LOOKED_FOR: usize = 2;

/// The tokens that wait for their streams.
pub struct CallTokens {
    store: Store,
    lifetime: Duration,
    /// Those that were made here, until their streams come here.
    waiting: Arc<Mutex<WaitingTokens>>,
    /// By carrier, whether a shared store has any of its streams' tokens.
    expected: [Together; Carrier::ALL.len()],
    /// Whose turn it is to look for one in a shared store.
    looking: Semaphore,
}

/// By their hashes.
type WaitingTokens = HashMap<[u8; 32], Waiting>;

struct Waiting {
    carrier: Carrier,
    call: CallId,
    number: DialedNumber,
    expires: Instant,
    /// Whether it is known to have come into the store, so that whether it is there says whether it was used.
    is_stored: bool,
}

impl CallTokens {
    /// None yet; each will be good for `lifetime`.
    pub fn new(store: Store, lifetime: Duration) -> Self {
        Self {
            store,
            lifetime,
            waiting: Arc::default(),
            expected: std::array::from_fn(|_| Together::default()),
            looking: Semaphore::new(LOOKED_FOR),
        }
    }

    /// A token for the stream of `call`: letters and digits alone, so that it fits any carrier's document; a UUID for
    /// Asterisk, whose AudioSocket brings nothing else.
    /// `None` when the system has no random numbers; then there is no token, never a weak one. Other nodes of a shared store
    /// have until `until` to be told of it, and are told afterwards where that is too soon.
    pub async fn issue(
        &self,
        carrier: Carrier,
        call: &CallId,
        number: &DialedNumber,
        until: tokio::time::Instant,
    ) -> Option<String> {
        let token = random(carrier)?;
        let entry = Waiting {
            carrier,
            call: call.clone(),
            number: number.clone(),
            expires: Instant::now() + self.lifetime,
            is_stored: false,
        };
        self.remember(hash(&token), entry);
        if self.store.is_shared() {
            let kept = CallToken {
                sha256: hash(&token),
                carrier: carrier.name().to_owned(),
                call: call.clone(),
                number: number.clone(),
                expires_at: self.store.shared_time() + self.lifetime,
            };
            let keeping = tokio::spawn(keep(self.store.clone(), Arc::clone(&self.waiting), kept));
            let _ = timeout_at(until, keeping).await;
        }
        Some(token)
    }

    /// The call and number that `token` was made for, if it waits for a stream of `carrier` that calls its
    /// call by one of `ids`. Asterisk's streams call by their own channel's id, so there the token stands alone. Whatever
    /// comes of it, the token is used.
    ///
    /// # Errors
    /// [`StoreError`] when it was not made here, and a shared store cannot be written.
    pub async fn redeem(
        &self,
        token: &str,
        carrier: Carrier,
        ids: &[String],
    ) -> Result<Option<(CallId, DialedNumber)>, StoreError> {
        let hash = hash(token);
        let waiting = self.waiting().remove(&hash);
        let found = match waiting {
            Some(waiting) => {
                let is_taken = self.store.is_shared() && self.was_taken(hash, waiting.is_stored).await;
                let fits = waiting.carrier == carrier && waiting.expires > Instant::now();
                Some((fits && !is_taken, waiting.call, waiting.number))
            }
            None if self.store.is_shared() && may_be_one(token, carrier) => {
                let _turn = self.looking.acquire().await;
                let found = self.store.take_call_token(&hash).await?;
                found.map(|kept| (kept.carrier == carrier.name(), kept.call, kept.number))
            }
            None => None,
        };
        Ok(found.and_then(|(fits, call, number)| {
            let named = carrier == Carrier::Asterisk || ids.iter().any(|id| id == call.as_str());
            (fits && named).then_some((call, number))
        }))
    }

    /// Takes a token that was made here out of the store; whether another node has taken it before, as far as that is known in
    /// time.
    async fn was_taken(&self, hash: [u8; 32], is_stored: bool) -> bool {
        let store = self.store.clone();
        // In a task of its own: it is taken out also where that is not waited for.
        let taking = tokio::spawn(async move { store.take_call_token(&hash).await });
        let taken = timeout(PATIENCE, taking).await;
        is_stored && matches!(taken, Ok(Ok(Ok(None))))
    }

    /// Whether any stream of `carrier` is waited for. Anybody can have this asked, so a shared store is asked ten times a second at
    /// most; one that cannot be read knows of none.
    pub async fn expects(&self, carrier: Carrier) -> bool {
        let now = Instant::now();
        let (any, any_unstored) = {
            let waiting = self.waiting();
            let of_it = waiting
                .values()
                .filter(|waiting| waiting.carrier == carrier && waiting.expires > now);
            let of_it = of_it.map(|waiting| waiting.is_stored);
            of_it.fold((false, false), |(_, any), is_stored| (true, any || !is_stored))
        };
        if any_unstored || !self.store.is_shared() {
            return any;
        }
        let question = async { self.store.has_call_tokens(carrier.name()).await.ok() };
        let asked = self.expected[carrier as usize].ask(question);
        if !any {
            return asked.await == Some(true);
        }
        // Other nodes may have taken all of them.
        !matches!(timeout(PATIENCE, asked).await, Ok(Some(false)))
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
            let left = kept.expires_at - self.store.shared_time();
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
                    is_stored: false,
                };
                self.remember(kept.sha256, entry);
            }
        }
        Ok(())
    }

    /// Puts the tokens that wait and are not there into the store, for the next run of the service and for other nodes.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn put_down(&self) -> Result<(), StoreError> {
        let (at, now) = (self.store.shared_time(), Instant::now());
        let tokens: Vec<CallToken> = self
            .waiting()
            .iter_mut()
            .filter_map(|(sha256, waiting)| {
                let was_stored = std::mem::replace(&mut waiting.is_stored, true);
                (!was_stored).then(|| CallToken {
                    sha256: *sha256,
                    carrier: waiting.carrier.name().to_owned(),
                    call: waiting.call.clone(),
                    number: waiting.number.clone(),
                    expires_at: at + waiting.expires.saturating_duration_since(now),
                })
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

    fn waiting(&self) -> MutexGuard<'_, WaitingTokens> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the other nodes of a shared store know of a token, unless its stream came here meanwhile.
async fn keep(store: Store, waiting: Arc<Mutex<WaitingTokens>>, token: CallToken) {
    if let Err(fault) = store.keep_call_token(&token).await {
        let id = &token.call;
        tracing::warn!(call.id = %id, %fault, "the stream of call {id} is known at this node alone: {fault}");
        return;
    }
    let is_waiting = {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = waiting.get_mut(&token.sha256);
        entry.map(|entry| entry.is_stored = true)
    };
    if is_waiting.is_none() {
        // Where it cannot be taken out, it stands there until its time is over.
        let _ = store.take_call_token(&token.sha256).await;
    }
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
        let (folder, store) = Store::in_a_folder().await;
        (CallTokens::new(store, lifetime), folder)
    }

    async fn issued(tokens: &CallTokens, carrier: Carrier) -> String {
        let (id, number) = call();
        let until = tokio::time::Instant::now();
        tokens.issue(carrier, &id, &number, until).await.unwrap()
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
            assert_eq!(tokens.expects(carrier).await, is_expected);
        }
        for (brought, expected) in [
            ("another", None),
            (token.as_str(), Some(call())),
            (token.as_str(), None),
        ] {
            let said = redeemed(&tokens, brought, Carrier::Twilio, &["x", "CA1"]).await;
            assert_eq!(said, expected);
        }
        assert!(!tokens.expects(Carrier::Twilio).await);
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
        assert!(!tokens.expects(Carrier::Twilio).await);
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
        assert!(!next.expects(Carrier::Telnyx).await);
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
