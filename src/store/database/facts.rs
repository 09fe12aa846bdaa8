//! What a store knows of itself: a value a name.

use super::sql::{Tx, query, query_as};
use crate::store::StoreError;

/// The value of a fact; `None` when it was never stated.
pub(in crate::store) async fn read_fact(conn: &mut Tx, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(Vec<u8>,)> = query_as("SELECT value FROM facts WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|(value,)| value))
}

/// The same for a fact that is text.
///
/// # Errors
/// [`StoreError::Unreadable`] when it is not.
pub(in crate::store) async fn read_text_fact(
    conn: &mut Tx,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let text = read_fact(conn, name).await?.map(String::from_utf8).transpose();
    text.map_err(|_| StoreError::Unreadable { what: "fact" })
}

/// States a fact, whatever was stated before.
pub(in crate::store) async fn write_fact(conn: &mut Tx, name: &str, value: &[u8]) -> Result<(), StoreError> {
    query(
        "INSERT INTO facts (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(conn)
    .await?;
    Ok(())
}
