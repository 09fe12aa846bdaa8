//! How a call's audio arrives, as whoever brings it says.

use crate::bytes::Encoding;
use crate::units::{CallId, DialedNumber, Hertz};
use crate::verdict::{CHECKPOINTS, StreamSession};

use super::error::BoardError;

/// How a call's audio arrives.
#[derive(Debug, Clone)]
pub struct CallStart {
    /// The carrier's id of the call.
    pub call_id: CallId,
    /// The dialed number.
    pub number: DialedNumber,
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples a second.
    pub rate: Hertz,
    /// One or two.
    pub channels: u16,
    /// Which of two channels holds the caller.
    pub caller_channel: Option<u16>,
}

impl CallStart {
    /// How long (s) so many bytes of it last.
    pub(super) fn seconds_of(&self, bytes: usize) -> f64 {
        let samples = self.rate.0 as usize * usize::from(self.channels);
        let a_second = samples * self.encoding.bytes_per_sample();
        bytes as f64 / a_second.max(1) as f64
    }

    /// What follows the stream.
    ///
    /// # Errors
    /// [`BoardError::Shape`] when the audio has a shape that cannot be listened to.
    pub(super) fn stream_session(&self) -> Result<StreamSession, BoardError> {
        StreamSession::new(self.rate, self.channels, self.caller_channel, CHECKPOINTS)
            .map_err(|fault| BoardError::listening("the stream", fault))
    }
}
