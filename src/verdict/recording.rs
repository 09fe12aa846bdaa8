//! A whole recording: the same session as a live call's, fed from a decoder, in turns.

use std::time::Instant;

use thiserror::Error;

use crate::bytes::{DecodeError, Decoder, Format, Limits, Unheard};
use crate::engine::Analyst;
use crate::units::Seconds;

use super::Warning;
use super::stream_session::{Checkpoint, ListenError, StreamSession, milliseconds};

/// Audio that is heard in one turn: a long upload gives the inference thread back to live calls in
/// between.
const TURN: Seconds = Seconds::new(10.0);

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
    /// A checkpoint at each mark, when marks were asked for, and the last one at the end.
    pub checkpoints: Vec<Checkpoint>,
    /// What it was stored as.
    pub format: Format,
    /// Whether its end is missing.
    pub truncated: bool,
    /// What of it was not heard.
    pub unheard: Option<Unheard>,
}

impl Recording {
    /// What is to be said of it to whoever sent it as `name`.
    pub fn warnings(&self, name: &str) -> Vec<Warning> {
        Warning::of(name, self.truncated, self.unheard)
    }
}

/// A recording that is being heard, block by block: memory is bounded whatever its length.
pub struct Hearing {
    decoder: Decoder,
    session: StreamSession,
    checkpoints: Vec<Checkpoint>,
}

impl Hearing {
    /// Opens a recording; `marks` are as for [`StreamSession::new`].
    ///
    /// # Errors
    /// [`HearError`] when it is not audio, or has a shape that cannot be listened to.
    pub fn open(
        bytes: Vec<u8>,
        channel: Option<u16>,
        limits: &Limits,
        marks: &'static [f64],
    ) -> Result<Self, HearError> {
        let started = Instant::now();
        let decoder = Decoder::for_channel(bytes, channel, limits)?;
        let Format { rate, channels, .. } = decoder.format();
        let mut session = StreamSession::new(rate, channels, channel, marks)?;
        session.spent_decoding(milliseconds(started));
        Ok(Self {
            decoder,
            session,
            checkpoints: Vec::new(),
        })
    }

    /// Hears the next ten seconds or so; `false` when that was the end.
    ///
    /// # Errors
    /// [`HearError`] when the recording cannot be decoded further or a model fails.
    pub fn take_turn(&mut self, analyst: &mut Analyst) -> Result<bool, HearError> {
        let until = self.session.heard().plus(TURN);
        while self.session.heard() < until {
            let started = Instant::now();
            let Some(block) = self.decoder.next_block()? else {
                self.checkpoints.push(self.session.finish(analyst)?);
                return Ok(false);
            };
            self.session.spent_decoding(milliseconds(started));
            self.checkpoints.extend(self.session.push(analyst, block)?);
        }
        Ok(true)
    }

    /// What was heard.
    pub fn into_recording(self) -> Recording {
        Recording {
            checkpoints: self.checkpoints,
            format: self.decoder.format(),
            truncated: self.decoder.truncated(),
            unheard: self.decoder.unheard(),
        }
    }
}

/// Hears a whole recording at one go.
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
    let mut hearing = Hearing::open(bytes, channel, limits, marks)?;
    while hearing.take_turn(analyst)? {}
    Ok(hearing.into_recording())
}
