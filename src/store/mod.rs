//! The system of record: the one room that knows SQL.
//!
//! Numbers, users, their phones and PINs, consents, enrolments with every clip's voiceprints, API keys
//! and call verdicts live in one SQLite file. A [`Store`] is a cheap handle on it; the service and the
//! command line may each hold one on the same file.
//!
//! Invariants, each with a test in `tests/voxline/store.rs`:
//!
//! * What was acknowledged survives `kill -9`: write-ahead log, `synchronous = FULL`.
//! * Nothing that is asked for one number shows a user of another.
//! * A number's roster version rises with every change of who can be found there, in the same
//!   transaction, and with no other.
//! * A verdict is never replaced by an older one.
//! * What is erased is gone from the file's bytes, not only from its tables, and no verdict, of whichever
//!   version and stored before or after, names a removed user or holds their scores.
//! * One model is in use; voiceprints of another can be there and are never found.
//! * What is kept of a number's line is a mean of many callers and nobody's voice.
//! * A recording is kept only under a consent that allows it, sealed, and nobody can read it once its row is
//!   erased.
//! * A PIN that was tried counts as wrong until it was found right, and what was counted survives a restart.
//! * A PIN that is tried is hashed once, however many users a number has, and is found on that number alone.
//! * Voiceprints, names, phones, verdicts and recordings are sealed, each for its own row, under keys that lie in a keyring
//!   apart; who is erased has no key any more, and an older copy of the data does not bring them back.
//! * PINs are kept as peppered Argon2id hashes, API keys and the tokens of invites as SHA-256; none can be read back.
//! * An invite lets one enrolment in, however many try at a time, and goes with its user.

mod caller_rule;
mod calls;
mod carry_over;
mod consents;
mod enrolments;
mod erase;
mod error;
mod error_counts;
mod facts;
mod files;
mod health;
mod import;
mod invites;
mod keyed;
mod keyring;
mod keys;
mod master;
mod members;
mod models;
mod numbers;
mod open;
mod operator_table;
mod pepper;
mod personal;
mod phones;
mod pin;
mod pin_locks;
mod pin_tags;
mod pins;
mod postgres;
mod recordings;
mod redaction;
mod relays;
mod renewal;
mod roster;
mod said;
mod sealing;
mod shredding;
mod sql;
mod sqlite;
mod token;
mod user_keys;
mod user_rows;
mod users;
mod values;
mod vault;
mod webhooks;
mod words;

pub use caller_rule::{CallerIsForwarder, UnknownRule};
pub use calls::{CallRecord, CallSearch, VerdictVersion};
pub use consents::Consent;
pub use enrolments::{Enrollment, NewClip, NewEnrollment};
pub use erase::Receipt;
pub(crate) use error_counts::{STORE_ERROR_KINDS, STORE_ERRORS};

pub use error::{DatabaseFault, StoreError};
pub(crate) use files::{lock, write_private};
pub use health::{KnownVoice, UserVoice, UsersWanted};
pub use import::{ImportReport, ImportRow, RowFault};
pub use invites::{Invite, InviteState, NewInvite};
pub use keyed::KeyedHash;
pub use keyring::KeyringFault;
pub use keys::{KeyGrant, KeyInfo};
pub use master::MasterFault;
pub use members::NumberMember;
pub use models::{UnheardClip, UnheardUser};
pub use numbers::{Number, NumberPatch, ShareChange};
pub use open::{Health, Store, StoreSettings};
pub use operator_table::{OperatorRow, read_operator_table};
pub use pepper::PepperFault;
pub use pin::{InvalidPin, Pin, PinHash, PinRule};
pub use pin_locks::{PinAttempt, PinCaller, PinLimits, PinTry};
pub use recordings::Recording;
pub use relays::{DueRelay, NewRelay, RelayBounds, RelayOutcome, RelayTally};
pub use renewal::Renewal;
pub use roster::RosterEntry;
pub use token::{Scope, Token, UnknownScope};
pub use users::{NewUser, PinChange, User, UserPatch};
pub use vault::VaultFault;
pub use webhooks::Webhook;
pub use words::EndedCall;
