//! The two databases behind one handle: statements, connections, guarantees, and the [`Store`] that holds them.

// In order: a file uses only those above it.
pub(super) mod clock; // the machine's clocks
mod server_clock; // the clock of PostgreSQL's server, as it is seen from here
mod sql; // statements, values and transactions of either database
mod facts; // what a store knows of itself, a value a name
mod examined; // which tables were found damaged
mod migrations; // what brings the tables of either up to date
pub(super) mod sqlite; // SQLite's file, its connections and its guarantees
pub(super) mod postgres; // PostgreSQL's connections, and the lock its writers take turns by
mod handle; // the handle, and the transactions everything is done in
mod examine; // finding destroyed pages while the service runs

pub use handle::Store;

pub(crate) use examine::EXAMINED_AT;
pub(crate) use examined::DAMAGED_TABLES;

pub(super) use clock::Readings;
pub(super) use facts::{read_fact, read_text_fact, write_fact};
pub(super) use handle::Listed;
pub(super) use sql::{Pool, Query, Tx, Value, bound, each, query, query_as};
pub(super) use sqlite::PATIENCE;
