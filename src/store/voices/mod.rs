//! What is kept of voices: voiceprints, the recordings they were made of, and the rosters that calls are searched by.

// In order: a file uses only those above it.
pub(super) mod prints; // voiceprints, each sealed by its user's key
pub(super) mod recordings; // recordings that are kept under a consent
mod fingerprints; // fingerprints of speech, by which a recording that is played is known
mod models; // which model is in use, and what a change of it needs
mod enrolments; // a user's clips, stored with their consent
mod roster; // everybody on a number, with their voiceprints
mod health; // how much is known of each user's voice

pub use enrolments::{Enrolment, NewClip, NewEnrolment, RosterVersions};
pub use fingerprints::{FingerprintCounts, FingerprintOf, KeptUntil};
pub use health::{KnownVoice, UserVoice, UsersWanted};
pub use models::{UnheardClip, UnheardUser};
pub use recordings::Recording;
pub use roster::RosterEntry;

pub(super) use fingerprints::{erase_unconsented, frames_place};
pub(super) use prints::print_place;
pub(super) use recordings::salt_place;
