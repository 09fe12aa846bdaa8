//! What can go wrong in the store.

// In order: a file uses only those above it.
mod key_faults; // why a key, or what it seals, cannot be used
mod database_fault; // what either database says when it refuses
mod store_error; // every error of the store, in words for the person who asked

pub use database_fault::DatabaseFault;
pub use key_faults::{KeyringFault, MasterFault, PepperFault, VaultFault};
pub use store_error::StoreError;

pub(crate) use store_error::{STORE_ERROR_KINDS, STORE_ERRORS};

pub(super) use database_fault::{means_damage, means_unwritable};
pub(super) use store_error::on_disk;
