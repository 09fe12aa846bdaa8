//! How settings are read, whichever there are: from the file, the environment and flags to checked values.
//!
//! A section is a serde struct of the room whose behaviour it sets; `config` puts all of them together. Which keys there
//! are, and what may stand behind them, is read from the structs (`schema`). What [`Sources`] say is merged as text by key
//! and checked against that (`reader`); then each room checks its own, and notes what is wrong in the reader. All faults
//! are listed at once, each with where it came from: a setting that is wrong is never replaced by a default.

// In order: a file uses only those above it.
mod fault;
mod schema;
mod sources;
mod reader;

pub use fault::{Fault, Faults};
pub use sources::Sources;

pub(crate) use reader::{SettingsReader, list, words};
pub(crate) use schema::{Setting, settings_of};
#[cfg(test)]
pub(crate) use {reader::of_section, schema::Kind, sources::variable_name};
