//! Frames as bytes: the 33 of RFC 3551 (and of `.gsm` files), and Microsoft's 65 for two.

use super::pulses::{PULSES, Pulses};
use super::{Coded, PARTS, shape::ORDER};

/// Bytes of a frame of a `.gsm` file: four bits of signature, then 260 bits, the highest first.
pub const BYTES: usize = 33;

/// Bytes of two frames of a WAV file: 520 bits without signature, the lowest first.
pub const PAIR_BYTES: usize = 65;

/// The first four bits of every frame of [`BYTES`].
pub(in crate::bytes) const SIGNATURE: u8 = 0xD;

/// Bits of each log-area ratio (06.10 table 1.1).
const RATIO_BITS: [u32; ORDER] = [6, 6, 5, 5, 4, 4, 3, 3];

/// Bits one after the other, from either end of their bytes.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    lowest_first: bool,
}

impl Bits<'_> {
    fn bit(&mut self) -> i16 {
        let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
        let place = if self.lowest_first {
            self.at % 8
        } else {
            7 - self.at % 8
        };
        self.at += 1;
        i16::from(byte >> place & 1)
    }

    fn take(&mut self, count: u32) -> i16 {
        let lowest_first = self.lowest_first;
        (0..count).fold(0, |value, place| {
            let bit = self.bit();
            if lowest_first {
                value | bit << place
            } else {
                value << 1 | bit
            }
        })
    }

    fn frame(&mut self) -> Coded {
        let ratios = RATIO_BITS.map(|bits| self.take(bits));
        let parts = [(); PARTS].map(|()| Pulses {
            lag: self.take(7) as usize,
            gain: self.take(2) as usize,
            grid: self.take(2) as usize,
            peak: self.take(6),
            pulses: [(); PULSES].map(|()| self.take(3)),
        });
        Coded { ratios, parts }
    }
}

impl Coded {
    /// A frame of a `.gsm` file or of RTP; `None` without its signature.
    pub fn from_frame(bytes: &[u8; BYTES]) -> Option<Self> {
        let mut bits = Bits {
            bytes,
            at: 4,
            lowest_first: false,
        };
        (bytes[0] >> 4 == SIGNATURE).then(|| bits.frame())
    }

    /// The two frames of a WAV file's block.
    pub fn from_pair(bytes: &[u8; PAIR_BYTES]) -> [Self; 2] {
        let mut bits = Bits {
            bytes,
            at: 0,
            lowest_first: true,
        };
        [bits.frame(), bits.frame()]
    }
}
