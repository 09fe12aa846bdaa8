//! What is said of a call: the listener that follows its audio, and the identification it comes to.
//!
//! [`Listener`] is one call's or one file's ears: pushed decoded audio in pieces of any size, it finds
//! the speech and, at fixed marks of net speech, takes a [`Look`]: voiceprints and quality so far; between marks it
//! glances at whether still the same voice speaks.
//! [`Identification`] is the document that every door gives alike: command line, HTTP, WebSocket. On a call the
//! [`chain`] puts it together with everything else that is known, to an [`Identity`]: whose line, whose voice.

pub mod chain;
mod identification;
mod listener;
mod recording;
mod windows;

pub use chain::Identity;
pub use identification::{Identification, OutcomeName, Quality, Scored, TimingMs};
pub use listener::{ListenError, Listener, Look, MARKS, Traits, embed_views};
pub use recording::{HearError, Hearing, Recording, hear};
