//! A whole recording heard at once: the same ears as a live call, fed from a decoder.

use std::time::Instant;

use thiserror::Error;

use crate::bytes::{DecodeError, Decoder, Format, Limits};
use crate::engine::Analyst;

use super::listener::{ListenError, Listener, Look};

/// Why a recording could not be heard.
#[derive(Debug, Error)]
pub enum HearError {
    /// Its bytes are not audio we can decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The audio could not be listened to.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// What was heard in a recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// A look at each mark, when marks were asked for, and the last one at the end.
    pub looks: Vec<Look>,
    /// What it was stored as.
    pub format: Format,
    /// Whether its end is missing.
    pub truncated: bool,
}

/// Hears a whole recording, block by block: memory is bounded whatever its length.
///
/// # Errors
/// [`HearError`] when it cannot be decoded or listened to; nothing of it is kept.
pub fn hear(
    analyst: &mut Analyst,
    bytes: Vec<u8>,
    channel: Option<u16>,
    limits: &Limits,
    marks: &'static [f64],
) -> Result<Recording, HearError> {
    let mut started = Instant::now();
    let mut decoder = Decoder::open(bytes, limits)?;
    let format = decoder.format();
    let mut listener = Listener::new(format.rate, format.channels, channel, marks)?;
    let mut looks = Vec::new();
    while let Some(block) = decoder.next_block()? {
        listener.spent_decoding(started.elapsed().as_secs_f64() * 1e3);
        looks.extend(listener.push(analyst, block)?);
        started = Instant::now();
    }
    looks.push(listener.finish(analyst)?);
    Ok(Recording {
        looks,
        format,
        truncated: decoder.truncated(),
    })
}
