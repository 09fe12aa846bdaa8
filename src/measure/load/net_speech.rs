//! After which frame of a call how much speech has been heard, by the product's own speech detector.
//!
//! An update of the service says how much net speech it rests on. The detector's answer depends on the samples alone,
//! never on how they are cut, so the same samples heard here say with which frame that much was complete: the last one
//! that the update needed. The time from that frame's sending to the update's coming is the decision lag.

use crate::bytes::g711::mulaw_decode;
use crate::samples::Intake;
use crate::speech::{SpeechFinder, SpeechSettings, Vad};
use crate::units::Hertz;

use super::error::LoadFault;

/// Samples a second of a telephone line.
pub(super) const LINE: Hertz = Hertz(8_000);

/// Net speech is compared with this tolerance (s): it goes through JSON.
const SAME: f64 = 1e-6;

/// How much speech has been heard after which frame; only the frames after which it is more than before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NetSpeech(Vec<(usize, f64)>);

impl NetSpeech {
    /// Hears `frames` of mu-law (8 kHz), one after the other.
    pub fn of<'a>(vad: &mut Vad, frames: impl Iterator<Item = &'a [u8]>) -> Result<Self, LoadFault> {
        let mut intake = Intake::new(LINE, 1, None)?;
        let mut finder = SpeechFinder::new(SpeechSettings::default());
        let (mut grown, mut heard) = (Vec::new(), 0.0);
        let (mut line, mut samples) = (Vec::new(), Vec::new());
        for (frame, octets) in frames.enumerate() {
            line.clear();
            samples.clear();
            line.extend(
                octets
                    .iter()
                    .map(|octet| f32::from(mulaw_decode(*octet)) / 32_768.0),
            );
            intake.push(&line, &mut samples);
            finder.push(vad, &samples)?;
            let net = finder.net_speech().get();
            if net > heard {
                heard = net;
                grown.push((frame, net));
            }
        }
        Ok(Self(grown))
    }

    /// The frame that was needed to have heard `net` seconds of speech, counted from 0; `None` when there never was so
    /// much.
    pub fn needed_frame(&self, net: f64) -> Option<usize> {
        let at = self.0.partition_point(|(_, heard)| *heard < net - SAME);
        self.0.get(at).map(|(frame, _)| *frame)
    }

    /// Seconds of speech in the first `frames` frames.
    pub fn within(&self, frames: usize) -> f64 {
        let at = self.0.partition_point(|(frame, _)| *frame < frames);
        self.0[..at].last().map_or(0.0, |(_, net)| *net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_needs_the_first_frame_by_which_its_speech_was_there() {
        let heard = NetSpeech(vec![(50, 0.25), (60, 0.3), (90, 1.2)]);
        assert_eq!(heard.needed_frame(0.25), Some(50));
        assert_eq!(heard.needed_frame(0.26), Some(60));
        assert_eq!(heard.needed_frame(1.2 + 1e-9), Some(90));
        assert_eq!(heard.needed_frame(1.3), None);
    }

    #[test]
    fn speech_counts_once_its_last_frame_was_sent() {
        let heard = NetSpeech(vec![(50, 0.25), (60, 0.3)]);
        assert_eq!(
            [50, 51, 60, 61, 900].map(|frames| heard.within(frames)),
            [0.0, 0.25, 0.25, 0.3, 0.3]
        );
    }
}
