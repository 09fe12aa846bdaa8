//! Erasing people: on request, when nothing needs them any more, and again when an old copy brings them back.

// In order: a file uses only those above it.
mod receipts; // signed receipts of erasures
mod erase; // erasing a user, or what is known of their voice
mod retention; // erasing what is older than it may become
mod unattended; // the same by a service, whose clock may be wrong
mod erased_again; // erasing again what an older copy brought back

pub use erased_again::ErasedAgain;
pub use receipts::{ErasedWhat, Receipt, ReceiptFault, ReceiptKey};
pub use retention::{RetentionSchedule, RetentionTally};
