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
//! * A verdict is never replaced by an older one, nor by one that was made without it; a last word by none.
//! * What is erased is gone from the file's bytes, not only from its tables, and no verdict, of whichever
//!   version and stored before or after, names a removed user or holds their scores.
//! * One model is in use; voiceprints of another can be there and are never found.
//! * What is kept of a number's line is a mean of many callers and nobody's voice.
//! * A fingerprint of speech is kept of users alone, sealed as their voiceprints are, and goes with its user, its clip and
//!   its call.
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

// In order: a file or folder uses only those above it.
mod files; // private files on the disk, and locks
mod error; // what can go wrong
mod values; // how values stand in the tables
mod secrets; // keys, hashes and tokens, before any database
mod database; // SQLite and PostgreSQL behind one handle, the `Store`
mod keys; // the keys that rows are sealed with
mod last_use; // on which day a voice was last of use
mod audit; // who did what, in a chain of hashes
mod erased; // what was erased for good, by ids alone
mod tenancy; // tenants, dialed numbers, API keys, and what each may see
mod pins; // PINs: set, found, guessed only so often
mod people; // users: names, phones, consents, invites, import
mod voices; // voiceprints, recordings, enrolments, rosters
mod calls; // verdicts, and the webhooks around calls
mod resealing; // rows sealed anew, under new keys or for the first time
mod erasure; // erasing, with receipts, and by a schedule
mod person; // everything that is kept on one person
mod settings; // where the system of record is, and how long what it keeps is kept
mod open; // opening the store, and saying whether it is in order
mod copy; // from SQLite to PostgreSQL
mod backup; // backups, taken and put back

pub use audit::{
    Act, Actor, AuditEntry, AuditFault, AuditFaultKind, AuditReport, AuditSearch, NewAudit, Provenance,
};
pub use backup::{
    Backup, BackupFault, BackupFile, ErasedLists, Manifest, Restored, back_up, check_backup, restore,
};
pub use calls::{
    CallNews, CallNewsKind, CallRecord, CallSearch, CallToken, DueRelay, EndedCall, MadeOver, NewRelay,
    NewVersion, RelayBounds, RelayOutcome, RelayTally, ToldNews, VerdictVersion, Webhook,
};
pub use copy::{CopiedTable, CopyFault, copy_store};
pub use database::Store;
pub use erasure::{
    ErasedAgain, ErasedWhat, Receipt, ReceiptFault, ReceiptKey, RetentionSchedule, RetentionTally,
};
pub use error::{DatabaseFault, KeyringFault, MasterFault, PepperFault, StoreError, VaultFault};
pub use open::{Health, Layout};
pub use people::{
    Consent, ImportReport, ImportRow, Invite, InviteState, NewInvite, NewUser, NumberMember, NumbersMark,
    OperatorRow, PinChange, RowFault, User, UserPatch, read_operator_table,
};
pub use person::{Person, PersonCall, PersonRecording, PersonVoiceprint};
pub use pins::{KeyedHash, PinAttempt, PinCaller, PinLimits, PinTry};
pub use resealing::Renewal;
pub use secrets::{InvalidPin, Pin, PinHash, PinRule, Scope, Token, UnknownScope};
pub use settings::StoreSettings;
pub use tenancy::{
    Access, CallerIsForwarder, KeyInfo, NewKey, Number, NumberPatch, ShareChange, Tenant, UnknownRule,
};
pub use voices::{
    Enrolment, FingerprintCounts, FingerprintOf, KeptUntil, KnownVoice, NewClip, NewEnrolment, Recording,
    RosterEntry, RosterVersions, UnheardClip, UnheardUser, UserVoice, UsersWanted,
};

pub(crate) use database::{DAMAGED_TABLES, EXAMINED_AT};
pub(crate) use error::{STORE_ERROR_KINDS, STORE_ERRORS};
pub(crate) use files::{is_for_others, lock, write_private};
pub(crate) use settings::{RetentionSection, StoreSection};
