//! Samples to speech: where on the line somebody talks, and how much of it there is.
//!
//! [`Vad`] is Silero's model, owned by one worker. [`SpeechFinder`] is one stream's state: it is pushed
//! 16 kHz samples in pieces of any size and collects the speech. Digital silence, comfort noise, DTMF,
//! ring-back and other call-progress tones are not speech; a test plays each of them. [`Fingerprinter`] takes a stream's
//! fingerprint, by which [`ReplaySearch`] knows the same speech again, and nobody's voice. [`OverlapDetector`] tells where several
//! people speak at once.

mod feed;
mod network;
mod tones;
mod vad;
mod overlap;
mod background;
mod finder;
mod fingerprint;
mod replay;

pub use feed::WINDOW;
pub use finder::{Span, SpeechFinder, SpeechSettings};
pub use fingerprint::{Fingerprint, Fingerprinter, KeptFingerprint};
pub use overlap::{Overlap, OverlapDetector, OverlapError};
pub use replay::{ReplaySearch, nearest};
pub use vad::{Vad, VadError, VadState};
