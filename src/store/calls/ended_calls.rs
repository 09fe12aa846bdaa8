//! The last words on calls, without who was named: what drift is told from.

use futures_util::TryStreamExt;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::sealed_verdicts::verdict_place;
use crate::store::database::query_as;
use crate::store::values::{read_time, time_text};
use crate::store::{Access, Store, StoreError};
use crate::units::DialedNumber;

/// The most calls that are read of the first weeks, and of the others.
const MOST: i64 = 20_000;

/// The earliest calls that ended, of those that began before a time.
const FIRST: &str = "SELECT call_id, started_at, verdict FROM calls WHERE final AND ($1 IS NULL OR number = $1) \
    AND tenant_id = $4 AND ($5 IS NULL OR number IN (SELECT number FROM key_numbers WHERE key_id = $5)) \
    AND started_at < $2 ORDER BY started_at LIMIT $3";

/// The latest calls that ended, of those that began at a time or after it.
const LATEST: &str = "SELECT call_id, started_at, verdict FROM calls WHERE final AND ($1 IS NULL OR number = $1) \
    AND tenant_id = $4 AND ($5 IS NULL OR number IN (SELECT number FROM key_numbers WHERE key_id = $5)) \
    AND started_at >= $2 ORDER BY started_at DESC LIMIT $3";

/// A call that ended, and its last verdict as far as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedCall<T> {
    /// When it began.
    pub started_at: OffsetDateTime,
    /// The part of its verdict that was asked for.
    pub verdict: T,
}

impl Store {
    /// Whether any call that `access` sees was recorded.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn has_calls(&self, access: &Access) -> Result<bool, StoreError> {
        let (any,): (bool,) = query_as(
            "SELECT EXISTS (SELECT 1 FROM calls WHERE tenant_id = $1 \
             AND ($2 IS NULL OR number IN (SELECT number FROM key_numbers WHERE key_id = $2)))",
        )
        .bind(access.tenant_text())
        .bind(access.narrowing_key())
        .fetch_one(self.pool())
        .await?;
        Ok(any)
    }

    /// Calls that `access` sees and that ended: those of the `first` days since the very first, and those that began after `since`, at most
    /// 20 000 of either (the earliest, and the latest). Of each verdict only what `T` has is kept; a verdict without it
    /// is passed over, as of releases that wrote others.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn ended_calls<T>(
        &self,
        access: &Access,
        number: Option<&DialedNumber>,
        first: Duration,
        since: OffsetDateTime,
    ) -> Result<Vec<EndedCall<T>>, StoreError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let number = number.map(DialedNumber::as_e164);
        let earliest: Option<(String,)> = query_as(
            "SELECT started_at FROM calls WHERE final AND ($1 IS NULL OR number = $1) AND tenant_id = $2 \
             AND ($3 IS NULL OR number IN (SELECT number FROM key_numbers WHERE key_id = $3)) \
             ORDER BY started_at LIMIT 1",
        )
        .bind(number)
        .bind(access.tenant_text())
        .bind(access.narrowing_key())
        .fetch_optional(self.pool())
        .await?;
        let Some((earliest,)) = earliest else {
            return Ok(Vec::new());
        };
        let first_ends = read_time(&earliest)? + first;
        let mut calls = self.ended_of(FIRST, access, number, first_ends).await?;
        calls.extend(
            self.ended_of(LATEST, access, number, since.max(first_ends))
                .await?,
        );
        Ok(calls)
    }

    /// The calls that `statement` ([`FIRST`] or [`LATEST`]) finds before or after `at`.
    async fn ended_of<T>(
        &self,
        statement: &'static str,
        access: &Access,
        number: Option<&str>,
        at: OffsetDateTime,
    ) -> Result<Vec<EndedCall<T>>, StoreError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let keys = self.read().await?.keys().await?;
        let mut rows = query_as::<(String, String, Vec<u8>)>(statement)
            .bind(number)
            .bind(time_text(at))
            .bind(MOST)
            .bind(access.tenant_text())
            .bind(access.narrowing_key())
            .fetch(self.pool());
        let mut calls = Vec::new();
        while let Some((call, started_at, verdict)) = rows.try_next().await? {
            // Those that are sealed anew meanwhile by a key that is newer are passed over too.
            let plain = keys.open(verdict_place(&call), &verdict);
            if let Some(Ok(verdict)) = plain.map(|plain| serde_json::from_slice(&plain)) {
                calls.push(EndedCall {
                    started_at: read_time(&started_at)?,
                    verdict,
                });
            }
        }
        Ok(calls)
    }
}
