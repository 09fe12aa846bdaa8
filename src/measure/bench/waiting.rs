//! How many calls are decided by when.

use serde::Serialize;

use super::condition_runs::ConditionRun;

/// Steps that a chart can show.
const STEPS: usize = 200;

/// The share of calls that were decided within some net speech; what is missing at the end was never decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waiting {
    /// All calls that were followed.
    pub calls: usize,
    /// Seconds of net speech, and the share of all calls that had a first name or *unknown* by then.
    pub decided: Vec<[f64; 2]>,
    /// Calls of those on the roster.
    pub enrolled: usize,
    /// Seconds of net speech, and the share of the enrolled callers who had been given their own name by then.
    pub named: Vec<[f64; 2]>,
}

/// The waits of all calls; `None` when none was followed.
pub(super) fn waiting(condition_runs: &[ConditionRun<'_>]) -> Option<Waiting> {
    let all = |waits: fn(&ConditionRun<'_>) -> Vec<Option<f64>>| {
        condition_runs.iter().flat_map(waits).collect::<Vec<_>>()
    };
    let decided = all(|condition_run| condition_run.searched.waits.clone());
    let named = all(|condition_run| condition_run.searched.sequential.right_waits.clone());
    (!decided.is_empty()).then(|| Waiting {
        calls: decided.len(),
        decided: steps(&decided),
        enrolled: named.len(),
        named: steps(&named),
    })
}

/// The distribution function of some waits, of which those that never end count too.
fn steps(waits: &[Option<f64>]) -> Vec<[f64; 2]> {
    let mut ended: Vec<f64> = waits.iter().flatten().copied().collect();
    ended.sort_unstable_by(f64::total_cmp);
    let by = |at: f64| ended.partition_point(|wait| *wait <= at) as f64 / waits.len() as f64;
    let mut moments = ended.clone();
    moments.dedup();
    let last = moments.len().saturating_sub(1);
    let kept = moments.len().min(STEPS);
    (0..kept)
        .map(|at| moments[at * last / (kept - 1).max(1)])
        .map(|moment| [moment, by(moment)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_are_never_decided_keep_the_curve_below_one() {
        let waits = [Some(2.0), None, Some(1.0), Some(2.0)];
        assert_eq!(steps(&waits), [[1.0, 0.25], [2.0, 0.75]]);
        assert!(steps(&[None]).is_empty() && steps(&[]).is_empty());
        let many: Vec<Option<f64>> = (0..1_000).map(|at| Some(f64::from(at))).collect();
        let curve = steps(&many);
        assert_eq!(
            (curve.len(), curve[0], curve[STEPS - 1]),
            (STEPS, [0.0, 0.001], [999.0, 1.0])
        );
    }
}
