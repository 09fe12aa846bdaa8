//! PINs: set, found again, and guessed only so often.

// In order: a file uses only those above it.
mod pepper; // the key file that PINs are hashed with
mod lock_time; // the time by which lockouts are counted
mod locks; // how often was tried in vain, and until when nobody may
mod taken; // PINs that were to be set and are somebody's
mod tags; // what the tables hold of PINs
mod hashing; // setting a PIN, and finding its users
mod unseen; // PINs that came to a number unseen
mod tries; // a PIN that is tried on a call
mod keyed_hash; // keyed hashes of what is compared and not read

pub use keyed_hash::KeyedHash;
pub use tries::{PinAttempt, PinCaller, PinLimits, PinTry};

pub(super) use hashing::{NewPin, fresh_salt};
pub(super) use pepper::given_pepper;
pub(super) use tags::{HeldPin, any_pin_on, held_pins, make_salt, number_salt, set_hash, set_tags};
pub(super) use taken::taken_on;
pub(super) use unseen::TriedPin;
