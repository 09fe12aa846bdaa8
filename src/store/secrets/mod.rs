//! Keys, hashes and tokens: all cryptography of the store, before any database.

// In order: a file uses only those above it.
mod data_key; // a key, and values sealed for the place where they stand
pub(super) mod master; // the key that wraps all others, and where it comes from
mod recent; // what is kept in memory of the keyring's latest states
pub(super) mod keyring; // the keys of one store, wrapped and unwrapped
pub(super) mod vault; // kept recordings as sealed files
mod pin; // PINs, their hashes, and the pepper they are hashed with
mod token; // API tokens and what they may do

pub use pin::{InvalidPin, Pin, PinHash, PinRule};
pub use token::{Scope, Token, UnknownScope};

pub(super) use data_key::{DataKey, Generation, Place, generation_of};
pub(super) use keyring::{
    AUDIO, DEPLOYMENT, ID_BYTES, Keyring, Keys, fingerprint, unwrap, wrap, wrapping_of,
};
pub(super) use master::MasterSource;
pub(super) use pin::{NumberSalt, Pepper, PinTag};
pub(super) use vault::AudioKey;
