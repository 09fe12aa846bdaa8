//! What can go wrong in the store, in words for the person who asked.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgDatabaseError;
use thiserror::Error;
use time::OffsetDateTime;

use super::database_fault::{DatabaseFault, code, is_of_the_connection, postgres, primary_code, refuses};
use super::key_faults::{KeyringFault, MasterFault, PepperFault, VaultFault};
use crate::units::{CallId, DialedNumber, EnrolmentId, InviteId, KeyId, PhoneNumber, UserId};
use crate::voiceprint::ModelId;

/// Operations that the store's database refused.
pub(crate) const STORE_ERRORS: &str = "voxline_store_errors_total";

/// The kinds of refusals.
pub(crate) const STORE_ERROR_KINDS: [&str; 4] = ["busy", "full", "damaged", "other"];

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
        source: io::Error,
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
    /// A model of this name, but with other weights, or fed otherwise, made the voiceprints that are here.
    #[error(
        "the voiceprints here were made by a model {model} with other weights, or another graph, ports, [front_end] or [segment] in its card, than the installed one's, and such voices cannot be compared: put the old files and card back, or give the new ones an id of their own and `voxline models switch` to it"
    )]
    OtherWeights {
        /// The model's name.
        model: ModelId,
    },
    /// No such user.
    #[error("there is no user {0}; `voxline user list --number N` shows who there is")]
    UnknownUser(UserId),
    /// A voice that nobody may be compared with is not enrolled.
    #[error("user {0} has opted out of being recognised: ask them, and take it back first")]
    OptedOut(UserId),
    /// No such enrolment of this user.
    #[error("user {user} has no enrolment {enrollment}")]
    UnknownEnrolment {
        /// Id of the user.
        user: UserId,
        /// The enrolment asked for.
        enrollment: EnrolmentId,
    },
    /// A voice is never stored without consent.
    #[error("a consent is needed: give the words the user agreed to")]
    NoConsent,
    /// An enrolment without clips, or a clip without voiceprints.
    #[error("an enrolment needs at least one clip, and each clip at least one voiceprint")]
    NothingToEnrol,
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
    #[error("there is no link {0}; `voxline invite list --user ID` shows those of a user")]
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

/// Does work on a file or folder of the store, aside from what else goes on.
///
/// # Errors
/// [`StoreError::Unwritable`] with what the system says.
pub(in crate::store) async fn on_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let (path, shown) = (path.to_owned(), path.to_owned());
    tokio::task::spawn_blocking(move || work(&path))
        .await
        .map_err(|_| StoreError::Interrupted)?
        .map_err(|source| StoreError::Unwritable { path: shown, source })
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
            source: io::Error::other("the server takes no writes: it is a standby, or set to read-only"),
        },
        _ => return None,
    })
}

/// Counts a refusal, and gives it on.
fn counted(fault: StoreError) -> StoreError {
    let [busy, full, damaged, other] = STORE_ERROR_KINDS;
    let kind = match fault {
        StoreError::Busy => busy,
        StoreError::DiskFull => full,
        StoreError::Unreadable { .. } | StoreError::Damaged { .. } => damaged,
        _ => other,
    };
    metrics::counter!(STORE_ERRORS, "kind" => kind).increment(1);
    fault
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
            source: io::Error::other(why),
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
            _ => Self::Database(DatabaseFault::from(error)),
        }
    }
}
