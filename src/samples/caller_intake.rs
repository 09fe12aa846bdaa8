//! The caller's channel as it is heard: out of interleaved frames, without the other side's echo.

use zeroize::Zeroizing;

use super::{EchoGate, Intake, SamplesError};
use crate::units::Hertz;

/// An [`Intake`] that, of two channels, silences in the caller's what is an echo of the other. Of two channels samples come
/// out [`EchoGate::DELAY`] later.
#[derive(Debug)]
pub struct CallerIntake {
    caller: Intake,
    other: Option<OtherSide>,
}

/// The channel that is not the caller's.
#[derive(Debug)]
struct OtherSide {
    intake: Intake,
    gate: EchoGate,
    /// What came of both in a push.
    heard: [Zeroizing<Vec<f32>>; 2],
}

impl CallerIntake {
    /// An intake of `channels` interleaved channels at `rate`, of which `channel` holds the caller.
    ///
    /// # Errors
    /// As [`Intake::new`].
    pub fn new(rate: Hertz, channels: u16, channel: Option<u16>) -> Result<Self, SamplesError> {
        let caller = Intake::new(rate, channels, channel)?;
        let other = match (channels, channel) {
            (2, Some(channel)) => Some(OtherSide {
                intake: Intake::new(rate, channels, Some(1 - channel))?,
                gate: EchoGate::new(),
                heard: Default::default(),
            }),
            _ => None,
        };
        Ok(Self { caller, other })
    }

    /// Takes interleaved samples and appends 16 kHz mono samples to `out`.
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) {
        let Some(OtherSide { intake, gate, heard }) = &mut self.other else {
            return self.caller.push(interleaved, out);
        };
        let [caller, other] = heard;
        self.caller.push(interleaved, caller);
        intake.push(interleaved, other);
        gate.push(caller, other, out);
        caller.clear();
        other.clear();
    }

    /// Ends the stream: appends the rest, as if silence followed.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let Some(OtherSide { intake, gate, heard }) = &mut self.other else {
            return self.caller.finish(out);
        };
        let [caller, other] = heard;
        self.caller.finish(caller);
        intake.finish(other);
        gate.push(caller, other, out);
        gate.finish(out);
    }

    /// How much of what came was digital silence, 0 to 1.
    pub fn digital_silence(&self) -> f64 {
        self.caller.digital_silence()
    }
}
