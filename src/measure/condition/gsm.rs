//! GSM full rate and back, as a call of the second generation's network does it.
//!
//! The codec is [`crate::bytes::gsm`]'s, bit for bit what libgsm makes of the same samples
//! (`tests/data/audio/gsm.golden.s16`, with its generator). Parameters go from the encoder to the decoder
//! without being packed into frames of 33 bytes: nothing is lost in them.

use crate::bytes::gsm::{Decoder, Encoder, FRAME};
use crate::samples::{from_the_network, to_the_network};

/// 16 kHz samples through a mobile telephone of the second generation: the voice band, GSM full rate there and
/// back, at the same times.
pub(super) fn coded(samples: &[f32]) -> Vec<f32> {
    let line = to_the_network(samples);
    let linear: Vec<i16> = line
        .iter()
        .map(|sample| (sample * 32_768.0).round() as i16)
        .collect();
    let heard: Vec<f32> = there_and_back(&linear)
        .into_iter()
        .map(|sample| f32::from(sample) / 32_768.0)
        .collect();
    from_the_network(&heard, samples.len())
}

/// 8 kHz samples as a GSM decoder gives them back.
fn there_and_back(samples: &[i16]) -> Vec<i16> {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let mut heard = Vec::with_capacity(samples.len() + FRAME);
    for part in samples.chunks(FRAME) {
        let mut frame = [0; FRAME];
        frame[..part.len()].copy_from_slice(part);
        heard.extend_from_slice(&decoder.decode(&encoder.encode(&frame)));
    }
    heard.truncate(samples.len());
    heard
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture;
    use super::*;

    #[test]
    fn what_comes_back_is_what_libgsm_gives_back_to_the_last_bit() {
        let (sent, golden) = (fixture("gsm.s16"), fixture("gsm.golden.s16"));
        let heard = there_and_back(&sent);
        assert_eq!(heard.len(), golden.len());
        let first = heard.iter().zip(&golden).position(|(own, theirs)| own != theirs);
        assert_eq!(first, None, "the first sample that differs");
    }
}
