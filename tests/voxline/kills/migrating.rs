//! Killed while it brings the tables of an older release up to its own.

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};
use voxline::store::{Store, StoreSettings};
use voxline::units::UserId;

use super::{Victim, Work};
use crate::{postgres, support};

/// Rows that the first release could write. A verdict names the user: a later migration looks for them there.
const ROWS: &str = "\
    INSERT INTO numbers (number, region, created_at) VALUES ('+12025550101', 'US', '2026-01-01T00:00:00.000000Z');\
    INSERT INTO users (id, name, created_at) VALUES ('USER', 'Ana', '2026-01-01T00:00:00.000000Z');\
    INSERT INTO memberships (number, user_id, exclusive) VALUES ('+12025550101', 'USER', FALSE);";

/// The migrations of an older release, in a folder: the first `most`, but never all of them.
fn older(folder: &Path, all: &[PathBuf], most: usize) -> tempfile::TempDir {
    let older = tempfile::tempdir_in(folder).unwrap();
    for path in &all[..most.min(all.len() - 1)] {
        std::fs::copy(path, older.path().join(path.file_name().unwrap())).unwrap();
    }
    older
}

/// Every migration of a database, in order.
fn migrations(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(support::project(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// One file of an older release, opened by the program, which is killed.
pub async fn round(victim: &mut Victim) {
    let user = UserId::fresh();
    let place = tempfile::tempdir_in(victim.folder.path()).unwrap();
    let data = place.path().join("data");
    let mut settings = StoreSettings {
        path: data.join("voxline.db"),
        ..StoreSettings::default()
    };
    let rows = sqlx::AssertSqlSafe(ROWS.replace("USER", &user.to_string()));
    let mut calls = String::new();
    for call in 0..200 {
        let verdict = format!("{{\"user_id\": \"{user}\"}}");
        calls += &format!(
            "INSERT INTO calls VALUES ('c{call}', '+12025550101', '2026-01-01T00:00:00.000000Z', \
             '2026-01-01T00:00:00.000000Z', 1, TRUE, '{verdict}');"
        );
    }
    std::fs::create_dir(&data).unwrap();
    let all = migrations(if victim.url.is_some() {
        "migrations/postgres"
    } else {
        "migrations"
    });
    let first = older(place.path(), &all, 1);
    let first = Migrator::new(first.path()).await.unwrap();
    // Any release from the first to the one before this.
    let some = older(place.path(), &all, 1 + victim.rng.throw(all.len() - 1));
    let some = Migrator::new(some.path()).await.unwrap();
    let mut url = None;
    if victim.url.is_some() {
        let database = postgres::empty_database().await;
        let mut conn = PgConnection::connect(&database).await.unwrap();
        first.run(&mut conn).await.unwrap();
        sqlx::raw_sql(rows).execute(&mut conn).await.unwrap();
        some.run(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        settings.postgres = Some(database.clone().into());
        url = Some(std::mem::replace(
            &mut victim.environment,
            vec![("VOXLINE_STORE_URL".to_owned(), database)],
        ));
    } else {
        let options = SqliteConnectOptions::new()
            .filename(data.join("voxline.db"))
            .create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        first.run(&mut conn).await.unwrap();
        sqlx::raw_sql(rows).execute(&mut conn).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(calls))
            .execute(&mut conn)
            .await
            .unwrap();
        some.run(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
    victim.kill_while(Work::Migrating, &data, &["keys", "create", "--scope", "identify"]);
    if let Some(environment) = url {
        victim.environment = environment;
    }
    let store = Store::connect(&settings).await.unwrap();
    store.check_pages().await.unwrap();
    assert!(store.user(user).await.unwrap().is_some());
    assert_eq!(store.check().await.unwrap().migrations, all.len() as u64);
    if settings.postgres.is_none() {
        // The verdicts of the older release are found by whom they name.
        assert_eq!(store.remove_user(user).await.unwrap().calls_redacted, 200);
    }
    store.close().await;
}
