//! Laws of the adaptation to a line: whom it can know, how far one caller moves it, and its arithmetic by numpy's.

use proptest::prelude::*;
use serde::Deserialize;
use voxline::decision::{
    Alignment, BadLine, Batch, CALLERS_OF_A_BATCH, LineMean, LineReference, MeanVoice, over_the_telephone,
};
use voxline::voiceprint::{Bandwidth, Embedding};

use crate::support::read;

const DIM: usize = 5;
const CALLERS: u64 = CALLERS_OF_A_BATCH as u64;

fn voice(values: &[f64]) -> Embedding {
    Embedding::from_direction(values.iter().map(|value| *value as f32).collect()).unwrap()
}

/// A voice of its own for each name.
fn voice_of(name: u64) -> Embedding {
    let value = |at: usize| (name as f64 * 1.7 + at as f64 * 2.3).sin() + 0.4;
    voice(&(0..DIM).map(value).collect::<Vec<_>>())
}

fn reference(values: &[f64]) -> LineReference {
    LineReference {
        calls: 1,
        mean: MeanVoice::new(values.to_vec()).unwrap(),
    }
}

/// What a batch of these calls comes to, each a caller and a voice.
fn batch(calls: &[(u64, Embedding)]) -> Option<LineMean> {
    let mut batch = Batch::default();
    let mut full = None;
    for (caller, voice) in calls {
        assert!(full.is_none(), "a batch was full before its last call");
        full = batch.add(*caller, voice).unwrap();
    }
    full
}

/// One call of each of the first callers.
fn once_each(callers: u64) -> Vec<(u64, Embedding)> {
    (0..callers).map(|caller| (caller, voice_of(caller))).collect()
}

fn apart(one: &[f64], other: &[f64]) -> f64 {
    let squares = one.iter().zip(other).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

fn length(values: &[f64]) -> f64 {
    apart(values, &vec![0.0; values.len()])
}

#[derive(Deserialize)]
struct Golden {
    reference: Vec<f64>,
    voice: Vec<f64>,
    batches: Vec<GoldenBatch>,
}

#[derive(Deserialize)]
struct GoldenBatch {
    callers: Vec<u64>,
    calls: Vec<Vec<f64>>,
    weight: f64,
    mean: Vec<f64>,
    aligned: Vec<f64>,
}

#[test]
fn means_weights_and_aligned_voices_are_numpys() {
    let golden: Golden = serde_json::from_slice(&read("tests/data/decision/adaptation.json")).unwrap();
    let reference = reference(&golden.reference);
    let mut line: Option<LineMean> = None;
    for (nth, expected) in (1..).zip(&golden.batches) {
        let calls = expected.callers.iter().zip(&expected.calls);
        let calls: Vec<_> = calls.map(|(caller, values)| (*caller, voice(values))).collect();
        let next = LineMean::with(line.take(), batch(&calls).unwrap()).unwrap();
        assert!(apart(next.mean().as_slice(), &expected.mean) < 1e-7);
        assert!((next.weight() - expected.weight).abs() < 1e-9);
        assert_eq!(next.callers(), nth * CALLERS);
        let aligned = Alignment::of(&next, &reference)
            .unwrap()
            .align(&voice(&golden.voice))
            .unwrap();
        let aligned: Vec<f64> = aligned.as_slice().iter().map(|value| f64::from(*value)).collect();
        assert!(apart(&aligned, &expected.aligned) < 1e-6);
        line = Some(next);
    }
}

#[test]
fn before_sixteen_callers_nothing_leaves_a_batch_however_often_they_call() {
    let mut batch = Batch::default();
    for _ in 0..200 {
        for caller in 0..CALLERS - 1 {
            assert_eq!(batch.add(caller, &voice_of(caller)).unwrap(), None);
        }
    }
    assert_eq!(batch.len(), CALLERS_OF_A_BATCH - 1);
    assert_eq!(format!("{batch:?}"), "Batch(15 callers)");
    let full = batch.add(99, &voice_of(99)).unwrap().unwrap();
    assert_eq!((full.callers(), batch.len()), (CALLERS, 0));
}

#[test]
fn who_calls_a_thousand_times_counts_as_who_calls_once() {
    let once = batch(&once_each(CALLERS)).unwrap();
    let mut calls = vec![(0, voice_of(0)); 999];
    calls.extend(once_each(CALLERS));
    let often = batch(&calls).unwrap();
    assert!(apart(once.mean().as_slice(), often.mean().as_slice()) < 1e-12);
    assert_eq!(once.weight(), often.weight());
}

#[test]
fn who_is_taken_out_of_a_batch_left_nothing_in_it() {
    let mut with = Batch::default();
    with.add(7_000, &voice_of(7_000)).unwrap();
    with.remove(7_000);
    let mut without = Batch::default();
    let mut last = (None, None);
    for (caller, voice) in once_each(CALLERS) {
        last = (
            with.add(caller, &voice).unwrap(),
            without.add(caller, &voice).unwrap(),
        );
    }
    assert!(last.0.is_some() && last.0 == last.1);
}

#[test]
fn a_line_that_lies_where_the_calibrations_own_lie_moves_nothing() {
    let line = batch(&once_each(CALLERS)).unwrap();
    let same = LineReference {
        calls: 16,
        mean: line.mean().clone(),
    };
    let alignment = Alignment::of(&line, &same).unwrap();
    assert_eq!(alignment.align(&voice_of(3)).unwrap(), voice_of(3));
    assert_eq!(alignment.length(), 0.0);
}

#[test]
fn few_callers_move_little_and_many_the_whole_way() {
    let mean = batch(&once_each(CALLERS)).unwrap().mean().clone();
    let to = reference(&[0.0, 0.3, 0.0, 0.0, -0.2]);
    let whole = apart(to.mean.as_slice(), mean.as_slice());
    let share = |weight: f64| {
        let line = LineMean::new(mean.clone(), weight, 1_000_000).unwrap();
        Alignment::of(&line, &to).unwrap().length() / whole
    };
    assert!(share(1e-9) < 1e-10);
    let shares = [1.0, 16.0, 100.0, 1_000.0, 1e6].map(share);
    assert!(shares.is_sorted() && shares[4] > 0.999, "{shares:?}");
}

#[test]
fn a_line_is_of_the_callers_of_late_and_its_weight_ends() {
    let old = batch(&once_each(CALLERS)).unwrap();
    let mut line = old.clone();
    for _ in 0..500 {
        let calls: Vec<_> = (0..CALLERS)
            .map(|caller| (caller, voice_of(caller + 40)))
            .collect();
        line = LineMean::with(Some(line), batch(&calls).unwrap()).unwrap();
    }
    let now = batch(
        &(0..CALLERS)
            .map(|caller| (caller, voice_of(caller + 40)))
            .collect::<Vec<_>>(),
    )
    .unwrap();
    assert!(apart(line.mean().as_slice(), now.mean().as_slice()) < 1e-5);
    assert!(line.weight() < 700.0 && line.callers() == 501 * CALLERS);
}

#[test]
fn what_is_no_mean_of_voices_is_refused() {
    for values in [vec![], vec![f64::NAN, 0.1], vec![f64::INFINITY], vec![0.9, 0.9]] {
        assert_eq!(MeanVoice::new(values), Err(BadLine::NotAMean));
    }
    let mean = || MeanVoice::new(vec![0.1; DIM]).unwrap();
    for (weight, callers) in [(f64::NAN, 16), (0.0, 16), (-1.0, 16), (17.0, 16), (1.0, 0)] {
        assert_eq!(LineMean::new(mean(), weight, callers), Err(BadLine::Weight));
    }
    let line = LineMean::new(mean(), 16.0, 16).unwrap();
    let foreign = reference(&[0.1; DIM + 1]);
    assert!(matches!(
        Alignment::of(&line, &foreign),
        Err(BadLine::Dimension { .. })
    ));
    let alignment = Alignment::of(&line, &reference(&[0.2; DIM])).unwrap();
    let other = voice(&[1.0, 2.0]);
    assert!(matches!(alignment.align(&other), Err(BadLine::Dimension { .. })));
    let mut batch = Batch::default();
    batch.add(1, &voice_of(1)).unwrap();
    assert!(batch.add(2, &other).is_err() && batch.len() == 1);
}

#[test]
fn only_what_is_narrow_band_and_nothing_else_came_over_a_telephone() {
    use Bandwidth::{Narrow, Wide};
    assert!(over_the_telephone([Narrow]) && over_the_telephone([Narrow, Narrow]));
    assert!(!over_the_telephone([Wide, Narrow]) && !over_the_telephone([Wide]) && !over_the_telephone([]));
}

#[test]
fn nothing_of_it_is_shown_by_debug() {
    let line = batch(&once_each(CALLERS)).unwrap();
    let alignment = Alignment::of(&line, &reference(&[0.1; DIM])).unwrap();
    let digits = line.mean().as_slice()[0].to_string();
    let shown = format!("{line:?} {alignment:?}");
    assert!(!shown.contains(&digits[..8]), "{shown}");
}

proptest! {
    #[test]
    fn the_order_of_a_batchs_calls_does_not_matter(
        calls in Just(0).prop_flat_map(|_| {
            let again = prop::collection::vec(0..CALLERS - 1, 0..40);
            again.prop_flat_map(|again| {
                let all: Vec<u64> = (0..CALLERS - 1).chain(again).collect();
                (Just(all.clone()), Just(all).prop_shuffle())
            })
        }),
    ) {
        // The voice of each call is its own, by who calls and how often they did.
        let spoken = |callers: &[u64]| {
            let mut times = [0u64; CALLERS_OF_A_BATCH];
            let call = |caller: &u64| {
                times[*caller as usize] += 1;
                (*caller, voice_of(caller * 100 + times[*caller as usize]))
            };
            let mut calls: Vec<_> = callers.iter().map(call).collect();
            calls.push((CALLERS - 1, voice_of(5)));
            batch(&calls).unwrap()
        };
        let (one, other) = (spoken(&calls.0), spoken(&calls.1));
        prop_assert!(apart(one.mean().as_slice(), other.mean().as_slice()) < 1e-12);
    }

    #[test]
    fn one_caller_moves_a_batch_by_an_eighth_at_most(
        own in prop::collection::vec((0..10_000u64).prop_map(voice_of), 1..50),
    ) {
        let mut calls: Vec<_> = own.into_iter().map(|voice| (0, voice)).collect();
        calls.extend(once_each(CALLERS).into_iter().skip(1));
        let (loud, usual) = (batch(&calls).unwrap(), batch(&once_each(CALLERS)).unwrap());
        let moved = apart(loud.mean().as_slice(), usual.mean().as_slice());
        prop_assert!(moved <= 2.0 / CALLERS as f64 + 1e-9);
    }

    #[test]
    fn what_is_aligned_is_a_voice_of_unit_length(name in 0..10_000u64, weight in 0.1..600.0f64) {
        let mean = batch(&once_each(CALLERS)).unwrap().mean().clone();
        let line = LineMean::new(mean, weight, 1_000).unwrap();
        let alignment = Alignment::of(&line, &reference(&[0.2, -0.2, 0.1, 0.0, 0.3])).unwrap();
        let aligned = alignment.align(&voice_of(name)).unwrap();
        let values: Vec<f64> = aligned.as_slice().iter().map(|value| f64::from(*value)).collect();
        prop_assert!((length(&values) - 1.0).abs() < 1e-6);
    }
}
