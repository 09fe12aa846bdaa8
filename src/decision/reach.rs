//! How like each other the users of a roster are, and what that makes of the likeness of a call to one of them.

use super::curve::{Curve, Similarity};
use crate::units::NotFinite;
use crate::voiceprint::Embedding;

/// How far up the likenesses of a number's users to each other reach, in Fisher's z of their cosines, whatever a curve is a
/// line of.
///
/// On some lines, and for some models, strangers reach higher likenesses than on others: of real calls those to a line in
/// India reach a quarter further than those to one in the USA, and one likeness more says less there. A roster shows it
/// before anybody has called, for its voices are strangers to each other. It is score normalisation by a cohort
/// (Auckenthaler, Carey and Lloyd-Thomas 2000), of a whole roster and not of one voice: that of one voice is of some tens
/// of likenesses, and costs more by its own error than it gains. It is taken by median and median absolute deviation
/// (Hampel 1974): one person who is enrolled under two names, or a family, is a pair far out, and mean and standard
/// deviation follow those.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RosterReach {
    /// How many users it was taken from.
    users: usize,
    /// As [`RosterReach::z`] says; of fewer than three users nought.
    z: f64,
}

/// Most users that it is taken from: 2016 pairs, whose reach is known to some percent.
const MOST_USERS: usize = 64;
/// With two users there is one pair, which deviates from nothing.
const LEAST_USERS: usize = 3;
/// How many deviations above the median strangers are taken to reach. Chosen by real calls to two lines, each judged by a
/// fit on the other alone: the median by itself carries the default model over best, the deviation by itself
/// `voxline-phone-3`, and this both (models/calibration/README.md).
const DEVIATIONS: f64 = 2.0;
/// The standard deviation of a normal distribution by its median absolute deviation.
const OF_A_NORMAL: f64 = 1.482_602;
/// What is known of rosters in general says as much as five users more than two. Chosen: pairs of one user's are no
/// independent trials, and rosters of three must not move anything much.
const USERS_OF_PRIOR: f64 = 5.0;
/// No roster stretches or shrinks likenesses by more than this: what is further out has another reason.
const MOST_FACTOR: f64 = 1.5;

impl RosterReach {
    /// That of these users' voices, each given once and in any order; of more than 64, some are taken, mostly the same ones
    /// when somebody comes or goes.
    ///
    /// # Errors
    /// [`NotFinite`] when two voices are of different lengths, and so of different models.
    pub fn of(voices: &[&Embedding]) -> Result<Self, NotFinite> {
        let mut taken = voices.to_vec();
        if taken.len() > MOST_USERS {
            taken.select_nth_unstable_by_key(MOST_USERS, |voice| lot(voice));
            taken.truncate(MOST_USERS);
        }
        let users = taken.len();
        if users < LEAST_USERS {
            return Ok(Self { users, z: 0.0 });
        }
        let mut pairs = Vec::with_capacity(users * (users - 1) / 2);
        for (nth, one) in taken.iter().enumerate() {
            for other in &taken[nth + 1..] {
                let cosine = f64::from(one.cosine(other)?.get());
                pairs.push(Similarity::FisherZ.of(cosine));
            }
        }
        let middle = median(&mut pairs);
        let mut apart: Vec<f64> = pairs.iter().map(|one| (one - middle).abs()).collect();
        let z = middle + DEVIATIONS * OF_A_NORMAL * median(&mut apart);
        Ok(Self { users, z })
    }

    /// The similarity that strangers on this roster seldom exceed, in Fisher's z: two deviations above the median of its
    /// pairs. `None` of fewer than three users.
    pub fn z(&self) -> Option<f64> {
        (self.users >= LEAST_USERS).then_some(self.z)
    }

    /// What a likeness on this roster has to be multiplied by to say as much as on one that reaches as far as `usual`. The
    /// fewer users there are, the nearer it is to 1.
    pub fn factor(&self, usual: f64) -> f64 {
        let says = self.users.saturating_sub(LEAST_USERS - 1) as f64;
        let reach = (USERS_OF_PRIOR * usual + says * self.z) / (USERS_OF_PRIOR + says);
        usual / reach.clamp(usual / MOST_FACTOR, usual * MOST_FACTOR)
    }
}

/// What draws a voice by lot, whoever its neighbours are: its numbers multiplied as Fibonacci hashing does (Knuth, The Art of
/// Computer Programming 3, 6.4).
fn lot(voice: &Embedding) -> u32 {
    let numbers = voice.as_slice().iter().map(|number| number.to_bits());
    numbers.fold(0, |lot, bits| (lot ^ bits).wrapping_mul(0x9e37_79b1))
}

/// The middle one, or the mean of the middle two; of none nought.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values {
        [] => 0.0,
        _ if values.len() % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

impl Curve {
    /// The curve for calls to a roster: with what a likeness is worth there. One that was fitted without regard to that
    /// stays as it is.
    #[must_use]
    pub fn on(self, reach: RosterReach) -> Self {
        let Some(usual) = self.roster_reach else {
            return self;
        };
        self.stretched(reach.factor(usual))
    }

    /// The curve for calls to a roster whose strangers reach so far that a likeness says the least.
    #[must_use]
    pub fn on_the_widest(self) -> Self {
        match self.roster_reach {
            Some(_) => self.stretched(MOST_FACTOR.recip()),
            None => self,
        }
    }

    fn stretched(self, factor: f64) -> Self {
        Self {
            scale: self.scale * factor,
            scale_per_log: self.scale_per_log * factor,
            signup_scale: self.signup_scale * factor,
            cohort_scale: self.cohort_scale * factor,
            roster_reach: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::curve;
    use super::super::curve::{Cohort, TrialFacts};
    use super::*;
    use crate::units::{Cosine, Seconds};

    fn reach(degrees: &[f32]) -> RosterReach {
        let voices: Vec<Embedding> = degrees.iter().copied().map(Embedding::at_degrees).collect();
        RosterReach::of(&voices.iter().collect::<Vec<_>>()).unwrap()
    }

    /// Directions of so many voices, evenly over 76 degrees.
    fn fan(many: u16) -> Vec<f32> {
        let step = 76.0 / f32::from(many - 1);
        (0..many).map(|nth| step * f32::from(nth)).collect()
    }

    /// Angles of 0, 20, 50, 90 and 170 degrees: of `z = [atanh(cos(radians(b - a))) for a, b in combinations(angles, 2)]`, by
    /// numpy and SciPy 1.17.1, `median(z) + 2 * median_abs_deviation(z, scale="normal")`.
    #[test]
    fn it_is_two_deviations_above_the_median_likeness_of_all_pairs() {
        let found = reach(&[0.0, 20.0, 50.0, 90.0, 170.0]).z().unwrap();
        assert!((found - 2.578_746).abs() < 1e-4, "{found}");
    }

    #[test]
    fn one_person_under_two_names_moves_it_little() {
        let twice = [&fan(20)[..], &[1.0, 1.2]].concat();
        let (once, twice) = (reach(&fan(20)).z().unwrap(), reach(&twice).z().unwrap());
        assert!((twice / once - 1.0).abs() < 0.1, "{once} {twice}");
    }

    #[test]
    fn one_pair_and_one_voice_say_nothing() {
        for few in [&[][..], &[0.0], &[0.0, 50.0]] {
            assert_eq!(reach(few).z(), None);
            assert!((reach(few).factor(0.2) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn likenesses_count_less_on_a_roster_whose_strangers_reach_further() {
        let roster = reach(&fan(20));
        let usual = roster.z().unwrap();
        assert!((roster.factor(usual) - 1.0).abs() < 1e-12);
        assert!(roster.factor(usual * 0.8) < 0.85 && roster.factor(usual * 1.2) > 1.14);
        let most = |factor: f64, bound: f64| (factor - bound).abs() < 1e-12;
        assert!(most(roster.factor(usual * 99.0), MOST_FACTOR));
        assert!(most(roster.factor(usual / 99.0), MOST_FACTOR.recip()));
        // Of voices all against each other strangers reach nowhere.
        assert!(reach(&[0.0, 120.0, 240.0]).factor(0.2) > 1.0);
    }

    #[test]
    fn of_many_users_some_are_taken_in_any_order_and_say_nearly_the_same() {
        let some = reach(&fan(64)).z().unwrap();
        let many = reach(&fan(640)).z().unwrap();
        assert!((some - many).abs() < 0.15 * some, "{some} {many}");
        let backwards: Vec<f32> = fan(640).into_iter().rev().collect();
        assert!((reach(&backwards).z().unwrap() - many).abs() < 1e-12);
        let one_more = [&fan(640)[..], &[33.3]].concat();
        assert!((reach(&one_more).z().unwrap() - many).abs() < 0.03 * many);
    }

    #[test]
    fn a_curve_fitted_without_it_stays_and_another_is_stretched() {
        let roster = reach(&fan(20));
        assert_eq!(curve().on(roster), curve());
        let stretched = Curve {
            roster_reach: Some(0.3),
            ..curve()
        }
        .on(roster);
        assert_eq!(stretched.on(roster), stretched, "once");
        let usual = roster.z().unwrap() * 1.2;
        let fitted = Curve {
            roster_reach: Some(usual),
            llr_bounds: [-99.0, 99.0],
            ..curve()
        };
        let facts = TrialFacts {
            net_speech: Seconds::new(3.0),
            cohort: Cohort { size: 4, mean: 0.3 },
            ..TrialFacts::default()
        };
        let llr = |curve: Curve, cosine, facts: &TrialFacts| {
            curve.llr(Cosine::new(cosine).unwrap(), facts).unwrap().get()
        };
        let slope = |curve| llr(curve, 0.7, &facts) - llr(curve, 0.6, &facts);
        let factor = roster.factor(usual);
        assert!(factor > 1.1);
        assert!((slope(fitted.on(roster)) - factor * slope(fitted)).abs() < 1e-6);
        // Of no likeness, and without company, only the offset is left, which no roster moves.
        let alone = TrialFacts {
            cohort: Cohort::default(),
            ..facts
        };
        let apart = llr(fitted.on(roster), 0.0, &alone) - llr(fitted, 0.0, &alone);
        assert!(apart.abs() < 1e-12);
    }
}
