//! A comparison of two voices to a log-likelihood ratio: the fitted line, and what moves it.

use serde::{Deserialize, Serialize};

use crate::units::{Cosine, Llr, NotFinite, Seconds};

/// What a curve is a straight line of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The cosine itself.
    #[default]
    Cosine,
    /// Fisher's z of the cosine, `artanh`: it stretches what lies close to 1, where a line of cosines
    /// understates how much a little more likeness says.
    FisherZ,
}

/// Cosines beyond this are one: Fisher's z of 1 is infinite.
const MOST_COSINE: f64 = 0.9999;

impl Similarity {
    /// The similarity that a cosine is.
    pub fn of(self, cosine: f64) -> f64 {
        match self {
            Self::Cosine => cosine,
            Self::FisherZ => cosine.clamp(-MOST_COSINE, MOST_COSINE).atanh(),
        }
    }
}

/// A cosine that enrolment and call of one speaker seldom exceed.
const VERY_LIKE: f32 = 0.9;

/// How like the voice under test is to the other users of the roster: on some lines, and in some groups of people,
/// everybody is more like everybody (test normalisation: Auckenthaler, Carey and Lloyd-Thomas 2000).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cohort {
    /// How many others there are.
    pub size: usize,
    /// Their mean [`Similarity`] to the voice under test; of nobody, nothing.
    pub mean: f64,
}

impl Cohort {
    /// The others of each of a roster, by the similarities of all of it.
    pub fn each_of(similarities: &[f64]) -> impl Iterator<Item = Self> {
        let (sum, size) = (similarities.iter().sum::<f64>(), similarities.len());
        similarities.iter().map(move |own| Self {
            size: size - 1,
            mean: if size > 1 {
                (sum - own) / (size - 1) as f64
            } else {
                0.0
            },
        })
    }

    /// How much more like the others it is than `usual`. The fewer they are, the less their mean says, and the
    /// nearer this is to nought, as a posterior mean is.
    pub fn excess(&self, usual: f64) -> f64 {
        let size = self.size as f64;
        size * (self.mean - usual) / (size + COHORT_OF_PRIOR)
    }
}

/// As many others say as much as is known of a call without any. Chosen: from 1 to 16 real calls to rosters of 9 to 28 come
/// out alike (Cllr within 0.004 where fitted on). Within one line the variance of one other's similarity is 16 to 26
/// times that of calls' means; more than 4 would give small rosters less say.
const COHORT_OF_PRIOR: f64 = 4.0;

/// What is known of a comparison of two voices beside their similarity.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrialFacts {
    /// How much speech the voice under test was made of.
    pub net_speech: Seconds,
    /// How far it stood above its background, in dB; `None` where that could not be measured.
    pub snr_db: Option<f64>,
    /// Share of its samples at full scale, 0 to 1.
    pub clipping: f64,
    /// How much speech the enrolled voice was made of.
    pub enrolled_speech: Seconds,
    /// Whether a call over a telephone meets a voice that was enrolled in wide band, as by a web page. Two lines have less
    /// in common than two calls: users and strangers alike are further apart.
    pub is_signup_to_call: bool,
    /// The other users it was compared with.
    pub cohort: Cohort,
}

/// Affine logistic calibration whose scale and offset move with the amount of speech:
/// `llr = (scale + scale_per_log · q) · s + offset + offset_per_log · q` with `s` the similarity and
/// `q = ln(net)`, the net speech of the call in seconds, held inside the range that was fitted; both move once more where a
/// telephone call meets a wide-band enrolment, and the offset with the [`Cohort`] (Brümmer and
/// du Preez 2006 for the logistic fit; duration as a quality measure after Mandasari et al. 2013).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// What it is a line of.
    #[serde(default)]
    pub similarity: Similarity,
    /// Ratio for each unit of similarity, of one second of speech.
    pub scale: f64,
    /// What is added to the scale for each unit of `q`.
    pub scale_per_log: f64,
    /// Ratio of a similarity of nought, of one second of speech.
    pub offset: f64,
    /// What is added to the offset for each unit of `q`.
    pub offset_per_log: f64,
    /// What is added to the scale where a telephone call meets a wide-band enrolment.
    #[serde(default)]
    pub signup_scale: f64,
    /// What is added to the offset there.
    #[serde(default)]
    pub signup_offset: f64,
    /// What is added for each unit of similarity by which the call is more like the roster's other users than usual.
    #[serde(default)]
    pub cohort_scale: f64,
    /// The usual similarity of a call and a user who did not make it.
    #[serde(default)]
    pub cohort_mean: f64,
    /// The least and the largest such excess among the calls it was fitted on; a call outside is on a line it knows nothing of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort_range: Option<[f64; 2]>,
    /// How far strangers usually reach on a number, in Fisher's z, where it was fitted with regard to that; [`Curve::on`] is
    /// the curve of one roster then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster_reach: Option<f64>,
    /// The range of net speech that was fitted, in seconds.
    pub net_seconds: [f64; 2],
    /// The lowest and the highest ratio that its trials support; beyond them it grows by the logarithm alone.
    pub llr_bounds: [f64; 2],
    /// How many target trials it was fitted on.
    pub target_trials: u64,
    /// How many non-target trials it was fitted on.
    pub nontarget_trials: u64,
}

impl Curve {
    /// The log-likelihood ratio of a similarity, given what else is known of the comparison.
    ///
    /// # Errors
    /// [`NotFinite`] when the arithmetic leaves the finite numbers.
    pub fn llr(&self, cosine: Cosine, facts: &TrialFacts) -> Result<Llr, NotFinite> {
        let quality = facts
            .net_speech
            .get()
            .clamp(self.net_seconds[0], self.net_seconds[1])
            .ln();
        let signup = f64::from(u8::from(facts.is_signup_to_call));
        let scale = self.scale + self.scale_per_log * quality + self.signup_scale * signup;
        let offset = self.offset
            + self.offset_per_log * quality
            + self.signup_offset * signup
            + self.cohort_scale * facts.cohort.excess(self.cohort_mean);
        let llr = scale * self.similarity.of(f64::from(cosine.get())) + offset;
        Llr::new(self.supported(Llr::new(llr)?.get()))
    }

    /// Whether a call was like a roster, or unlike it, as none was that this was fitted on.
    pub fn is_unfamiliar(&self, cohort: &Cohort) -> bool {
        let excess = cohort.excess(self.cohort_mean);
        self.cohort_range
            .is_some_and(|[least, largest]| excess < least || excess > largest)
    }

    /// Beyond what the number of trials can support, a ratio is extrapolation: it goes on by its logarithm there, so
    /// that what is further out stays further out, and no two trials are tied.
    fn supported(&self, llr: f64) -> f64 {
        let [lowest, highest] = self.llr_bounds;
        if llr > highest {
            highest + (llr - highest).ln_1p()
        } else if llr < lowest {
            lowest - (lowest - llr).ln_1p()
        } else {
            llr
        }
    }

    /// The ratio of a very good match: two voices at a cosine of 0.9, with as much speech as was fitted.
    ///
    /// # Errors
    /// [`NotFinite`] never for a calibration that was loaded: its numbers were checked.
    pub fn highest(&self) -> Result<Llr, NotFinite> {
        let facts = TrialFacts {
            net_speech: Seconds::checked(self.net_seconds[1]).unwrap_or_default(),
            ..TrialFacts::default()
        };
        self.llr(Cosine::new(VERY_LIKE)?, &facts)
    }

    /// Says what is wrong with the numbers, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let numbers = [
            self.scale,
            self.scale_per_log,
            self.offset,
            self.offset_per_log,
            self.signup_scale,
            self.signup_offset,
            self.cohort_scale,
            self.cohort_mean,
        ];
        if numbers
            .iter()
            .chain(&self.net_seconds)
            .chain(&self.llr_bounds)
            .chain(self.cohort_range.iter().flatten())
            .chain(&self.roster_reach)
            .any(|number| !number.is_finite())
        {
            return Some("a coefficient is not a finite number".to_owned());
        }
        let [shortest, longest] = self.net_seconds;
        if !(shortest > 0.0 && shortest < longest) {
            return Some(format!(
                "net_seconds [{shortest}, {longest}] is not a rising range above zero"
            ));
        }
        if let Some([least, largest]) = self.cohort_range
            && !(least <= 0.0 && largest >= 0.0)
        {
            return Some(format!(
                "cohort_range [{least}, {largest}] must hold zero, which is a roster of one user"
            ));
        }
        if self.roster_reach.is_some_and(|reach| reach <= 0.0) {
            return Some("roster_reach is not above zero".to_owned());
        }
        let [lowest, highest] = self.llr_bounds;
        if !(lowest < 0.0 && highest > 0.0) {
            return Some(format!(
                "llr_bounds [{lowest}, {highest}] must hold zero between them"
            ));
        }
        // Linear in ln(net): positive at both ends is positive between them.
        let rising = [shortest, longest]
            .iter()
            .all(|net| self.scale + self.scale_per_log * net.ln() + self.signup_scale.min(0.0) > 0.0);
        (!rising).then(|| "a higher cosine would give a lower ratio: the scale is not positive".to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::decision) fn curve() -> Curve {
        Curve {
            similarity: Similarity::Cosine,
            scale: 20.0,
            scale_per_log: 5.0,
            offset: -15.0,
            offset_per_log: -3.0,
            signup_scale: 0.0,
            signup_offset: 2.0,
            cohort_scale: -10.0,
            cohort_mean: 0.2,
            cohort_range: Some([-0.2, 0.2]),
            roster_reach: None,
            net_seconds: [1.0, 10.0],
            llr_bounds: [-7.0, 7.0],
            target_trials: 1,
            nontarget_trials: 1,
        }
    }

    fn after(net: f64) -> TrialFacts {
        TrialFacts {
            net_speech: Seconds::new(net),
            ..TrialFacts::default()
        }
    }

    #[test]
    fn a_higher_cosine_never_gives_a_lower_ratio() {
        for net in [0.0, 0.5, 1.0, 3.0, 10.0, 1e6] {
            let llr = |cosine| curve().llr(Cosine::new(cosine).unwrap(), &after(net)).unwrap();
            assert!(llr(0.2) <= llr(0.5) && llr(0.5) <= llr(0.9), "net speech {net}");
        }
    }

    #[test]
    fn a_call_that_meets_a_web_signup_is_judged_by_an_offset_of_its_own() {
        let llr = |is_signup_to_call| {
            let facts = TrialFacts {
                is_signup_to_call,
                ..after(3.0)
            };
            curve().llr(Cosine::new(0.6).unwrap(), &facts).unwrap().get()
        };
        assert!((llr(true) - llr(false) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn who_is_like_everybody_is_less_likely_each_of_them() {
        let llr = |roster: &[f64]| {
            let facts = TrialFacts {
                cohort: Cohort::each_of(roster).next().unwrap(),
                ..after(3.0)
            };
            curve().llr(Cosine::new(0.6).unwrap(), &facts).unwrap().get()
        };
        let (alone, usual) = (llr(&[0.6]), llr(&[0.6, 0.2, 0.2, 0.2, 0.2]));
        assert!((alone - usual).abs() < 1e-9, "usual company says nothing");
        let like = llr(&[0.6, 0.3, 0.3, 0.3, 0.3]);
        assert!(
            (usual - like - 10.0 * 0.1 * 4.0 / 8.0).abs() < 1e-9,
            "four others count half"
        );
        let more = llr(&[&[0.6][..], &[0.3; 12]].concat());
        assert!(
            (usual - more - 10.0 * 0.1 * 12.0 / 16.0).abs() < 1e-9,
            "more others say more"
        );
    }

    #[test]
    fn a_call_like_everybody_is_unfamiliar_and_one_user_never_tells() {
        let is_unfamiliar = |roster: &[f64]| {
            let cohort = Cohort::each_of(roster).next().unwrap();
            curve().is_unfamiliar(&cohort)
        };
        assert!(is_unfamiliar(&[0.7; 20]) && is_unfamiliar(&[-0.7; 20]));
        assert!(!is_unfamiliar(&[0.7]) && !is_unfamiliar(&[&[0.7][..], &[0.2; 20]].concat()));
    }

    #[test]
    fn beyond_what_the_trials_support_ratios_grow_slowly_and_stay_in_order() {
        let llr = |cosine| {
            curve()
                .llr(Cosine::new(cosine).unwrap(), &after(3.0))
                .unwrap()
                .get()
        };
        let (scale, offset) = (20.0 + 5.0 * 3f64.ln(), -15.0 - 3.0 * 3f64.ln());
        let unbounded = scale + offset;
        assert!(unbounded > 7.0, "the case is beyond the bounds");
        assert!((llr(1.0) - (7.0 + (unbounded - 7.0).ln_1p())).abs() < 1e-6);
        assert!(llr(1.0) > llr(0.99) && llr(-0.99) > llr(-1.0), "no ties");
        assert!(llr(-1.0) > -12.0, "nothing far out is evidence without measure");
    }

    #[test]
    fn a_curve_that_makes_no_sense_is_refused_with_the_reason() {
        let falling = Curve {
            scale_per_log: -30.0,
            ..curve()
        };
        assert!(falling.fault().unwrap().contains("not positive"));
        let empty = Curve {
            net_seconds: [3.0, 3.0],
            ..curve()
        };
        assert!(empty.fault().unwrap().contains("rising range"));
        let nan = Curve {
            offset: f64::NAN,
            ..curve()
        };
        assert!(nan.fault().unwrap().contains("finite"));
        for (reach, why) in [
            (0.0, "not above zero"),
            (-0.4, "not above zero"),
            (f64::NAN, "finite"),
        ] {
            let beyond = Curve {
                roster_reach: Some(reach),
                ..curve()
            };
            assert!(beyond.fault().unwrap().contains(why));
        }
        assert!(curve().fault().is_none());
    }
}
