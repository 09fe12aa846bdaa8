//! Laws of the store, and the house they are tried in.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use voxline::store::{
    Access, CallRecord, CallSearch, NewClip, NewEnrolment, NewKey, NewUser, Number, NumberPatch, Pin,
    PinChange, PinRule, Scope, ShareChange, Store, StoreError, StoreSettings, Token, User, UserPatch,
    UsersWanted,
};
use voxline::units::{CallId, DialedNumber, EnrolmentId, PhoneNumber, Seconds, TenantId, UserId, hex};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

use crate::support::{holds, new_key};

/// The store's laws on PostgreSQL.
#[allow(clippy::duplicate_mod, reason = "each law is held on both databases")]
#[path = "store"]
mod postgres {
    use super::*;

    /// A deployment on PostgreSQL.
    type TestDeployment = super::TestDeployment<OnPostgres>;

    mod audit;
    mod beside;
    mod call_tokens;
    mod calls;
    mod concurrency;
    mod enrolments;
    mod erasure;
    mod erasure_in_calls;
    mod fingerprints;
    mod invites;
    mod keyring;
    mod keys;
    mod models;
    mod new_versions;
    mod numbers;
    mod people;
    mod pin_tags;
    mod pins;
    mod relays;
    mod retention;
    mod rosters;
    mod sealing;
    mod server;
    mod sharing;
    mod taking_over;
    mod tenants;
    mod users;
}

/// The store's laws on SQLite.
#[allow(clippy::duplicate_mod, reason = "each law is held on both databases")]
#[path = "store"]
mod sqlite {
    use super::*;

    /// A deployment on SQLite.
    type TestDeployment = super::TestDeployment<OnSqlite>;

    mod audit;
    mod backed_up_keys;
    mod backups;
    mod call_tokens;
    mod calls;
    mod concurrency;
    mod enrolments;
    mod erasure;
    mod erasure_in_calls;
    mod file;
    mod fingerprints;
    mod invites;
    mod keyring;
    mod keys;
    mod models;
    mod new_versions;
    mod numbers;
    mod people;
    mod pin_tags;
    mod pins;
    mod relays;
    mod retention;
    mod rosters;
    mod sealing;
    mod sharing;
    mod tenants;
    mod users;
}

/// A database that the laws are held on.
trait Database {
    /// Settings of a store that nobody else has.
    async fn settings(path: PathBuf) -> StoreSettings;
}

struct OnSqlite;

impl Database for OnSqlite {
    async fn settings(path: PathBuf) -> StoreSettings {
        StoreSettings {
            path,
            ..StoreSettings::default()
        }
    }
}

struct OnPostgres;

impl Database for OnPostgres {
    /// Where the servers of the tests are switched off, SQLite's: the laws are held, on the other database.
    async fn settings(path: PathBuf) -> StoreSettings {
        let url = if crate::postgres::skipped() {
            None
        } else {
            Some(crate::postgres::database().await.into())
        };
        StoreSettings {
            postgres: url,
            ..OnSqlite::settings(path).await
        }
    }
}

struct TestDeployment<D> {
    store: Store,
    settings: StoreSettings,
    folder: TempDir,
    database: std::marker::PhantomData<D>,
}

impl<D: Database> TestDeployment<D> {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = D::settings(file_in(&folder)).await;
        Self {
            store: Store::connect(&settings).await.unwrap(),
            settings,
            folder,
            database: std::marker::PhantomData,
        }
    }

    /// SQLite's file; the key files are beside it on either database.
    fn file(&self) -> PathBuf {
        file_in(&self.folder)
    }

    /// Another handle on the same store, as another process has one.
    async fn another(&self) -> Store {
        Store::connect(&self.settings).await.unwrap()
    }

    /// Whether the store is no file, and a law of files has nothing to hold for; says so, for the list of what was skipped.
    fn has_no_file(&self) -> bool {
        let shared = self.store.is_shared();
        if shared {
            eprintln!("skipped: a law of SQLite's files, and PostgreSQL's are not ours");
        }
        shared
    }

    /// Whether what is erased is overwritten: PostgreSQL's files are not ours.
    fn overwrites(&self) -> bool {
        !self.store.is_shared()
    }

    /// Carries out what no function of the store does.
    async fn raw(&self, statement: &str) {
        self.try_raw(statement).await.unwrap();
    }

    /// The same, which the database may refuse. The connection is closed before this returns: one that is only dropped is
    /// closed some time later by its thread (sqlx 0.9.0), and until then what was written may lie in the log beside the
    /// file, where a test that copies the file misses it.
    async fn try_raw(&self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match &self.settings.postgres {
            None => {
                let mut conn = self.sqlite().await;
                let done = sqlx::raw_sql(statement).execute(&mut conn).await.map(drop);
                conn.close().await.unwrap();
                done
            }
            Some(url) => {
                let mut conn = PgConnection::connect(url.expose_secret()).await.unwrap();
                sqlx::raw_sql(statement).execute(&mut conn).await.map(drop)
            }
        }
    }

    /// A column of bytes.
    async fn blobs(&self, statement: &'static str) -> Vec<Vec<u8>> {
        let rows: Vec<(Vec<u8>,)> = match &self.settings.postgres {
            None => {
                let mut conn = self.sqlite().await;
                let rows = sqlx::query_as(statement).fetch_all(&mut conn).await.unwrap();
                conn.close().await.unwrap();
                rows
            }
            Some(url) => {
                let mut conn = PgConnection::connect(url.expose_secret()).await.unwrap();
                sqlx::query_as(statement).fetch_all(&mut conn).await.unwrap()
            }
        };
        rows.into_iter().map(|(bytes,)| bytes).collect()
    }

    async fn sqlite(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.file());
        options.connect().await.unwrap()
    }

    /// All that is at rest: of SQLite every byte of its files, of PostgreSQL every row.
    async fn at_rest(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.file().parent().unwrap()).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
        }
        if let Some(url) = &self.settings.postgres {
            all.extend(rows_at_rest(url.expose_secret()).await);
        }
        all
    }

    async fn number(&self, line: u32) -> DialedNumber {
        let number = number(line);
        self.store.add_number(&number, Some("US"), None).await.unwrap();
        number
    }

    async fn user(&self, name: &str, number: &DialedNumber) -> User {
        self.store.add_user(new_user(name, number)).await.unwrap()
    }

    async fn enrol(&self, user: UserId, seed: u64) -> EnrolmentId {
        self.store.add_enrolment(enrolment(user, seed)).await.unwrap()
    }

    async fn versions(&self, numbers: &[DialedNumber]) -> Vec<u64> {
        let mut versions = Vec::new();
        for number in numbers {
            versions.push(self.store.roster_version(number).await.unwrap());
        }
        versions
    }
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("voxline.db")
}

fn number(line: u32) -> DialedNumber {
    format!("+1202555{:04}", 100 + line).parse().unwrap()
}

fn phone(line: u32) -> PhoneNumber {
    format!("+1415555{:04}", 2000 + line).parse().unwrap()
}

fn pin(digits: &str) -> Pin {
    digits.parse().unwrap()
}

fn model() -> ModelId {
    ModelId::new("test-model")
}

fn new_user(name: &str, number: &DialedNumber) -> NewUser {
    NewUser {
        name: name.into(),
        number: number.clone(),
        phones: vec![],
        pin: None,
        exclusive: false,
    }
}

/// A voiceprint that no other seed gives, of one of three sizes that common speaker models have (splitmix64, Steele et al. 2014).
fn voiceprint(seed: u64, bandwidth: Bandwidth) -> Voiceprint {
    let mut state = seed ^ ((bandwidth as u64) << 63);
    let components = [192, 256, 512][seed as usize % 3];
    let values = (0..components).map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0 - 0.5
    });
    Voiceprint {
        embedding: Embedding::from_direction(values.collect()).unwrap(),
        model: model(),
        bandwidth,
        net_speech: Seconds::new(4.5),
    }
}

fn clip(seed: u64) -> NewClip {
    let mut content_sha256 = [0; 32];
    content_sha256[..8].copy_from_slice(&seed.to_le_bytes());
    NewClip {
        content_sha256,
        net_speech: Seconds::new(4.5),
        snr_db: Some(21.5),
        source: "wav 16000 Hz".into(),
        prints: vec![
            voiceprint(seed, Bandwidth::Narrow),
            voiceprint(seed, Bandwidth::Wide),
        ],
        fingerprint: None,
    }
}

fn enrolment(user: UserId, seed: u64) -> NewEnrolment {
    NewEnrolment {
        user,
        consent: "I agree that my voice is stored".into(),
        consent_version: None,
        invite: None,
        clips: vec![clip(seed)],
    }
}

fn call(id: &str, version: u64, began: i64) -> CallRecord {
    let started_at = OffsetDateTime::UNIX_EPOCH + Duration::seconds(began);
    CallRecord {
        call_id: id.parse().unwrap(),
        number: number(1),
        started_at,
        updated_at: started_at + Duration::seconds(i64::try_from(version).unwrap()),
        version,
        is_final: false,
        verdict: json!({ "version": version }),
        evidence: None,
    }
}

/// Every row of every table as text, and every value of bytes once more as it is.
async fn rows_at_rest(url: &str) -> Vec<u8> {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let tables: Vec<(String,)> =
        sqlx::query_as("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let mut all = Vec::new();
    for (table,) in tables {
        let statement = format!("SELECT t::text FROM {table} t");
        let rows: Vec<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        for (row,) in rows {
            all.extend_from_slice(row.as_bytes());
            for hex in row.split("\\x").skip(1) {
                let pairs = hex.as_bytes().chunks_exact(2);
                let bytes =
                    pairs.map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
                all.extend(bytes);
            }
        }
    }
    all
}

/// How many pieces of the embedding are in `bytes`.
fn pieces_found(bytes: &[u8], print: &Voiceprint) -> usize {
    pieces_of(bytes, &print.embedding.to_bytes())
}

/// How many 64-byte pieces of `something` are in `bytes`: a torn copy counts too.
fn pieces_of(bytes: &[u8], something: &[u8]) -> usize {
    let pieces: std::collections::HashSet<&[u8]> = something.chunks_exact(64).collect();
    // Files of megabytes are searched: most places are ruled out by their first two bytes.
    let mut begins = vec![false; 1 << 16];
    let begin = |piece: &[u8]| usize::from(u16::from_le_bytes([piece[0], piece[1]]));
    for piece in &pieces {
        begins[begin(piece)] = true;
    }
    bytes
        .windows(64)
        .filter(|window| begins[begin(window)] && pieces.contains(window))
        .count()
}

const CONSENT_SHA256: &str = "4e4f48bd6a1fc7f3ca22c28c939da57cd0f86f11ae3e78fa4b371d8856c85588";
