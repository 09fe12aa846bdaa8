//! The figures of scored trials, some of which could not be heard.

use super::super::cost::Cost;
use super::super::error::MetricError;
use super::super::figures::{Figures, Kind};
use super::super::trials::Trials;
use super::score::Scored;

/// The figures of some trials, each with whether it is of one person. One of which nothing was heard is a miss or no false
/// alarm at every threshold, and so comes last in the error rates and detection costs. As a ratio it says nothing, and costs
/// as much: the cost of ratios is of what they say, and so is the least that a calibration would leave of it.
///
/// # Errors
/// [`MetricError`] when all are of one kind.
pub(super) fn figures(
    scored: impl Iterator<Item = (bool, Scored)> + Clone,
    kind: Kind,
) -> Result<Figures, MetricError> {
    let of = |score: fn(&Scored) -> f64| -> Result<Figures, MetricError> {
        let of_kind = |wanted: bool| {
            let of_kind = scored.clone().filter(|(target, _)| *target == wanted);
            of_kind.map(|(_, one)| score(&one)).collect()
        };
        let trials = Trials::new(of_kind(true), of_kind(false))?;
        Ok(Figures::of(&trials, kind, Cost::USUAL))
    };
    let said = of(|one| one.score)?;
    if scored.clone().all(|(_, one)| one.is_heard()) {
        return Ok(said);
    }
    Ok(Figures {
        cllr: said.cllr,
        min_cllr: said.min_cllr,
        ..of(Scored::rank)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_be_heard_is_missed_and_costs_what_no_evidence_does() {
        // A hundred tests of ten models, ten of them unheard, all others perfectly apart.
        let trial = |test: usize, model: usize| {
            let target = test % 10 == model;
            let (score, cosine) = match (test < 10, target) {
                (true, _) => (0.0, -1.0),
                (_, true) => (9.0, 0.8),
                _ => (-9.0, 0.1),
            };
            (target, Scored { score, cosine })
        };
        let all: Vec<(bool, Scored)> = (0..100)
            .flat_map(|test| (0..10).map(move |model| trial(test, model)))
            .collect();
        let found = figures(all.iter().copied(), Kind::Ratios).unwrap();
        // A tenth of the targets is missed at every threshold: 1 in 11 where both rates are equal.
        assert!((found.eer - 1.0 / 11.0).abs() < 1e-12, "{}", found.eer);
        assert!((found.min_dcf - 0.1).abs() < 1e-12 && (found.act_dcf.unwrap() - 0.1).abs() < 1e-12);
        // One bit each for the tenth that says nothing.
        assert!((found.cllr.unwrap() - 0.1).abs() < 1e-3, "{:?}", found.cllr);
        assert!(found.min_cllr <= found.cllr.unwrap(), "{}", found.min_cllr);
        let cosines = all.iter().map(|(target, one)| {
            let score = one.cosine;
            (*target, Scored { score, ..*one })
        });
        assert_eq!(figures(cosines, Kind::Similarities).unwrap().eer, found.eer);
    }
}
