//! Messages on their way to the customer's own backend: kept until it has taken them, and no longer.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};

use crate::store::database::{Tx, each, query, query_as, read_text_fact, write_fact};
use crate::store::people::phones_of;
use crate::store::values::{now, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::UserId;

/// How long what was delivered is remembered.
const REMEMBERED: Duration = Duration::days(1);
/// The most deliveries that are remembered.
const MOST_REMEMBERED: i64 = 100_000;
/// Rows that are looked at in one step when there are too many bytes.
const STEP: i64 = 256;
/// The fact that holds which backends were noted.
const NOTED_FACT: &str = "vapi_noted_backends";

/// A message to be delivered.
#[derive(Clone)]
pub struct NewRelay {
    /// By which it is known; the same message has the same.
    pub id: String,
    /// The address it goes to.
    pub upstream: String,
    /// The call it is about.
    pub call: Option<String>,
    /// Its headers, as the JSON of a list of pairs.
    pub headers: String,
    /// Its body, byte by byte as it came.
    pub body: Vec<u8>,
}

/// A message whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRelay {
    /// Its place in the order.
    pub seq: i64,
    /// By which it is known.
    pub id: String,
    /// The call it is about.
    pub call: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of an attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOutcome {
    /// It was taken, or never will be: it goes.
    Done,
    /// It is tried again then.
    Later(OffsetDateTime),
}

/// How much is kept, and how long.
#[derive(Debug, Clone, Copy)]
pub struct RelayBounds {
    /// Messages that are kept at a time.
    pub messages: usize,
    /// Bytes of their bodies and headers.
    pub bytes: usize,
    /// Until they expire.
    pub keep: std::time::Duration,
}

/// What a change of the queue brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayTally {
    /// Messages that were in the queue or delivered already.
    pub known: u64,
    /// The oldest, which had to make room.
    pub crowded_out: u64,
    /// Those whose time was over.
    pub expired: u64,
    /// What is in the queue now.
    pub waiting: u64,
}

impl Store {
    /// Takes messages into the queue and settles others, in one transaction; what is expired or too much goes.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; then nothing has changed.
    pub async fn write_relays(
        &self,
        new: &[NewRelay],
        settled: &[(i64, RelayOutcome)],
        bounds: RelayBounds,
    ) -> Result<RelayTally, StoreError> {
        let mut tx = self.write().await?;
        let at = now();
        let mut tally = RelayTally::default();
        for (seq, outcome) in settled {
            settle(&mut tx, *seq, outcome, at).await?;
        }
        for relay in new {
            if !insert(&mut tx, relay, at, bounds.keep).await? {
                tally.known += 1;
            }
        }
        let done = query("DELETE FROM relays WHERE expires_at <= $1")
            .bind(time_text(at))
            .execute(&mut tx)
            .await?;
        tally.expired = done;
        tally.crowded_out = make_room(&mut tx, bounds).await?;
        forget_old(&mut tx, at).await?;
        let (waiting,): (i64,) = query_as("SELECT COUNT(*) FROM relays").fetch_one(&mut tx).await?;
        tally.waiting = read_u64(waiting, "queue")?;
        tx.commit().await?;
        Ok(tally)
    }

    /// Messages to `upstream` whose turn it is, the longest due first, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn due_relays(&self, upstream: &str, most: usize) -> Result<Vec<DueRelay>, StoreError> {
        let statement = each(
            "SELECT seq, id, call_id, attempts FROM relays WHERE upstream = $1 AND next_at <= $2 AND expires_at > $2 \
             ORDER BY next_at, seq LIMIT $3",
            "SELECT seq, id, call_id, attempts FROM relays WHERE upstream = $1 AND next_at <= $2 AND expires_at > $2 \
             AND (held_until IS NULL OR held_until <= $2) ORDER BY next_at, seq LIMIT $3",
        );
        let rows: Vec<(i64, String, Option<String>, i64)> = query_as(statement)
            .bind(upstream)
            .bind(time_text(now()))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(self.pool())
            .await?;
        let due = rows.into_iter().map(|(seq, id, call, attempts)| DueRelay {
            seq,
            id,
            call,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        });
        Ok(due.collect())
    }

    /// Takes a message to deliver it, so that no other node of the store does so meanwhile, nor delivers another of the
    /// same call; `false` where one does. A node that never comes back to it has it for `hold` alone. SQLite's store has
    /// one node, which knows what it is delivering.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn hold_relay(&self, seq: i64, hold: std::time::Duration) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let at = now();
        let mut tx = self.write().await?;
        let held = query(
            "UPDATE relays SET held_until = $2 WHERE seq = $1 AND (held_until IS NULL OR held_until <= $3) \
             AND NOT EXISTS (SELECT 1 FROM relays other WHERE other.call_id = relays.call_id \
             AND other.seq <> relays.seq AND other.held_until > $3)",
        )
        .bind(seq)
        .bind(time_text(at + hold))
        .bind(time_text(at))
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(held == 1)
    }

    /// The headers and the body of a message; `None` when it is no longer there.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn relay_content(&self, seq: i64) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        Ok(query_as("SELECT headers, body FROM relays WHERE seq = $1")
            .bind(seq)
            .fetch_optional(self.pool())
            .await?)
    }

    /// The backends that were noted when Vapi's side was changed, as the nodes of a shared store tell one another; `None` where no
    /// node did. SQLite's one node has its own file.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn noted_backends(&self) -> Result<Option<String>, StoreError> {
        if !self.is_shared() {
            return Ok(None);
        }
        read_text_fact(&mut self.read().await?, NOTED_FACT).await
    }

    /// Keeps them for the other nodes of a shared store.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn note_backends(&self, noted: &str) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        write_fact(&mut tx, NOTED_FACT, noted.as_bytes()).await?;
        Ok(tx.commit().await?)
    }

    /// Removes what is queued for addresses that are none of `upstreams`: nothing is sent where nobody wants it any
    /// more. How much that was.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn drop_other_relays(&self, upstreams: &[String]) -> Result<u64, StoreError> {
        let known =
            serde_json::to_string(upstreams).map_err(|_| StoreError::Unreadable { what: "addresses" })?;
        let statement = each(
            "DELETE FROM relays WHERE upstream NOT IN (SELECT value FROM json_each($1))",
            "DELETE FROM relays WHERE upstream NOT IN (SELECT json_array_elements_text(CAST($1 AS json)))",
        );
        let done = query(statement).bind(known).execute(self.writers()).await?;
        Ok(done)
    }
}

/// Takes a message in, unless it is or was there.
async fn insert(
    conn: &mut Tx,
    relay: &NewRelay,
    at: OffsetDateTime,
    keep: std::time::Duration,
) -> Result<bool, StoreError> {
    let done = query(
        "INSERT INTO relays (id, upstream, call_id, headers, body, bytes, next_at, expires_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (SELECT 1 FROM relayed WHERE id = $1) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&relay.id)
    .bind(&relay.upstream)
    .bind(&relay.call)
    .bind(&relay.headers)
    .bind(&relay.body)
    .bind(i64::try_from(relay.body.len() + relay.headers.len()).unwrap_or(i64::MAX))
    .bind(time_text(at))
    .bind(time_text(at + keep))
    .execute(conn)
    .await?;
    Ok(done == 1)
}

async fn settle(
    conn: &mut Tx,
    seq: i64,
    outcome: &RelayOutcome,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    match outcome {
        RelayOutcome::Later(next) => {
            query(each(
                "UPDATE relays SET attempts = attempts + 1, next_at = $2 WHERE seq = $1",
                "UPDATE relays SET attempts = attempts + 1, next_at = $2, held_until = NULL WHERE seq = $1",
            ))
            .bind(seq)
            .bind(time_text(*next))
            .execute(conn)
            .await?;
        }
        RelayOutcome::Done => {
            query(
                "INSERT INTO relayed (id, at) SELECT id, $2 FROM relays WHERE seq = $1 ON CONFLICT DO NOTHING",
            )
            .bind(seq)
            .bind(time_text(at))
            .execute(&mut *conn)
            .await?;
            query("DELETE FROM relays WHERE seq = $1")
                .bind(seq)
                .execute(conn)
                .await?;
        }
    }
    Ok(())
}

/// Removes the oldest until the queue is within its bounds; how many that were.
async fn make_room(conn: &mut Tx, bounds: RelayBounds) -> Result<u64, StoreError> {
    let most = |bound: usize| i64::try_from(bound).unwrap_or(i64::MAX);
    let done = query(
        "DELETE FROM relays WHERE seq IN (SELECT seq FROM relays ORDER BY seq \
         LIMIT (SELECT CASE WHEN COUNT(*) > $1 THEN COUNT(*) - $1 ELSE 0 END FROM relays))",
    )
    .bind(most(bounds.messages))
    .execute(&mut *conn)
    .await?;
    let mut gone = done;
    let (mut bytes,): (i64,) = query_as("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM relays")
        .fetch_one(&mut *conn)
        .await?;
    while bytes > most(bounds.bytes) {
        let oldest: Vec<(i64, i64)> = query_as("SELECT seq, bytes FROM relays ORDER BY seq LIMIT $1")
            .bind(STEP)
            .fetch_all(&mut *conn)
            .await?;
        let mut last = None;
        for (seq, size) in oldest {
            if bytes <= most(bounds.bytes) {
                break;
            }
            bytes -= size;
            last = Some(seq);
        }
        let Some(last) = last else { break };
        let done = query("DELETE FROM relays WHERE seq <= $1")
            .bind(last)
            .execute(&mut *conn)
            .await?;
        gone += done;
    }
    Ok(gone)
}

async fn forget_old(conn: &mut Tx, at: OffsetDateTime) -> Result<(), StoreError> {
    query("DELETE FROM relayed WHERE at < $1")
        .bind(time_text(at - REMEMBERED))
        .execute(&mut *conn)
        .await?;
    query("DELETE FROM relayed WHERE seq <= (SELECT MAX(seq) FROM relayed) - $1")
        .bind(MOST_REMEMBERED)
        .execute(conn)
        .await?;
    Ok(())
}

/// Erases messages of `calls`, which said something of `user`, and those with one of their phones in them. To be done
/// before the phones are gone, by which they are found.
pub(in crate::store) async fn erase_relays(
    conn: &mut Tx,
    user: UserId,
    calls: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let calls = serde_json::to_string(calls).map_err(|_| StoreError::Unreadable { what: "call ids" })?;
    let statement = each(
        "DELETE FROM relays WHERE call_id IN (SELECT value FROM json_each($1))",
        "DELETE FROM relays WHERE call_id IN (SELECT json_array_elements_text(CAST($1 AS json)))",
    );
    query(statement).bind(calls).execute(&mut *conn).await?;
    let statement = each(
        "DELETE FROM relays WHERE instr(body, $1) > 0",
        "DELETE FROM relays WHERE position($1 IN body) > 0",
    );
    for phone in phones_of(conn, &user.to_string()).await? {
        query(statement)
            .bind(phone.as_e164().as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
