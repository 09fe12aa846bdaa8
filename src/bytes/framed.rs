//! Packets that our own walks over a file found, through their codec.

use std::collections::VecDeque;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::codec::{Codec, Feed};
use super::contained::{self, contained};
use super::{DecodeError, Format};

/// A file of packets whose places are known.
pub(super) struct Framed {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) feed: Feed,
    pub(super) codec: Codec,
    pub(super) format: Format,
    /// Which of the decoded frames are the recording, ascending and apart; the others are what the encoder needed to
    /// settle, what was cut away, and padding.
    pub(super) kept: VecDeque<Range<u64>>,
    /// Frames that were decoded.
    decoded: u64,
    /// Frames that were given.
    frames: u64,
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
            kept: iter::once(0..u64::MAX).collect(),
            decoded: 0,
            frames: 0,
            truncated: false,
        }
    }

    /// Appends the next packet's interleaved samples, which may be none; `false` at the end.
    pub(super) fn fill(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let filled = contained(contained::DECODER, || self.fill_uncontained(out));
        filled.map_err(|cause| DecodeError::Damaged {
            container: self.format.container,
            frame: self.frames,
            cause,
        })
    }

    fn fill_uncontained(&mut self, out: &mut Vec<f32>) -> Result<bool, String> {
        if self.kept.is_empty() {
            return Ok(false);
        }
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
        Ok(true)
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
        let here = self.decoded..self.decoded + (out.len() / wanted) as u64;
        self.decoded = here.end;
        let mut given = 0;
        while let Some(kept) = self.kept.front().filter(|kept| kept.start < here.end) {
            let at = |frame: u64| (frame.clamp(here.start, here.end) - here.start) as usize * wanted;
            let part = at(kept.start)..at(kept.end);
            let length = part.len();
            out.copy_within(part, given);
            given += length;
            if kept.end > here.end {
                break;
            }
            self.kept.pop_front();
        }
        out.truncate(given);
        self.frames += (given / wanted) as u64;
        Ok(())
    }
}
