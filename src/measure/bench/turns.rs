//! The two-voices test, fitted and checked on single voices and on turns of two.

use std::collections::BTreeSet;

use super::super::rng::Rng;
use super::fitting::rounded;
use super::heard_protocol::HeardProtocol;
use crate::decision::{VoiceTest, best_split};
use crate::voiceprint::Embedding;

/// What is added to the bound of the two-voices test for each unit of the logarithm of the number of
/// windows. Single utterances are too short to show it; chosen on calls of up to 48 s put together from the
/// dev readers'.
const GAIN_PER_LOG: f64 = 0.07;

/// Pairs of voices that each recording is put together with.
const PARTNERS: usize = 4;

/// The fewest recordings that a test is fitted on.
const FEWEST: usize = 30;

/// A two-voices test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FittedVoices {
    pub test: VoiceTest,
    /// Where it would tell much less of these calls than the one in use.
    pub weaker: Option<Weaker>,
}

/// How a two-voices test falls behind the one in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weaker {
    /// Share of the same pairs of voices that the one in use takes for one.
    pub miss_in_use: f64,
    /// The recording without which it would not, by its place among the tests, where it is one alone.
    pub but_for: Option<usize>,
}

/// The gains of windows, as they would be of six.
pub(super) struct Gains {
    /// Of single voices, each with the place of its recording among the tests; once for each condition.
    pub one: Vec<(usize, f64)>,
    /// Of two voices in turn.
    pub two: Vec<f64>,
}

/// The windows of a recording.
struct Sequence {
    /// Its place among the tests.
    test: usize,
    speaker: u32,
    windows: Vec<Embedding>,
}

/// The two-voices test of some recordings of one voice each: the highest gain among them is what chance can
/// do. A lower bound, as what one in a hundred gains, takes one in eleven longer calls for two voices
/// (models/README.md). `None` where there are too few recordings that are long enough; one that was heard under several
/// conditions is one. It is held against the one `in_use` on the same pairs of voices.
pub(super) fn voice_test(heard: &HeardProtocol<'_>, in_use: Option<&VoiceTest>) -> Option<FittedVoices> {
    let Gains { one, two } = voice_gains(heard);
    if recordings(&one) < FEWEST || two.is_empty() {
        return None;
    }
    let (test, least_like_one) = bounded_by(&one, &two)?;
    let weaker = in_use.and_then(|used| {
        let miss_in_use = missed(&two, used.gain);
        if !test.weakens(miss_in_use) {
            return None;
        }
        let others = one.iter().copied().filter(|(test, _)| *test != least_like_one);
        let without = bounded_by(&others.collect::<Vec<_>>(), &two);
        let is_that_one = without.is_some_and(|(test, _)| !test.weakens(miss_in_use));
        Some(Weaker {
            miss_in_use,
            but_for: is_that_one.then_some(least_like_one),
        })
    });
    Some(FittedVoices { test, weaker })
}

/// The test whose bound is the highest gain of single voices, and the place of that recording.
fn bounded_by(one: &[(usize, f64)], two: &[f64]) -> Option<(VoiceTest, usize)> {
    let (least_like_one, highest) = one.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let gain = rounded(*highest);
    let test = VoiceTest {
        gain,
        gain_per_log: GAIN_PER_LOG,
        // Nothing was seen above the highest: the rule of three once more.
        false_alarm: rounded(3.0 / recordings(one) as f64),
        miss: missed(two, gain),
    };
    Some((test, *least_like_one))
}

/// How many recordings these are, each under however many conditions.
fn recordings(one: &[(usize, f64)]) -> usize {
    one.iter().map(|(test, _)| test).collect::<BTreeSet<_>>().len()
}

/// The share of pairs of voices that a bound takes for one.
fn missed(two: &[f64], gain: f64) -> f64 {
    let missed = two.iter().filter(|other| **other <= gain).count();
    rounded(missed as f64 / two.len() as f64)
}

/// The gains of the windows of single voices, and of two voices in turn.
pub(super) fn voice_gains(heard: &HeardProtocol<'_>) -> Gains {
    let long: Vec<Sequence> = sequences(heard)
        .into_iter()
        .filter(|one| one.windows.len() >= 4)
        .collect();
    let usual = |windows: &[Embedding]| {
        let (gain, _) = best_split(windows)?;
        Some(gain - GAIN_PER_LOG * (windows.len() as f64 / 6.0).ln())
    };
    let one = long
        .iter()
        .filter_map(|one| Some((one.test, usual(&one.windows)?)));
    let one = one.collect();
    let mut two = Vec::new();
    for (at, first) in long.iter().enumerate() {
        let mut rng = Rng::for_task(heard.bench.seed, at as u64);
        for _ in 0..PARTNERS {
            let second = &long[rng.below(long.len())];
            if second.speaker == first.speaker {
                continue;
            }
            let (own, others) = (&first.windows, &second.windows);
            let turns = (own.len() / 2, own.len().div_ceil(2).min(others.len()));
            two.extend(usual(&[&own[..turns.0], &others[..turns.1]].concat()));
        }
    }
    Gains { one, two }
}

/// The windows of single voices that count: each test by itself and, where tests come as enrolments do, followed by the
/// speaker's enrolment, so that there are longer ones too.
fn sequences(heard: &HeardProtocol<'_>) -> Vec<Sequence> {
    let (tables, voices) = (&heard.protocol.tables, &heard.voices);
    let mut found = Vec::new();
    for (condition, tests) in heard.conditions().iter().zip(&voices.tests) {
        let alike = condition.condition() == heard.bench.enroll.condition();
        for (test, (recording, speaker)) in tests.iter().zip(&tables.test_speakers).enumerate() {
            if !heard.counts(*speaker) {
                continue;
            }
            let own = tables.model_speakers.iter().position(|other| other == speaker);
            let clip = own.filter(|_| alike).and_then(|own| voices.clips[own].first());
            let more = clip.map_or(&[][..], |clip| &clip.windows);
            found.push(Sequence {
                test,
                speaker: *speaker,
                windows: [&recording.windows[..], more].concat(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::protocol::Protocol;
    use super::super::benchmark::tests::{benchmark, models};
    use super::super::everybody::Voices;
    use super::super::heard::HeardRecording;
    use super::super::heard_protocol::tests::{heard, protocol, recording};
    use super::super::operating_points::tests::tables;
    use super::*;

    /// So many windows of one voice of forty, which have nothing in common.
    fn voice(who: usize, windows: usize) -> Vec<Embedding> {
        let direction = (0..40).map(|at| if at == who { 1.0 } else { 0.0 }).collect();
        vec![Embedding::from_direction(direction).unwrap(); windows]
    }

    /// 31 people, each with one call.
    fn people() -> Protocol {
        let every: Vec<u32> = (0..31).collect();
        protocol(tables(&[], &every))
    }

    /// A call of each of them.
    fn calls() -> Vec<HeardRecording> {
        (0..31).map(|who| recording(Vec::new(), voice(who, 6))).collect()
    }

    #[test]
    fn one_call_of_two_voices_weakens_the_test_and_is_named() {
        let models = models();
        let bench = benchmark(&models);
        let protocol = people();
        let fit =
            |calls, in_use: Option<&VoiceTest>| voice_test(&heard(&bench, &protocol, calls), in_use).unwrap();
        let alone = fit(calls(), None);
        assert_eq!((alone.test.gain, alone.test.miss), (0.0, 0.0));
        let mut with_one = calls();
        with_one[17].windows = [voice(17, 4), voice(39, 4)].concat();
        let with = fit(with_one.clone(), Some(&alone.test));
        assert!(with.test.miss > 0.9, "{with:?}");
        let named = Weaker {
            miss_in_use: 0.0,
            but_for: Some(17),
        };
        assert_eq!(with.weaker, Some(named));
        // Of two such calls, leaving one out mends nothing.
        let mut with_two = with_one.clone();
        with_two[3].windows = [voice(3, 4), voice(38, 4)].concat();
        let but_for = fit(with_two, Some(&alone.test)).weaker.unwrap().but_for;
        assert_eq!(but_for, None);
        // What these calls make hard for both weakens nothing.
        let elsewhere = VoiceTest {
            miss: 0.0,
            ..with.test
        };
        assert_eq!(fit(with_one, Some(&elsewhere)).weaker, None);
    }

    #[test]
    fn a_recording_counts_once_under_however_many_conditions() {
        let models = models();
        let bench = benchmark(&models);
        let protocol = people();
        let mut heard = heard(&bench, &protocol, calls());
        let once = voice_test(&heard, None).unwrap();
        assert_eq!(once.test.false_alarm, rounded(3.0 / 31.0));
        heard.counted[20..].fill(false);
        assert_eq!(voice_test(&heard, None), None, "twenty people");
        let mut bench = benchmark(&models);
        bench.tests.extend(benchmark(&models).tests);
        let tests = [heard.voices.tests.clone(), heard.voices.tests].concat();
        let twice = HeardProtocol {
            bench: &bench,
            voices: Voices {
                clips: Vec::new(),
                tests,
            },
            ..heard
        };
        assert_eq!(voice_test(&twice, None), None, "twenty people, each call twice");
    }
}
