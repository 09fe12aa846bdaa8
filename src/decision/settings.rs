//! `[decision]`: what a decision needs, and what is promised of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::SettingsReader;
use crate::units::Seconds;

use super::policy::{ErrorTarget, Policy};
use super::replay_rule::ReplayRule;

/// When a caller is named, and when nothing more is waited for.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DecisionSection {
    /// Share of calls, before anything is heard, whose caller is on no roster.
    #[schema(minimum = 0.001, maximum = 0.999)]
    pub unknown_share: f64,
    /// Probability needed to name a caller. Without it, and without the two below: 0.97.
    #[schema(minimum = 0.5, maximum = 0.999_999)]
    pub accept: Option<f64>,
    /// Share of callers on no roster who may be given a name, as in 0.01; instead of `accept`. A goal and no guarantee:
    /// `voxline doctor` warns where more were measured.
    #[schema(minimum = 0.000_001, maximum = 0.5)]
    pub max_false_accept: Option<f64>,
    /// Share of callers on the roster who may be given another's name; instead of `accept`.
    #[schema(minimum = 0.000_001, maximum = 0.5)]
    pub max_wrong_name: Option<f64>,
    /// Probability of nobody at which a caller is unknown however little was said.
    #[schema(minimum = 0.5, maximum = 0.999_999)]
    pub reject: f64,
    /// Seconds of speech after which nothing more is waited for.
    #[schema(minimum = 1.0, maximum = 60.0)]
    pub enough_speech_seconds: f64,
    /// What a caller's speech is compared with, to tell a recording that is played: `enrolments`, the recordings that the
    /// number's users enrolled with; `calls`, those and the latest five calls that they were recognised on, a minute of each;
    /// `off`, nothing.
    #[schema(inline)]
    pub replay: ReplayRule,
    /// The folder of a countermeasure, a model that hears whether speech is spoofed: a `card.toml` and an ONNX graph. None comes with
    /// Voxline. Without it: nothing of the kind is listened for.
    pub countermeasure: Option<String>,
}

impl Default for DecisionSection {
    fn default() -> Self {
        let usual = Policy::default();
        Self {
            unknown_share: usual.unknown_share,
            accept: None,
            max_false_accept: None,
            max_wrong_name: None,
            reject: usual.reject,
            enough_speech_seconds: usual.enough_speech.get(),
            replay: ReplayRule::default(),
            countermeasure: None,
        }
    }
}

impl DecisionSection {
    /// The policy, what is left out taken from the usual one; what is wrong with it is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader) -> Policy {
        let usual = Policy::default();
        let error_target = ErrorTarget {
            max_false_accept: self.max_false_accept,
            max_wrong_name: self.max_wrong_name,
        };
        if self.accept.is_some() && error_target.is_made() {
            read.fault(
                "decision.accept",
                "stands beside decision.max_false_accept or decision.max_wrong_name, which say the same in shares \
                 of calls: take one of them out",
            );
        }
        Policy {
            error_target,
            unknown_share: self.unknown_share,
            accept: self.accept.unwrap_or(usual.accept),
            reject: self.reject,
            minimum_speech: usual.minimum_speech,
            enough_speech: Seconds::checked(self.enough_speech_seconds).unwrap_or(usual.enough_speech),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::of_section;

    #[test]
    fn a_promise_is_a_share_of_calls_or_nothing_at_all() {
        let checked = |text| of_section("decision", text, DecisionSection::checked);
        let target = checked("max_false_accept = 0.01").unwrap().error_target;
        assert_eq!(target.max_false_accept, Some(0.01));
        assert_eq!(target.max_wrong_name, None);
        let faults = checked("max_wrong_name = 0.9").unwrap_err();
        assert!(faults.contains("`decision.max_wrong_name`"), "{faults}");
    }
}
