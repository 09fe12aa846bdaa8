//! AMR narrow-band and back, as a call of the third and fourth generations' networks does it.

use codec_core::codecs::amr::nb::decoder::Decoder;
use codec_core::codecs::amr::nb::enc::encoder::{NbEncoder, Rate};

use super::error::ConditionError;
use crate::samples::{from_the_network, to_the_network};

/// The codec's eight rates, kbit/s, in the order of their numbers (3GPP TS 26.090).
pub(super) const RATES: [&str; 8] = ["4.75", "5.15", "5.9", "6.7", "7.4", "7.95", "10.2", "12.2"];

/// What a network with room to spare talks.
const USUAL: u8 = 7;

/// Samples of a frame, 20 ms at 8 kHz.
const FRAME: usize = 160;

/// How far the decoder is behind: the encoder looks 5 ms ahead.
const DELAY: usize = 40;

/// The number of a rate as it is spelt, with or without a `k`; the usual one for no spelling at all.
pub(super) fn rate(kbps: &str) -> Option<u8> {
    if kbps.is_empty() {
        return Some(USUAL);
    }
    let named = kbps.trim_end_matches('k');
    let place = RATES.iter().position(|rate| *rate == named);
    place.and_then(|place| u8::try_from(place).ok())
}

/// 16 kHz samples through a mobile telephone: the voice band, AMR at one of [`RATES`] there and back, at the same
/// times. Every frame is sent, pauses too (no DTX).
pub(super) fn coded(samples: &[f32], rate: u8) -> Result<Vec<f32>, ConditionError> {
    let line = to_the_network(samples);
    let mut linear: Vec<i16> = line
        .iter()
        .map(|sample| (sample * 32_768.0).round() as i16)
        .collect();
    linear.resize(line.len() + DELAY, 0);
    let heard: Vec<f32> = there_and_back(&linear, rate)
        .ok_or(ConditionError::Amr {
            kbps: RATES.get(usize::from(rate)).unwrap_or(&"no known rate"),
        })?
        .into_iter()
        .skip(DELAY)
        .map(|sample| f32::from(sample) / 32_768.0)
        .collect();
    Ok(from_the_network(&heard, samples.len()))
}

/// 8 kHz samples as an AMR decoder gives them back, [`DELAY`] later; `None` when the codec refuses.
fn there_and_back(samples: &[i16], rate: u8) -> Option<Vec<i16>> {
    let (mut encoder, mut decoder) = (NbEncoder::new(), Decoder::new());
    let rate = Rate::from_index(rate)?;
    let mut heard = Vec::with_capacity(samples.len() + FRAME);
    for part in samples.chunks(FRAME) {
        let mut frame = [0; FRAME];
        frame[..part.len()].copy_from_slice(part);
        let bits = encoder.encode_frame(&frame, rate);
        heard.extend(decoder.decode(rate.index(), &bits)?);
    }
    heard.truncate(samples.len());
    Some(heard)
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture;
    use super::*;

    #[test]
    fn speech_comes_back_as_opencore_amrnb_gives_it_back_to_the_last_bit() {
        let (sent, golden) = (fixture("gsm.s16"), fixture("amr.golden.s16"));
        let (highest, lowest) = golden.split_at(golden.len() / 2);
        for (rate, golden) in [(USUAL, highest), (0, lowest)] {
            let heard = there_and_back(&sent[..golden.len()], rate).unwrap();
            let first = heard.iter().zip(golden).position(|(own, theirs)| own != theirs);
            assert_eq!(first, None, "the first sample that differs at {rate}");
        }
    }
}
