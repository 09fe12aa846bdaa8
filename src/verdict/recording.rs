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

/// Pieces of a turn, and blocks of a piece, at most: a file that cuts its packets away gives little for much work.
const PIECES_A_TURN: usize = 8;
const BLOCKS_A_PIECE: usize = 512;

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
    channel: Option<u16>,
    marks: &'static [f64],
    /// From when it is known whether two channels are one.
    session: Option<StreamSession>,
    checkpoints: Vec<Checkpoint>,
    /// Samples on their way from the one to the other.
    piece: Vec<f32>,
    is_decoded: bool,
    /// Milliseconds that decoding took, of which the session does not know yet.
    decoding: f64,
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
        let mut hearing = Self {
            decoder: Decoder::open(bytes, limits)?,
            channel,
            marks,
            session: None,
            checkpoints: Vec::new(),
            piece: Vec::new(),
            is_decoded: false,
            decoding: milliseconds(started),
        };
        if channel.is_some() || hearing.decoder.format().channels == 1 {
            hearing.begin()?;
        }
        Ok(hearing)
    }

    fn begin(&mut self) -> Result<(), HearError> {
        let Format { rate, channels, .. } = self.decoder.format();
        let session = StreamSession::new(rate, channels, self.channel, self.marks)?;
        self.session = Some(session);
        Ok(())
    }

    /// Compares two channels of the next two seconds or so, until it is known whether they are one; then hears the next
    /// two seconds, or embeds the next segment of all the speech after the end; `false` when that was all.
    ///
    /// # Errors
    /// [`HearError`] when the recording cannot be decoded further or a model fails, or has two channels of which one
    /// must be named.
    pub fn take_turn(&mut self, analyst: &mut Analyst) -> Result<bool, HearError> {
        let Some(mut session) = self.session.take() else {
            let started = Instant::now();
            let goes_on = self.decoder.compare_channels(TURN)?;
            self.decoding += milliseconds(started);
            if !goes_on {
                self.begin()?;
            }
            return Ok(true);
        };
        let goes_on = self.hear(&mut session, analyst)?;
        self.session = Some(session);
        Ok(goes_on)
    }

    fn hear(&mut self, session: &mut StreamSession, analyst: &mut Analyst) -> Result<bool, HearError> {
        let until = session.heard().plus(TURN);
        for _ in 0..PIECES_A_TURN {
            if self.is_decoded || session.heard() >= until {
                break;
            }
            self.decode_a_piece()?;
            session.spent_decoding(std::mem::take(&mut self.decoding));
            let found = session.push(analyst, &self.piece)?;
            self.checkpoints.extend(found);
        }
        if !self.is_decoded {
            return Ok(true);
        }
        let last = session.finish_in_turns(analyst)?;
        let goes_on = last.is_none();
        self.checkpoints.extend(last);
        Ok(goes_on)
    }

    fn decode_a_piece(&mut self) -> Result<(), HearError> {
        let started = Instant::now();
        let Format { rate, channels, .. } = self.decoder.format();
        let wanted = (PIECE.get() * f64::from(rate.0)) as usize * usize::from(channels);
        self.piece.clear();
        for _ in 0..BLOCKS_A_PIECE {
            if self.piece.len() >= wanted {
                break;
            }
            let Some(block) = self.decoder.next_block()? else {
                self.is_decoded = true;
                break;
            };
            self.piece.extend_from_slice(block);
        }
        self.decoding += milliseconds(started);
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
