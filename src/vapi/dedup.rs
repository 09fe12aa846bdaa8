//! Each webhook once: what was seen is remembered here and, where doing it twice would count, in the store.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::store::{Store, Webhook};

use super::message::{Message, News};

/// Webhooks that are remembered in memory.
const MOST: usize = 8_192;

/// How long the store may take to say whether it has seen a webhook.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which webhooks were seen before, and what they were answered, so that one that is sent twice does its work once.
#[derive(Default)]
pub struct Dedup {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Dedup {
    /// Whether a message comes for the first time. One that cannot be told apart from others always does.
    /// Where the store is out of order, memory alone decides: a call is served all the same.
    pub async fn is_first(&self, store: &Store, message: &Message) -> bool {
        let Some(fingerprint) = message.fingerprint() else {
            return true;
        };
        let hash: [u8; 32] = Sha256::digest(fingerprint.as_bytes()).into();
        if !self.remember(hash) {
            return false;
        }
        if !outlives_a_restart(&message.news) {
            return true;
        }
        match timeout(PATIENCE, store.take_webhook(&hash)).await {
            Ok(Ok(taken)) => taken == Webhook::New,
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "whether a webhook was seen before cannot be told: {fault}");
                true
            }
            Err(_) => true,
        }
    }

    fn remember(&self, hash: [u8; 32]) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.known.insert(hash) {
            return false;
        }
        seen.order.push_back(hash);
        if seen.order.len() > MOST
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.known.remove(&oldest);
        }
        true
    }
}

/// Whether doing it again after a restart would count: statuses and reports begin and end things. Tool calls are
/// remembered with their answers, and the rest is about moments that have passed.
fn outlives_a_restart(news: &News) -> bool {
    matches!(news, News::Status(_) | News::EndOfCall(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_latest_are_known() {
        let dedup = Dedup::default();
        let hash = |nth: usize| -> [u8; 32] { Sha256::digest(nth.to_le_bytes()).into() };
        for nth in 0..3 * MOST {
            assert!(dedup.remember(hash(nth)));
        }
        assert!(!dedup.remember(hash(3 * MOST - 1)));
        assert!(dedup.remember(hash(0)), "the oldest is forgotten");
        assert!(dedup.seen.lock().unwrap().known.len() <= MOST);
    }
}
