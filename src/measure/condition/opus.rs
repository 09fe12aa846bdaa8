//! Opus and back, as an internet call does it.

use ropus::{Application, Bitrate, Channels, DecodeMode, Decoder, Encoder};

use super::ConditionError;

/// Samples a second of everything here; Opus takes them as they are.
const RATE: u32 = 16_000;

/// 20 ms: what WebRTC sends.
const FRAME: usize = 320;

/// The longest packet an encoder makes (RFC 6716 section 3.2.1).
const LARGEST_PACKET: usize = 1_275;

/// Samples through an Opus encoder for voice at `kbps` kbit/s and back, at the same times within half a
/// millisecond: the codec's delay depends a little on the rate, its lookahead does not.
pub(super) fn coded(samples: &[f32], kbps: u32) -> Result<Vec<f32>, ConditionError> {
    let fault = |cause: String| ConditionError::Opus { kbps, cause };
    let mut encoder = Encoder::builder(RATE, Channels::Mono, Application::Voip)
        .bitrate(Bitrate::Bits(kbps * 1_000))
        .build()
        .map_err(|cause| fault(cause.to_string()))?;
    let mut decoder = Decoder::new(RATE, Channels::Mono).map_err(|cause| fault(cause.to_string()))?;
    // In samples at the encoder's own rate, as libopus counts it (104 at 16 kHz), not at 48 kHz.
    let delay = encoder.lookahead() as usize;
    let (mut packet, mut frame, mut heard) = ([0u8; LARGEST_PACKET], [0.0f32; FRAME], [0.0f32; FRAME]);
    let mut out = Vec::with_capacity(samples.len() + delay + FRAME);
    let mut rest = samples;
    while out.len() < samples.len() + delay {
        let (head, tail) = rest.split_at(rest.len().min(FRAME));
        frame[..head.len()].copy_from_slice(head);
        frame[head.len()..].fill(0.0);
        rest = tail;
        let bytes = encoder
            .encode_float(&frame, &mut packet)
            .map_err(|cause| fault(cause.to_string()))?;
        let said = decoder.decode_float(&packet[..bytes], &mut heard, DecodeMode::Normal);
        let said = said.map_err(|cause| fault(cause.to_string()))?;
        out.extend_from_slice(&heard[..said.min(FRAME)]);
        if said == 0 {
            return Err(fault("a packet of nothing came out".to_owned()));
        }
    }
    out.drain(..delay);
    out.truncate(samples.len());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Limits;
    use crate::samples::load;

    fn likeness(a: &[f32], b: &[f32]) -> f32 {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn a_voice_comes_back_when_it_was_said() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/speech.wav");
        let sent = load(std::fs::read(file).unwrap(), None, &Limits::default())
            .unwrap()
            .samples;
        for kbps in [6, 12, 24] {
            let heard = coded(&sent, kbps).unwrap();
            let late = |by: usize| likeness(&sent[4_000..28_000], &heard[4_000 - 40 + by..28_000 - 40 + by]);
            let best = (0..80).max_by(|a, b| late(*a).total_cmp(&late(*b))).unwrap();
            assert!(late(best) > 0.85, "{kbps} kbit/s: {}", late(best));
            assert!(best.abs_diff(40) <= 8, "{kbps} kbit/s: {best} - 40 samples late");
        }
    }
}
