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
//! * What is asked for by an [`Access`] shows nothing of another tenant, and of a narrowed key's tenant only what is of
//!   its numbers; a user's numbers are all of one tenant.
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
//! * What is done leaves its entry in the audit log in the same transaction, and an entry that is changed, removed or
//!   inserted afterwards is found.
//! * An invite lets one enrolment in, however many try at a time, and goes with its user.

mod access;
mod audit;
mod backup;
mod caller_rule;
mod calls;
mod clock;
mod carry_over;
mod consents;
mod copy;
mod enrolments;
mod erase;
mod erased;
mod error;
mod error_counts;
mod examine;
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
mod person;
mod personal;
mod phones;
mod pin;
mod pin_locks;
mod pin_tags;
mod pins;
mod postgres;
mod receipts;
mod recent;
mod recordings;
mod redaction;
mod relays;
mod retention;
mod renewal;
mod roster;
mod said;
mod sealing;
mod shredding;
mod sql;
mod sqlite;
mod taken_pins;
mod tenants;
mod token;
mod user_keys;
mod user_rows;
mod users;
mod values;
mod vault;
mod webhooks;
mod words;

pub use access::Access;
pub use audit::{
    Act, Actor, AuditEntry, AuditFault, AuditFaultKind, AuditReport, AuditSearch, NewAudit, Provenance,
};
pub use backup::{
    Backup, BackupFault, BackupFile, ErasedLists, Manifest, Restored, back_up, check_backup, restore,
};
pub use caller_rule::{CallerIsForwarder, UnknownRule};
pub use calls::{CallRecord, CallSearch, VerdictVersion};
pub use consents::Consent;
pub use copy::{CopiedTable, CopyFault, copy_store};
pub use enrolments::{Enrollment, NewClip, NewEnrollment};
pub use erase::Receipt;
pub use erased::ErasedAgain;
pub(crate) use error_counts::{STORE_ERROR_KINDS, STORE_ERRORS};

pub use error::{DatabaseFault, StoreError};
pub(crate) use examine::{DAMAGED_TABLES, EXAMINED_AT};
pub(crate) use files::{lock, write_private};
pub use health::{KnownVoice, UserVoice, UsersWanted};
pub use import::{ImportReport, ImportRow, RowFault};
pub use invites::{Invite, InviteState, NewInvite};
pub use keyed::KeyedHash;
pub use keyring::KeyringFault;
pub use keys::{KeyInfo, NewKey};
pub use master::MasterFault;
pub use members::NumberMember;
pub use models::{UnheardClip, UnheardUser};
pub use numbers::{Number, NumberPatch, ShareChange};
pub use open::{Health, Store, StoreSettings};
pub use operator_table::{OperatorRow, read_operator_table};
pub use pepper::PepperFault;
pub use person::{Person, PersonCall, PersonRecording, PersonVoiceprint};
pub use pin::{InvalidPin, Pin, PinHash, PinRule};
pub use pin_locks::{PinAttempt, PinCaller, PinLimits, PinTry};
pub use receipts::{ReceiptFault, ReceiptKey};
pub use recordings::Recording;
pub use relays::{DueRelay, NewRelay, RelayBounds, RelayOutcome, RelayTally};
pub use renewal::Renewal;
pub use retention::{RetentionSchedule, RetentionTally};
pub use roster::RosterEntry;
pub use tenants::Tenant;
pub use token::{Scope, Token, UnknownScope};
pub use users::{NewUser, PinChange, User, UserPatch};
pub use vault::VaultFault;
pub use webhooks::Webhook;
pub use words::EndedCall;
