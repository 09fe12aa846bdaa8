//! Recordings, heard in turns between which live calls have theirs.

use crate::bytes::{Headerless, Limits};
use crate::engine::{Engine, Permit};
use crate::store::StoreError;
use crate::verdict::{Hearing, Recording};

use super::error::BoardError;

/// Recordings one enrolment may bring.
const MOST_CLIPS: usize = 16;

/// Whether an enrolment may bring so many recordings with this consent: to be asked before any is read.
///
/// # Errors
/// [`StoreError::NoConsent`], [`BoardError::NoClips`], [`BoardError::TooManyClips`].
pub fn check_offer(consent: &str, clips: usize) -> Result<(), BoardError> {
    if consent.trim().is_empty() {
        return Err(StoreError::NoConsent.into());
    }
    if clips == 0 {
        return Err(BoardError::NoClips);
    }
    if clips > MOST_CLIPS {
        return Err(BoardError::TooManyClips {
            given: clips,
            most: MOST_CLIPS,
        });
    }
    Ok(())
}

/// Hears a recording in turns of some seconds of audio, between which live calls have theirs. When the asker
/// leaves, no further turn is taken.
pub(super) async fn hear_in_turns(
    engine: &Engine,
    limits: &Limits,
    admitted: &Permit,
    name: &str,
    bytes: Vec<u8>,
    channel: Option<u16>,
    marks: &'static [f64],
) -> Result<Recording, BoardError> {
    let failed = |fault| BoardError::hearing(name, fault);
    let limits = *limits;
    let opened = engine.run(admitted, move |_| Hearing::open(bytes, channel, &limits, marks));
    let mut hearing = Box::new(opened.await?.map_err(failed)?);
    loop {
        let turn = engine.run(admitted, move |analyst| {
            let goes_on = hearing.take_turn(analyst)?;
            Ok((hearing, goes_on))
        });
        let (heard, goes_on) = turn.await?.map_err(failed)?;
        if !goes_on {
            return Ok(heard.into_recording());
        }
        hearing = heard;
    }
}

/// A recording with the name it is called by in messages.
pub struct ClipBytes {
    /// A file name, or "upload".
    pub name: String,
    /// The whole file, of any format that [`crate::bytes`] reads.
    pub bytes: Vec<u8>,
}

impl ClipBytes {
    /// A recording; `stated` is what whoever sent it says of it, for a file without a header. With that it gets one, so
    /// that a recording that is kept can be heard again.
    pub fn new(name: String, bytes: Vec<u8>, stated: Option<Headerless>) -> Self {
        let bytes = match stated {
            Some(stated) => stated.with_header(bytes),
            None => bytes,
        };
        Self { name, bytes }
    }
}
