//! Calls whose callers were asked for a PIN, and wait to be handed on.
//!
//! What the first webhook of such a call said has to be known when the second comes: not every field of a ringing call is
//! repeated. And a webhook that is sent twice must not count a PIN twice. Both are kept in memory: after a restart the
//! second webhook is taken for the first. Where several nodes share a store, both are in it too: any webhook may come to
//! another node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::store::{Store, StoreError, Webhook};
use crate::units::{CallId, PhoneNumber};

/// The most calls that are remembered at a time; the oldest give way.
const MOST: usize = 10_000;

/// How long a call is remembered: longer than any prompt and the carrier's repetitions take.
const LIFETIME: Duration = Duration::from_secs(600);

/// The calls whose callers were asked.
pub struct Asked {
    store: Store,
    calls: Mutex<HashMap<CallId, Remembered>>,
}

struct Remembered {
    forwarded: Option<PhoneNumber>,
    answered: bool,
    expires: Instant,
}

/// What is known here of a call whose caller answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether it is the first answer.
    pub first: bool,
    /// The number that forwarded the call.
    pub forwarded: Option<PhoneNumber>,
}

impl Asked {
    /// Nobody yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            calls: Mutex::default(),
        }
    }

    /// Remembers that the caller of `call`, which `forwarded` forwarded, is being asked.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be written; this node remembers it all the same.
    pub async fn ask(&self, call: &CallId, forwarded: Option<&PhoneNumber>) -> Result<(), StoreError> {
        self.remember(call, forwarded.cloned(), false);
        let Some(forwarded) = forwarded.filter(|_| self.store.is_shared()) else {
            return Ok(());
        };
        let asked = fingerprint("asked", call);
        // Sealed, for a day, and gone with whoever is erased: as what webhooks were answered.
        if self.store.take_webhook(&asked).await? == Webhook::New {
            self.store.settle_webhook(&asked, forwarded.as_e164()).await?;
        }
        Ok(())
    }

    /// The number that forwarded a call whose caller another node asked.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be written.
    pub async fn forwarder_told_elsewhere(&self, call: &CallId) -> Result<Option<PhoneNumber>, StoreError> {
        if !self.store.is_shared() {
            return Ok(None);
        }
        Ok(
            match self.store.take_webhook(&fingerprint("asked", call)).await? {
                Webhook::Seen(Some(number)) => number.parse().ok(),
                Webhook::Seen(None) | Webhook::New => None,
            },
        )
    }

    /// Whether no other node took an answer of this call's caller before.
    ///
    /// # Errors
    /// [`StoreError`] when a shared store cannot be written.
    pub async fn is_first_anywhere(&self, call: &CallId) -> Result<bool, StoreError> {
        if !self.store.is_shared() {
            return Ok(true);
        }
        let taken = self.store.take_webhook(&fingerprint("answered", call)).await?;
        Ok(taken == Webhook::New)
    }

    /// What is remembered of a call whose caller answered.
    pub fn answer(&self, call: &CallId) -> Answered {
        if let Some(known) = self.calls().get_mut(call) {
            let first = !std::mem::replace(&mut known.answered, true);
            return Answered {
                first,
                forwarded: known.forwarded.clone(),
            };
        }
        self.remember(call, None, true);
        Answered {
            first: true,
            forwarded: None,
        }
    }

    fn remember(&self, call: &CallId, forwarded: Option<PhoneNumber>, answered: bool) {
        let now = Instant::now();
        let mut calls = self.calls();
        if calls.len() >= MOST {
            calls.retain(|_, known| known.expires > now);
        }
        if calls.len() >= MOST {
            let oldest = calls.iter().min_by_key(|(_, known)| known.expires);
            let oldest = oldest.map(|(call, _)| call.clone());
            oldest.and_then(|call| calls.remove(&call));
        }
        let entry = Remembered {
            forwarded,
            answered,
            expires: now + LIFETIME,
        };
        // A webhook that comes twice asks once.
        calls.entry(call.clone()).or_insert(entry);
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Remembered>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a step of a call is known by among the webhooks that were seen.
fn fingerprint(step: &str, call: &CallId) -> [u8; 32] {
    Sha256::digest(format!("carriers {step} {}", call.as_str())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On one machine, with the folder of its store.
    async fn opened() -> (Asked, tempfile::TempDir) {
        let (folder, store) = Store::in_a_folder().await;
        (Asked::new(store), folder)
    }

    #[tokio::test]
    async fn an_answer_is_the_first_once_and_the_forwarder_is_known_each_time() {
        let (asked, _folder) = opened().await;
        let call: CallId = "CA1".parse().unwrap();
        let forwarder: PhoneNumber = "+12025550103".parse().unwrap();
        asked.ask(&call, Some(&forwarder)).await.unwrap();
        let answer = |first| Answered {
            first,
            forwarded: Some(forwarder.clone()),
        };
        assert_eq!(asked.answer(&call), answer(true));
        // The first webhook again, late.
        asked.ask(&call, None).await.unwrap();
        assert_eq!(asked.answer(&call), answer(false));
    }

    #[tokio::test]
    async fn a_call_that_is_not_remembered_answers_once_too() {
        let (asked, _folder) = opened().await;
        let call: CallId = "CA2".parse().unwrap();
        let firsts = [(); 3].map(|()| asked.answer(&call).first);
        assert_eq!(firsts, [true, false, false]);
    }

    #[tokio::test]
    async fn however_many_calls_ring_memory_is_bounded() {
        let (asked, _folder) = opened().await;
        for nth in 0..MOST + 10 {
            let call = format!("CA{nth}").parse().unwrap();
            asked.ask(&call, None).await.unwrap();
        }
        assert_eq!(asked.calls().len(), MOST);
    }
}
