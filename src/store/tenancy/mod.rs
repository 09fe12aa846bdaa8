//! Whose is what: tenants, their dialed numbers, and who may see them.

// In order: a file uses only those above it.
mod caller_rule; // whose number the caller's is, where carriers rewrite it
mod access; // what a request may see and change
mod tenants; // the companies that share a deployment
mod numbers; // dialed numbers, and the version of their rosters
mod api_keys; // API keys, and the access each gives

pub use access::Access;
pub use api_keys::{KeyInfo, NewKey};
pub use caller_rule::{CallerIsForwarder, UnknownRule};
pub use numbers::{Number, NumberPatch, ShareChange};
pub use tenants::Tenant;

pub(super) use numbers::{insert_number, require_number, touch_number, touch_numbers_of};
pub(super) use tenants::require_same_tenant;
