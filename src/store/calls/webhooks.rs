//! Webhooks that were seen before, the tokens they come with, and the key of their calls' markers.

use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::sealed_verdicts::{open_answer, seal_answer};
use crate::store::database::{query, query_as, read_fact, write_fact};
use crate::store::values::{now, read_time, time_text};
use crate::store::{Store, StoreError};

/// How long a webhook is remembered. Vapi sends one again within seconds; this is for a long outage.
const REMEMBERED: Duration = Duration::days(1);
/// The most webhooks that are remembered.
const MOST: i64 = 100_000;
/// The most characters of an answer that are kept.
const LONGEST_ANSWER: usize = 4_000;
/// The fact that holds the key of the markers.
const KEY_FACT: &str = "vapi_marker_key";

/// What the store knows of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webhook {
    /// It was not here before, and is now.
    New,
    /// It was, with what it was answered, if that was settled.
    Seen(Option<String>),
}

impl Store {
    /// Takes a webhook by its fingerprint, once: whoever comes second is told so. What is old is forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn take_webhook(&self, fingerprint: &[u8; 32]) -> Result<Webhook, StoreError> {
        let mut tx = self.write().await?;
        let now = now();
        let done = query(
            "INSERT INTO webhooks (fingerprint, seen_at) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING",
        )
        .bind(&fingerprint[..])
        .bind(time_text(now))
        .execute(&mut tx)
        .await?;
        if done == 0 {
            let row: Option<(Option<Vec<u8>>,)> =
                query_as("SELECT answer FROM webhooks WHERE fingerprint = $1")
                    .bind(&fingerprint[..])
                    .fetch_optional(&mut tx)
                    .await?;
            let Some(sealed) = row.and_then(|(answer,)| answer) else {
                return Ok(Webhook::Seen(None));
            };
            let keys = tx.keys().await?;
            let answer = open_answer(&keys, fingerprint, &sealed)?;
            return Ok(Webhook::Seen(Some(answer)));
        }
        query("DELETE FROM webhooks WHERE seen_at < $1")
            .bind(time_text(now - REMEMBERED))
            .execute(&mut tx)
            .await?;
        query("DELETE FROM webhooks WHERE seq <= (SELECT MAX(seq) FROM webhooks) - $1")
            .bind(MOST)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(Webhook::New)
    }

    /// Keeps what a webhook was answered.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn settle_webhook(&self, fingerprint: &[u8; 32], answer: &str) -> Result<(), StoreError> {
        let kept: String = answer.chars().take(LONGEST_ANSWER).collect();
        let mut tx = self.write().await?;
        let keys = tx.keys().await?;
        let sealed = seal_answer(&keys, fingerprint, &kept)?;
        query("UPDATE webhooks SET answer = $2 WHERE fingerprint = $1")
            .bind(&fingerprint[..])
            .bind(sealed)
            .execute(&mut tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Keeps a token of the token endpoint by its hash; expired ones go.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn keep_token(&self, sha256: &[u8; 32], expires_at: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        query("DELETE FROM webhook_tokens WHERE expires_at < $1")
            .bind(time_text(now()))
            .execute(&mut tx)
            .await?;
        query("INSERT INTO webhook_tokens (sha256, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(&sha256[..])
            .bind(time_text(expires_at))
            .execute(&mut tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Until when the token with this hash is good; `None` for one that is nobody's, or whose time is over.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn good_token(&self, sha256: &[u8; 32]) -> Result<Option<OffsetDateTime>, StoreError> {
        let row: Option<(String,)> =
            query_as("SELECT expires_at FROM webhook_tokens WHERE sha256 = $1 AND expires_at > $2")
                .bind(&sha256[..])
                .bind(time_text(now()))
                .fetch_optional(self.pool())
                .await?;
        row.map(|(expires_at,)| read_time(&expires_at)).transpose()
    }

    /// The secret key of the markers of this store's calls, made when it is first asked for.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written or the system gives no randomness.
    pub async fn marker_key(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        // Read first: a service that starts again does not wait for who writes.
        if let Some(key) = read_fact(&mut self.read().await?, KEY_FACT).await? {
            return Ok(Zeroizing::new(key));
        }
        let mut tx = self.write().await?;
        if let Some(key) = read_fact(&mut tx, KEY_FACT).await? {
            return Ok(Zeroizing::new(key));
        }
        let mut key = Zeroizing::new(vec![0_u8; 32]);
        getrandom::fill(&mut key).map_err(|_| StoreError::Interrupted)?;
        write_fact(&mut tx, KEY_FACT, &key).await?;
        tx.commit().await?;
        Ok(key)
    }
}
