//! The store in PostgreSQL: its connections, and the lock by which its writers take turns.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use time::OffsetDateTime;

use super::migrations;
use super::sql::{Inner, Pool, Tx, in_time, query_as};
use crate::store::{DatabaseFault, StoreError};

/// Connections of one handle for reading.
const READERS: u32 = 8;
/// And for writing, apart: writers that wait for each other leave readers theirs.
const WRITERS: u32 = 8;
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until no other writer is at work, on any machine. What is read behind it stays true until the end of the
/// transaction, as after SQLite's `BEGIN IMMEDIATE`; each statement sees all that was committed before it. The lock is
/// one of the schema's, so that two deployments in one database do not wait for each other.
pub(in crate::store) const ALONE: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('voxline ' || current_schema(), 0))";
/// The same, beside others that wait so.
pub(super) const BESIDE: &str =
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('voxline ' || current_schema(), 0))";

/// How to connect; `None` for what is no address. Between two machines the server has to prove who it is, unless the
/// address says otherwise (`sslmode=`): passwords and voiceprints go this way.
pub(in crate::store) fn options(url: &str) -> Option<PgConnectOptions> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return None;
    }
    let options: PgConnectOptions = url.parse().ok()?;
    let host = options.get_host();
    let here = options.get_socket().is_some()
        || ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&host)
        || host.starts_with('/');
    let options = if here || url.contains("sslmode=") {
        options
    } else {
        options.ssl_mode(PgSslMode::VerifyFull)
    };
    let options = options.application_name("voxline").options([
        // What was acknowledged survives a crash, whatever the server's own default is.
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("lock_timeout", "10s"),
        // A node that is gone without a word leaves the lock.
        ("idle_in_transaction_session_timeout", "60s"),
    ]);
    Some(options.disable_statement_logging())
}

/// Connects, brings the tables up to date, and gives connections for reading and for writing.
pub(in crate::store) async fn open(url: &str) -> Result<(Pool, Pool), StoreError> {
    let options = options(url).ok_or_else(|| unreachable(sqlx::Error::Configuration("no address".into())))?;
    // By itself first: a pool would ask a server that is not there again and again, and say only that it took long.
    let connection = PgConnection::connect_with(&options).await;
    connection.map_err(unreachable)?.close().await?;
    let pool = |connections| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.clone())
    };
    let (readers, writers) = (pool(READERS), pool(WRITERS));
    let migrated = migrations::POSTGRES.run(&writers).await;
    migrated.map_err(|error| migrating(error, &options))?;
    Ok((Pool::Postgres(readers), Pool::Postgres(writers)))
}

/// What time it is by the server's clock, to a microsecond: the nodes' own may differ.
pub(in crate::store) async fn server_time(tx: &mut Tx) -> Result<OffsetDateTime, StoreError> {
    let statement = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let (micros,): (i64,) = query_as(statement).fetch_one(tx).await?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    time.map_err(|_| StoreError::Unreadable { what: "time" })
}

/// Whether the tables have just the migrations of this release, `None` where there are none of ours; changes nothing.
pub(in crate::store) async fn is_of_this_release(url: &str) -> Result<Option<bool>, StoreError> {
    let options = options(url).ok_or_else(|| unreachable(sqlx::Error::Configuration("no address".into())))?;
    let mut connection = PgConnection::connect_with(&options).await.map_err(unreachable)?;
    let (there,): (bool,) = sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?;
    if !there {
        return Ok(None);
    }
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(Some(
        usize::try_from(count) == Ok(migrations::POSTGRES.iter().count()),
    ))
}

/// A transaction behind a lock.
pub(super) async fn write(pool: &PgPool, lock: &'static str) -> Result<Inner, StoreError> {
    let mut tx = in_time(pool.begin()).await?;
    in_time(sqlx::query(lock).execute(&mut *tx)).await?;
    Ok(Inner::Postgres(tx))
}

fn unreachable(error: sqlx::Error) -> StoreError {
    StoreError::Unreachable(DatabaseFault::from(error))
}

fn migrating(error: MigrateError, options: &PgConnectOptions) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        _ => StoreError::OtherRelease {
            path: PathBuf::from(format!(
                "postgres://{}/{}",
                options.get_host(),
                options.get_database().unwrap_or_default()
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_proves_who_it_is_unless_the_address_waives_it() {
        let mode = |url| format!("{:?}", options(url).unwrap().get_ssl_mode());
        assert_eq!(mode("postgres://voxline@db.example.com/voxline"), "VerifyFull");
        assert_eq!(
            mode("postgres://voxline@db.example.com/voxline?sslmode=disable"),
            "Disable"
        );
        assert_eq!(mode("postgres://voxline@127.0.0.1/voxline"), "Prefer");
        assert!(options("http://db.example.com").is_none());
        assert!(options("postgres://host:port").is_none());
    }
}
