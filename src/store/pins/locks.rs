//! How often PINs were tried in vain, and until when nobody may try.

use time::{Duration, OffsetDateTime};

use crate::store::database::{Tx, query, query_as};
use crate::store::values::{read_time, time_text};
use crate::store::{Store, StoreError};

/// What tries have in common, with its limit.
pub(super) struct Scope {
    pub name: &'static str,
    pub subject: String,
    pub limit: u32,
}

/// The state of a scope.
pub(super) struct Count {
    pub failures: u32,
    since: OffsetDateTime,
    pub locked_until: Option<OffsetDateTime>,
}

impl Count {
    /// The state after one more failure at `now`: a lock that has ended, and what was longer than `lockout` ago, are
    /// forgotten.
    pub fn after(before: Option<Self>, limit: u32, lockout: Duration, now: OffsetDateTime) -> Self {
        let fresh = before.filter(|count| count.locked_until.is_none() && count.since + lockout > now);
        let failures = fresh.as_ref().map_or(0, |count| count.failures).saturating_add(1);
        Self {
            failures,
            since: fresh.map_or(now, |count| count.since),
            locked_until: (failures >= limit).then(|| now + lockout),
        }
    }
}

impl Store {
    /// Until when a scope is locked, as people's clocks show it; `None` where it is not.
    pub(super) async fn locked(&self, scope: &Scope) -> Result<Option<OffsetDateTime>, StoreError> {
        self.locked_in(&mut self.read().await?, scope).await
    }

    /// The same, in a transaction.
    pub(super) async fn locked_in(
        &self,
        tx: &mut Tx,
        scope: &Scope,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        let now = self.lock_time(tx, false).await?;
        let count = read_count(tx, scope).await?;
        let until = count.and_then(|count| count.locked_until);
        let until = until.filter(|until| *until > now);
        Ok(until.map(|until| self.on_the_wall(until, now)))
    }
}

pub(super) async fn read_count(conn: &mut Tx, scope: &Scope) -> Result<Option<Count>, StoreError> {
    let row: Option<(i64, String, Option<String>)> =
        query_as("SELECT failures, since, locked_until FROM pin_locks WHERE scope = $1 AND subject = $2")
            .bind(scope.name)
            .bind(&scope.subject)
            .fetch_optional(conn)
            .await?;
    let Some((failures, since, locked_until)) = row else {
        return Ok(None);
    };
    Ok(Some(Count {
        failures: u32::try_from(failures).map_err(|_| StoreError::Unreadable {
            what: "count of PINs",
        })?,
        since: read_time(&since)?,
        locked_until: locked_until.as_deref().map(read_time).transpose()?,
    }))
}

pub(super) async fn write_count(conn: &mut Tx, scope: &Scope, count: &Count) -> Result<(), StoreError> {
    query(
        "INSERT INTO pin_locks (scope, subject, failures, since, locked_until) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (scope, subject) DO UPDATE SET failures = excluded.failures, since = excluded.since, \
         locked_until = excluded.locked_until",
    )
    .bind(scope.name)
    .bind(&scope.subject)
    .bind(i64::from(count.failures))
    .bind(time_text(count.since))
    .bind(count.locked_until.map(time_text))
    .execute(conn)
    .await?;
    Ok(())
}

/// What wrong PINs are counted of, each with a time after which it is forgotten.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counted {
    /// PINs that were tried on calls.
    Tries,
    /// PINs that were to be set and are somebody's.
    Taken,
}

/// Deletes what no longer counts of one kind, so that strangers cannot fill the table.
pub(super) async fn forget_old(
    conn: &mut Tx,
    counted: Counted,
    lockout: Duration,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    query(
        "DELETE FROM pin_locks WHERE (scope = 'taken') = $3 AND since < $1 \
         AND (locked_until IS NULL OR locked_until < $2)",
    )
    .bind(time_text(now - lockout))
    .bind(time_text(now))
    .bind(counted == Counted::Taken)
    .execute(conn)
    .await?;
    Ok(())
}
