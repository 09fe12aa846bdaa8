//! Reading the `users` table of an operator's own SQLite database. Nothing is ever written to it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::store::error::means_damage;
use crate::store::{DatabaseFault, StoreError};

/// The columns that are read; `pin` and `vapi_region` may be missing.
const COLUMNS: [&str; 5] = [
    "name",
    "phone_number",
    "assigned_vapi_number",
    "pin",
    "vapi_region",
];
/// How many of them must be there.
const NEEDED: usize = 3;

/// A row of the operator's table, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRow {
    /// The row's id in the table.
    pub row: u64,
    /// The values of [`OperatorRow::COLUMNS`], in that order; `None` for NULL and for columns that are missing.
    pub values: [Option<String>; 5],
}

impl OperatorRow {
    /// The columns that are read.
    pub const COLUMNS: [&str; 5] = COLUMNS;
}

/// A row as the file has it: its id, then [`COLUMNS`].
type Row = (
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Reads all rows of the table `users` of the SQLite database at `path`, in the order of their ids.
///
/// # Errors
/// The column that is missing, or [`StoreError::Damaged`] when the file is no database that can be read.
pub async fn read_operator_table(path: &Path) -> Result<Result<Vec<OperatorRow>, String>, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .disable_statement_logging();
    let failed = |error: sqlx::Error| {
        if means_damage(&error) {
            StoreError::Damaged {
                path: path.to_owned(),
            }
        } else {
            StoreError::Database(DatabaseFault::from(error))
        }
    };
    let mut conn = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let there: Vec<(String,)> = sqlx::query_as("SELECT lower(name) FROM pragma_table_info('users')")
        .fetch_all(&mut conn)
        .await
        .map_err(failed)?;
    let is_there = |column: &str| there.iter().any(|(name,)| name == column);
    if let Some(missing) = COLUMNS[..NEEDED].iter().find(|column| !is_there(column)) {
        return Ok(Err(format!(
            "the database has no table `users` with a column `{missing}`: \
             migrations/operator/sqlite.sql adds what is missing"
        )));
    }
    let select = COLUMNS.map(|column| {
        if is_there(column) {
            format!("CAST({column} AS TEXT)")
        } else {
            "NULL".to_owned()
        }
    });
    // The statement is made of constants only.
    let statement = format!("SELECT rowid, {} FROM users ORDER BY rowid", select.join(", "));
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement))
        .fetch_all(&mut conn)
        .await
        .map_err(failed)?;
    conn.close().await.map_err(failed)?;
    let rows = rows
        .into_iter()
        .map(|(row, name, phone, number, pin, region)| OperatorRow {
            // A negative id is told by its bits: as large a one of another row must not stand for it.
            row: row as u64,
            values: [name, phone, number, pin, region],
        });
    Ok(Ok(rows.collect()))
}
