//! The audit log: who did what, from where, on whom, and what came of it. Ids only: never a name, a telephone number, a
//! PIN or audio.
//!
//! An entry is written in the transaction of the act that it tells of, so that nothing is acknowledged that is not
//! accounted for; what writes nothing else is written by [`Store::audit`](super::Store::audit). Entries form a chain: each
//! has the SHA-256 of the hash before it and of itself, and [`Store::verify_audit`](super::Store::verify_audit) finds the
//! first one that does not fit. What is old is cut off from the beginning, and the hash at the cut is kept.

// In order: a file uses only those above it.
mod provenance;

mod entry;

mod chain;
mod export;
mod verify;

mod cut;

pub use entry::{Act, AuditEntry, NewAudit};
pub use export::AuditSearch;
pub use provenance::{Actor, Provenance};
pub use verify::{AuditFault, AuditFaultKind, AuditReport};

pub(super) use chain::append;
