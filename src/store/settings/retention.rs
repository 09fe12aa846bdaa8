//! `[retention]`: how long what is kept is kept.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use time::Duration;
use utoipa::ToSchema;

use crate::store::erasure::RetentionSchedule;

/// How long what is kept is kept, in days; 0 is for good. Once an hour, and by `voxline retention run`, what is older goes.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetentionSection {
    /// Calls and everything that was said of them. Two years: longer than bills are disputed.
    #[schema(minimum = 0, maximum = 36_500)]
    #[default = 730]
    pub calls_days: u32,
    /// What the words on a call rest on: their evidence, and the words before the last one. A year.
    #[schema(minimum = 0, maximum = 36_500)]
    #[default = 365]
    pub evidence_days: u32,
    /// Kept recordings of enrolments. For good: without them a change of model asks everybody to enrol again.
    #[schema(minimum = 0, maximum = 36_500)]
    #[default = 0]
    pub audio_days: u32,
    /// Voices that no call was recognised by for so long, counted from their enrolment where none was. For good: whoever
    /// is erased has to enrol again, and that is yours to decide.
    #[schema(minimum = 0, maximum = 36_500)]
    #[default = 0]
    pub unused_voice_days: u32,
    /// Entries of the audit log. Three years: longer than the calls that they account for.
    #[schema(minimum = 0, maximum = 36_500)]
    #[default = 1095]
    pub audit_days: u32,
}

impl RetentionSection {
    /// The schedule, days as spans of time; 0 days keeps for ever.
    pub fn checked(&self) -> RetentionSchedule {
        let kept = |days: u32| (days > 0).then(|| Duration::days(i64::from(days)));
        RetentionSchedule {
            calls: kept(self.calls_days),
            evidence: kept(self.evidence_days),
            audio: kept(self.audio_days),
            unused_voices: kept(self.unused_voice_days),
            audit: kept(self.audit_days),
        }
    }
}
