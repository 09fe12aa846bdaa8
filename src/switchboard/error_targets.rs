//! What is promised of one number's calls, where that is not what the configuration says.

use crate::decision::{Calibration, ErrorTarget, Policy};
use crate::store::{Number, NumberPatch, ShareChange};
use crate::units::DialedNumber;
use crate::voiceprint::Card;

use super::active_model::ActiveModel;
use super::error::{BoardError, OpenError};
use super::open::{Switchboard, usable_calibration};

/// The error target of a number.
pub(super) fn error_target_of(number: &Number) -> ErrorTarget {
    ErrorTarget {
        max_false_accept: number.max_false_accept,
        max_wrong_name: number.max_wrong_name,
    }
}

/// The error target that a patch makes of the present one.
fn patched(number: &Number, patch: &NumberPatch) -> ErrorTarget {
    let changed = |change: ShareChange, now: Option<f64>| match change {
        ShareChange::Keep => now,
        ShareChange::Usual => None,
        ShareChange::Set(share) => Some(share),
    };
    ErrorTarget {
        max_false_accept: changed(patch.max_false_accept, number.max_false_accept),
        max_wrong_name: changed(patch.max_wrong_name, number.max_wrong_name),
    }
}

impl ActiveModel {
    /// The policy of a number's calls: each of its own promises takes the place of the usual one.
    pub(super) fn policy_of(&self, own: &ErrorTarget) -> Policy {
        own.instead_in(&self.policy).meeting_its_target(&self.calibration)
    }
}

/// The size of the largest roster on which somebody can be named.
pub(super) fn largest_roster(policy: &Policy, calibration: &Calibration) -> usize {
    let highest = calibration.curve.highest();
    highest.map_or(0, |highest| policy.largest_roster(highest))
}

/// Whether a number's error target can be kept with anybody ever named, by the model on `card`.
///
/// # Errors
/// [`OpenError::NeverNames`] when not; what stops the calibration from being used.
pub fn check_error_target(
    card: &Card,
    usual: &Policy,
    number: &Number,
    patch: &NumberPatch,
) -> Result<(), OpenError> {
    usable_calibration(card, &patched(number, patch).instead_in(usual)).map(|_| ())
}

impl Switchboard {
    /// Changes what is promised of a number; calls that are under way are judged by it from their next checkpoint on.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; [`BoardError::NeverNames`] when nobody could ever be named; the store's, for
    /// a share that is none.
    pub async fn update_number(
        &self,
        number: &DialedNumber,
        patch: &NumberPatch,
    ) -> Result<Number, BoardError> {
        let known = self.store.number(number).await?;
        let known = known.ok_or_else(|| BoardError::UnknownNumber(number.clone()))?;
        let active_model = self.active_model();
        let policy = active_model.policy_of(&patched(&known, patch));
        if largest_roster(&policy, &active_model.calibration) == 0 {
            return Err(BoardError::NeverNames {
                accept: policy.accept,
            });
        }
        Ok(self.store.update_number(number, patch).await?)
    }
}
