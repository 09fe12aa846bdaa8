//! Vapi's side of a deployment: read, brought to what is wanted ([`apply()`]), compared with it ([`check`]), and put back
//! as it was ([`mod@undo`]).
//!
//! A field is written as it was found with ours over it, for Vapi replaces it as a whole (`merge`). Whatever belongs to
//! somebody else's backend is not taken from it unasked (`owner`), and what was there before a change is noted before
//! the change is sent (`journal`), so that it can be put back beside what others changed meanwhile (`back`).

mod merge;
mod back;
mod read;
mod seal;
mod journal;
mod step;
mod owner;
mod walk;
mod checks;
mod obstacles;
mod settle;
mod apply;
mod undo;

pub use apply::{apply, check};
pub use journal::JournalFault;
pub(super) use journal::{Entry, Journal};
pub use step::{State, Step};
pub use undo::undo;

use thiserror::Error;

use super::api::{ApiFault, id};
use super::wanted::NotReady;

/// Why Vapi's side could not be dealt with. What was done until then stays, is noted, and is found again.
#[derive(Debug, Error)]
pub enum AccountFault {
    /// The API cannot be asked, or refused.
    #[error(transparent)]
    Api(#[from] ApiFault),
    /// The configuration leaves too much open.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// What was there before cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalFault),
}
