//! What is promised of one number's calls, where that is not what the configuration says.

use crate::decision::{Calibration, Policy, Promise};
use crate::store::{Number, NumberPatch, ShareChange};
use crate::units::DialedNumber;
use crate::voiceprint::Card;

use super::error::{BoardError, OpenError};
use super::open::{Switchboard, usable_calibration};
use super::serving::Serving;

/// The promise of a number.
pub(super) fn promise_of(number: &Number) -> Promise {
    Promise {
        max_false_accept: number.max_false_accept,
        max_wrong_name: number.max_wrong_name,
    }
}

/// The promise that a patch makes of the present one.
fn patched(number: &Number, patch: &NumberPatch) -> Promise {
    let changed = |change: ShareChange, now: Option<f64>| match change {
        ShareChange::Keep => now,
        ShareChange::Usual => None,
        ShareChange::Set(share) => Some(share),
    };
    Promise {
        max_false_accept: changed(patch.max_false_accept, number.max_false_accept),
        max_wrong_name: changed(patch.max_wrong_name, number.max_wrong_name),
    }
}

impl Serving {
    /// The policy of a number's calls: each of its own promises takes the place of the usual one.
    pub(super) fn policy_of(&self, own: &Promise) -> Policy {
        own.instead_in(&self.policy)
            .keeping_its_promise(&self.calibration)
    }
}

/// The size of the largest roster on which somebody can be named.
pub(super) fn largest_roster(policy: &Policy, calibration: &Calibration) -> usize {
    let highest = calibration.curve.highest();
    highest.map_or(0, |highest| policy.largest_roster(highest))
}

/// Whether a number's promise can be kept with anybody ever named, by the model on `card`.
///
/// # Errors
/// [`OpenError::NeverNames`] when not; what stops the calibration from being used.
pub fn check_promise(
    card: &Card,
    usual: &Policy,
    number: &Number,
    patch: &NumberPatch,
) -> Result<(), OpenError> {
    usable_calibration(card, &patched(number, patch).instead_in(usual)).map(|_| ())
}

impl Switchboard {
    /// Changes what is promised of a number; calls that are under way are judged by it from their next look on.
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
        let serving = self.serving();
        let policy = serving.policy_of(&patched(&known, patch));
        if largest_roster(&policy, &serving.calibration) == 0 {
            return Err(BoardError::NeverNames {
                accept: policy.accept,
            });
        }
        Ok(self.store.update_number(number, patch).await?)
    }
}
