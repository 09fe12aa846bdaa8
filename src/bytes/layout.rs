//! What a container whose audio lies in the open says of it: one shape for WAV, W64, AU, AIFF, CAF and SPHERE.

use std::ops::Range;
use std::sync::Arc;

use super::codec::{Adpcm, AdpcmKind, Codec, of_size};
use super::format::check_format;
use super::framed::Framed;
use super::ima4::{self, Ima4};
use super::pcm::{Pcm, Sample};
use super::source::{Opened, Source};
use super::{Container, DecodeError, Format, Unheard, gsm, mpeg};
use crate::units::{Hertz, Seconds};

/// How the audio is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Sample by sample.
    Plain(Sample),
    /// ADPCM in blocks of so many bytes.
    Adpcm(AdpcmKind, usize),
    /// IMA ADPCM in Apple's packets.
    Ima4,
    /// GSM full rate in frames of 33 bytes.
    Gsm,
    /// GSM full rate in pairs of 65 bytes.
    GsmPairs,
    /// G.722 at 64 kbit/s.
    G722,
    /// A stream of MP3.
    Mp3,
}

/// A header, checked.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    /// The kind of file.
    pub(super) container: Container,
    /// Samples per second as the header says; not yet checked against the accepted range.
    pub(super) rate: u32,
    /// Interleaved channels, at least one.
    pub(super) channels: u16,
    /// How the audio is stored.
    pub(super) coding: Coding,
    /// Where it lies.
    pub(super) spans: Vec<Range<usize>>,
    /// Whether the header promised more than there is.
    pub(super) truncated: bool,
    /// Bytes behind the audio that look like more of it.
    pub(super) beyond: Option<Range<usize>>,
}

/// Octets of G.722 that are decoded at once.
const G722_BLOCK: usize = 4_096;

impl Layout {
    /// Opens the audio.
    ///
    /// # Errors
    /// [`DecodeError`]: no audio, a rate or number of channels that is not accepted, a codec that refuses.
    pub(super) fn open(self, bytes: &Arc<Vec<u8>>) -> Result<Opened, DecodeError> {
        if self.coding == Coding::Mp3 {
            return self.open_mp3(bytes);
        }
        let format = Format {
            container: self.container,
            rate: Hertz(if self.coding == Coding::G722 {
                16_000
            } else {
                self.rate
            }),
            channels: self.channels,
        };
        check_format(format)?;
        let frames: usize = self.spans.iter().map(|span| self.frames(span.len())).sum();
        if frames == 0 {
            return Err(DecodeError::NoAudio {
                container: self.container,
                at: bytes.len() as u64,
            });
        }
        let beyond = self.unheard(|beyond| Some(format.rate.seconds(self.frames(beyond.len()))));
        let announced = Some(format.rate.seconds(frames));
        let source = self.source(bytes, format)?;
        Ok(Opened {
            source,
            format,
            announced,
            slack: Seconds::ZERO,
            unheard: beyond,
        })
    }

    /// Opens MP3, whose frames say themselves of which rate and how many channels they are.
    fn open_mp3(self, bytes: &Arc<Vec<u8>>) -> Result<Opened, DecodeError> {
        let first = self.spans.first().map_or(0, |span| span.start);
        let end = self.spans.last().map_or(0, |span| span.end);
        // What stands between two chunks is passed over as what stands between two frames.
        let mut opened = mpeg::open(bytes, first..end, self.container)?;
        let beyond = self.unheard(|beyond| mpeg::length(bytes, beyond));
        opened.unheard = Unheard::sum(opened.unheard, beyond);
        if let Source::Framed(framed) = &mut opened.source {
            framed.truncated |= self.truncated;
        }
        Ok(opened)
    }

    /// What the header leaves out, by how long such a stretch lasts.
    fn unheard(&self, length: impl FnOnce(&Range<usize>) -> Option<Seconds>) -> Option<Unheard> {
        self.beyond.as_ref().map(|beyond| Unheard {
            at: beyond.start as u64,
            bytes: beyond.len() as u64,
            length: length(beyond),
            why: "the header says that the audio ends before it",
        })
    }

    /// How many frames a stretch of so many bytes holds.
    fn frames(&self, bytes: usize) -> usize {
        let channels = usize::from(self.channels);
        match self.coding {
            Coding::Plain(sample) => bytes / (sample.width() * channels),
            Coding::Adpcm(kind, block) => {
                let block = block.max(1);
                bytes / block * kind.frames(block, channels) + kind.frames(bytes % block, channels)
            }
            Coding::Ima4 => bytes / (ima4::BYTES * channels) * ima4::FRAMES,
            Coding::Gsm => bytes / gsm::BYTES * gsm::FRAME,
            Coding::GsmPairs => bytes / gsm::PAIR_BYTES * 2 * gsm::FRAME,
            Coding::G722 => 2 * bytes,
            Coding::Mp3 => 0,
        }
    }

    fn source(self, bytes: &Arc<Vec<u8>>, format: Format) -> Result<Source, DecodeError> {
        let whole = |size: usize| {
            let cut = |span: &Range<usize>| span.start..span.end - span.len() % size;
            of_size(size, self.spans.iter().map(cut).collect())
        };
        let (codec, feed) = match self.coding {
            Coding::Plain(sample) => {
                let mut pcm = Pcm::new(bytes, sample, self.channels, self.spans);
                pcm.truncated = self.truncated;
                return Ok(Source::Pcm(pcm));
            }
            Coding::Adpcm(kind, block) => {
                let adpcm = Adpcm::new(kind, block, self.rate, self.channels);
                let codec = Codec::Adpcm(adpcm.map_err(|cause| self.container.broken(0, cause))?);
                (codec, of_size(block, self.spans.clone()))
            }
            Coding::Ima4 => {
                let codec = Codec::Ima4(Ima4::new(self.rate, self.channels));
                (codec, whole(ima4::BYTES * usize::from(self.channels)))
            }
            Coding::GsmPairs => (Codec::GsmPairs(Box::default()), whole(gsm::PAIR_BYTES)),
            Coding::Gsm => (Codec::Gsm(Box::default()), whole(gsm::BYTES)),
            _ => (
                Codec::G722(Box::default()),
                of_size(G722_BLOCK, self.spans.clone()),
            ),
        };
        let one_voice = matches!(self.coding, Coding::Adpcm(..) | Coding::Ima4) || self.channels == 1;
        if !one_voice {
            return Err(DecodeError::Channels {
                channels: u32::from(self.channels),
            });
        }
        let mut framed = Framed::new(bytes, feed, codec, format);
        framed.truncated = self.truncated;
        Ok(Source::Framed(Box::new(framed)))
    }
}
