//! Opus and back, as an internet call does it.

use ropus::{Application, Bitrate, Channels, DecodeMode, Decoder, Encoder};

use super::error::ConditionError;

/// Samples a second of everything here; Opus takes them as they are.
const RATE: u32 = 16_000;

/// 20 ms: what WebRTC sends.
const FRAME: usize = 320;

/// The longest packet an encoder makes (RFC 6716 section 3.2.1).
const LARGEST_PACKET: usize = 1_275;

/// Samples through an Opus encoder for voice at `kbps` kbit/s and back, at the same times: the
/// encoder says how far behind it is.
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

    /// Something like a vowel: harmonics of a slowly moving pitch.
    fn vowel(samples: usize) -> Vec<f32> {
        let mut phase = 0.0f64;
        (0..samples)
            .map(|at| {
                phase += (120.0 + 10.0 * (at as f64 / 4_000.0).sin()) / 16_000.0 * std::f64::consts::TAU;
                let sum: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
                (0.1 * sum) as f32
            })
            .collect()
    }

    fn likeness(a: &[f32], b: &[f32]) -> f32 {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    /// The energy of each 5 ms about its mean: what a codec for voices keeps at any rate, unlike phases.
    fn envelope(samples: &[f32]) -> Vec<f32> {
        let energy = |frame: &[f32]| frame.iter().map(|sample| sample * sample).sum::<f32>();
        let energies: Vec<f32> = samples.chunks_exact(80).map(energy).collect();
        let mean = energies.iter().sum::<f32>() / energies.len() as f32;
        energies.iter().map(|energy| energy - mean).collect()
    }

    #[test]
    fn a_voice_comes_back_when_it_was_said() {
        let mut sent = vowel(32_000);
        // Syllables: a tenth of a second of voice, a tenth of silence.
        for silence in sent.chunks_mut(1_600).skip(1).step_by(2) {
            silence.fill(0.0);
        }
        let said = envelope(&sent[4_000..28_000]);
        for kbps in [6, 12, 24] {
            let heard = coded(&sent, kbps).unwrap();
            assert_eq!(heard.len(), sent.len());
            let at = |late: usize| likeness(&said, &envelope(&heard[3_600 + late..27_600 + late]));
            let (early, now, late) = (at(0), at(400), at(800));
            assert!(now > 0.8, "{kbps} kbit/s: {now}");
            assert!(now > early && now > late, "{kbps} kbit/s: {early} {now} {late}");
        }
    }
}
