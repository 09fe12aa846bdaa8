//! Open-set identification: searches of a roster for a caller who may not be on it.

use serde::Serialize;

use super::error::MetricError;
use super::rng::Rng;

/// How one search of a roster came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The best score of anybody on the roster.
    pub best: f64,
    /// The caller's own place on it; none when the caller is not on the roster.
    pub mate: Option<Mate>,
}

/// The place of the caller's own voiceprint in a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mate {
    /// The score of the search against it; higher is more alike.
    pub score: f64,
    /// 1 for the best of the roster.
    pub rank: usize,
}

impl Search {
    /// The search with these scores of the whole roster, of which `mate` is the caller's. Equal scores rank
    /// before the caller's own: a tie names nobody.
    pub fn of(scores: impl IntoIterator<Item = f64>, mate: Option<usize>) -> Self {
        let scores: Vec<f64> = scores.into_iter().collect();
        let own = mate.and_then(|at| scores.get(at).copied().map(|score| (at, score)));
        let before = |(at, own): (usize, f64)| {
            let others = scores.iter().enumerate().filter(|(other, _)| *other != at);
            others.filter(|(_, score)| **score >= own).count()
        };
        Self {
            best: scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mate: own.map(|(at, score)| Mate {
                score,
                rank: 1 + before((at, score)),
            }),
        }
    }
}

/// A set of searches. A candidate is given when a score lies **above** the threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSet {
    enrolled: Vec<(f64, Mate)>,
    /// The best scores of those who are on no roster, falling.
    strangers: Vec<f64>,
}

/// Rates of a set of searches at one threshold, as fractions (ISO/IEC 19795-1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The lowest score that is returned, in the units of the scores.
    pub threshold: f64,
    /// Searches of people not enrolled that return anybody.
    pub fpir: f64,
    /// Searches of enrolled people that do not return them first.
    pub fnir: f64,
    /// Searches of enrolled people that return them first: 1 - `fnir`.
    pub dir: f64,
    /// Searches of enrolled people that return somebody else first; part of `fnir`.
    pub misidentification: f64,
}

impl OpenSet {
    /// Takes searches in any order.
    ///
    /// # Errors
    /// [`MetricError::NotANumber`] when a score is NaN.
    pub fn new(searches: &[Search]) -> Result<Self, MetricError> {
        let (mut enrolled, mut strangers) = (Vec::new(), Vec::new());
        for (at, search) in searches.iter().enumerate() {
            let own = search.mate.map_or(0.0, |mate| mate.score);
            if search.best.is_nan() || own.is_nan() {
                return Err(MetricError::NotANumber { class: "search", at });
            }
            match search.mate {
                Some(mate) => enrolled.push((search.best, mate)),
                None => strangers.push(search.best),
            }
        }
        strangers.sort_unstable_by(|a, b| b.total_cmp(a));
        Ok(Self { enrolled, strangers })
    }

    /// How many callers were on their roster, and how many were not.
    pub fn counts(&self) -> (usize, usize) {
        (self.enrolled.len(), self.strangers.len())
    }

    /// Share of enrolled callers within the best `rank` of their roster, whatever the score; `None` when
    /// nobody was enrolled.
    pub fn within(&self, rank: usize) -> Option<f64> {
        self.share(|(_, mate)| mate.rank <= rank)
    }

    /// FNIR(N, R, T): share of enrolled callers who are not within the best `rank` above `threshold`.
    pub fn fnir(&self, rank: usize, threshold: f64) -> Option<f64> {
        self.share(|(_, mate)| mate.rank > rank || mate.score <= threshold)
    }

    /// FPIR(N, T): share of the others for whom anybody lies above `threshold`.
    pub fn fpir(&self, threshold: f64) -> Option<f64> {
        let named = self.strangers.partition_point(|best| *best > threshold);
        (!self.strangers.is_empty()).then(|| named as f64 / self.strangers.len() as f64)
    }

    /// All rates at a threshold; `None` unless there are searches of both kinds.
    pub fn at(&self, threshold: f64) -> Option<AtThreshold> {
        let fnir = self.fnir(1, threshold)?;
        Some(AtThreshold {
            threshold,
            fpir: self.fpir(threshold)?,
            fnir,
            dir: 1.0 - fnir,
            misidentification: self.share(|(best, mate)| mate.rank > 1 && *best > threshold)?,
        })
    }

    /// The rates at the lowest threshold at which at most `fpir` of the searches of people not enrolled
    /// return anybody.
    pub fn at_fpir(&self, fpir: f64) -> Option<AtThreshold> {
        let allowed = (fpir * self.strangers.len() as f64).floor() as usize;
        let threshold = self.strangers.get(allowed).copied();
        // All may be named: nothing is too low.
        self.at(threshold.unwrap_or(f64::NEG_INFINITY))
    }

    /// The rates at every threshold that makes a difference to the people not enrolled, from none of them
    /// named to all.
    pub fn curve(&self) -> Vec<AtThreshold> {
        let mut thresholds = self.strangers.clone();
        thresholds.dedup();
        thresholds.push(f64::NEG_INFINITY);
        thresholds
            .into_iter()
            .filter_map(|threshold| self.at(threshold))
            .collect()
    }

    fn share(&self, counts: impl Fn(&&(f64, Mate)) -> bool) -> Option<f64> {
        let found = self.enrolled.iter().filter(counts).count();
        (!self.enrolled.is_empty()).then(|| found as f64 / self.enrolled.len() as f64)
    }
}

/// Searches of rosters of one size drawn at random: each test is looked for once among `size` models that
/// hold its speaker and once among as many that do not, when there are enough. `tests` and `models` are the speaker of
/// each; of a speaker with several models the first one is looked for, and the others are on no roster of theirs. `score`
/// gives the score of each model of a roster for a test.
pub fn random_rosters(
    tests: &[u32],
    models: &[u32],
    size: usize,
    seed: u64,
    score: impl Fn(usize, &[usize]) -> Vec<f64>,
) -> Vec<Search> {
    let mut searches = Vec::new();
    let mut others: Vec<usize> = Vec::with_capacity(models.len());
    for (test, speaker) in tests.iter().enumerate() {
        let mut rng = Rng::for_task(seed, test as u64);
        let mate = models.iter().position(|own| own == speaker);
        others.clear();
        others.extend((0..models.len()).filter(|model| models[*model] != *speaker));
        if others.len() >= size && size > 0 {
            rng.draw(&mut others, size);
            searches.push(Search::of(score(test, &others[..size]), None));
        }
        if let Some(mate) = mate
            && size > 0
            && others.len() >= size - 1
        {
            rng.draw(&mut others, size - 1);
            let roster: Vec<usize> = std::iter::once(mate)
                .chain(others[..size - 1].iter().copied())
                .collect();
            searches.push(Search::of(score(test, &roster), Some(0)));
        }
    }
    searches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolled(score: f64, others: f64) -> Search {
        Search::of([others, score], Some(1))
    }

    fn stranger(best: f64) -> Search {
        Search::of([best, best - 1.0], None)
    }

    #[test]
    fn a_tie_with_somebody_else_names_nobody() {
        assert_eq!(
            Search::of([1.0, 1.0], Some(0)).mate.map(|mate| mate.rank),
            Some(2)
        );
        assert_eq!(
            Search::of([0.5, 1.0], Some(1)).mate.map(|mate| mate.rank),
            Some(1)
        );
    }

    #[test]
    fn misidentification_is_part_of_what_is_missed_and_counted_apart() {
        let set = OpenSet::new(&[
            enrolled(5.0, 0.0),
            enrolled(1.0, 3.0),
            enrolled(0.5, 0.2),
            stranger(2.0),
        ])
        .unwrap();
        let found = set.at(2.0).unwrap();
        assert_eq!(
            (found.fnir, found.misidentification, found.fpir),
            (2.0 / 3.0, 1.0 / 3.0, 0.0)
        );
        assert_eq!(set.within(1), Some(2.0 / 3.0));
        assert_eq!(set.within(2), Some(1.0));
    }

    #[test]
    fn the_threshold_for_a_rate_lets_no_more_strangers_through_than_asked() {
        let searches: Vec<_> = (0..100)
            .map(|at| stranger(f64::from(at / 2)))
            .chain([enrolled(48.5, 0.0)])
            .collect();
        let set = OpenSet::new(&searches).unwrap();
        for fpir in [0.0, 0.001, 0.01, 0.02, 0.5, 1.0] {
            assert!(set.at_fpir(fpir).unwrap().fpir <= fpir, "{fpir}");
        }
        assert_eq!(set.at_fpir(0.01).unwrap().dir, 0.0);
        assert_eq!(set.at_fpir(0.02).unwrap().dir, 1.0);
    }

    #[test]
    fn without_strangers_or_without_enrolled_there_is_no_rate() {
        assert!(OpenSet::new(&[stranger(1.0)]).unwrap().at(0.0).is_none());
        assert!(
            OpenSet::new(&[enrolled(1.0, 0.0)])
                .unwrap()
                .at_fpir(0.01)
                .is_none()
        );
        let nan = Search {
            best: f64::NAN,
            mate: None,
        };
        assert!(OpenSet::new(&[nan]).is_err());
    }

    #[test]
    fn random_rosters_hold_the_caller_once_or_not_at_all() {
        let (tests, models) = ([2u32, 9, 0], [0u32, 1, 2, 3, 4]);
        let score = |test: usize, roster: &[usize]| {
            let of = |model: &usize| {
                if tests[test] == models[*model] {
                    9.0
                } else {
                    *model as f64
                }
            };
            roster.iter().map(of).collect::<Vec<f64>>()
        };
        let searches = random_rosters(&tests, &models, 4, 7, score);
        let own: Vec<_> = searches.iter().filter_map(|search| search.mate).collect();
        assert_eq!(searches.len(), 5);
        assert!(own.len() == 2 && own.iter().all(|mate| mate.score == 9.0 && mate.rank == 1));
        assert!(
            searches
                .iter()
                .filter(|search| search.mate.is_none())
                .all(|search| search.best < 9.0)
        );
        assert!(random_rosters(&tests, &models, 6, 7, score).is_empty());
    }

    #[test]
    fn two_users_of_one_person_are_no_strangers_to_each_other() {
        let (tests, models) = ([0u32, 1], [0u32, 0, 1, 2]);
        for size in 1..=models.len() {
            random_rosters(&tests, &models, size, 7, |test, roster| {
                let own = roster.iter().filter(|model| models[**model] == tests[test]);
                assert!(own.count() <= 1, "{roster:?}");
                vec![0.0; roster.len()]
            });
        }
        // The first caller is looked for among two others, the second among three.
        let none = |_: usize, roster: &[usize]| vec![0.0; roster.len()];
        assert_eq!(random_rosters(&tests, &models, 3, 7, none).len(), 3);
    }
}
