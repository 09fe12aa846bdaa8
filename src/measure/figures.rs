//! All figures of one set of trials.

use serde::Serialize;

use super::cost::{Cost, cllr};
use super::hull::Hull;
use super::trials::{Trials, equal_error, roc};

/// What the scores claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any number that is higher for likelier targets: only its order means something.
    Similarities,
    /// Natural-log likelihood ratios.
    Ratios,
}

/// Error rates and costs of a set of trials; rates are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// How many trials.
    pub trials: usize,
    /// How many of them are targets.
    pub targets: usize,
    /// How many are not.
    pub nontargets: usize,
    /// Equal error rate on the convex hull of the ROC.
    pub eer: f64,
    /// Equal error rate on the ROC itself, straight lines between its points.
    pub eer_plain: f64,
    /// Detection cost at the best threshold.
    pub min_dcf: f64,
    /// Detection cost at the Bayes threshold; none for similarities.
    pub act_dcf: Option<f64>,
    /// Cost of the ratios in bits; none for similarities.
    pub cllr: Option<f64>,
    /// What is left of it after the best calibration.
    pub min_cllr: f64,
}

impl Figures {
    /// The figures of some trials at an operating point.
    pub fn of(trials: &Trials, kind: Kind, cost: Cost) -> Self {
        let hull = Hull::of(trials);
        let of_llrs = kind == Kind::Ratios;
        let (targets, nontargets) = (trials.targets().len(), trials.nontargets().len());
        Self {
            trials: targets + nontargets,
            targets,
            nontargets,
            eer: hull.equal_error(),
            eer_plain: equal_error(roc(trials)),
            min_dcf: cost.least(&hull),
            act_dcf: of_llrs.then(|| cost.actual(trials)),
            cllr: of_llrs.then(|| cllr(trials)),
            min_cllr: hull.min_cllr(),
        }
    }
}
