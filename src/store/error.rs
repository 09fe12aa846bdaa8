//! What can go wrong in the store, in words for the person who asked.

use std::fmt;
use std::path::PathBuf;

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;
use thiserror::Error;
use time::OffsetDateTime;

use super::error_counts::counted;
use super::keyring::KeyringFault;
use super::master::MasterFault;
use super::pepper::PepperFault;
use super::vault::VaultFault;
use crate::units::{CallId, DialedNumber, EnrollmentId, InviteId, KeyId, PhoneNumber, UserId};
use crate::voiceprint::ModelId;

/// Why the store did not do what it was asked. Numbers and phones are shown masked; no message holds
/// SQL, a PIN or a token.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file or its folder could not be created, opened or written.
    #[error("the store {} cannot be opened for writing ({source}): check that the folder exists, that this user may write there, and that the disk is not mounted read-only", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no SQLite database, or parts of it are destroyed.
    #[error("the store {} is damaged or is no Voxline store: put the last backup in its place, or choose another data directory", path.display())]
    Damaged {
        /// Path of the file at fault.
        path: PathBuf,
    },
    /// The file was written by a release that knows more tables than this one, or was altered.
    #[error("the store {} has tables this release does not know: use the release that wrote it, or a newer one", path.display())]
    OtherRelease {
        /// Path of the file at fault.
        path: PathBuf,
    },
    /// Another process kept the store locked, or its server did not answer, for longer than the store waits.
    #[error("the store is busy: another process is writing to it, or its server does not answer; try again")]
    Busy,
    /// PostgreSQL is not there, is going down, or does not let us in.
    #[error(
        "the store's PostgreSQL server cannot be reached or refuses us ({0}): check store.url, the server, and that the database is there"
    )]
    Unreachable(DatabaseFault),
    /// There is no room on the disk.
    #[error("the disk of the store is full: nothing was changed; make room and try again")]
    DiskFull,
    /// Anything else the database refused.
    #[error("the store failed; the details are in the service's log")]
    Database(#[source] DatabaseFault),
    /// A stored value that no release writes.
    #[error(
        "the store holds a {what} that cannot be read: the file was altered by hand or is damaged; restore the last backup"
    )]
    Unreadable {
        /// Which kind of value.
        what: &'static str,
    },
    /// The number is already there.
    #[error("the number {0:?} is already here")]
    NumberExists(DialedNumber),
    /// No such dialed number.
    #[error("the number {0:?} is not here: add it first, with `voxline number add` or POST /v1/numbers")]
    UnknownNumber(DialedNumber),
    /// The number belongs to one user and takes nobody else.
    #[error(
        "the number {0:?} is assigned exclusively to one user: nobody else can be put on it; choose another number, or remove that user first"
    )]
    NumberIsExclusive(DialedNumber),
    /// The number already has users, so it cannot be given to one alone.
    #[error(
        "the number {0:?} already has users: it cannot be assigned exclusively; choose a number without users"
    )]
    NumberHasUsers(DialedNumber),
    /// A user must stay on at least one number.
    #[error("a user belongs to at least one number: name one, or remove the user")]
    NoNumber,
    /// A text field that is empty, too long, or holds control characters.
    #[error("the {field} must be {allowed}")]
    BadText {
        /// The field that the value was for.
        field: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// More of something than a record may hold.
    #[error("{count} {what} are too many: at most {max}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many were given.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The phone is another user's on the same number.
    #[error(
        "the phone {phone:?} already belongs to another user of the number {number:?}: a phone points to one user of a number"
    )]
    PhoneTaken {
        /// The user's phone number.
        phone: PhoneNumber,
        /// The number both users are on.
        number: DialedNumber,
    },
    /// The PIN is in use on one of the user's numbers. It does not say by whom.
    #[error("this PIN cannot be used here: choose another one")]
    PinTaken,
    /// Too many PINs that are somebody's were to be set on a number.
    #[error("too many PINs that are in use were tried on this number: none can be set there until {until}")]
    PinsLocked {
        /// When PINs can be set again.
        until: OffsetDateTime,
    },
    /// Uniqueness of a kept PIN on a new number cannot be checked from its hash.
    #[error(
        "this user has a PIN: give the PIN again (or a new one, or none) when adding a number, so that it can be checked against the others there"
    )]
    PinNeeded,
    /// The key file of the PINs is missing, replaced or unreadable.
    #[error(transparent)]
    Pepper(#[from] PepperFault),
    /// The master key is missing, another one, or cannot be read.
    #[error(transparent)]
    Master(#[from] MasterFault),
    /// The keys of what is sealed are missing, or others.
    #[error(transparent)]
    Keyring(#[from] KeyringFault),
    /// A kept recording, or the key of them all, cannot be read or written.
    #[error(transparent)]
    Vault(#[from] VaultFault),
    /// The speaker model was changed while an enrolment was under way.
    #[error(
        "the speaker model was changed to {active} a moment ago, and this enrolment began under the old one: send it again in a few seconds"
    )]
    ModelSwitched {
        /// The model in use now.
        active: ModelId,
    },
    /// A model of this name, but other weights, made the voiceprints that are here.
    #[error(
        "the voiceprints here were made by other weights than those of the installed model {model}, and voices of different weights cannot be compared: put the old ones back, or give the new ones an id of their own and `voxline models switch` to it"
    )]
    OtherWeights {
        /// The model's name.
        model: ModelId,
    },
    /// No such user.
    #[error("there is no user {0}: list them with `voxline user list`")]
    UnknownUser(UserId),
    /// A voice that nobody may be compared with is not enrolled.
    #[error("user {0} has opted out of being recognised: ask them, and take it back first")]
    OptedOut(UserId),
    /// No such enrolment of this user.
    #[error("user {user} has no enrolment {enrollment}")]
    UnknownEnrollment {
        /// Id of the user.
        user: UserId,
        /// The enrolment asked for.
        enrollment: EnrollmentId,
    },
    /// A voice is never stored without consent.
    #[error("a consent is needed: give the words the user agreed to")]
    NoConsent,
    /// An enrolment without clips, or a clip without voiceprints.
    #[error("an enrolment needs at least one clip, and each clip at least one voiceprint")]
    NothingToEnroll,
    /// A measured value of a clip is not a finite number.
    #[error("clip {clip} has a signal-to-noise ratio that is no finite number")]
    BadClip {
        /// Which clip of the enrolment, counted from 1.
        clip: usize,
    },
    /// The same recording was already enrolled for this user.
    #[error(
        "clip {clip} is the recording already enrolled on {}: record a new one, the same audio twice adds nothing",
        .enrolled_at.date()
    )]
    DuplicateClip {
        /// Which clip of the enrolment, counted from 1.
        clip: usize,
        /// When the earlier enrolment was made.
        enrolled_at: OffsetDateTime,
    },
    /// The same recording twice in one enrolment.
    #[error("clip {clip} is the same recording as clip {earlier} of this enrolment: give it once")]
    RepeatedClip {
        /// Which clip, counted from 1.
        clip: usize,
        /// The earlier one, counted from 1.
        earlier: usize,
    },
    /// A key that may do nothing.
    #[error("a key needs at least one scope: enroll, identify, scores, admin")]
    NoScope,
    /// No such API key.
    #[error("there is no key {0}: list them with `voxline keys list`")]
    UnknownKey(KeyId),
    /// No such tenant.
    #[error("there is no tenant {0:?}: list them with `voxline tenant list`")]
    UnknownTenant(String),
    /// Another tenant has the name.
    #[error("there is a tenant {0:?} already: choose another name")]
    TenantExists(String),
    /// A tenant that still has users.
    #[error(
        "the tenant {name:?} still has {users} users: remove them first with `voxline user remove`, each is an erasure with a receipt"
    )]
    TenantHasUsers {
        /// Name of the tenant.
        name: String,
        /// How many users it has.
        users: u64,
    },
    /// The default tenant is the operator's own and stays.
    #[error("the default tenant is the operator's own: it cannot be removed")]
    TenantStays,
    /// A user who is also on numbers that the key is not for.
    #[error(
        "user {0} is also on numbers that this key is not for: what changes a user changes them on every number, so it takes a key for all of theirs"
    )]
    UserElsewhere(UserId),
    /// No such invite.
    #[error("there is no link {0}: list them with `voxline invite list`")]
    UnknownInvite(InviteId),
    /// An invite that was used, taken back, or whose time is over.
    #[error("this link was used already or its time is over: ask for a new one")]
    InviteSpent,
    /// A user is not on the number that was named for them.
    #[error("user {user} is not on the number {number:?}: put them on it first, or name one of theirs")]
    NotOnNumber {
        /// Id of the user.
        user: UserId,
        /// The dialed number.
        number: DialedNumber,
    },
    /// A user of several numbers, of which none was named.
    #[error("user {0} is on several numbers: name the one that is meant")]
    NumberNeeded(UserId),
    /// A verdict larger than any the service makes.
    #[error("the verdict of call {call} has {bytes} bytes; at most {max} are kept")]
    VerdictTooLarge {
        /// Id of the call.
        call: CallId,
        /// How many bytes its JSON has.
        bytes: usize,
        /// How many are kept.
        max: usize,
    },
    /// A number too large for the store.
    #[error("the {what} is out of range")]
    OutOfRange {
        /// The stored value that cannot be read.
        what: &'static str,
    },
    /// The store's own work was cut short, as by a shutdown.
    #[error("the work was stopped before it was done: nothing was changed; try again")]
    Interrupted,
}

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
mod code {
    pub const BUSY: u32 = 5;
    pub const LOCKED: u32 = 6;
    pub const READ_ONLY: u32 = 8;
    pub const CORRUPT: u32 = 11;
    pub const FULL: u32 = 13;
    pub const CANNOT_OPEN: u32 = 14;
    pub const NOT_A_DATABASE: u32 = 26;
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let sqlite = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let text = sqlx::error::DatabaseError::code(sqlite)?;
    text.parse::<u32>().ok().map(|extended| extended & 0xff)
}

fn postgres(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

/// Whether a SQLSTATE of PostgreSQL's (appendix A of its manual) says that it does not let us in, or is going down.
fn refuses(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("28") || ["3D000", "57P01", "57P02", "57P03"].contains(&code)
}

/// What PostgreSQL's errors mean here.
fn from_postgres(code: &str) -> Option<StoreError> {
    Some(match code {
        // Serialization, deadlock, a lock that was waited for too long, too many connections, idle for too long.
        "40001" | "40P01" | "55P03" | "53300" | "25P03" => StoreError::Busy,
        "53100" => StoreError::DiskFull,
        "XX001" | "XX002" => StoreError::Unreadable { what: "page" },
        "25006" => StoreError::Unwritable {
            path: "in PostgreSQL".into(),
            source: std::io::Error::other("the server takes no writes: it is a standby, or set to read-only"),
        },
        _ => return None,
    })
}

/// Whether `error` says that the file is no database or has lost parts.
pub(super) fn means_damage(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::CORRUPT | code::NOT_A_DATABASE))
}

/// Whether `error` says that the file, or those beside it, cannot be written.
pub(super) fn means_unwritable(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::READ_ONLY | code::CANNOT_OPEN))
}

/// Whether `error` is of the way to the database: it ended, or what came over it are no messages of PostgreSQL's.
fn is_of_the_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Protocol(_) | Tls(_) | WorkerCrashed)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        counted(Self::of_database(error))
    }
}

impl StoreError {
    fn closed_for(why: &'static str) -> Self {
        Self::Unwritable {
            path: "in SQLite".into(),
            source: std::io::Error::other(why),
        }
    }

    fn of_database(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        if let Some(code) = postgres(&error).map(PgDatabaseError::code) {
            if let Some(known) = from_postgres(code) {
                return known;
            }
            if refuses(code) {
                return Self::Unreachable(DatabaseFault::from(error));
            }
        }
        match primary_code(&error) {
            Some(code::BUSY | code::LOCKED) => Self::Busy,
            Some(code::FULL) => Self::DiskFull,
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Unreadable { what: "page" },
            Some(code::READ_ONLY) => Self::closed_for("it can only be read"),
            Some(code::CANNOT_OPEN) => Self::closed_for("it cannot be opened"),
            _ if is_of_the_connection(&error) => Self::Unreachable(DatabaseFault::from(error)),
            _ => Self::Database(DatabaseFault(Box::new(error))),
        }
    }
}
