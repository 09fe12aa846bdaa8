//! How sure the figures of searches are: intervals by drawing callers, not calls, again and again.

use serde::Serialize;

use super::bootstrap::{Draws, middle, times_drawn};
use super::error::MetricError;
use super::identification::{Mate, Search};
use super::rng::Rng;

/// A search with its caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Called {
    /// How it came out.
    pub search: Search,
    /// The caller's number among all speakers, enrolled or not.
    pub caller: u32,
}

/// The middle 95 % of each figure of searches over all draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SearchIntervals {
    /// Share of enrolled callers who came first on their roster, whatever the score.
    pub top1: [f64; 2],
    /// The rates at an FPIR of 0.001.
    pub at_fpir_0_001: RateIntervals,
    /// The rates at an FPIR of 0.01.
    pub at_fpir_0_01: RateIntervals,
    /// How many draws held both enrolled callers and others; the rest count for nothing.
    pub replicates: usize,
}

/// The middle 95 % of the rates at one false-positive identification rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateIntervals {
    /// Enrolled callers who are not returned first.
    pub fnir: [f64; 2],
    /// Enrolled callers who are.
    pub dir: [f64; 2],
    /// Enrolled callers for whom somebody else is.
    pub misidentification: [f64; 2],
}

/// The figures of one draw: the share of first places, then FNIR and misidentification at each FPIR.
type Drawn = [f64; 5];

const FPIRS: [f64; 2] = [0.001, 0.01];

/// Draws as many callers as there are, with replacement, again and again: each search counts as often as its
/// caller was drawn, and the threshold is found anew, for it is not known any better than the rates. The
/// rosters stay as they are. `None` when no draw held both kinds of caller.
///
/// # Errors
/// [`MetricError`] when a score is NaN or a caller's number is `speakers` or more.
pub fn bootstrap_searches(
    searches: &[Called],
    speakers: usize,
    draws: Draws,
) -> Result<Option<SearchIntervals>, MetricError> {
    for (at, called) in searches.iter().enumerate() {
        let own = called.search.mate.map_or(0.0, |mate| mate.score);
        if called.search.best.is_nan() || own.is_nan() {
            return Err(MetricError::NotANumber { class: "search", at });
        }
        if called.caller as usize >= speakers {
            return Err(MetricError::NoSuchSpeaker {
                at,
                speaker: called.caller,
                speakers,
            });
        }
    }
    let known = |called: &Called| Some((called.caller, called.search.best, called.search.mate?));
    let enrolled: Vec<(u32, f64, Mate)> = searches.iter().filter_map(known).collect();
    let mut strangers: Vec<(u32, f64)> = searches
        .iter()
        .filter(|called| called.search.mate.is_none())
        .map(|called| (called.caller, called.search.best))
        .collect();
    strangers.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    let replicate = |task: usize| {
        let mut rng = Rng::for_task(draws.seed, task as u64);
        figures(&enrolled, &strangers, &times_drawn(speakers, &mut rng))
    };
    let drawn: Vec<Drawn> = (0..draws.replicates).filter_map(replicate).collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    let middle = |figure| middle(&drawn, figure);
    let rates = |from: usize| {
        let fnir = middle(from);
        RateIntervals {
            fnir,
            dir: [1.0 - fnir[1], 1.0 - fnir[0]],
            misidentification: middle(from + 1),
        }
    };
    Ok(Some(SearchIntervals {
        top1: middle(0),
        at_fpir_0_001: rates(1),
        at_fpir_0_01: rates(3),
        replicates: drawn.len(),
    }))
}

/// `None` when one kind of caller was not drawn. The best scores of `strangers` fall.
fn figures(enrolled: &[(u32, f64, Mate)], strangers: &[(u32, f64)], times: &[u32]) -> Option<Drawn> {
    let count = |caller: u32| u64::from(times[caller as usize]);
    let known: u64 = enrolled.iter().map(|(caller, ..)| count(*caller)).sum();
    let unknown: u64 = strangers.iter().map(|(caller, _)| count(*caller)).sum();
    if known == 0 || unknown == 0 {
        return None;
    }
    let share = |counts: &dyn Fn(f64, Mate) -> bool| {
        let counted = enrolled.iter().filter(|(_, best, mate)| counts(*best, *mate));
        counted.map(|(caller, ..)| count(*caller)).sum::<u64>() as f64 / known as f64
    };
    let mut drawn = [share(&|_, mate| mate.rank == 1), 0.0, 0.0, 0.0, 0.0];
    for (at, fpir) in FPIRS.into_iter().enumerate() {
        let allowed = (fpir * unknown as f64).floor() as u64;
        let mut seen = 0;
        let first_beyond = strangers.iter().find(|(caller, _)| {
            seen += count(*caller);
            seen > allowed
        });
        let threshold = first_beyond.map_or(f64::NEG_INFINITY, |(_, best)| *best);
        drawn[1 + 2 * at] = share(&|_, mate| mate.rank > 1 || mate.score <= threshold);
        drawn[2 + 2 * at] = share(&|best, mate| mate.rank > 1 && best > threshold);
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::OpenSet;

    const DRAWS: Draws = Draws {
        replicates: 300,
        seed: 3,
    };

    fn calls(speakers: u32) -> Vec<Called> {
        let mut rng = Rng::new(11);
        let mut call = |caller: u32| {
            let others: [f64; 5] = std::array::from_fn(|_| rng.normal());
            let own = rng.normal() + 2.0;
            let search = if caller.is_multiple_of(2) {
                Search::of(others.into_iter().chain([own]), Some(5))
            } else {
                Search::of(others, None)
            };
            Called { search, caller }
        };
        (0..speakers)
            .flat_map(|caller| [call(caller), call(caller), call(caller)])
            .collect()
    }

    #[test]
    fn an_interval_holds_the_figure_it_is_of_and_is_wider_with_fewer_callers() {
        let width = |speakers: u32| {
            let calls = calls(speakers);
            let found = bootstrap_searches(&calls, speakers as usize, DRAWS)
                .unwrap()
                .unwrap();
            let searches: Vec<Search> = calls.iter().map(|called| called.search).collect();
            let set = OpenSet::new(&searches).unwrap();
            let usual = set.at_fpir(0.01).unwrap();
            let [low, high] = found.at_fpir_0_01.fnir;
            assert!(low <= usual.fnir && usual.fnir <= high, "{usual:?} {found:?}");
            assert_eq!(found.at_fpir_0_01.dir, [1.0 - high, 1.0 - low]);
            found.top1[1] - found.top1[0]
        };
        assert!(width(200) < width(12));
    }

    #[test]
    fn what_cannot_be_drawn_from_has_no_interval_or_a_reason() {
        let mut some = calls(6);
        let fault = bootstrap_searches(&some, 5, DRAWS).unwrap_err().to_string();
        assert!(fault.contains("speaker 5 of 5"), "{fault}");
        let strangers: Vec<Called> = some
            .iter()
            .copied()
            .filter(|call| call.search.mate.is_none())
            .collect();
        assert_eq!(bootstrap_searches(&strangers, 6, DRAWS), Ok(None));
        assert_eq!(bootstrap_searches(&[], 0, DRAWS), Ok(None));
        some[0].search.best = f64::NAN;
        assert!(bootstrap_searches(&some, 6, DRAWS).is_err());
    }
}
