//! Whether the scores of calls have moved, without knowing who called: the latest weeks held against the first ones.
//!
//! Nothing here says that calls are decided wrongly: only that they are decided otherwise than at first, which is when
//! to look for the cause (another carrier, another kind of caller, enrolments that have grown old).

mod statistics;

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::bootstrap::quantile;
use crate::verdict::OutcomeName;
use statistics::{chi_square_p, kolmogorov_distance, kolmogorov_p};

/// How long the first weeks are, with which the latest are compared.
pub const FIRST: Duration = Duration::days(28);
/// How long the latest weeks are.
pub(crate) const LATEST: Duration = Duration::days(28);
/// The level of both tests together.
const LEVEL: f64 = 0.01;
/// Each test has half of it (Bonferroni).
const LEVEL_OF_ONE: f64 = LEVEL / 2.0;
/// Fewer calls on either side are not tested.
const FEWEST: usize = 50;
/// A smaller shift is of no consequence, however surely it is there: of the distributions' largest difference, and of
/// an outcome's share.
const LEAST_SHIFT: f64 = 0.1;
const LEAST_SHARE: f64 = 0.05;

/// The last word on a call, as far as drift goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallWord {
    /// When the call began.
    pub at: OffsetDateTime,
    /// What was said of the speaker.
    pub outcome: OutcomeName,
    /// The ratio of the best candidate, where there was one.
    pub llr: Option<f64>,
}

/// How many calls ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct OutcomeCounts {
    /// Somebody was named.
    pub identified: usize,
    /// Nobody on the roster.
    pub unknown: usize,
    /// It could not be said.
    pub inconclusive: usize,
}

/// Some calls that came after one another.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DriftSpan {
    /// The beginning of the span.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: OffsetDateTime,
    /// Its end, which is not part of it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub to: OffsetDateTime,
    /// Calls that began in it.
    pub calls: usize,
    /// How they ended.
    pub outcomes: OutcomeCounts,
    /// How many of them had a best candidate.
    pub with_ratio: usize,
    /// The 5th, 25th, 50th, 75th and 95th percentile of the best candidates' ratios; null without any, and for who may
    /// not see scores.
    #[schema(value_type = Option<Vec<f64>>)]
    pub ratios: Option<[f64; 5]>,
}

/// One comparison of the latest calls with the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct DriftTest {
    /// How far apart they are: the largest difference of the distributions, or of an outcome's share.
    pub distance: f64,
    /// The probability of so large a distance, or a larger one, if nothing had changed and calls were independent.
    pub p: f64,
    /// Whether it is below its level and large enough to matter.
    pub moved: bool,
}

/// What became of the scores.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Drift {
    /// The spans in order; those without calls are left out.
    pub spans: Vec<DriftSpan>,
    /// The first weeks; null without calls.
    pub first: Option<DriftSpan>,
    /// The latest weeks; null as long as they would overlap with the first.
    pub latest: Option<DriftSpan>,
    /// The ratios of both: two-sample Kolmogorov-Smirnov. Null where there are too few, or none may be seen.
    pub ratios: Option<DriftTest>,
    /// The outcomes of both: chi-square with two degrees of freedom. Null where there are too few.
    pub outcomes: Option<DriftTest>,
    /// The level of both tests together.
    pub level: f64,
    /// The fewest calls that are tested on either side.
    pub fewest: usize,
    /// Whether anything moved; null where nothing could be tested.
    pub moved: Option<bool>,
    /// The same in a sentence.
    pub sentence: String,
}

impl Drift {
    /// The drift of calls, in any order, up to `now`, shown in spans of `span`. `sees_llrs` is whether the ratios may
    /// be told of.
    pub fn of(mut calls: Vec<CallWord>, now: OffsetDateTime, span: Duration, sees_llrs: bool) -> Self {
        calls.retain(|call| call.at <= now);
        calls.sort_by_key(|call| call.at);
        let between = |from: OffsetDateTime, to: OffsetDateTime| {
            let (begin, end) = (
                calls.partition_point(|call| call.at < from),
                calls.partition_point(|call| call.at < to),
            );
            &calls[begin..end]
        };
        let begin = calls.first().map(|call| day_of(call.at));
        let first = begin.map(|begin| (begin, begin + FIRST));
        let end = now + Duration::SECOND;
        // They never share a call.
        let latest = first
            .map(|(_, first_ends)| (end - LATEST, first_ends))
            .filter(|(from, first_ends)| from >= first_ends)
            .map(|(from, _)| (from, end));
        let told = |(from, to): (OffsetDateTime, OffsetDateTime)| {
            DriftSpan::of(from, to, between(from, to), sees_llrs)
        };
        let samples = first
            .zip(latest)
            .map(|(first, latest)| (between(first.0, first.1), between(latest.0, latest.1)));
        let (ratios, outcomes) = samples.map_or((None, None), |(first, latest)| {
            (
                test_llrs(first, latest).filter(|_| sees_llrs),
                test_outcomes(first, latest),
            )
        });
        let mut drift = Self {
            spans: spans(begin, end, span)
                .map(told)
                .filter(|span| span.calls > 0)
                .collect(),
            first: first.map(told),
            latest: latest.map(told),
            ratios,
            outcomes,
            level: LEVEL,
            fewest: FEWEST,
            moved: None,
            sentence: String::new(),
        };
        let tests = || drift.ratios.iter().chain(&drift.outcomes);
        drift.moved = tests().next().map(|_| tests().any(|test| test.moved));
        drift.sentence = drift.in_words();
        drift
    }

    fn in_words(&self) -> String {
        let (Some(first), Some(latest)) = (&self.first, &self.latest) else {
            return match &self.first {
                None => "No call has been recorded yet: there is nothing to compare.".to_owned(),
                Some(first) => format!(
                    "The first {} days are still going on ({} calls so far): from {} on, the latest {} days are \
                     compared with them.",
                    FIRST.whole_days(),
                    first.calls,
                    (first.to + LATEST).date(),
                    LATEST.whole_days()
                ),
            };
        };
        if self.moved.is_none() {
            return format!(
                "{} calls in the first {} days and {} in the latest are too few to compare: {} are needed in each.",
                first.calls,
                FIRST.whole_days(),
                latest.calls,
                self.fewest
            );
        }
        let mut parts = Vec::new();
        if let Some(test) = self.ratios.filter(|test| test.moved) {
            let median = |span: &DriftSpan| span.ratios.map_or(0.0, |ratios| ratios[2]);
            let (then, now) = (median(first), median(latest));
            let way = if now < then {
                "lower"
            } else {
                "higher or spread otherwise"
            };
            parts.push(format!(
                "The best ratios of calls are {way} than in the first {} days: median {now:.1} after {then:.1} \
                 (Kolmogorov-Smirnov distance {:.2}, p {}).",
                FIRST.whole_days(),
                test.distance,
                in_short(test.p)
            ));
        }
        if let Some(test) = self.outcomes.filter(|test| test.moved) {
            let (name, then, now) = most_changed(&first.outcomes, &latest.outcomes);
            parts.push(format!(
                "{:.0} % of calls are {name}, after {:.0} % in the first {} days (chi-square, p {}).",
                100.0 * now,
                100.0 * then,
                FIRST.whole_days(),
                in_short(test.p)
            ));
        }
        if parts.is_empty() {
            return format!(
                "Nothing moved by more than chance would, or by enough to matter: the latest {} calls against the first \
                 {} (level {} of both tests together).",
                latest.calls, first.calls, self.level
            );
        }
        parts.join(" ")
    }
}

fn in_short(p: f64) -> String {
    if p < 0.000_1 {
        "< 0.0001".to_owned()
    } else {
        format!("= {p:.4}")
    }
}

/// The beginning of a day in UTC.
fn day_of(at: OffsetDateTime) -> OffsetDateTime {
    at.to_offset(time::UtcOffset::UTC)
        .replace_time(time::Time::MIDNIGHT)
}

fn spans(
    begin: Option<OffsetDateTime>,
    end: OffsetDateTime,
    span: Duration,
) -> impl Iterator<Item = (OffsetDateTime, OffsetDateTime)> {
    let next = move |from: &OffsetDateTime| Some(*from + span);
    std::iter::successors(begin, next)
        .take_while(move |from| *from < end)
        .map(move |from| (from, from + span))
}

impl DriftSpan {
    fn of(from: OffsetDateTime, to: OffsetDateTime, calls: &[CallWord], sees_llrs: bool) -> Self {
        let ratios = sorted_llrs(calls);
        let at = [0.05, 0.25, 0.5, 0.75, 0.95].map(|share| quantile(&ratios, share));
        Self {
            from,
            to,
            calls: calls.len(),
            outcomes: counts(calls),
            with_ratio: ratios.len(),
            ratios: (sees_llrs && !ratios.is_empty()).then_some(at),
        }
    }
}

fn counts(calls: &[CallWord]) -> OutcomeCounts {
    let mut counts = OutcomeCounts::default();
    for call in calls {
        match call.outcome {
            OutcomeName::Identified => counts.identified += 1,
            OutcomeName::Unknown => counts.unknown += 1,
            OutcomeName::Inconclusive => counts.inconclusive += 1,
        }
    }
    counts
}

impl OutcomeCounts {
    fn each(&self) -> [(&'static str, usize); 3] {
        [
            ("identified", self.identified),
            ("unknown", self.unknown),
            ("inconclusive", self.inconclusive),
        ]
    }

    fn counts(&self) -> [usize; 3] {
        self.each().map(|(_, count)| count)
    }

    fn all(&self) -> usize {
        self.counts().iter().sum()
    }
}

/// The outcome whose share changed most, with both shares.
fn most_changed(first: &OutcomeCounts, latest: &OutcomeCounts) -> (&'static str, f64, f64) {
    let share = |count: usize, all: usize| count as f64 / all.max(1) as f64;
    let pairs = first.each().into_iter().zip(latest.each());
    let changes =
        pairs.map(|((name, then), (_, now))| (name, share(then, first.all()), share(now, latest.all())));
    let size = |change: &(&str, f64, f64)| (change.2 - change.1).abs();
    changes
        .max_by(|a, b| size(a).total_cmp(&size(b)))
        .unwrap_or(("identified", 0.0, 0.0))
}

fn sorted_llrs(calls: &[CallWord]) -> Vec<f64> {
    let mut ratios: Vec<f64> = calls
        .iter()
        .filter_map(|call| call.llr)
        .filter(|llr| llr.is_finite())
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios
}

fn test_llrs(first: &[CallWord], latest: &[CallWord]) -> Option<DriftTest> {
    let (first, latest) = (sorted_llrs(first), sorted_llrs(latest));
    if first.len().min(latest.len()) < FEWEST {
        return None;
    }
    let distance = kolmogorov_distance(&first, &latest);
    let p = kolmogorov_p(distance, first.len(), latest.len());
    Some(DriftTest {
        distance,
        p,
        moved: p < LEVEL_OF_ONE && distance >= LEAST_SHIFT,
    })
}

fn test_outcomes(first: &[CallWord], latest: &[CallWord]) -> Option<DriftTest> {
    let (first, latest) = (counts(first), counts(latest));
    if first.all().min(latest.all()) < FEWEST {
        return None;
    }
    let p = chi_square_p(first.counts(), latest.counts());
    let (_, then, now) = most_changed(&first, &latest);
    let distance = (now - then).abs();
    Some(DriftTest {
        distance,
        p,
        moved: p < LEVEL_OF_ONE && distance >= LEAST_SHARE,
    })
}

#[cfg(test)]
mod tests;
