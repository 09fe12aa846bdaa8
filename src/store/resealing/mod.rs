//! Sealing rows anew.

// In order: a file uses only those above it.
mod renewal; // keys that are changed while the store is in use
mod carry_over; // what an older release stored in plain

pub use renewal::Renewal;
