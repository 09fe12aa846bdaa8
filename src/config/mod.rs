//! The configuration: defaults, then `voxline.toml`, then `VOXLINE_*` in the environment, then flags.
//!
//! What can be set is one struct, whose sections are structs of the rooms whose behaviour they set. They are read by
//! [`crate::settings`], and become a [`Config`] when the rooms have checked what one setting means for another; the program
//! never sees a raw value. What is wrong stops the start. `docs/settings.md` is made of the same structs.

// In order: a file uses only those above it.
mod settings;
mod checked;
#[cfg(test)]
mod sections_tests;
#[cfg(test)]
mod reference;

pub use checked::Config;
