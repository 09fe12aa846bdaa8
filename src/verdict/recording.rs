//! A whole recording: the same session as a live call's, fed from a decoder, in turns.

use std::time::Instant;

use thiserror::Error;

use crate::bytes::{DecodeError, Decoder, Format, Limits, Unheard};
use crate::engine::Analyst;
use crate::units::Seconds;

use super::Warning;
use super::checkpoint::{Checkpoint, ListenError};
use super::stream_session::{StreamSession, milliseconds};

/// Audio that is heard in one turn: a long upload gives the inference thread back to live calls in
/// between.
const TURN: Seconds = Seconds::new(2.0);

/// What decoders give is gathered to pieces of so much, of which the speech detector takes all windows together.
const PIECE: Seconds = Seconds::new(0.5);

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
    /// Samples on their way from the one to the other.
    piece: Vec<f32>,
    is_decoded: bool,
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
            piece: Vec::new(),
            is_decoded: false,
        })
    }

    /// Hears the next two seconds or so, or embeds the next segment of all the speech after the end; `false` when that
    /// was all.
    ///
    /// # Errors
    /// [`HearError`] when the recording cannot be decoded further or a model fails.
    pub fn take_turn(&mut self, analyst: &mut Analyst) -> Result<bool, HearError> {
        let until = self.session.heard().plus(TURN);
        while !self.is_decoded && self.session.heard() < until {
            self.decode_a_piece()?;
            let found = self.session.push(analyst, &self.piece)?;
            self.checkpoints.extend(found);
        }
        if !self.is_decoded {
            return Ok(true);
        }
        let last = self.session.finish_in_turns(analyst)?;
        let goes_on = last.is_none();
        self.checkpoints.extend(last);
        Ok(goes_on)
    }

    fn decode_a_piece(&mut self) -> Result<(), HearError> {
        let started = Instant::now();
        let Format { rate, channels, .. } = self.decoder.format();
        let wanted = (PIECE.get() * f64::from(rate.0)) as usize * usize::from(channels);
        self.piece.clear();
        while self.piece.len() < wanted {
            let Some(block) = self.decoder.next_block()? else {
                self.is_decoded = true;
                break;
            };
            self.piece.extend_from_slice(block);
        }
        self.session.spent_decoding(milliseconds(started));
        Ok(())
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
