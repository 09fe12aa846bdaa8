//! Bytes to PCM frames: the first room of a call's journey.
//!
//! A recording comes in as bytes with a name that may lie; what it is, is read from the content
//! alone. [`Decoder`] gives its frames block by block, as finite numbers between -1 and 1, in bounded
//! memory. Live call audio has no container: [`RawStream`] decodes it from pieces of any size.
//!
//! What can be read: WAV (PCM 8, 16, 24 and 32 bit, 32-bit float, mu-law, A-law), FLAC, MP3, Ogg/Opus
//! and WebM/Opus, one or two channels, 8 to 48 kHz. Everything else is refused with the reason.
//!
//! Architecture invariant: no byte sequence makes this room panic, loop for ever or take memory
//! beyond a small multiple of its input; the codecs it borrows are held to that at [`Decoder`].

mod decoder;
mod ebml;
mod error;
pub mod g711;
pub mod gsm;
mod opus;
mod packets;
mod raw;
mod riff;
mod sniff;
mod wav;

pub use decoder::{Container, Decoder, Format, Limits};
pub use error::DecodeError;
pub use raw::{Encoding, RawStream};

use crate::units::Hertz;

/// The lowest sampling rate accepted: narrow-band telephony.
pub const LOWEST_RATE: Hertz = Hertz(8_000);

/// The highest sampling rate accepted: what browsers record in.
pub const HIGHEST_RATE: Hertz = Hertz(48_000);

/// The most channels accepted: a caller and an agent.
pub const MOST_CHANNELS: u16 = 2;
