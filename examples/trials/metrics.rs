//! Error rates of scores.

/// Equal error rates of one set of trials, as fractions.
pub struct EqualError {
    /// The mean of the two error rates at the threshold, among the scores, where they are nearest.
    pub nearest: f64,
    /// Where the convex hull of the ROC meets miss = false alarm: the lowest rate that mixtures of
    /// thresholds reach (Brümmer 2010, "Measuring, refining and calibrating speaker and language
    /// information extracted from speech", section 4).
    pub hull: f64,
}

/// Miss and false-alarm rates when scores of at least a threshold are accepted, for every threshold
/// among the scores and one above them all; false alarms fall along the list.
fn rates(targets: &[f64], nontargets: &[f64]) -> Vec<(f64, f64)> {
    let mut scored: Vec<(f64, bool)> = targets.iter().map(|score| (*score, true)).collect();
    scored.extend(nontargets.iter().map(|score| (*score, false)));
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut misses, mut alarms) = (0usize, nontargets.len());
    let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
    let mut points = vec![(0.0, 1.0)];
    for (at, (score, is_target)) in scored.iter().enumerate() {
        if *is_target {
            misses += 1
        } else {
            alarms -= 1
        }
        // Equal scores fall on the same side of every threshold.
        if scored.get(at + 1).is_none_or(|next| next.0 > *score) {
            points.push((share(misses, targets.len()), share(alarms, nontargets.len())));
        }
    }
    points
}

/// The equal error rates.
pub fn equal_error(targets: &[f64], nontargets: &[f64]) -> EqualError {
    let points = rates(targets, nontargets);
    let nearest = points
        .iter()
        .min_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs()))
        .map_or(f64::NAN, |(miss, alarm)| (miss + alarm) / 2.0);
    EqualError {
        nearest,
        hull: hull_meets_diagonal(&points),
    }
}

/// The lower convex hull of the points (misses rise, alarms fall), where both rates are the same.
fn hull_meets_diagonal(points: &[(f64, f64)]) -> f64 {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for point in points {
        while let [.., a, b] = hull.as_slice() {
            let turn = (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0);
            if turn > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(*point);
    }
    let crossing = hull.windows(2).find(|pair| pair[1].0 >= pair[1].1);
    crossing.map_or(f64::NAN, |pair| {
        let (before, after) = (pair[0].1 - pair[0].0, pair[1].1 - pair[1].0);
        let share = if before > after {
            before / (before - after)
        } else {
            0.0
        };
        pair[0].0 + share * (pair[1].0 - pair[0].0)
    })
}

/// One search of a roster: the best score of anybody, and whether it was the right one (`None` when the
/// caller is not on the roster).
pub struct Search {
    pub best: f64,
    pub right: Option<bool>,
}

/// Open-set identification of a set of searches, as fractions.
pub struct Identification {
    /// Share of enrolled callers whose own score was the best on the roster.
    pub top1: f64,
    /// Share of enrolled callers not found (not the best, or below the threshold) at the lowest
    /// threshold at which `fpir` of the others are given a name or fewer (ISO/IEC 19795-1).
    pub fnir: f64,
}

/// Counts searches at the threshold of a false-positive identification rate.
pub fn identification(searches: &[Search], fpir: f64) -> Identification {
    let mut strangers: Vec<f64> = searches
        .iter()
        .filter(|search| search.right.is_none())
        .map(|search| search.best)
        .collect();
    strangers.sort_by(|a, b| b.total_cmp(a));
    let allowed = (fpir * strangers.len() as f64).floor() as usize;
    let threshold = strangers.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
    let enrolled: Vec<&Search> = searches.iter().filter(|search| search.right.is_some()).collect();
    let share = |count: usize| count as f64 / enrolled.len().max(1) as f64;
    let right = |search: &&&Search| search.right == Some(true);
    let found = |search: &&&Search| right(search) && search.best > threshold;
    Identification {
        top1: share(enrolled.iter().filter(right).count()),
        fnir: 1.0 - share(enrolled.iter().filter(found).count()),
    }
}
