//! GSM full rate: the codec of the second generation's network, of voice mail and of WAV files of 13 kbit/s.
//!
//! After ETSI EN 300 961 (GSM 06.10, regular pulse excitation with long-term prediction): the encoder's and the
//! decoder's arithmetic in whole numbers as the standard has it, and so bit for bit what libgsm makes of the
//! same samples or frames.

mod arithmetic;
mod pulses;
mod shape;
mod packing;

pub(super) use packing::SIGNATURE;
pub use packing::{BYTES, PAIR_BYTES};

use pulses::{PART, Past, Pulses};
use shape::{Lift, Lower, ORDER, Residual, Voice, analysed};

/// Samples of a frame, 20 ms at 8 kHz.
pub const FRAME: usize = 160;

type Frame = [i16; FRAME];

/// Sub-frames of a frame.
const PARTS: usize = 4;

/// What the bit stream says of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    ratios: [i16; ORDER],
    parts: [Pulses; PARTS],
}

/// Samples at 8 kHz to frames.
#[derive(Default)]
pub struct Encoder {
    lift: Lift,
    residual: Residual,
    past: Past,
}

impl Encoder {
    /// The next 20 ms in the codec's words.
    pub fn encode(&mut self, samples: &[i16; FRAME]) -> Coded {
        let mut frame = *samples;
        self.lift.lift(&mut frame);
        let ratios = analysed(&mut frame);
        self.residual.take(&ratios, &mut frame);
        let mut parts = [Pulses::default(); PARTS];
        for (coded, part) in parts.iter_mut().zip(frame.as_chunks::<PART>().0) {
            *coded = self.past.coded(part);
        }
        Coded { ratios, parts }
    }
}

/// Frames to samples at 8 kHz.
#[derive(Default)]
pub struct Decoder {
    lower: Lower,
    voice: Voice,
    past: Past,
}

impl Decoder {
    /// The 20 ms that `coded` stands for; any frame stands for some.
    pub fn decode(&mut self, coded: &Coded) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        for (part, pulses) in frame.as_chunks_mut::<PART>().0.iter_mut().zip(&coded.parts) {
            *part = self.past.excited(pulses);
        }
        self.voice.give(&coded.ratios, &mut frame);
        self.lower.lower(&mut frame);
        frame
    }
}
