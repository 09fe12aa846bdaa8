//! What a line does beside its codec: level and lost packets.

use super::super::rng::Rng;

/// 20 ms at 16 kHz: what carriers put in one packet.
const PACKET: usize = 320;

/// Packets lost in a row, on average: losses come in bursts (Gilbert 1960, "Capacity of a burst-noise
/// channel").
const MEAN_BURST: f64 = 2.0;

/// A voice 20 dB further from full scale, in 16 bits: what a speaker phone across the table leaves.
pub(super) fn far(samples: &[f32]) -> Vec<f32> {
    samples
        .iter()
        .map(|sample| (sample * 0.1 * 32_768.0).round() / 32_768.0)
        .collect()
}

/// Loses `share` of the packets in bursts. A lost packet is the last one again at half its level, and after
/// three in a row there is silence: the simplest concealment in use (ITU-T G.711 Appendix I fades out alike).
pub(super) fn lossy(samples: &[f32], share: f64, rng: &mut Rng) -> Vec<f32> {
    const LONGEST_CONCEALED: u32 = 3;
    let recover = 1.0 / MEAN_BURST;
    // In the long run, `share` of the packets are in the bad state.
    let fail = recover * share / (1.0 - share);
    let mut heard = samples.to_vec();
    let (mut bad, mut in_a_row) = (rng.unit() < share, 0);
    for start in (0..heard.len()).step_by(PACKET) {
        let end = (start + PACKET).min(heard.len());
        in_a_row = if bad { in_a_row + 1 } else { 0 };
        if bad {
            for at in start..end {
                let before = if at >= PACKET && in_a_row <= LONGEST_CONCEALED {
                    heard[at - PACKET]
                } else {
                    0.0
                };
                heard[at] = 0.5 * before;
            }
        }
        bad = if bad {
            rng.unit() >= recover
        } else {
            rng.unit() < fail
        };
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_packets_are_lost_as_asked_in_bursts_of_two() {
        let steady = vec![1.0; PACKET * 20_000];
        let heard = lossy(&steady, 0.1, &mut Rng::new(4));
        let lost: Vec<bool> = heard.chunks(PACKET).map(|packet| packet[0] < 1.0).collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!((share - 0.1).abs() < 0.01, "{share}");
        assert!((share * lost.len() as f64 / bursts as f64 - MEAN_BURST).abs() < 0.1);
    }

    #[test]
    fn no_loss_changes_nothing() {
        let steady = vec![0.5; 5_000];
        assert_eq!(lossy(&steady, 0.0, &mut Rng::new(4)), steady);
    }
}
