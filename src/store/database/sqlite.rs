//! The store in SQLite: one file, its connections and its guarantees.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::migrations;
use super::sql::Pool;
use crate::store::error::{means_damage, means_unwritable, on_disk};
use crate::store::secrets::keyring;
use crate::store::{KeyringFault, StoreError, files};

/// How long a writer waits for another process before it says [`StoreError::Busy`].
pub(in crate::store) const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of one handle for reading, open from the start.
const READERS: u32 = 4;
/// And for writing. SQLite has one writer at a time, and a connection that waits for its turn is of no use to anybody
/// else: kept apart, writers that are stuck leave readers theirs.
const WRITERS: u32 = 1;

/// Whether the tables have just the migrations of this release, `None` where there are none of ours; changes nothing.
pub(in crate::store) async fn is_of_this_release(path: &Path) -> Result<Option<bool>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    // A pool, as in `bring_up_to_date`.
    let looking = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(
            SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(false),
        )
        .await
        .map_err(|error| opening(error, path))?;
    let there = sqlx::query_as("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'");
    let (there,): (i64,) = there
        .fetch_one(&looking)
        .await
        .map_err(|error| opening(error, path))?;
    if there == 0 {
        return Ok(None);
    }
    let counted = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success");
    let (count,): (i64,) = counted
        .fetch_one(&looking)
        .await
        .map_err(|error| opening(error, path))?;
    looking.close().await;
    Ok(Some(
        usize::try_from(count) == Ok(migrations::SQLITE.iter().count()),
    ))
}

/// Opens the file, makes it when there is none, and gives connections for reading and for writing.
pub(in crate::store) async fn open(path: &Path) -> Result<(Pool, Pool), StoreError> {
    let lock = prepare_files(path).await?;
    bring_up_to_date(path).await?;
    let keyring = make_keyring_file(path).await?;
    let pool = |connections| {
        let keyring = keyring.clone();
        SqlitePoolOptions::new()
            .after_connect(move |connection, _| Box::pin(attach(connection, keyring.clone())))
            .max_connections(connections)
            .acquire_timeout(PATIENCE + Duration::from_secs(5))
            // Kept for good: a file whose folder is gone for a while can be read on, and cannot be opened.
            .idle_timeout(None)
            .max_lifetime(None)
            .after_release(|connection, _| Box::pin(is_usable(connection)))
    };
    let writers = pool(WRITERS)
        .after_release(|connection, _| Box::pin(can_write(connection)))
        .connect_with(settings(path))
        .await
        .map_err(|error| opening(error, path))?;
    for table in keyring::TABLES {
        let made = sqlx::query(table).execute(&writers).await;
        made.map_err(|error| opening(error, &keyring::file_of(path)))?;
    }
    // Finishes an erasure that a crash cut off between its commit and its checkpoint, in both files.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&writers)
        .await
        .map_err(|error| opening(error, path))?;
    drop(lock);
    let readers = pool(READERS).connect_lazy_with(settings(path));
    open_all(&readers).await.map_err(|error| opening(error, path))?;
    Ok((Pool::Sqlite(readers), Pool::Sqlite(writers)))
}

/// Brings the tables up to date, and sees whether the keyring that their rows are sealed by is there, before an empty one
/// would be made in its place.
async fn bring_up_to_date(path: &Path) -> Result<(), StoreError> {
    // A pool and no plain connection: with that the compiler does not see that the future is `Send` (sqlx 0.9.0).
    let first = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE + Duration::from_secs(5))
        .connect_with(settings(path))
        .await
        .map_err(|error| opening(error, path))?;
    migrations::SQLITE
        .run(&first)
        .await
        .map_err(|error| migrating(error, path))?;
    let sealed = sqlx::query("SELECT 1 FROM facts WHERE name = 'keyring'")
        .fetch_optional(&first)
        .await
        .map_err(|error| opening(error, path))?;
    first.close().await;
    let keyring = keyring::file_of(path);
    if sealed.is_some() && !keyring.exists() {
        return Err(KeyringFault::Missing { path: keyring }.into());
    }
    Ok(())
}

/// Makes the keyring's file where there is none; gives its path as SQL takes it.
async fn make_keyring_file(store: &Path) -> Result<String, StoreError> {
    let path = keyring::file_of(store);
    on_disk(&path, files::make_database).await?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| StoreError::Unwritable {
        path,
        source: std::io::Error::other("its name is no UTF-8"),
    })
}

/// Attaches the keyring to a connection, with the guarantees of the database itself.
async fn attach(connection: &mut SqliteConnection, keyring: String) -> Result<(), sqlx::Error> {
    sqlx::query("ATTACH DATABASE $1 AS keyring")
        .bind(keyring)
        .execute(&mut *connection)
        .await?;
    for guarantee in [
        "PRAGMA keyring.journal_mode = WAL",
        "PRAGMA keyring.synchronous = FULL",
        "PRAGMA keyring.secure_delete = ON",
        // Opens its files.
        "SELECT COUNT(*) FROM keyring.sqlite_master",
    ] {
        sqlx::query(guarantee).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Opens every connection of a pool now; sqlx 0.9.0's `min_connections` opens them some time later.
async fn open_all(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut all = Vec::new();
    while all.len() < READERS as usize {
        all.push(pool.acquire().await?);
    }
    Ok(())
}

/// Reads every page.
pub(in crate::store) async fn check_pages(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    check_pages_by(&mut *pool.acquire().await?, path).await
}

/// Reads every page by this connection.
pub(in crate::store) async fn check_pages_by(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), StoreError> {
    let damaged = || StoreError::Damaged {
        path: path.to_path_buf(),
    };
    let result: Result<(String,), _> = sqlx::query_as("PRAGMA integrity_check(1)")
        .fetch_one(connection)
        .await;
    match result {
        Ok((said,)) if said == "ok" => Ok(()),
        Ok(_) => Err(damaged()),
        Err(error) if means_damage(&error) => Err(damaged()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a connection that comes back to its pool may serve again. SQLite rolls a transaction back by itself
/// when the disk is full or fails (lang_transaction.html, section 3); the rollback that follows then fails, and
/// sqlx 0.9.0 takes the connection as in a transaction for good: every `BEGIN IMMEDIATE` on it is refused. Such
/// a connection is closed, and the next writer gets a new one.
async fn is_usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback that was only begun is carried out first.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Whether a connection for writing may serve again. SQLite opens a file that cannot be written for reading alone, and
/// a connection that was opened so stays so when the file can be written again: it is closed.
async fn can_write(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !is_usable(connection).await? {
        return Ok(false);
    }
    // It deletes nothing and writes no page, and is refused all the same where nothing can be written.
    let asked = sqlx::query("DELETE FROM _sqlx_migrations WHERE FALSE").execute(connection);
    // Another process that writes is waited for by whoever writes next.
    Ok(!asked.await.is_err_and(|fault| means_unwritable(&fault)))
}

pub(in crate::store) fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // Freed cells and pages are overwritten with zeros.
        .pragma("secure_delete", "ON")
        // Sorting and VACUUM leave no biometric bytes in a temporary file.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Makes the folder and the file, and takes the lock under which the tables are brought up to date.
async fn prepare_files(path: &Path) -> Result<std::fs::File, StoreError> {
    on_disk(path, |path| {
        files::make_folder(path)?;
        let lock = files::lock(path)?;
        files::make_database(path)?;
        Ok(lock)
    })
    .await
}

fn opening(error: sqlx::Error, path: &Path) -> StoreError {
    let path = path.to_owned();
    if means_damage(&error) {
        StoreError::Damaged { path }
    } else if means_unwritable(&error) {
        let source = std::io::Error::other("the database can only be read");
        StoreError::Unwritable { path, source }
    } else {
        error.into()
    }
}

fn migrating(error: MigrateError, path: &Path) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(error, path),
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => StoreError::OtherRelease {
            path: path.to_owned(),
        },
        _ => StoreError::Damaged {
            path: path.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Store, query};
    use super::*;

    #[tokio::test]
    async fn a_store_just_opened_is_read_by_all_readers_without_its_folder() {
        let outer = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (outer.path().join("data"), outer.path().join("elsewhere"));
        let (readers, _writers) = open(&folder.join("voxline.db")).await.unwrap();
        std::fs::rename(&folder, &elsewhere).unwrap();
        let Pool::Sqlite(readers) = readers else {
            panic!("not SQLite")
        };
        let mut held = Vec::new();
        for _ in 0..READERS {
            let mut reader = readers.acquire().await.unwrap();
            let read = sqlx::query("SELECT COUNT(*) FROM users")
                .fetch_one(&mut *reader)
                .await;
            read.unwrap();
            held.push(reader);
        }
    }

    #[tokio::test]
    async fn a_transaction_sqlite_rolled_back_leaves_writers_as_they_were() {
        let (_folder, store) = Store::in_a_folder().await;
        let mut tx = store.write().await.unwrap();
        // No page more than there are: to the writer, a full disk.
        query("PRAGMA max_page_count = 1").execute(&mut tx).await.unwrap();
        let big = query("CREATE TABLE big AS SELECT zeroblob(1000000)");
        let full = StoreError::from(big.execute(&mut tx).await.unwrap_err());
        assert!(matches!(full, StoreError::DiskFull), "{full:?}");
        drop(tx);

        store.write().await.unwrap().rollback().await.unwrap();
        store.check_writable().await.unwrap();
    }
}
