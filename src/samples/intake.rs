//! The caller's channel, at 16 kHz, out of interleaved frames of any accepted format.

use super::{DigitalSilence, HighPass, Resampler, SamplesError};
use crate::bytes::MOST_CHANNELS;
use crate::units::Hertz;

/// Picks one channel, resamples it and takes out what lies below 70 Hz, whatever the pieces.
///
/// The laws of [`Resampler`] hold; pieces may end inside a frame.
#[derive(Debug)]
pub struct Intake {
    resampler: Resampler,
    /// None where the sound is to stay as it is.
    high_pass: Option<HighPass>,
    silence: DigitalSilence,
    channels: usize,
    channel: usize,
    /// Samples of the current frame that have passed.
    phase: usize,
    picked: Vec<f32>,
}

impl Intake {
    /// An intake of `channels` interleaved channels at `rate`, of which `channel` holds the caller.
    /// A single channel need not be named.
    ///
    /// # Errors
    /// [`SamplesError`] for a rate or number of channels that is not accepted, and for a channel that
    /// is missing where it is needed or not there.
    pub fn new(rate: Hertz, channels: u16, channel: Option<u16>) -> Result<Self, SamplesError> {
        if !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(SamplesError::Channels { channels });
        }
        let channel = match channel {
            Some(channel) if channel >= channels => {
                return Err(SamplesError::NoSuchChannel { channel, channels });
            }
            Some(channel) => channel,
            None if channels == 1 => 0,
            None => return Err(SamplesError::ChannelNeeded),
        };
        Ok(Self {
            resampler: Resampler::new(rate)?,
            high_pass: Some(HighPass::default()),
            silence: DigitalSilence::default(),
            channels: usize::from(channels),
            channel: usize::from(channel),
            phase: 0,
            picked: Vec::new(),
        })
    }

    /// The same without the high-pass: for sound that goes through another intake before it is heard.
    #[must_use]
    pub fn unfiltered(self) -> Self {
        Self {
            high_pass: None,
            ..self
        }
    }

    /// Takes interleaved samples and appends 16 kHz mono samples to `out`.
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) {
        let known = out.len();
        self.resample(interleaved, out);
        self.filter(&mut out[known..]);
    }

    /// How much of what came was digital silence, 0 to 1: nothing is that any more once it was filtered.
    pub fn digital_silence(&self) -> f64 {
        self.silence.share()
    }

    fn filter(&mut self, samples: &mut [f32]) {
        self.silence.push(samples);
        if let Some(high_pass) = &mut self.high_pass {
            high_pass.filter(samples);
        }
    }

    fn resample(&mut self, interleaved: &[f32], out: &mut Vec<f32>) {
        if self.channels == 1 {
            return self.resampler.push(interleaved, out);
        }
        let first = (self.channel + self.channels - self.phase) % self.channels;
        self.picked.clear();
        self.picked
            .extend(interleaved.iter().skip(first).step_by(self.channels));
        self.phase = (self.phase + interleaved.len()) % self.channels;
        self.resampler.push(&self.picked, out);
    }

    /// Ends the stream: appends the rest, as if silence followed.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let known = out.len();
        self.resampler.finish(out);
        self.filter(&mut out[known..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_channels_need_a_word_on_which_one_is_meant() {
        let fault = Intake::new(Hertz(8_000), 2, None).unwrap_err();
        assert_eq!(fault, SamplesError::ChannelNeeded);
        let said = fault.to_string();
        assert_eq!(
            said,
            "two channels: say which one holds the caller with --channel 0 or --channel 1"
        );
        assert!(Intake::new(Hertz(8_000), 2, Some(1)).is_ok());
    }

    #[test]
    fn one_channel_may_be_named_and_no_other_exists() {
        assert!(Intake::new(Hertz(8_000), 1, None).is_ok());
        assert!(Intake::new(Hertz(8_000), 1, Some(0)).is_ok());
        let fault = Intake::new(Hertz(8_000), 1, Some(1)).unwrap_err();
        assert_eq!(
            fault,
            SamplesError::NoSuchChannel {
                channel: 1,
                channels: 1
            }
        );
    }

    #[test]
    fn more_channels_than_a_call_has_are_refused() {
        for channels in [0, 3, 7] {
            assert_eq!(
                Intake::new(Hertz(8_000), channels, Some(0)).unwrap_err(),
                SamplesError::Channels { channels }
            );
        }
    }

    proptest! {
        #[test]
        fn the_channel_is_the_same_however_the_frames_were_cut(
            pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 0..500),
            cuts in prop::collection::vec(0usize..60, 0..30),
            channel in 0u16..2,
        ) {
            let interleaved: Vec<f32> = pairs.iter().flat_map(|&(left, right)| [left, right]).collect();
            let wanted: Vec<f32> = pairs.iter().map(|&(left, right)| [left, right][usize::from(channel)]).collect();
            let mut intake = Intake::new(Hertz(16_000), 2, Some(channel)).unwrap().unfiltered();
            let (mut out, mut rest) = (Vec::new(), interleaved.as_slice());
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                intake.push(head, &mut out);
                rest = tail;
            }
            intake.push(rest, &mut out);
            intake.finish(&mut out);
            prop_assert_eq!(out, wanted);
        }
    }
}
