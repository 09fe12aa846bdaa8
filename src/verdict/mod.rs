//! What is said of a call: the session that follows its audio, and the identification it comes to.
//!
//! [`StreamSession`] follows one call or one file: pushed decoded audio in pieces of any size, it finds
//! the speech and, at fixed marks of net speech, gives a [`Checkpoint`]: voiceprint and quality so far; between them it
//! checks whether still the same voice speaks. [`scoring`] is the one way from a checkpoint to ratios and a decision.
//! [`Identification`] is the document that every door gives alike: command line, HTTP, WebSocket. On a call the
//! [`chain`] puts it together with everything else that is known, to an [`Identity`]: whose line, whose voice.

mod warning;
mod identification;
mod shown;
mod presentation;
mod level;
mod overlap_meter;
mod windows;
mod checkpoint;
mod whole;
mod stretches;
mod stream_session;
mod recording;
mod heard_voice;
pub mod scoring;
pub mod chain;

pub use chain::Identity;
pub use checkpoint::{CHECKPOINTS, Checkpoint, ListenError, Traits};
pub use identification::{Identification, OutcomeName, Quality, Scored, TimingMs};
pub use level::embed_speech;
pub use presentation::Presentation;
pub use recording::{HearError, Hearing, Recording, hear};
pub use shown::{EarlyWords, Shown, is_early, without_repetitions};
pub use stream_session::StreamSession;
pub use warning::{Warning, WarningCode};
pub use windows::RecentVoice;
