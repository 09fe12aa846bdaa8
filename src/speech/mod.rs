//! Samples to speech: where on the line somebody talks, how much of it there is, and whether more than one does.
//!
//! [`Vad`] is pyannote's segmentation-3.0, owned by one worker. [`SpeechFinder`] is one stream's state: it is
//! pushed 16 kHz samples in pieces of any size and collects the speech. Digital silence, comfort noise, DTMF,
//! ring-back and other call-progress tones are not speech; a test plays each of them.

mod finder;
mod hops;
mod tones;
mod turns;
mod vad;

pub use finder::{Span, SpeechFinder, SpeechSettings};
pub use hops::HOP;
pub use vad::{FRAME, Frame, RECEPTIVE_FIELD, Vad, VadError};
