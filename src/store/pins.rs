//! PINs of users: one of each on a number, checked away from the async threads.

use std::collections::HashSet;
use std::sync::Arc;

use super::StoreError;
use super::open::{Conn, Store, Tx};
use super::pepper::PepperFault;
use super::pin::{Pepper, Pin, PinHash};
use super::values::read;
use crate::units::{DialedNumber, UserId};

impl Store {
    /// The user of `number` whose PIN this is; `None` when it is nobody's there.
    ///
    /// Every PIN of the number is tried, so that the time taken does not tell whose it was; each try is
    /// one Argon2id (tens of milliseconds). The caller limits how often a stranger may ask.
    ///
    /// # Errors
    /// [`StoreError::Pepper`] when the key file is not the one the PINs were made with.
    pub async fn user_by_pin(&self, number: &DialedNumber, pin: &Pin) -> Result<Option<UserId>, StoreError> {
        let held = held_pins(&mut *self.read().await?, std::slice::from_ref(number)).await?;
        let Some(pepper) = self.pepper_for_checking().await? else {
            return Ok(None);
        };
        let found = self.verified(pin, pepper, held).await?;
        Ok(found.first().copied())
    }

    /// Whether `pin` is the PIN of `user`; false for a user without one.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], or [`StoreError::Pepper`] as in [`Store::user_by_pin`].
    pub async fn pin_is_of(&self, user: UserId, pin: &Pin) -> Result<bool, StoreError> {
        let row: Option<(Option<String>,)> = sqlx::query_as("SELECT pin_hash FROM users WHERE id = $1")
            .bind(user.to_string())
            .fetch_optional(self.pool())
            .await?;
        let (hash,) = row.ok_or(StoreError::UnknownUser(user))?;
        let (Some(phc), Some(pepper)) = (hash, self.pepper_for_checking().await?) else {
            return Ok(false);
        };
        let held = vec![HeldPin {
            user,
            hash: PinHash::from_stored(phc),
        }];
        Ok(!self.verified(pin, pepper, held).await?.is_empty())
    }

    /// A write transaction in which `pin` is known to be nobody else's on `numbers`.
    ///
    /// Hashing is slow, so it is done before the write lock is taken; whatever PIN was set meanwhile is
    /// checked in another round.
    pub(super) async fn write_with_free_pin(
        &self,
        numbers: &[DialedNumber],
        pin: &Pin,
        but: Option<UserId>,
    ) -> Result<Tx, StoreError> {
        let mut cleared: HashSet<PinHash> = HashSet::new();
        loop {
            let mut tx = self.write().await?;
            let mut open = held_pins(&mut tx, numbers).await?;
            open.retain(|held| Some(held.user) != but && !cleared.contains(&held.hash));
            if open.is_empty() {
                return Ok(tx);
            }
            tx.rollback().await?;
            let hashes: Vec<PinHash> = open.iter().map(|held| held.hash.clone()).collect();
            let Some(pepper) = self.pepper_for_checking().await? else {
                continue;
            };
            if !self.verified(pin, pepper, open).await?.is_empty() {
                return Err(StoreError::PinTaken);
            }
            cleared.extend(hashes);
        }
    }

    /// The hash under which `pin` is kept.
    pub(super) async fn hash_pin(&self, pin: &Pin) -> Result<PinHash, StoreError> {
        let pepper = self.pepper_for_hashing().await?;
        let pin = pin.clone();
        self.hashing(move || PinHash::of(&pin, &pepper).map_err(|_| PepperFault::Hashing))
            .await
    }

    /// The users among `held` whose PIN this is; all are tried.
    async fn verified(
        &self,
        pin: &Pin,
        pepper: Pepper,
        held: Vec<HeldPin>,
    ) -> Result<Vec<UserId>, StoreError> {
        let pin = pin.clone();
        self.hashing(move || {
            let mut found = Vec::new();
            for HeldPin { user, hash } in held {
                if hash.verifies(&pin, &pepper).map_err(|_| PepperFault::Hashing)? {
                    found.push(user);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PepperFault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.pin_hashings)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Interrupted)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        Ok(done.await.map_err(|_| StoreError::Interrupted)??)
    }
}

/// A PIN in use.
pub(super) struct HeldPin {
    pub(super) user: UserId,
    pub(super) hash: PinHash,
}

/// The PINs in use on any of `numbers`, each user once.
pub(super) async fn held_pins(conn: &mut Conn, numbers: &[DialedNumber]) -> Result<Vec<HeldPin>, StoreError> {
    let mut held = Vec::new();
    let mut seen = HashSet::new();
    for number in numbers {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT u.id, u.pin_hash FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.number = $1 AND u.pin_hash IS NOT NULL ORDER BY u.id",
        )
        .bind(number.as_e164())
        .fetch_all(&mut *conn)
        .await?;
        for (user, phc) in rows {
            let user: UserId = read(&user, "user id")?;
            if seen.insert(user) {
                held.push(HeldPin {
                    user,
                    hash: PinHash::from_stored(phc),
                });
            }
        }
    }
    Ok(held)
}
