//! What an operator accepts: a probability, or a share of errors ([`ErrorTarget`]).

use crate::units::{Llr, Seconds};

/// What an operator accepts. Probabilities, never cosines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Share of calls, before anything is heard, whose caller is nobody on the roster; 0 to 1, open.
    pub unknown_share: f64,
    /// Posterior that one user needs to be *identified*; where an error target is made, what keeps it
    /// ([`Policy::meeting_its_target`]).
    pub accept: f64,
    /// The shares of errors that are not to be exceeded.
    pub error_target: ErrorTarget,
    /// Posterior of "nobody" that a caller needs to be *unknown*, however much or little was said.
    pub reject: f64,
    /// Less speech than this decides nothing.
    pub minimum_speech: Seconds,
    /// With this much speech nothing more is waited for: a caller who is neither named nor *unknown* is *ambiguous*.
    pub enough_speech: Seconds,
}

/// `accept` was chosen on the dev protocols (`models/calibration/README.md`): at 0.97 a stranger is given a
/// name on a telephone in 0.7 % of calls to a roster of five and in fewer to a larger one.
impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown_share: 0.5,
            accept: 0.97,
            error_target: ErrorTarget::default(),
            reject: 0.97,
            minimum_speech: Seconds::new(1.0),
            enough_speech: Seconds::new(6.0),
        }
    }
}

/// The speech (s) from which a call's word needs no more than [`Policy::accept`] says.
pub const FULL_EVIDENCE: Seconds = Seconds::new(10.0);

impl Policy {
    /// What this policy asks of a checkpoint after `net` seconds of speech, when others are to come. Looking often
    /// gives chance many tries, so the risk that acceptance allows, `1 - accept` as odds, is spent in proportion
    /// to the speech heard (a linear spending function in the sense of Lan and DeMets 1983; the speech heard is
    /// the share of the information): at 2 s of speech a name needs five times the odds it needs at 10 s.
    #[must_use]
    pub fn after(&self, net: Seconds) -> Self {
        let spent = (net.get() / FULL_EVIDENCE.get()).clamp(0.01, 1.0);
        let odds = self.accept / (1.0 - self.accept) / spent;
        Self {
            accept: odds / (1.0 + odds),
            ..*self
        }
    }

    /// The largest roster on which a ratio of `highest` still names somebody, when it speaks against
    /// everybody else: `(1 - u) / u · e^highest · (1 - a) / a` for a share of unknown callers `u` and an
    /// acceptance `a`. 0 when this policy can never name anybody. It is the comparison that
    /// [`decide`](super::decide) makes, solved for the number of users.
    pub fn largest_roster(&self, highest: Llr) -> usize {
        let (unknown, accept) = (self.unknown_share, self.accept);
        let odds = (1.0 - unknown) / unknown * highest.get().exp() * (1.0 - accept) / accept;
        // `as` saturates: a roster of more users than memory holds is no limit.
        odds.floor() as usize
    }
}

/// The errors an operator accepts, each a share from 0 to 1. Without either, [`Policy::accept`] stands as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorTarget {
    /// The largest share of strangers (callers on no roster) who may be given a name: 0.01 is one in a hundred.
    pub max_false_accept: Option<f64>,
    /// The largest share of users who may be given another's name.
    pub max_wrong_name: Option<f64>,
}

impl ErrorTarget {
    /// `usual` with this error target in it, part by part: what is not set here stays as it is there.
    #[must_use]
    pub fn instead_in(&self, usual: &Policy) -> Policy {
        let error_target = Self {
            max_false_accept: self.max_false_accept.or(usual.error_target.max_false_accept),
            max_wrong_name: self.max_wrong_name.or(usual.error_target.max_wrong_name),
        };
        Policy {
            error_target,
            ..*usual
        }
    }

    /// Whether any share is set.
    pub fn is_made(&self) -> bool {
        self.max_false_accept.is_some() || self.max_wrong_name.is_some()
    }
}
