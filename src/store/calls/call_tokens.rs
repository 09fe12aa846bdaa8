//! Tokens of calls that wait for their streams: between the nodes of a shared store, and from one run to the next. How long one
//! is good is told by the clock that the nodes share: by a node's own that is ahead, no other node's token would last.

use time::OffsetDateTime;

use crate::store::database::{Query, query, query_as};
use crate::store::values::{read, read_time, time_text};
use crate::store::{Store, StoreError};
use crate::units::{CallId, DialedNumber};

/// The most tokens that are kept; the oldest give way.
const MOST: i64 = 100_000;

/// A token that waits for the stream of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToken {
    /// Its SHA-256: the token itself is known to the carrier alone.
    pub sha256: [u8; 32],
    /// The name of the carrier whose stream brings it.
    pub carrier: String,
    /// Id of the call.
    pub call: CallId,
    /// The dialed number.
    pub number: DialedNumber,
    /// Until when it is good, by [`Store::shared_time`].
    pub expires_at: OffsetDateTime,
}

type Row = (Vec<u8>, String, String, String, String);

impl CallToken {
    fn read((sha256, carrier, call, number, expires_at): Row) -> Result<Self, StoreError> {
        let unreadable = |_| StoreError::Unreadable { what: "call token" };
        Ok(Self {
            sha256: sha256.try_into().map_err(unreadable)?,
            carrier,
            call: read(&call, "call id")?,
            number: read(&number, "number")?,
            expires_at: read_time(&expires_at)?,
        })
    }

    fn is_good(&self, at: OffsetDateTime) -> bool {
        self.expires_at > at
    }
}

/// What keeps a token.
fn insertion(token: &CallToken) -> Query {
    query(
        "INSERT INTO call_tokens (sha256, carrier, call_id, number, expires_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (sha256) DO NOTHING",
    )
    .bind(&token.sha256[..])
    .bind(&token.carrier)
    .bind(token.call.as_str())
    .bind(token.number.as_e164())
    .bind(time_text(token.expires_at))
}

impl Store {
    /// Keeps a token until its stream comes. A ringing call waits for that, so it takes no turn among those who write.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn keep_call_token(&self, token: &CallToken) -> Result<(), StoreError> {
        insertion(token).execute(self.writers()).await?;
        Ok(())
    }

    /// The same with many at a time.
    ///
    /// # Errors
    /// Likewise.
    pub async fn keep_call_tokens(&self, tokens: &[CallToken]) -> Result<(), StoreError> {
        let mut tx = self.write_beside().await?;
        for token in tokens {
            insertion(token).execute(&mut tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets the tokens whose time is over, and the oldest where there are too many. Looks at the clock of a shared store before,
    /// for this machine's may have been set.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn forget_call_tokens(&self) -> Result<(), StoreError> {
        self.see_server_clock().await?;
        query("DELETE FROM call_tokens WHERE expires_at <= $1")
            .bind(time_text(self.shared_time()))
            .execute(self.writers())
            .await?;
        query("DELETE FROM call_tokens WHERE seq <= (SELECT MAX(seq) FROM call_tokens) - $1")
            .bind(MOST)
            .execute(self.writers())
            .await?;
        Ok(())
    }

    /// Takes the token with this hash: whoever asks first has it. `None` where there is none, or its time is over.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn take_call_token(&self, sha256: &[u8; 32]) -> Result<Option<CallToken>, StoreError> {
        let rows: Vec<Row> = query_as(
            "DELETE FROM call_tokens WHERE sha256 = $1 RETURNING sha256, carrier, call_id, number, expires_at",
        )
        .bind(&sha256[..])
        .fetch_all(self.writers())
        .await?;
        let found = rows.into_iter().next().map(CallToken::read).transpose()?;
        Ok(found.filter(|token| token.is_good(self.shared_time())))
    }

    /// Takes all tokens, and gives those that are still good.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn take_call_tokens(&self) -> Result<Vec<CallToken>, StoreError> {
        // Read first: a service that starts does not wait for who writes.
        let any: Option<(i64,)> = query_as("SELECT seq FROM call_tokens LIMIT 1")
            .fetch_optional(self.pool())
            .await?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let rows: Vec<Row> =
            query_as("DELETE FROM call_tokens RETURNING sha256, carrier, call_id, number, expires_at")
                .fetch_all(self.writers())
                .await?;
        let mut tokens: Vec<_> = rows
            .into_iter()
            .map(CallToken::read)
            .collect::<Result<_, StoreError>>()?;
        tokens.retain(|token| token.is_good(self.shared_time()));
        Ok(tokens)
    }

    /// Whether any stream of the carrier with this name is waited for.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn has_call_tokens(&self, carrier: &str) -> Result<bool, StoreError> {
        let found: Option<(String,)> =
            query_as("SELECT carrier FROM call_tokens WHERE carrier = $1 AND expires_at > $2 LIMIT 1")
                .bind(carrier)
                .bind(time_text(self.shared_time()))
                .fetch_optional(self.pool())
                .await?;
        Ok(found.is_some())
    }
}
