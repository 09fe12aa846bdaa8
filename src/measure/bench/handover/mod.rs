//! Calls that are not one voice from beginning to end, and what looking at a call on its way costs: composed from
//! a protocol's recordings, heard as the product hears a call and judged as it judges one.

// In order: a file uses only those above it, and none of its own group.
mod shares;
mod speaker_sampler;

mod figures;
mod sound;

mod counts;

mod compose;

pub(super) use compose::{check_handover, handover};
pub use figures::{Alone, Handed, Handover, Looking, Stood, Told};
pub use shares::Share;
