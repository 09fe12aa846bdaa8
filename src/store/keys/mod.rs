//! The keys that rows are sealed with, as the keyring's tables hold them.

// In order: a file uses only those above it.
mod keyring_rows; // the deployment's keys, read by a transaction
mod user_keys; // each user's own keys
pub(super) mod shredding; // destroying the keys of who is erased

pub(super) use keyring_rows::{add_scope, note_generation, noted_generation, raise_epoch, read_generation};
pub(super) use shredding::{
    GRACE, condemn_before, condemn_user, is_buried, is_condemned, note_renewal, note_renewed, users_to_renew,
    users_without_keys,
};
pub(super) use user_keys::{Purpose, UserKeys, Whose, add_user_key, ensure_user_keys, name_of};
