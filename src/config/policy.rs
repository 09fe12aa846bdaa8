//! The keys of `decision`.

use super::seconds;
use super::sources::Reader;
use crate::decision::{ErrorTarget, Policy};

/// What a decision needs, and what is promised of it.
pub(super) fn read(read: &mut Reader) -> Policy {
    let usual = Policy::default();
    let accept = read.share("decision.accept", 0.5..=0.999_999);
    let error_target = ErrorTarget {
        max_false_accept: read.share("decision.max_false_accept", 0.000_001..=0.5),
        max_wrong_name: read.share("decision.max_wrong_name", 0.000_001..=0.5),
    };
    if accept.is_some() && error_target.is_made() {
        read.fault(
            "decision.accept",
            "stands beside decision.max_false_accept or decision.max_wrong_name, which say the same in shares \
             of calls: take one of them out"
                .to_owned(),
        );
    }
    Policy {
        error_target,
        unknown_share: read.number("decision.unknown_share", 0.001..=0.999, usual.unknown_share),
        accept: accept.unwrap_or(usual.accept),
        reject: read.number("decision.reject", 0.5..=0.999_999, usual.reject),
        minimum_speech: usual.minimum_speech,
        enough_speech: seconds(read.number(
            "decision.enough_speech_seconds",
            1.0..=60.0,
            usual.enough_speech.get(),
        )),
    }
}
