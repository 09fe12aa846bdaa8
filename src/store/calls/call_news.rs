//! News of calls that cannot wait for the next verdict, from one node of a shared store to the others, for a few minutes.
//!
//! Ages are by the database's clock: those of two nodes differ. On SQLite there is one node, and nothing is told or asked.

use std::time::Duration;

use crate::store::database::{query, query_as};
use crate::store::values::read;
use crate::store::{Store, StoreError};
use crate::units::{CallId, words};

/// The most news of one call that are given at a time, the latest.
const MOST: i64 = 64;

words! {
    /// What is told of a call.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum CallNewsKind {
        /// The assistant begins to speak.
        AssistantBegins = "assistant_begins",
        /// It stops.
        AssistantStops = "assistant_stops",
        /// The caller begins to speak.
        CallerBegins = "caller_begins",
        /// They stop.
        CallerStops = "caller_stops",
        /// The call is put through to a person.
        PutThrough = "put_through",
        /// It is handed over to another assistant.
        HandedOver = "handed_over",
        /// The assistant has it.
        Answered = "answered",
        /// The call is over.
        Ended = "ended",
    }
}

/// News of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallNews {
    /// Which call it is of.
    pub call: CallId,
    /// What is told.
    pub kind: CallNewsKind,
    /// When the message that brought it was made, in milliseconds since 1970, by its own word.
    pub made_ms: Option<i64>,
    /// The turn of the call that it tells of.
    pub turn: Option<i64>,
}

/// News as another node had them.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldNews {
    /// By which they are known.
    pub seq: i64,
    /// What was told.
    pub news: CallNews,
    /// How long ago.
    pub age: Duration,
}

/// Sequence, call, kind, when it was made, turn, age in seconds.
type TellingRow = (i64, String, String, Option<i64>, Option<i64>, f64);

impl Store {
    /// Tells other nodes of a shared store, as `node`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn tell_other_nodes(&self, node: &str, news: &CallNews) -> Result<(), StoreError> {
        if self.is_shared() {
            query("INSERT INTO call_news (node, call_id, kind, made_ms, turn) VALUES ($1, $2, $3, $4, $5)")
                .bind(node)
                .bind(news.call.as_str())
                .bind(news.kind.name())
                .bind(news.made_ms)
                .bind(news.turn)
                .execute(self.writers())
                .await?;
        }
        Ok(())
    }

    /// What other nodes than `node` told of these calls `within` the last moments, the earliest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn news_of_other_nodes(
        &self,
        node: &str,
        calls: &[CallId],
        within: Duration,
    ) -> Result<Vec<ToldNews>, StoreError> {
        if !self.is_shared() || calls.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = calls.iter().map(CallId::as_str).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| StoreError::Unreadable { what: "call id" })?;
        let rows: Vec<TellingRow> = query_as(
            "SELECT told.seq, told.call_id, told.kind, told.made_ms, told.turn, told.age \
             FROM json_array_elements_text(CAST($1 AS json)) AS wanted(id) CROSS JOIN LATERAL (\
               SELECT seq, call_id, kind, made_ms, turn, \
                 CAST(EXTRACT(EPOCH FROM clock_timestamp() - told_at) AS DOUBLE PRECISION) AS age \
               FROM call_news WHERE call_id = wanted.id AND node <> $2 \
                 AND told_at > clock_timestamp() - make_interval(secs => $3) \
               ORDER BY seq DESC LIMIT $4\
             ) told ORDER BY told.seq",
        )
        .bind(ids)
        .bind(node)
        .bind(within.as_secs_f64())
        .bind(MOST)
        .fetch_all(self.pool())
        .await?;
        let told = rows
            .into_iter()
            .filter_map(|(seq, call, kind, made_ms, turn, age)| {
                // What a later release tells is nothing to this one.
                let kind = CallNewsKind::ALL.into_iter().find(|known| known.name() == kind)?;
                Some((seq, call, kind, made_ms, turn, age))
            });
        told.map(|(seq, call, kind, made_ms, turn, age)| {
            let news = CallNews {
                call: read(&call, "call id")?,
                kind,
                made_ms,
                turn,
            };
            let age = Duration::try_from_secs_f64(age).unwrap_or_default();
            Ok(ToldNews { seq, news, age })
        })
        .collect()
    }

    /// Forgets news that are older than a few minutes: nobody asks for them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn forget_call_news(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            query("DELETE FROM call_news WHERE told_at < clock_timestamp() - interval '3 minutes'")
                .execute(self.writers())
                .await?;
        }
        Ok(())
    }
}
