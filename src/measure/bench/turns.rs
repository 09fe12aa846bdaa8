//! The two-voices test, fitted and checked on single voices and on turns of two.

use super::super::protocol::Protocol;
use super::super::rng::Rng;
use super::benchmark::Benchmark;
use super::everybody::Voices;
use super::fitting::rounded;
use crate::decision::{VoiceTest, best_split};
use crate::voiceprint::Embedding;

/// What is added to the bound of the two-voices test for each unit of the logarithm of the number of
/// windows. Single utterances are too short to show it; chosen on calls of up to 48 s put together from the
/// dev readers'.
const GAIN_PER_LOG: f64 = 0.07;

/// Pairs of voices that each recording is put together with.
const PARTNERS: usize = 4;

/// The two-voices test of some recordings of one voice each: the highest gain among them is what chance can
/// do. A lower bound, as what one in a hundred gains, takes one in eleven longer calls for two voices
/// (models/README.md). `None` where there are too few recordings that are long enough.
pub(super) fn voice_test(bench: &Benchmark<'_>, protocol: &Protocol, voices: &Voices) -> Option<VoiceTest> {
    let (one, two) = voice_gains(bench, protocol, voices);
    let gain = rounded(one.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    if one.len() < 30 || two.is_empty() {
        return None;
    }
    let missed = two.iter().filter(|other| **other <= gain).count();
    Some(VoiceTest {
        gain,
        gain_per_log: GAIN_PER_LOG,
        // Nothing was seen above the highest: the rule of three once more.
        false_alarm: rounded(3.0 / one.len() as f64),
        miss: rounded(missed as f64 / two.len() as f64),
    })
}

/// The gains of the windows of single voices, and of two voices in turn, as they would be of six windows.
pub(super) fn voice_gains(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    voices: &Voices,
) -> (Vec<f64>, Vec<f64>) {
    let long: Vec<(Vec<Embedding>, u32)> = sequences(bench, protocol, voices)
        .into_iter()
        .filter(|(windows, _)| windows.len() >= 4)
        .collect();
    let usual = |windows: &[Embedding]| {
        let (gain, _) = best_split(windows)?;
        Some(gain - GAIN_PER_LOG * (windows.len() as f64 / 6.0).ln())
    };
    let one = long.iter().filter_map(|(windows, _)| usual(windows)).collect();
    let mut two = Vec::new();
    for (at, (windows, speaker)) in long.iter().enumerate() {
        let mut rng = Rng::for_task(bench.seed, at as u64);
        for _ in 0..PARTNERS {
            let (other, another) = &long[rng.below(long.len())];
            if another == speaker {
                continue;
            }
            let (own, others) = (windows.len() / 2, windows.len().div_ceil(2).min(other.len()));
            two.extend(usual(&[&windows[..own], &other[..others]].concat()));
        }
    }
    (one, two)
}

/// The windows of single voices: each test by itself and, where tests come as enrolments do, followed by the
/// speaker's enrolment, so that there are longer ones too.
fn sequences(bench: &Benchmark<'_>, protocol: &Protocol, voices: &Voices) -> Vec<(Vec<Embedding>, u32)> {
    let tables = &protocol.tables;
    let mut found = Vec::new();
    for (condition, tests) in bench.tests.iter().zip(&voices.tests) {
        let alike = condition.condition() == bench.enroll.condition();
        for (heard, speaker) in tests.iter().zip(&tables.test_speakers) {
            let own = tables.model_speakers.iter().position(|other| other == speaker);
            let clip = own.filter(|_| alike).and_then(|own| voices.clips[own].first());
            let more = clip.map_or(&[][..], |clip| &clip.windows);
            found.push(([&heard.windows[..], more].concat(), *speaker));
        }
    }
    found
}
