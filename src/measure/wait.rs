//! How long a caller has to speak.

use serde::Serialize;

use super::bootstrap::quantile;

/// Net speech until a decision, over calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wait {
    /// Half of the calls that were decided were decided by then; none when none was.
    pub median_s: Option<f64>,
    /// And 95 % of them by then.
    pub p95_s: Option<f64>,
    /// Share of all calls that ended undecided. To be read beside the other two: who decides little can
    /// decide fast.
    pub undecided: f64,
}

impl Wait {
    /// The figures of calls: seconds of net speech at the decision, none where there was no decision.
    /// `None` when there were no calls.
    pub fn of(calls: &[Option<f64>]) -> Option<Self> {
        let mut decided: Vec<f64> = calls.iter().flatten().copied().collect();
        decided.sort_unstable_by(f64::total_cmp);
        let at = |share| (!decided.is_empty()).then(|| quantile(&decided, share));
        (!calls.is_empty()).then(|| Self {
            median_s: at(0.5),
            p95_s: at(0.95),
            undecided: 1.0 - decided.len() as f64 / calls.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecided_calls_are_counted_and_do_not_shorten_the_wait() {
        let wait = Wait::of(&[Some(3.0), None, Some(1.0), Some(2.0)]).unwrap();
        assert_eq!((wait.median_s, wait.undecided), (Some(2.0), 0.25));
        assert_eq!(Wait::of(&[None]).unwrap().median_s, None);
        assert_eq!(Wait::of(&[]), None);
    }
}
