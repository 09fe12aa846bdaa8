//! Taking a store over from SQLite into PostgreSQL: every table, in one transaction, read back and compared.
//!
//! Which tables and columns there are is asked of both databases, so that none is forgotten when a release adds one.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Postgres, Row};
use thiserror::Error;

use super::database::{Pool, Value, bound, postgres, sqlite};
use super::secrets::keyring;
use super::values::sha256;
use super::{Store, StoreError, StoreSettings};
use crate::units::hex;

/// Why a store was not taken over. The target is as it was.
#[derive(Debug, Error)]
pub enum CopyFault {
    /// The target holds something.
    #[error("the table {table} of the target has rows: a store is taken over into an empty database alone")]
    NotEmpty {
        /// The first table that has.
        table: String,
    },
    /// The two databases have other tables.
    #[error("the target has no {table}.{column}: use the release that wrote the store")]
    OtherTables {
        /// The table it stands in.
        table: String,
        /// The column it stands in.
        column: String,
    },
    /// What arrived is not what was sent.
    #[error("{table} reads back otherwise than it was written: nothing was taken over")]
    Differs {
        /// The table it stands in.
        table: String,
    },
    /// One of the stores failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CopyFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::Store(fault.into())
    }
}

/// A table that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedTable {
    /// Its name in both databases.
    pub table: String,
    /// How many rows it has in both.
    pub rows: u64,
    /// The sum of its rows' SHA-256, as it was read from both, whatever their order.
    pub sha256_sum: String,
}

/// Tables with a row that the migrations made, and their key: it becomes the source's.
const SEEDED: [(&str, &str); 2] = [("tenants", "id"), ("audit_head", "one")];

/// Takes the SQLite store that `settings` name over into the empty database of PostgreSQL at `url`. Nobody writes to the store
/// meanwhile; what is written to it afterwards is not in the copy.
///
/// # Errors
/// [`CopyFault`]; then the target has tables and no rows.
pub async fn copy_store(settings: &StoreSettings, url: &str) -> Result<Vec<CopiedTable>, CopyFault> {
    let from = settings.path.as_path();
    // Brings the tables up to this release.
    Store::connect(settings).await?.close().await;
    let mut source = SqliteConnection::connect_with(&sqlite::settings(from)).await?;
    let keyring = keyring::file_of(from);
    let mut schemas = vec!["main"];
    if keyring.is_file() {
        let attach = sqlx::query("ATTACH DATABASE $1 AS keyring").bind(keyring.display().to_string());
        attach.execute(&mut source).await?;
        schemas.push("keyring");
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut source).await?;
    let (readers, writers) = postgres::open(url).await?;
    let Pool::Postgres(pool) = &writers else {
        return Err(StoreError::Interrupted.into());
    };
    let mut target = pool.begin().await?;
    sqlx::query(postgres::ALONE).execute(&mut *target).await?;
    let mut copied = Vec::new();
    for schema in schemas {
        for table in tables(&mut source, schema).await? {
            let table = Table::of(&mut source, &mut target, schema, table).await?;
            copied.push(table.copy(&mut source, &mut target).await?);
        }
    }
    target.commit().await?;
    sqlx::query("ROLLBACK").execute(&mut source).await?;
    source.close().await?;
    writers.close().await;
    readers.close().await;
    Ok(copied)
}

/// The tables of a schema, each after those that it refers to.
async fn tables(source: &mut SqliteConnection, schema: &str) -> Result<Vec<String>, CopyFault> {
    let statement = format!(
        "SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' \
         AND name <> '_sqlx_migrations' ORDER BY name"
    );
    let names: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(statement))
        .fetch_all(&mut *source)
        .await?;
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name,) in names {
        let statement = format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}', '{schema}')");
        let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(statement))
            .fetch_all(&mut *source)
            .await?;
        let others = rows
            .into_iter()
            .map(|(other,)| other)
            .filter(|other| *other != name);
        needs.insert(name.clone(), others.collect());
    }
    let mut order: Vec<String> = Vec::new();
    while order.len() < needs.len() {
        let ready = needs
            .iter()
            .find(|(name, others)| !order.contains(name) && others.iter().all(|other| order.contains(other)));
        match ready {
            Some((name, _)) => order.push(name.clone()),
            None => {
                return Err(StoreError::Unreadable {
                    what: "circle of tables",
                }
                .into());
            }
        }
    }
    Ok(order)
}

/// The kinds of values that columns have.
#[derive(Clone, Copy)]
enum Kind {
    Truth,
    Whole,
    Real,
    Text,
    Bytes,
}

struct Table {
    schema: &'static str,
    name: String,
    columns: Vec<(String, Kind)>,
    /// The column whose values PostgreSQL gives out.
    counted: Option<String>,
    /// The key of a table in which the migrations made a row.
    seeded_by: Option<&'static str>,
}

impl Table {
    async fn of(
        source: &mut SqliteConnection,
        target: &mut PgConnection,
        schema: &'static str,
        name: String,
    ) -> Result<Self, CopyFault> {
        let statement = format!("SELECT name FROM pragma_table_info('{name}', '{schema}')");
        let ours: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(statement)).fetch_all(source).await?;
        let theirs: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT column_name::text, data_type::text, is_identity::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1",
        )
        .bind(&name)
        .fetch_all(&mut *target)
        .await?;
        let mut columns = Vec::new();
        for (column,) in ours {
            let found = theirs.iter().find(|(name, _, _)| *name == column);
            let Some(kind) = found.and_then(|(_, kind, _)| kind_of(kind)) else {
                return Err(CopyFault::OtherTables { table: name, column });
            };
            columns.push((column, kind));
        }
        let counted = theirs.iter().find(|(_, _, identity)| identity == "YES");
        let (rows,): (i64,) = sqlx::query_as(AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{name}\"")))
            .fetch_one(target)
            .await?;
        let seeded = SEEDED.into_iter().find(|(seeded, _)| *seeded == name);
        if rows > i64::from(seeded.is_some()) {
            return Err(CopyFault::NotEmpty { table: name });
        }
        Ok(Self {
            schema,
            counted: counted.map(|(name, _, _)| name.clone()),
            seeded_by: seeded.map(|(_, key)| key),
            name,
            columns,
        })
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        names.join(", ")
    }

    /// What makes an insertion replace the row that has the same key.
    fn replaced(&self, key: &str) -> String {
        let columns = self
            .columns
            .iter()
            .map(|(name, _)| name)
            .filter(|name| *name != key);
        let set: Vec<String> = columns
            .map(|name| format!("\"{name}\" = excluded.\"{name}\""))
            .collect();
        format!(" ON CONFLICT (\"{key}\") DO UPDATE SET {}", set.join(", "))
    }

    async fn copy(
        &self,
        source: &mut SqliteConnection,
        target: &mut PgConnection,
    ) -> Result<CopiedTable, CopyFault> {
        let (names, name) = (self.names(), &self.name);
        let places: Vec<String> = (1..=self.columns.len()).map(|nth| format!("${nth}")).collect();
        let insert = format!(
            "INSERT INTO \"{name}\" ({names}) OVERRIDING SYSTEM VALUE VALUES ({}){}",
            places.join(", "),
            self.seeded_by.map_or_else(String::new, |key| self.replaced(key)),
        );
        let select = format!("SELECT {names} FROM {}.\"{name}\"", self.schema);
        let mut sent = Digest::default();
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(source);
        while let Some(row) = futures_util::TryStreamExt::try_next(&mut rows).await? {
            let values = self.values(|nth, kind| from_sqlite(&row, nth, kind))?;
            sent.add(&values);
            let query = bound!(sqlx::query::<Postgres>(AssertSqlSafe(insert.clone())), values);
            query.execute(&mut *target).await?;
        }
        drop(rows);
        let arrived = self.read_back(target).await?;
        if arrived != sent {
            return Err(CopyFault::Differs { table: name.clone() });
        }
        if let Some(column) = &self.counted {
            let go_on = format!(
                "SELECT setval(pg_get_serial_sequence('\"{name}\"', '{column}'), COALESCE(MAX(\"{column}\"), 1), \
                 COUNT(*) > 0) FROM \"{name}\""
            );
            sqlx::query(AssertSqlSafe(go_on)).execute(target).await?;
        }
        Ok(CopiedTable {
            table: name.clone(),
            rows: sent.rows,
            sha256_sum: hex(&sent.sum.to_be_bytes()),
        })
    }

    async fn read_back(&self, target: &mut PgConnection) -> Result<Digest, CopyFault> {
        let select = format!("SELECT {} FROM \"{}\"", self.names(), self.name);
        let mut arrived = Digest::default();
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(target);
        while let Some(row) = futures_util::TryStreamExt::try_next(&mut rows).await? {
            arrived.add(&self.values(|nth, kind| from_postgres(&row, nth, kind))?);
        }
        Ok(arrived)
    }

    fn values(
        &self,
        read: impl Fn(usize, Kind) -> Result<Value, sqlx::Error>,
    ) -> Result<Vec<Value>, sqlx::Error> {
        let kinds = self.columns.iter().enumerate();
        kinds.map(|(nth, (_, kind))| read(nth, *kind)).collect()
    }
}

/// What PostgreSQL's name of a type is here.
fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "boolean" => Kind::Truth,
        "bigint" => Kind::Whole,
        "double precision" => Kind::Real,
        "text" => Kind::Text,
        "bytea" => Kind::Bytes,
        _ => return None,
    })
}

/// SQLite's columns say less than PostgreSQL's of what is in them.
fn from_sqlite(row: &SqliteRow, nth: usize, kind: Kind) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        Kind::Truth => Value::Truth(row.try_get_unchecked(nth)?),
        Kind::Whole => Value::Whole(row.try_get_unchecked(nth)?),
        Kind::Real => Value::Real(row.try_get_unchecked(nth)?),
        Kind::Text => Value::Text(row.try_get_unchecked(nth)?),
        Kind::Bytes => Value::Bytes(row.try_get_unchecked(nth)?),
    })
}

fn from_postgres(row: &PgRow, nth: usize, kind: Kind) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        Kind::Truth => Value::Truth(row.try_get(nth)?),
        Kind::Whole => Value::Whole(row.try_get(nth)?),
        Kind::Real => Value::Real(row.try_get(nth)?),
        Kind::Text => Value::Text(row.try_get(nth)?),
        Kind::Bytes => Value::Bytes(row.try_get(nth)?),
    })
}

/// Rows, whatever their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: u128,
}

impl Digest {
    fn add(&mut self, values: &[Value]) {
        let mut row = Vec::new();
        for value in values {
            let (kind, bytes) = match value {
                Value::Truth(value) => (0, value.map(|value| vec![u8::from(value)])),
                Value::Whole(value) => (1, value.map(|value| value.to_be_bytes().to_vec())),
                Value::Real(value) => (2, value.map(|value| value.to_bits().to_be_bytes().to_vec())),
                Value::Text(value) => (3, value.as_ref().map(|value| value.clone().into_bytes())),
                Value::Bytes(value) => (4, value.clone()),
            };
            row.extend([kind, u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            row.extend((bytes.len() as u64).to_be_bytes());
            row.extend(bytes);
        }
        let hash = sha256(&row);
        let (first, _) = hash.split_at(16);
        let lane = first
            .iter()
            .fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        self.rows += 1;
        self.sum = self.sum.wrapping_add(lane);
    }
}
