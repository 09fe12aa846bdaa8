//! What was heard of a stream up to some moment, and at which moments that is asked.

use thiserror::Error;

use crate::samples::SamplesError;
use crate::speech::{Fingerprint, OverlapError, VadError};
use crate::units::Seconds;
use crate::voiceprint::{CountermeasureError, Embedding, ExtractError, Voiceprint};

use super::identification::{Quality, TimingMs};
use super::presentation::Presentation;
use super::windows::RecentVoice;

/// Net speech, in seconds, at which a live call is judged: dense where a decision is near. Each checkpoint gives the voice
/// of all the speech so far, pooled out of stretches and windows (`src/verdict/stretches.rs`): of two minutes of speech all of them
/// together embed 19 s. Between them and after them every whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of speech is
/// checked, which embeds each second once, and half a window after one that is unlike those before it the last seconds are.
pub const CHECKPOINTS: &[f64] = &[
    1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0,
    55.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0,
];

/// How much of a recording is remembered by its fingerprint, 450 kB, and of a call, the latest of it: 60 kB.
pub(super) const fn remembered(is_recording: bool) -> Seconds {
    Seconds::new(if is_recording { 1800.0 } else { 240.0 })
}

/// Why a stream could not be followed.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The audio has a shape that cannot be listened to.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// The speech detector failed.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// What tells several people at once failed.
    #[error(transparent)]
    Overlap(#[from] OverlapError),
    /// The speaker model failed.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The countermeasure failed.
    #[error(transparent)]
    Countermeasure(#[from] CountermeasureError),
}

/// What matters of a recording that somebody will be known by, and not of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// The level of the speech, dB re full scale.
    pub level_dbfs: f64,
    /// Share of the recording that is digital silence, 0 to 1.
    pub digital_silence: f64,
    /// Whether a second of the speech comes again exactly.
    pub comes_again: bool,
}

/// What was heard up to some moment: at a checkpoint, or at a window's end between two of them.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// How much audio had been judged, speech or not: the last that this needed.
    pub heard: Seconds,
    /// How much speech there was.
    pub net_speech: Seconds,
    /// How good it was; `None` when there was none.
    pub quality: Option<Quality>,
    /// The voice; `None` when there was too little. It knows how much speech it is of: between checkpoints it is
    /// the voice as it was at the last one. After two minutes of a live call it is that of the last two, by its
    /// windows.
    pub print: Option<Voiceprint>,
    /// The voice of each whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of the last two minutes of speech, in
    /// order: by them one voice is told from several. They are of the same model as the print.
    pub windows: Vec<Embedding>,
    /// How many windows there were, with those before the last two minutes.
    pub windows_heard: usize,
    /// The voice of the last seconds, where the last window leaves it open whose it is.
    pub recent: Option<RecentVoice>,
    /// Whether only the windows, or the last seconds, are new since the checkpoint before.
    pub is_window_check: bool,
    /// At the end of a recording that was not looked at on the way and has any speech: what it is like.
    pub traits: Option<Traits>,
    /// Whether the speech is spoofed, as the countermeasure hears it; `None` without one, or before any speech.
    pub presentation: Option<Presentation>,
    /// The fingerprint of the latest speech.
    pub fingerprint: Fingerprint,
    /// The work so far (`search` and `decide` are not the listener's).
    pub timing: TimingMs,
}
