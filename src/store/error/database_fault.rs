//! What a database says when it refuses, read for both of them.

use std::fmt;

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// A database error whose own words stay out of what users read, but for those of a server that cannot be reached:
/// `Debug` has the details for the log (they name tables, never stored values).
pub struct DatabaseFault(Box<sqlx::Error>);

impl From<sqlx::Error> for DatabaseFault {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for DatabaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.0, postgres(&self.0)) {
            // What a server says of a connection it refuses names users and databases, no rows.
            (_, Some(said)) if refuses(said.code()) => write!(f, "{}", said.message()),
            (sqlx::Error::Io(cause), _) => write!(f, "{cause}"),
            (sqlx::Error::Tls(cause), _) => write!(f, "{cause}"),
            _ => f.write_str("the database refused the operation"),
        }
    }
}

/// Without the detail of PostgreSQL's messages, which quotes values.
impl fmt::Debug for DatabaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match postgres(&self.0) {
            Some(said) => f
                .debug_struct("PostgreSQL")
                .field("code", &said.code())
                .field("message", &said.message())
                .field("table", &said.table())
                .field("constraint", &said.constraint())
                .finish(),
            None => fmt::Debug::fmt(&self.0, f),
        }
    }
}

impl std::error::Error for DatabaseFault {}

/// SQLite's primary result codes (the low byte of the extended ones), <https://sqlite.org/rescode.html>.
pub(super) mod code {
    pub const BUSY: u32 = 5;
    pub const LOCKED: u32 = 6;
    pub const READ_ONLY: u32 = 8;
    pub const CORRUPT: u32 = 11;
    pub const FULL: u32 = 13;
    pub const CANNOT_OPEN: u32 = 14;
    pub const NOT_A_DATABASE: u32 = 26;
}

pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let sqlite = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let text = sqlx::error::DatabaseError::code(sqlite)?;
    text.parse::<u32>().ok().map(|extended| extended & 0xff)
}

pub(super) fn postgres(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

/// Whether a SQLSTATE of PostgreSQL's (appendix A of its manual) says that it does not let us in, or is going down.
pub(super) fn refuses(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("28") || ["3D000", "57P01", "57P02", "57P03"].contains(&code)
}

/// Whether `error` says that the file is no database or has lost parts.
pub(in crate::store) fn means_damage(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::CORRUPT | code::NOT_A_DATABASE))
}

/// Whether `error` says that the file, or those beside it, cannot be written.
pub(in crate::store) fn means_unwritable(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::READ_ONLY | code::CANNOT_OPEN))
}

/// Whether `error` is of the way to the database: it ended, or what came over it are no messages of PostgreSQL's.
pub(super) fn is_of_the_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Protocol(_) | Tls(_) | WorkerCrashed)
}
