#!/usr/bin/env bash
# sqlx 0.9.0 over its SQLite (libsqlite3-sys 0.37 and the SQLite it bundles), seen 2026-11-28 (Debian 12, Rust 1.95, x86-64).
#
# Behaviour: SQLite ends a transaction by itself, rolled back, when a statement in it meets a full disk (also an I/O
# error, or no memory). sqlx counts transactions itself and does not learn of it: the rollback that it sends when the
# transaction is dropped fails ("no transaction is active"), and its count stays at one. From then on `begin_with("BEGIN
# IMMEDIATE")` on that connection is refused for good with InvalidSavePointStatement, long after there is room again,
# while `begin()` goes on, by a SAVEPOINT in no transaction. A pool hands the connection out again: its ping succeeds. With
# one writer, as is usual with SQLite, nothing is written any more until the program restarts.
#
# What one would have guessed: that a transaction that failed and was dropped leaves the connection as it was, or that a
# pool which tests connections before it lends them does not lend this one.
#
# A full disk is made by PRAGMA max_page_count, which is lifted again before the connection is used once more.
#
# Output seen:
#   in the transaction: (code: 13) database or disk is full
#   room again, begin_with("BEGIN IMMEDIATE"): attempted to call begin_with at non-zero transaction depth
#   room again, begin(): ok
#   the same statement outside sqlx's count, "BEGIN IMMEDIATE; COMMIT": ok
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "full"
version = "0.0.0"
edition = "2021"

[dependencies]
sqlx = { version = "=0.9.0", default-features = false, features = ["sqlite", "runtime-tokio"] }
tokio = { version = "1", features = ["rt", "macros"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use sqlx::sqlite::SqlitePoolOptions;

fn said<T, E: std::fmt::Display>(outcome: Result<T, E>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    sqlx::query("CREATE TABLE kept (bytes BLOB)").execute(&pool).await?;

    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("PRAGMA max_page_count = 4").execute(&mut *tx).await?;
    let full = sqlx::query("INSERT INTO kept VALUES (zeroblob(1000000))").execute(&mut *tx).await;
    let full = said(full);
    println!("in the transaction: {}", full.trim_start_matches("error returned from database: "));
    drop(tx);

    sqlx::query("PRAGMA max_page_count = 1000000").execute(&pool).await?;
    let immediate = said(pool.begin_with("BEGIN IMMEDIATE").await.map(drop));
    println!("room again, begin_with(\"BEGIN IMMEDIATE\"): {immediate}");
    let plain = pool.begin().await?;
    println!("room again, begin(): {}", said(plain.commit().await));
    let raw = sqlx::raw_sql("BEGIN IMMEDIATE; COMMIT").execute(&pool).await;
    println!("the same statement outside sqlx's count, \"BEGIN IMMEDIATE; COMMIT\": {}", said(raw));
    Ok(())
}
RUST
cargo build --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
seen=$("$folder/target/debug/full")
echo "$seen"
[ "$seen" = 'in the transaction: (code: 13) database or disk is full
room again, begin_with("BEGIN IMMEDIATE"): attempted to call begin_with at non-zero transaction depth
room again, begin(): ok
the same statement outside sqlx'"'"'s count, "BEGIN IMMEDIATE; COMMIT": ok' ]
