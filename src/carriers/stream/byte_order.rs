//! Which byte of a 16-bit sample comes first, found out by listening.

use std::mem;

use crate::carriers::ByteOrder;

/// How many samples other than silence are listened to before the order is said: a tenth of a second at 8 kHz.
const NEEDED: usize = 800;

/// The most bytes held back while the order is not clear: two seconds at 16 kHz. What is as quiet as that
/// tells nobody anything.
const MOST_HELD: usize = 64_000;

/// Gives linear audio with the low byte first, whichever way it comes.
///
/// Read the wrong way round, what is small becomes large, and the small differences between neighbouring samples of
/// sound too, so the reading whose samples jump less is the right one. Until that is clear nothing is given.
#[derive(Debug)]
pub(super) struct Straightener {
    order: ByteOrder,
    held: Vec<u8>,
    torn: Option<u8>,
}

impl Straightener {
    /// Reads as `order` says.
    pub const fn new(order: ByteOrder) -> Self {
        Self {
            order,
            held: Vec::new(),
            torn: None,
        }
    }

    /// Takes audio in pieces of any size and gives what can be read of it so far.
    pub fn push(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.order == ByteOrder::Auto {
            self.held.append(&mut bytes);
            self.order = heard(&self.held);
            if self.order == ByteOrder::Auto {
                if self.held.len() < MOST_HELD {
                    return Vec::new();
                }
                // Near silence: given as it is, and the next piece decides.
                let whole = self.held.len() - self.held.len() % 2;
                let rest = self.held.split_off(whole);
                return mem::replace(&mut self.held, rest);
            }
            bytes = mem::take(&mut self.held);
        }
        if self.order == ByteOrder::Little {
            return bytes;
        }
        self.swapped(bytes)
    }

    /// What was still held back at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        mem::take(&mut self.held)
    }

    fn swapped(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            match self.torn.take() {
                Some(high) => out.extend([byte, high]),
                None => self.torn = Some(byte),
            }
        }
        out
    }
}

/// What the order sounds like; `Auto` while there is too little.
fn heard(bytes: &[u8]) -> ByteOrder {
    let words = bytes.as_chunks::<2>().0;
    if words.iter().filter(|word| **word != [0, 0]).count() < NEEDED {
        return ByteOrder::Auto;
    }
    let little = jumps(words.iter().map(|word| i16::from_le_bytes(*word)));
    let big = jumps(words.iter().map(|word| i16::from_be_bytes(*word)));
    if little <= big {
        ByteOrder::Little
    } else {
        ByteOrder::Big
    }
}

/// The energy of a signal's differences. Not over its own energy: that is the same for noise in both readings.
fn jumps(samples: impl Iterator<Item = i16>) -> f64 {
    // From silence, or a constant, as A-law's silence is, would say nothing.
    let (mut jumps, mut before) = (0.0_f64, 0.0_f64);
    for sample in samples {
        let sample = f64::from(sample);
        jumps += (sample - before).powi(2);
        before = sample;
    }
    jumps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A second of speech at 16 kHz, little-endian.
    fn speech() -> Vec<u8> {
        let file = include_bytes!("../../../tests/data/golden/speech.wav");
        let data = file.windows(4).position(|four| four == b"data").unwrap() + 8;
        file[data..data + 32_000].to_vec()
    }

    fn turned(bytes: &[u8]) -> Vec<u8> {
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .flat_map(|word| [word[1], word[0]])
            .collect()
    }

    fn through(order: ByteOrder, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut straight = Straightener::new(order);
        let mut out: Vec<u8> = bytes
            .chunks(piece)
            .flat_map(|piece| straight.push(piece.to_vec()))
            .collect();
        out.extend(straight.finish());
        out
    }

    proptest! {
        #[test]
        fn speech_comes_out_the_same_whichever_byte_came_first(piece in 1_usize..2_000, quieter in 0_u32..5) {
            let words = speech();
            let quiet = words.as_chunks::<2>().0.iter().flat_map(|word| {
                (i16::from_le_bytes(*word) >> quieter).to_le_bytes()
            });
            let quiet: Vec<u8> = quiet.collect();
            prop_assert_eq!(&through(ByteOrder::Auto, &quiet, piece), &quiet);
            prop_assert_eq!(&through(ByteOrder::Auto, &turned(&quiet), piece), &quiet);
            prop_assert_eq!(&through(ByteOrder::Big, &turned(&quiet), piece), &quiet);
        }

        #[test]
        fn whatever_comes_no_byte_is_made_up_and_little_is_held(bytes in prop::collection::vec(any::<u8>(), 0..4_000), piece in 1_usize..300) {
            let out = through(ByteOrder::Auto, &bytes, piece);
            prop_assert!(out.len() == bytes.len() || out.len() + 1 == bytes.len());
        }
    }

    /// Two seconds of white noise at 8 kHz, at this level in dB below full scale.
    fn noise(level: f64) -> Vec<u8> {
        let peak = 32_768.0 * 10_f64.powf(level / 20.0) * 3_f64.sqrt();
        let mut seed = 1_u64;
        let samples = (0..16_000).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let uniform = (seed >> 33) as f64 / f64::from(1_u32 << 30) - 1.0;
            (uniform * peak).round() as i16
        });
        samples.flat_map(i16::to_le_bytes).collect()
    }

    /// As long.
    fn repeated(pattern: &[i16]) -> Vec<u8> {
        let samples = pattern.iter().cycle().take(16_000);
        samples.flat_map(|sample| sample.to_le_bytes()).collect()
    }

    #[test]
    fn line_noise_before_the_first_word_does_not_turn_the_bytes_round() {
        for (name, noise) in [
            ("silence of A-law", repeated(&[8])),
            ("an idle line", repeated(&[8, 8, -8, 8, -8, -8, -8])),
            ("noise at -66 dB", noise(-66.0)),
            ("noise at -50 dB", noise(-50.0)),
            ("noise at -30 dB", noise(-30.0)),
            ("noise at -9 dB", noise(-9.0)),
        ] {
            let call = [noise, speech()].concat();
            for came in [&call, &turned(&call)] {
                assert!(through(ByteOrder::Auto, came, 320) == call, "{name}");
            }
        }
    }

    #[test]
    fn speech_that_is_clipped_is_not_turned_round() {
        let words = speech();
        let loud = words.as_chunks::<2>().0.iter();
        let loud = loud.flat_map(|word| i16::from_le_bytes(*word).saturating_mul(8).to_le_bytes());
        let loud: Vec<u8> = loud.collect();
        for came in [&loud, &turned(&loud)] {
            assert!(through(ByteOrder::Auto, came, 320) == loud);
        }
    }

    #[test]
    fn silence_is_passed_on_and_decides_nothing() {
        let mut straight = Straightener::new(ByteOrder::Auto);
        let given: usize = (0..500).map(|_| straight.push(vec![0; 640]).len()).sum();
        assert_eq!(straight.order, ByteOrder::Auto);
        assert!(given + MOST_HELD >= 500 * 640 && straight.held.len() <= MOST_HELD);
        straight.push(turned(&speech()));
        assert_eq!(straight.order, ByteOrder::Big);
    }
}
