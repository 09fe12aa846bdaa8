//! What must hold for any scores.

use proptest::prelude::*;
use voxline::measure::{Cost, Hull, OpenSet, Search, Trials, cllr, equal_error, roc};

fn some_scores(most: usize) -> impl Strategy<Value = Vec<f64>> {
    // A coarse grid, so that ties are the rule, and a fine one.
    let coarse = prop::collection::vec((-8i32..8).prop_map(|score| f64::from(score) / 2.0), 1..most);
    let fine = prop::collection::vec(-6.0..6.0f64, 1..most);
    prop_oneof![coarse, fine]
}

fn mapped(scores: &[f64], map: impl Fn(f64) -> f64) -> Vec<f64> {
    scores.iter().map(|score| map(*score)).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// The scores after the best calibration that keeps their order.
fn calibrated(hull: &Hull, scores: &[f64]) -> Vec<f64> {
    let block = |score: f64| hull.blocks().iter().find(|block| score <= block.highest).unwrap();
    mapped(scores, |score| hull.llr(block(score)))
}

proptest! {
    #[test]
    fn rising_maps_of_the_scores_change_no_rate(t in some_scores(40), n in some_scores(60)) {
        let hull = |map: fn(f64) -> f64| Hull::of(&Trials::new(mapped(&t, map), mapped(&n, map)).unwrap());
        let plain = hull(|score| score);
        for other in [hull(|score| 3.0 * score - 7.0), hull(|score| score.powi(3)), hull(f64::exp)] {
            prop_assert!(close(plain.equal_error(), other.equal_error()));
            prop_assert!(close(plain.min_cllr(), other.min_cllr()));
            prop_assert!(close(Cost::USUAL.least(&plain), Cost::USUAL.least(&other)));
        }
    }

    #[test]
    fn no_calibration_that_keeps_the_order_beats_the_best_one(
        t in some_scores(40), n in some_scores(60), scale in 0.1..5.0f64, offset in -4.0..4.0f64,
    ) {
        let map = |score: f64| scale * score + offset;
        let trials = Trials::new(mapped(&t, map), mapped(&n, map)).unwrap();
        prop_assert!(cllr(&trials) >= Hull::of(&trials).min_cllr() - 1e-12);
        let cost = Cost::at(1.0 / 9.0).unwrap();
        prop_assert!(cost.actual(&trials) >= cost.least(&Hull::of(&trials)) - 1e-12);
    }

    #[test]
    fn scores_calibrated_by_pooling_cost_what_is_left_and_no_more(t in some_scores(40), n in some_scores(60)) {
        let hull = Hull::of(&Trials::new(t.clone(), n.clone()).unwrap());
        let best = Trials::new(calibrated(&hull, &t), calibrated(&hull, &n)).unwrap();
        prop_assert!(close(cllr(&best), hull.min_cllr()));
        prop_assert!(close(Hull::of(&best).min_cllr(), hull.min_cllr()));
        prop_assert!(close(Cost::USUAL.actual(&best), Cost::USUAL.least(&hull)));
    }

    #[test]
    fn exchanging_the_classes_and_turning_the_scores_round_changes_nothing(t in some_scores(40), n in some_scores(60)) {
        let trials = Trials::new(t.clone(), n.clone()).unwrap();
        let turned = Trials::new(mapped(&n, |score| -score), mapped(&t, |score| -score)).unwrap();
        prop_assert!(close(Hull::of(&trials).equal_error(), Hull::of(&turned).equal_error()));
        prop_assert!(close(equal_error(roc(&trials)), equal_error(roc(&turned))));
        prop_assert!(close(cllr(&trials), cllr(&turned)));
    }

    #[test]
    fn scores_without_an_error_have_an_equal_error_rate_of_nought(
        t in some_scores(40), n in some_scores(60), gap in 0.1..3.0f64,
    ) {
        let highest = n.iter().copied().fold(f64::MIN, f64::max);
        let lowest = t.iter().copied().fold(f64::MAX, f64::min);
        let above = mapped(&t, |score| score - lowest + highest + gap);
        let trials = Trials::new(above, n.clone()).unwrap();
        prop_assert!(close(equal_error(roc(&trials)), 0.0));
        prop_assert!(close(Hull::of(&trials).equal_error(), 0.0));
    }

    #[test]
    fn the_hull_is_never_worse_than_the_curve_and_never_worse_than_chance(t in some_scores(40), n in some_scores(60)) {
        let trials = Trials::new(t, n).unwrap();
        let hull = Hull::of(&trials);
        prop_assert!(hull.equal_error() <= equal_error(roc(&trials)) + 1e-12);
        prop_assert!(hull.equal_error() <= 0.5 + 1e-12 && hull.min_cllr() <= 1.0 + 1e-12);
        prop_assert!(Cost::USUAL.least(&hull) <= 1.0 + 1e-12);
    }

    #[test]
    fn trials_told_twice_say_the_same(t in some_scores(30), n in some_scores(40)) {
        let once = Hull::of(&Trials::new(t.clone(), n.clone()).unwrap());
        let twice = Hull::of(&Trials::new([t.clone(), t].concat(), [n.clone(), n].concat()).unwrap());
        prop_assert!(close(once.equal_error(), twice.equal_error()));
        prop_assert!(close(once.min_cllr(), twice.min_cllr()));
    }

    #[test]
    fn a_higher_threshold_names_fewer_people_right_wrong_or_strange(
        rosters in prop::collection::vec((prop::collection::vec(-4.0..4.0f64, 3), any::<bool>()), 2..60),
        low in -4.0..4.0f64, step in 0.0..3.0f64,
    ) {
        let search = |(scores, known): &(Vec<f64>, bool)| Search::of(scores.iter().copied(), known.then_some(0));
        let set = OpenSet::new(&rosters.iter().map(search).collect::<Vec<_>>()).unwrap();
        if let (Some(low), Some(high)) = (set.at(low), set.at(low + step)) {
            prop_assert!(high.fpir <= low.fpir && high.dir <= low.dir);
            prop_assert!(high.misidentification <= low.misidentification);
            prop_assert!(low.misidentification <= low.fnir + 1e-12);
        }
    }
}
