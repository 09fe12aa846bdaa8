//! Bytes to PCM frames: the first room of a call's journey.
//!
//! A recording comes in as bytes with a name that may lie; what it is, is read from the content
//! alone. [`Decoder`] gives its frames block by block, as finite numbers between -1 and 1, in bounded
//! memory. Live call audio has no container: [`RawStream`] decodes it from pieces of any size.
//!
//! What can be read is one table, `docs/formats.md`: WAV and its relatives, FLAC, MP3, AAC, MP4, Ogg, WebM, AMR,
//! GSM, AU, AIFF, CAF and SPHERE, one or two channels, 8 to 48 kHz. Everything else is refused by its name.
//! Headers are believed only where the audio bears them out.
//!
//! Architecture invariant: no byte sequence makes this room panic, loop for ever or take memory
//! beyond a small multiple of its input; the codecs it borrows are held to that at [`Decoder`].

mod amr;
mod boxes;
mod contained;
mod container;
mod ebml;
mod error;
mod alike;
mod flac;
mod format;
pub mod g711;
mod g722;
pub mod gsm;
mod id3;
mod ima4;
mod limits;
mod ogg;
mod opus;
mod codec;
mod aac;
mod framed;
mod vorbis;
mod watched;
mod packets;
mod raw;
mod pcm;
mod tables;
mod unheard;
mod source;
mod adts;
mod parts;
mod mp4;
mod mpeg;
mod layout;
mod aiff;
mod au;
mod caf;
mod fmt;
mod riff;
mod sphere;
mod openers;
mod sniff;
mod decoder;
mod wav_header;
mod headerless;

pub use container::Container;
pub use decoder::Decoder;
pub use error::DecodeError;
pub use format::Format;
pub use g722::G722;
pub use headerless::{Headerless, UnknownHeaderless};
pub use limits::Limits;
pub use raw::{Encoding, RawStream};
pub use unheard::Unheard;
pub use wav_header::{WAV_HEADER_BYTES, WavHeader};

use crate::units::Hertz;

/// The lowest sampling rate accepted: narrow-band telephony.
pub const LOWEST_RATE: Hertz = Hertz(8_000);

/// The highest sampling rate accepted: what browsers record in.
pub const HIGHEST_RATE: Hertz = Hertz(48_000);

/// The most channels accepted: a caller and an agent.
pub const MOST_CHANNELS: u16 = 2;

/// How many bytes a WebSocket of audio reads at once: some of the largest frames that carriers send. tungstenite (0.29) takes
/// 128 KiB unless told otherwise, and wipes all of it before each read, be there a frame of 200 bytes or none.
pub const SOCKET_READ: usize = 8 * 1024;
