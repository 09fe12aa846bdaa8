//! Users: who they are, what they agreed to, and the links that let them in.

// In order: a file uses only those above it.
pub(super) mod names; // names, each sealed by its user's key
pub(super) mod phones; // phones, sealed, and found by a keyed hash
mod user_rows; // a user out of their three tables
mod users; // adding and changing users
mod seen; // users as an access sees them
mod members; // who is on a number
mod consents; // the words that users agreed to
mod invites; // links by which one enrols themselves
mod import; // many users at once
mod operator_table; // the operator's own table of users, to import

pub use consents::Consent;
pub use import::{ImportReport, ImportRow, RowFault};
pub use invites::{Invite, InviteState, NewInvite};
pub use members::{NumberMember, NumbersMark};
pub use operator_table::{OperatorRow, read_operator_table};
pub use user_rows::User;
pub use users::{NewUser, PinChange, UserPatch};

pub(super) use consents::{erase_unused, read_consent, record};
pub(super) use invites::{open_invites, redeem};
pub(super) use names::{open_name, seal_name};
pub(super) use phones::{phones_of, set_phones};
pub(super) use user_rows::{load_one, refuse_opted_out};
pub(super) use users::require_user;
