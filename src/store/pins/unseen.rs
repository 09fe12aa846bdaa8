//! PINs that came to a number unseen: a new one is tried against them by hashing, before the write lock is taken.

use std::collections::HashSet;

use super::tags::{HeldPin, held_pins};
use crate::store::{Pin, PinHash, PinRule, Store, StoreError};
use crate::units::DialedNumber;

/// A new PIN that was tried against those that came to its number unseen.
#[derive(Default)]
pub(in crate::store) struct TriedPin {
    against: HashSet<PinHash>,
    is_taken: bool,
}

impl TriedPin {
    /// Whether it is one of `held` that came unseen.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when somebody came unseen since it was tried.
    pub(in crate::store) fn is_among(&self, held: &[HeldPin]) -> Result<bool, StoreError> {
        let mut unseen = held.iter().filter(|one| one.tag.is_none());
        if !self.is_taken && unseen.any(|one| !self.against.contains(&one.hash)) {
            return Err(StoreError::Busy);
        }
        Ok(self.is_taken)
    }
}

impl Store {
    /// The PINs that came to `number` unseen and that a new one has to be tried against: where they need not differ, and
    /// to whom is `limited` while no PIN may be set there, none.
    pub(in crate::store) async fn unseen_on(
        &self,
        number: &DialedNumber,
        limited: bool,
    ) -> Result<Vec<HeldPin>, StoreError> {
        if self.pin_rule == PinRule::Shared {
            return Ok(Vec::new());
        }
        let mut tx = self.read().await?;
        if limited {
            match self.may_set_pin(&mut tx, &[number]).await {
                Err(StoreError::PinsLocked { .. }) => return Ok(Vec::new()),
                allowed => allowed?,
            }
        }
        let mut held = held_pins(&mut tx, number).await?;
        held.retain(|one| one.tag.is_none());
        Ok(held)
    }

    /// Tries a new PIN against those that came to its number unseen, one Argon2id each.
    pub(in crate::store) async fn try_against(
        &self,
        pin: &Pin,
        unseen: &[HeldPin],
    ) -> Result<TriedPin, StoreError> {
        Ok(TriedPin {
            against: unseen.iter().map(|one| one.hash.clone()).collect(),
            is_taken: !self.whose(pin, unseen.to_vec()).await?.is_empty(),
        })
    }
}
