//! Whether two channels are one microphone's.

use super::decoder::Decoder;
use crate::units::Hertz;

/// What is over this share of a stretch's energy, and over [`LOUD`], is somebody else.
const PLAIN: f64 = 0.05;

/// The root mean square from which a difference is plain, relative to full scale: -50 dB.
const LOUD: f64 = 3.2e-3;

/// How much of a recording's energy a codec may leave between two equal channels: -30 dB.
const CODING: f64 = 1e-3;

/// Stretches in which the channels are compared, a second.
const STRETCHES: u32 = 10;

/// Whether both channels of a decoder of two hold the same sound. It reads no further than to the first stretch
/// that plainly differs; what cannot be decoded is the same as what came before it.
pub(super) fn both_channels(decoder: &mut Decoder, rate: Hertz) -> bool {
    let longest = (rate.0 / STRETCHES) as usize;
    let (mut all, mut apart) = (0.0, 0.0);
    let (mut stretch, mut stretch_apart, mut pairs) = (0.0, 0.0, 0);
    while let Ok(Some(block)) = decoder.next_block() {
        for &[left, right] in block.as_chunks::<2>().0 {
            let (left, right) = (f64::from(left), f64::from(right));
            stretch += left * left + right * right;
            stretch_apart += (left - right) * (left - right);
            pairs += 1;
            if pairs == longest {
                let loud = (stretch_apart / pairs as f64).sqrt() > LOUD;
                if loud && stretch_apart > PLAIN * stretch {
                    return false;
                }
                all += stretch;
                apart += stretch_apart;
                (stretch, stretch_apart, pairs) = (0.0, 0.0, 0);
            }
        }
    }
    apart + stretch_apart <= CODING * (all + stretch)
}
