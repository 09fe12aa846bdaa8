//! The sound of a composed call.

use super::speaker_sampler::{Kind, Script};
use crate::samples::{RATE, quality};
use crate::units::Seconds;

/// A composed call, 16 kHz.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sound {
    pub samples: Vec<f32>,
    /// The sample at which the second voice begins, where it is not there from the start.
    pub change: Option<usize>,
}

/// Puts a call together from its recordings, whole and as loud as they are; `load` reads one. A voice that runs
/// out ends its turn early.
pub(super) fn composed<E>(
    script: &Script,
    mut load: impl FnMut(u32) -> Result<Vec<f32>, E>,
) -> Result<Sound, E> {
    let samples_of = |seconds: f64| RATE.samples(Seconds::checked(seconds).unwrap_or_default());
    let mut wanted = [0; 2];
    for (voice, seconds) in &script.turns {
        wanted[*voice] += samples_of(*seconds);
    }
    if let Kind::Both(_) = script.kind {
        wanted[1] = wanted[0];
    }
    let mut voices = [Vec::new(), Vec::new()];
    for ((voice, recordings), wanted) in voices.iter_mut().zip(&script.recordings).zip(wanted) {
        for recording in recordings {
            if voice.len() < wanted {
                voice.extend(load(*recording)?);
            }
        }
        voice.truncate(wanted);
    }
    if let Kind::Both(under_db) = script.kind {
        let [first, second] = &voices;
        return Ok(Sound {
            samples: mixed(first, second, under_db),
            change: None,
        });
    }
    let (mut samples, mut change, mut said) = (Vec::new(), None, [0; 2]);
    for (voice, seconds) in &script.turns {
        if *voice == 1 && change.is_none() {
            change = Some(samples.len());
        }
        let left = &voices[*voice][said[*voice]..];
        let turn = samples_of(*seconds).min(left.len());
        samples.extend_from_slice(&left[..turn]);
        said[*voice] += turn;
    }
    Ok(Sound { samples, change })
}

/// Both at once for as long as both last, the second `under_db` below the first, and no louder than full scale.
fn mixed(first: &[f32], second: &[f32], under_db: f64) -> Vec<f32> {
    let both = first.len().min(second.len());
    let (first, second) = (&first[..both], &second[..both]);
    let level = quality::rms(second);
    let gain = if level > 0.0 {
        quality::rms(first) / level * 10f32.powf(-under_db as f32 / 20.0)
    } else {
        0.0
    };
    let mut samples: Vec<f32> = first.iter().zip(second).map(|(a, b)| a + gain * b).collect();
    let peak = samples.iter().fold(1.0f32, |peak, sample| peak.max(sample.abs()));
    for sample in &mut samples {
        *sample /= peak;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 16_000;

    fn script(kind: Kind, turns: &[(usize, f64)]) -> Script {
        Script {
            kind,
            people: [0, 1],
            models: [Some(0), None],
            recordings: [vec![0, 1], vec![2]],
            turns: turns.to_vec(),
            seed: 0,
        }
    }

    /// Recordings of two seconds, each of its own constant.
    #[expect(clippy::unnecessary_wraps, reason = "as recordings are loaded")]
    fn load(recording: u32) -> Result<Vec<f32>, ()> {
        Ok(vec![0.1 * (recording + 1) as f32; 2 * SECOND])
    }

    #[test]
    fn a_phone_that_is_handed_on_has_one_voice_after_the_other() {
        let handed = composed(&script(Kind::Handed, &[(0, 3.0), (1, 1.0)]), load).unwrap();
        assert_eq!(
            (handed.samples.len(), handed.change),
            (4 * SECOND, Some(3 * SECOND))
        );
        let seconds: Vec<f32> = handed.samples.iter().step_by(SECOND).copied().collect();
        assert_eq!(seconds, [0.1, 0.1, 0.2, 0.1 * 3.0]);
    }

    #[test]
    fn turns_go_on_where_the_voice_was_and_end_when_it_has_no_more_to_say() {
        let turns = [(0, 1.0), (1, 1.0), (0, 1.5), (1, 5.0)];
        let sound = composed(&script(Kind::Turns, &turns), load).unwrap();
        assert_eq!(
            (sound.samples.len(), sound.change),
            (4 * SECOND + SECOND / 2, Some(SECOND))
        );
        // The first voice's second recording begins half a second before its turn ends.
        assert_eq!(
            (sound.samples[3 * SECOND - 1], sound.samples[3 * SECOND]),
            (0.1, 0.2)
        );
    }

    #[test]
    fn two_at_once_differ_by_what_was_asked_and_last_as_long_as_both() {
        let sound = composed(&script(Kind::Both(6.0206), &[(0, 3.0)]), load).unwrap();
        assert_eq!((sound.samples.len(), sound.change), (2 * SECOND, None));
        assert!(sound.samples.iter().all(|sample| (sample - 0.15).abs() < 1e-5));
        let loud = mixed(&[0.9; 8], &[0.3; 8], 0.0);
        assert!(loud.iter().all(|sample| *sample == 1.0));
    }
}
