//! A recording whose header was read, and whatever gives its samples.

use super::framed::Framed;
use super::packets::PacketSource;
use super::pcm::Pcm;
use super::{DecodeError, Format, Unheard};
use crate::units::Seconds;

/// Whatever gives interleaved samples.
pub(super) enum Source {
    /// Samples in the open.
    Pcm(Pcm),
    /// Packets that we found.
    Framed(Box<Framed>),
    /// Packets that Symphonia found.
    Packets(Box<PacketSource>),
}

/// A recording whose header was read.
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) format: Format,
    /// How long it is, as far as the header or a walk over the packets tells.
    pub(super) announced: Option<Seconds>,
    /// How far that may be out.
    pub(super) slack: Seconds,
    pub(super) unheard: Option<Unheard>,
}

impl Source {
    /// Appends the next interleaved samples, which may be none; `false` at the end.
    pub(super) fn fill(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        match self {
            Self::Pcm(pcm) => Ok(pcm.fill(out)),
            Self::Framed(framed) => framed.fill(out),
            Self::Packets(packets) => packets.fill(out),
        }
    }

    /// Whether the container promised more than there is.
    pub(super) fn truncated(&self) -> bool {
        match self {
            Self::Pcm(pcm) => pcm.truncated,
            Self::Framed(framed) => framed.truncated,
            Self::Packets(packets) => packets.truncated(),
        }
    }
}
