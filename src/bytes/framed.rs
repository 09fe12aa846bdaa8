//! Packets that our own walks over a file found, through their codec.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::codec::{Codec, Feed};
use super::{DecodeError, Format};

/// A file of packets whose places are known.
pub(super) struct Framed {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) feed: Feed,
    pub(super) codec: Codec,
    pub(super) format: Format,
    /// Frames to drop from the start, which the encoder needed to settle.
    pub(super) skip: u64,
    /// How many frames there are behind those, where the container says; the rest is padding.
    pub(super) keep: u64,
    /// Frames that were given.
    pub(super) frames: u64,
    /// Whether the container promised more than there is.
    pub(super) truncated: bool,
}

impl Framed {
    /// Packets of `format` from `feed`, all of whose frames count.
    pub(super) fn new(bytes: &Arc<Vec<u8>>, feed: Feed, codec: Codec, format: Format) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            feed,
            codec,
            format,
            skip: 0,
            keep: u64::MAX,
            frames: 0,
            truncated: false,
        }
    }

    /// Appends the next packet's interleaved samples; `false` at the end.
    pub(super) fn fill(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let filled = catch_unwind(AssertUnwindSafe(|| self.fill_uncontained(out)));
        let cause = match filled {
            Ok(Ok(more)) => return Ok(more),
            Ok(Err(cause)) => cause,
            Err(_) => "its decoder gave up on it".into(),
        };
        Err(DecodeError::Damaged {
            container: self.format.container,
            frame: self.frames,
            cause,
        })
    }

    fn fill_uncontained(&mut self, out: &mut Vec<f32>) -> Result<bool, String> {
        while out.is_empty() && self.frames < self.keep {
            let Some(place) = self.feed.next() else {
                return Ok(false);
            };
            let Some(data) = self.bytes.get(place) else {
                self.truncated = true;
                return Ok(false);
            };
            let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, data);
            match self.codec.decode(&packet, out) {
                Ok(shape) => self.shaped(shape, out)?,
                // The last packet of a file that was cut is no damage, only the cut.
                Err(_) if self.frames > 0 && self.feed.next().is_none() => {
                    out.clear();
                    self.truncated = true;
                    return Ok(false);
                }
                Err(cause) => return Err(cause),
            }
        }
        Ok(!out.is_empty())
    }

    /// Brings a packet's samples to the file's channels and drops what is no recording.
    fn shaped(&mut self, (rate, channels): (u32, usize), out: &mut Vec<f32>) -> Result<(), String> {
        let wanted = usize::from(self.format.channels);
        if rate != self.format.rate.0 {
            return Err(format!("the stream changes to {rate} Hz"));
        }
        match (channels, wanted) {
            (1, 2) => *out = out.iter().flat_map(|&sample| [sample; 2]).collect(),
            _ if channels == wanted => {}
            _ => return Err(format!("the stream changes to {channels} channel(s)")),
        }
        let frames = (out.len() / wanted) as u64;
        let dropped = self.skip.min(frames);
        self.skip -= dropped;
        out.drain(..dropped as usize * wanted);
        let kept = (frames - dropped).min(self.keep - self.frames);
        out.truncate(kept as usize * wanted);
        self.frames += kept;
        Ok(())
    }
}
