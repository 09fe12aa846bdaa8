//! What cannot be made 16 kHz mono.

use thiserror::Error;

use crate::units::Hertz;

/// Frames of which no 16 kHz mono samples can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SamplesError {
    /// A sampling rate that is not 8 to 48 kHz.
    #[error("a sampling rate of {rate}: 8000 Hz to 48000 Hz are accepted; resample the recording")]
    Rate {
        /// The rate that came.
        rate: Hertz,
    },
    /// Two channels, and nobody said which one to listen to: mixing them would mix two people.
    #[error("two channels: say which one holds the caller with --channel 0 or --channel 1")]
    ChannelNeeded,
    /// A channel that is not there.
    #[error("channel {channel} of {channels}: channels count from 0")]
    NoSuchChannel {
        /// The channel asked for.
        channel: u16,
        /// How many there are.
        channels: u16,
    },
    /// No channels, or more than a call has.
    #[error("{channels} channels: one or two are accepted; extract the channel that holds the caller")]
    Channels {
        /// How many there are.
        channels: u16,
    },
}
