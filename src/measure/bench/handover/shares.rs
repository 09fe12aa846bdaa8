//! Shares of composed calls, with how sure they are.

use serde::Serialize;

use super::super::super::bootstrap::{Draws, quantile, times_drawn};
use super::super::super::rng::Rng;

/// A share of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// Calls that are counted in the share.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The middle 95 % when the people of both voices are drawn again (a call counts as often as the one times the
    /// other); of none or all, which no draw changes, the exact interval (Clopper and Pearson 1934) of as many
    /// tries as there were people at the side that had more of them. `None` of no calls.
    pub ci95: Option<[f64; 2]>,
}

impl Share {
    /// The share; 0 of no calls.
    pub fn value(&self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }
}

/// A call that counts, by the speakers of its voices.
pub(super) type Counted = ([u32; 2], bool);

/// The share of those calls that are `true`, among `speakers` people.
pub(super) fn share(calls: &[Counted], speakers: usize, draws: Draws) -> Share {
    let count = calls.iter().filter(|(_, is_so)| *is_so).count();
    Share {
        count,
        of: calls.len(),
        ci95: interval(calls, count, speakers, draws),
    }
}

fn interval(calls: &[Counted], count: usize, speakers: usize, draws: Draws) -> Option<[f64; 2]> {
    let people = |side: usize| {
        let mut people: Vec<u32> = calls.iter().map(|(people, _)| people[side]).collect();
        people.sort_unstable();
        people.dedup();
        people.len()
    };
    if calls.is_empty() {
        return None;
    }
    let beyond = 0.025f64.powf(1.0 / people(0).max(people(1)) as f64);
    if count == 0 {
        return Some([0.0, 1.0 - beyond]);
    }
    if count == calls.len() {
        return Some([beyond, 1.0]);
    }
    let mut drawn: Vec<f64> = (0..draws.replicates)
        .filter_map(|task| {
            let times = times_drawn(speakers, &mut Rng::for_task(draws.seed, task as u64));
            let weight = |[first, second]: [u32; 2]| {
                let first_times = u64::from(times[first as usize]);
                if first == second {
                    first_times
                } else {
                    first_times * u64::from(times[second as usize])
                }
            };
            let all: u64 = calls.iter().map(|(people, _)| weight(*people)).sum();
            let so = calls.iter().filter(|(_, is_so)| *is_so);
            let so: u64 = so.map(|(people, _)| weight(*people)).sum();
            (all > 0).then(|| so as f64 / all as f64)
        })
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    (!drawn.is_empty()).then(|| [quantile(&drawn, 0.025), quantile(&drawn, 0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: Draws = Draws {
        replicates: 500,
        seed: 1,
    };

    #[test]
    fn a_share_lies_in_its_interval_which_few_callers_make_wider() {
        let of = |people: u32| {
            let calls: Vec<Counted> = (0..200)
                .map(|call| ([call % people, call % people], (call % people).is_multiple_of(4)))
                .collect();
            let found = share(&calls, people as usize, DRAWS);
            let [low, high] = found.ci95.unwrap();
            assert!(low <= found.value() && found.value() <= high, "{found:?}");
            high - low
        };
        assert!(of(100) < of(8));
    }

    #[test]
    fn none_of_some_is_not_never() {
        let calls: Vec<Counted> = (0..60).map(|call| ([call % 3, 3 + call % 30], false)).collect();
        let [low, high] = share(&calls, 33, DRAWS).ci95.unwrap();
        // scipy: beta.ppf(0.975, 1, 30).
        assert!(low == 0.0 && (high - 0.115_703_308_2).abs() < 1e-8, "{high}");
        assert_eq!(share(&[], 33, DRAWS).ci95, None);
    }
}
