use super::*;
use crate::measure::Rng;

const DAY: Duration = Duration::DAY;

fn begin() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_760_000_000).unwrap()
}

/// Ten calls a day for `days`; of those after the first 28 days, ratios lie `lower` and fewer are identified.
fn calls(days: i64, lower: f64, identified: f64) -> Vec<CallWord> {
    let mut rng = Rng::new(5);
    let call = |at: i64| {
        let late = at >= 280;
        let chance = rng.below(1_000) as f64 / 1_000.0;
        let named = if late { identified } else { 0.7 };
        CallWord {
            at: begin() + DAY * (at as f64 / 10.0),
            outcome: if chance < named {
                OutcomeName::Identified
            } else {
                OutcomeName::Inconclusive
            },
            llr: Some(rng.normal() + 5.0 - if late { lower } else { 0.0 }),
        }
    };
    (0..days * 10).map(call).collect()
}

fn drift(days: i64, lower: f64, identified: f64) -> Drift {
    let now = begin() + DAY * days as f64;
    Drift::of(calls(days, lower, identified), now, Duration::WEEK, true)
}

#[test]
fn calls_like_the_first_ones_have_not_moved() {
    let same = drift(90, 0.0, 0.7);
    assert_eq!(same.moved, Some(false), "{same:?}");
    assert!(same.sentence.starts_with("Nothing moved"), "{}", same.sentence);
    assert_eq!(same.spans.iter().map(|span| span.calls).sum::<usize>(), 900);
}

#[test]
fn lower_ratios_and_fewer_names_are_each_told_in_words() {
    let lower = drift(90, 1.5, 0.7);
    assert_eq!(lower.moved, Some(true));
    assert!(lower.ratios.unwrap().moved && !lower.outcomes.unwrap().moved);
    assert!(
        lower.sentence.contains("lower than in the first 28 days"),
        "{}",
        lower.sentence
    );
    let fewer = drift(90, 0.0, 0.4);
    assert!(!fewer.ratios.unwrap().moved && fewer.outcomes.unwrap().moved);
    assert!(fewer.sentence.contains("after"), "{}", fewer.sentence);
}

#[test]
fn the_first_and_the_latest_weeks_never_share_a_call() {
    let early = drift(40, 3.0, 0.1);
    assert_eq!((early.latest, early.moved), (None, None));
    assert!(early.sentence.contains("still going on"), "{}", early.sentence);
    let later = drift(60, 3.0, 0.1);
    assert!(later.latest.unwrap().from >= later.first.unwrap().to);
}

#[test]
fn few_calls_are_not_tested_and_none_are_said_to_be_none() {
    let now = begin() + DAY * 90.0;
    let few = calls(90, 3.0, 0.1).into_iter().step_by(30).collect();
    let few = Drift::of(few, now, Duration::WEEK, true);
    assert_eq!(few.moved, None);
    assert!(few.sentence.contains("too few"), "{}", few.sentence);
    let none = Drift::of(Vec::new(), now, Duration::WEEK, true);
    assert!(none.spans.is_empty() && none.first.is_none());
    assert!(none.sentence.contains("No call"), "{}", none.sentence);
}

#[test]
fn who_may_not_see_scores_learns_of_outcomes_alone() {
    let now = begin() + DAY * 90.0;
    let hidden = Drift::of(calls(90, 3.0, 0.4), now, Duration::WEEK, false);
    assert!(hidden.ratios.is_none() && hidden.outcomes.is_some());
    assert!(hidden.spans.iter().all(|span| span.ratios.is_none()));
    assert!(!hidden.sentence.contains("ratio"), "{}", hidden.sentence);
}
