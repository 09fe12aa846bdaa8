//! One way to ask SQLite and PostgreSQL: statements with `$1`, the five kinds of values the tables have, and rows as
//! tuples. What stands here is all that the rest of the store knows of either driver.
//!
//! A statement is written once where both databases read it alike, and once for each by [`each`] where they do not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgConnection, PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{FromRow, Transaction};

use crate::store::secrets::{Keyring, Keys};

/// Connections to one database.
#[derive(Clone)]
pub(in crate::store) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Closes the connections after the work under way.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction, and the keys of what it reads and writes; one that is dropped is rolled back.
pub(in crate::store) struct Tx {
    inner: Inner,
    /// Where the keys come from.
    pub(in crate::store) keyring: Arc<Keyring>,
    /// The keys, once they were asked for (see [`Tx::keys`]).
    pub(in crate::store) keys: Option<Arc<Keys>>,
}

/// A transaction of either database.
pub(super) enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// A transaction that was just begun, with keys to be read of `keyring` when they are first needed.
    pub(super) fn new(inner: Inner, keyring: &Arc<Keyring>) -> Self {
        Self {
            inner,
            keyring: Arc::clone(keyring),
            keys: None,
        }
    }

    /// Makes what was written the store's state.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await,
            Inner::Postgres(tx) => in_time(tx.commit()).await,
        }
    }

    /// Undoes what was written.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.rollback().await,
            Inner::Postgres(tx) => tx.rollback().await,
        }
    }
}

/// What a statement is sent to.
pub(in crate::store) enum Target<'c> {
    SqlitePool(&'c SqlitePool),
    SqliteTx(&'c mut SqliteConnection),
    PostgresPool(&'c PgPool),
    PostgresTx(&'c mut PgConnection),
}

impl<'c> From<&'c Pool> for Target<'c> {
    fn from(pool: &'c Pool) -> Self {
        match pool {
            Pool::Sqlite(pool) => Self::SqlitePool(pool),
            Pool::Postgres(pool) => Self::PostgresPool(pool),
        }
    }
}

impl<'c> From<&'c mut Tx> for Target<'c> {
    fn from(tx: &'c mut Tx) -> Self {
        match &mut tx.inner {
            Inner::Sqlite(tx) => Self::SqliteTx(tx),
            Inner::Postgres(tx) => Self::PostgresTx(tx),
        }
    }
}

/// A value of a statement, of one of the kinds that columns have. NULL has a kind too: PostgreSQL wants to know it.
pub(in crate::store) enum Value {
    Truth(Option<bool>),
    Whole(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// What can be bound to a statement.
macro_rules! bindable {
    ($($kind:ident: $($from:ty => $into:expr),+;)+) => {
        $($(
            impl From<$from> for Value {
                fn from(value: $from) -> Self {
                    let into: fn($from) -> _ = $into;
                    Self::$kind(Some(into(value)))
                }
            }
            impl From<Option<$from>> for Value {
                fn from(value: Option<$from>) -> Self {
                    let into: fn($from) -> _ = $into;
                    Self::$kind(value.map(into))
                }
            }
        )+)+
    };
}

bindable! {
    Truth: bool => |value| value;
    Whole: i64 => |value| value, &i64 => |value| *value;
    Real: f64 => |value| value;
    Text: String => |value| value, &str => str::to_owned, &String => String::clone;
    Bytes: Vec<u8> => |value| value, &[u8] => <[u8]>::to_vec, &Vec<u8> => Vec::clone;
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

/// A row that either database gives.
pub(in crate::store) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A statement's text for each of the two.
#[derive(Clone, Copy)]
pub(in crate::store) struct Text {
    sqlite: &'static str,
    postgres: &'static str,
}

impl From<&'static str> for Text {
    fn from(both: &'static str) -> Self {
        each(both, both)
    }
}

/// A statement that the two spell differently.
pub(in crate::store) const fn each(sqlite: &'static str, postgres: &'static str) -> Text {
    Text { sqlite, postgres }
}

/// A statement with its values.
pub(in crate::store) struct Query {
    text: Text,
    values: Vec<Value>,
}

/// A statement that gives rows.
pub(in crate::store) struct RowQuery<T> {
    query: Query,
    rows: std::marker::PhantomData<fn() -> T>,
}

/// A statement that is carried out.
pub(in crate::store) fn query(text: impl Into<Text>) -> Query {
    Query {
        text: text.into(),
        values: Vec::new(),
    }
}

/// A statement that gives rows, each as a `T`.
pub(in crate::store) fn query_as<T: Row>(text: impl Into<Text>) -> RowQuery<T> {
    RowQuery {
        query: query(text),
        rows: std::marker::PhantomData,
    }
}

/// Binds values of either database's statement.
macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values.into_iter().fold($query, |query, value| match value {
            Value::Truth(value) => query.bind(value),
            Value::Whole(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    };
}
pub(in crate::store) use bound;

/// How long an answer of PostgreSQL's is waited for. A server that is there ends what waits for a lock sooner; one whose
/// network fell silent never answers.
const ANSWER: Duration = Duration::from_secs(30);

pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    // Boxed: whoever holds a call holds no future of every statement besides.
    let answered = tokio::time::timeout(ANSWER, Box::pin(answer)).await;
    answered.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Sends a statement that gives rows to where it belongs.
macro_rules! sent {
    ($this:expr, $target:expr, $how:ident) => {{
        let Query { text, values } = $this.query;
        match $target.into() {
            Target::SqlitePool(pool) => {
                bound!(sqlx::query_as::<Sqlite, T>(text.sqlite), values)
                    .$how(pool)
                    .await
            }
            Target::SqliteTx(tx) => {
                bound!(sqlx::query_as::<Sqlite, T>(text.sqlite), values)
                    .$how(tx)
                    .await
            }
            Target::PostgresPool(pool) => {
                in_time(bound!(sqlx::query_as::<Postgres, T>(text.postgres), values).$how(pool)).await
            }
            Target::PostgresTx(tx) => {
                in_time(bound!(sqlx::query_as::<Postgres, T>(text.postgres), values).$how(tx)).await
            }
        }
    }};
}

impl Query {
    /// Binds the value of the next parameter: the first call that of `$1`.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Carries the statement out; gives how many rows it changed.
    pub async fn execute<'c>(self, target: impl Into<Target<'c>>) -> Result<u64, sqlx::Error> {
        let Self { text, values } = self;
        Ok(match target.into() {
            Target::SqlitePool(pool) => bound!(sqlx::query::<Sqlite>(text.sqlite), values)
                .execute(pool)
                .await?
                .rows_affected(),
            Target::SqliteTx(tx) => bound!(sqlx::query::<Sqlite>(text.sqlite), values)
                .execute(tx)
                .await?
                .rows_affected(),
            Target::PostgresPool(pool) => {
                in_time(bound!(sqlx::query::<Postgres>(text.postgres), values).execute(pool))
                    .await?
                    .rows_affected()
            }
            Target::PostgresTx(tx) => {
                in_time(bound!(sqlx::query::<Postgres>(text.postgres), values).execute(tx))
                    .await?
                    .rows_affected()
            }
        })
    }
}

impl<T: Row> RowQuery<T> {
    /// Binds the value of the next parameter: the first call that of `$1`.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.query.values.push(value.into());
        self
    }

    /// All rows that it gives; for statements whose results have a bound.
    pub async fn fetch_all<'c>(self, target: impl Into<Target<'c>>) -> Result<Vec<T>, sqlx::Error> {
        sent!(self, target, fetch_all)
    }

    /// The row that it always gives.
    pub async fn fetch_one<'c>(self, target: impl Into<Target<'c>>) -> Result<T, sqlx::Error> {
        sent!(self, target, fetch_one)
    }

    /// The row that it may give.
    pub async fn fetch_optional<'c>(self, target: impl Into<Target<'c>>) -> Result<Option<T>, sqlx::Error> {
        sent!(self, target, fetch_optional)
    }

    /// The rows one after the other, for results that are not to be in memory whole.
    pub fn fetch<'c>(self, pool: &'c Pool) -> BoxStream<'c, Result<T, sqlx::Error>>
    where
        T: 'c,
    {
        let Query { text, values } = self.query;
        match pool {
            Pool::Sqlite(pool) => bound!(sqlx::query_as::<Sqlite, T>(text.sqlite), values)
                .fetch(pool)
                .boxed(),
            Pool::Postgres(pool) => {
                let rows = bound!(sqlx::query_as::<Postgres, T>(text.postgres), values).fetch(pool);
                let next = |mut rows: BoxStream<'c, Result<T, sqlx::Error>>| async move {
                    let row = in_time(rows.try_next()).await.transpose()?;
                    Some((row, rows))
                };
                stream::unfold(rows, next).boxed()
            }
        }
    }
}
