//! PINs of users: set, and found again by one hash a try, away from the async threads.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tags::{HeldPin, held_pins, learn_tag, make_salt, number_salt};
use crate::store::database::{Tx, query_as};
use crate::store::secrets::{NumberSalt, Pepper, PinTag};
use crate::store::{PepperFault, Pin, PinHash, PinRule, Store, StoreError};
use crate::units::{DialedNumber, UserId};

impl Store {
    /// The users of `number` whose PIN this is, in the order of their ids: nobody, one, or several who share it.
    ///
    /// It takes one Argon2id (tens of milliseconds), and one for each user of the number whose PIN came there
    /// unseen: usually none, for the first right PIN of such a user is remembered. All of them are computed,
    /// whosever PIN it is, so that the time taken tells nothing of that. The caller limits how often a stranger may
    /// ask.
    ///
    /// # Errors
    /// [`StoreError::Pepper`] when the key file is not the one the PINs were made with.
    pub async fn users_by_pin(&self, number: &DialedNumber, pin: &Pin) -> Result<Vec<UserId>, StoreError> {
        let held = held_pins(&mut self.read().await?, number).await?;
        let pepper = self.pepper_for_checking().await?;
        let Some(pepper) = pepper.filter(|_| !held.is_empty()) else {
            return Ok(Vec::new());
        };
        let salt = self.salt_of(number).await?;
        let (tagged, unseen): (Vec<_>, Vec<_>) = held.into_iter().partition(|one| one.tag.is_some());
        let pin = pin.clone();
        let work = move |hasher: &Hasher| Ok((hasher.tag(&pin, salt)?, hasher.verified(&pin, unseen)?));
        let (tag, seen) = self.hashing(pepper, work).await?;
        let known = tagged.iter().filter(|one| one.has(&tag));
        let mut found: Vec<UserId> = known.chain(&seen).map(|one| one.user).collect();
        found.sort();
        if let Err(fault) = self.learn(number, &seen, &tag).await {
            tracing::warn!(%fault, "a PIN that was right is not found faster the next time: {fault}");
        }
        Ok(found)
    }

    /// Whether `pin` is the PIN of `user`; false for a user without one. By the user's own hash, whatever numbers
    /// they are on.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], or [`StoreError::Pepper`] as in [`Store::users_by_pin`].
    pub async fn pin_is_of(&self, user: UserId, pin: &Pin) -> Result<bool, StoreError> {
        let row: Option<(Option<String>,)> = query_as("SELECT pin_hash FROM users WHERE id = $1")
            .bind(user.to_string())
            .fetch_optional(self.pool())
            .await?;
        let (hash,) = row.ok_or(StoreError::UnknownUser(user))?;
        let (Some(phc), Some(pepper)) = (hash, self.pepper_for_checking().await?) else {
            return Ok(false);
        };
        let (hash, pin) = (PinHash::from_stored(phc), pin.clone());
        self.hashing(pepper, move |hasher| hasher.verifies(&hash, &pin))
            .await
    }

    /// How many Argon2id this handle and its clones have computed: what PINs have cost so far.
    pub fn pin_hashes(&self) -> u64 {
        self.pin_hashes.load(Ordering::Relaxed)
    }

    /// Hashes a PIN that is to be set for a user of `numbers`, once for the user and once for each number.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`], and those of the key file.
    pub(in crate::store) async fn new_pin(
        &self,
        pin: &Pin,
        numbers: &[DialedNumber],
    ) -> Result<NewPin, StoreError> {
        let mut salts = Vec::with_capacity(numbers.len());
        for number in numbers {
            salts.push((number.clone(), self.salt_of(number).await?));
        }
        self.hash_pin(pin, salts).await
    }

    /// Hashes a PIN under salts that are known.
    pub(in crate::store) async fn hash_pin(
        &self,
        pin: &Pin,
        salts: Vec<(DialedNumber, NumberSalt)>,
    ) -> Result<NewPin, StoreError> {
        let pepper = self.pepper_for_hashing().await?;
        let pin = pin.clone();
        self.hashing(pepper, move |hasher| {
            let tags = salts
                .into_iter()
                .map(|(number, salt)| Ok((number, hasher.tag(&pin, salt)?)));
            Ok(NewPin {
                tags: tags.collect::<Result<_, PepperFault>>()?,
                hash: hasher.hash(&pin)?,
                pin,
            })
        })
        .await
    }

    /// As [`Store::write_with_unused_pin`]; who meets too many PINs that are taken is told of no more of them for a while.
    pub(in crate::store) async fn write_with_free_pin(
        &self,
        new: &NewPin,
        but: Option<UserId>,
    ) -> Result<Tx, StoreError> {
        let numbers: Vec<&DialedNumber> = new.tags.iter().map(|(number, _)| number).collect();
        self.may_set_pin(&mut self.read().await?, &numbers).await?;
        let written = self.write_with_unused_pin(new, but).await;
        if matches!(written, Err(StoreError::PinTaken)) {
            let mut tx = self.write().await?;
            self.pin_was_taken(&mut tx, &numbers).await?;
            tx.commit().await?;
        }
        written
    }

    /// A write transaction in which a new PIN is known to be nobody else's on its numbers, where it has to be.
    ///
    /// Among tags that is an equality. Whose PIN was not seen on a number is checked by hashing, which is slow, and
    /// so done before the write lock is taken; who came meanwhile is checked in another round.
    async fn write_with_unused_pin(&self, new: &NewPin, but: Option<UserId>) -> Result<Tx, StoreError> {
        let mut cleared: HashSet<PinHash> = HashSet::new();
        loop {
            let mut tx = self.write().await?;
            if self.pin_rule == PinRule::Shared {
                return Ok(tx);
            }
            let mut unseen = Vec::new();
            for (number, tag) in &new.tags {
                for held in held_pins(&mut tx, number).await? {
                    if Some(held.user) == but || cleared.contains(&held.hash) {
                        continue;
                    }
                    if held.has(tag) {
                        return Err(StoreError::PinTaken);
                    }
                    if held.tag.is_none() {
                        unseen.push(held);
                    }
                }
            }
            if unseen.is_empty() {
                return Ok(tx);
            }
            tx.rollback().await?;
            let hashes: Vec<PinHash> = unseen.iter().map(|held| held.hash.clone()).collect();
            if !self.whose(&new.pin, unseen).await?.is_empty() {
                return Err(StoreError::PinTaken);
            }
            cleared.extend(hashes);
        }
    }

    /// Those among `unseen` whose PIN this is; all are tried.
    pub(in crate::store) async fn whose(
        &self,
        pin: &Pin,
        unseen: Vec<HeldPin>,
    ) -> Result<Vec<HeldPin>, StoreError> {
        let pepper = self.pepper_for_checking().await?;
        let Some(pepper) = pepper.filter(|_| !unseen.is_empty()) else {
            return Ok(Vec::new());
        };
        let pin = pin.clone();
        self.hashing(pepper, move |hasher| hasher.verified(&pin, unseen))
            .await
    }

    /// The salt of a number's PINs, made now when it has none.
    async fn salt_of(&self, number: &DialedNumber) -> Result<NumberSalt, StoreError> {
        if let Some(salt) = number_salt(&mut self.read().await?, number).await? {
            return Ok(salt);
        }
        let mut tx = self.write().await?;
        let salt = make_salt(&mut tx, number, fresh_salt()?).await?;
        tx.commit().await?;
        Ok(salt)
    }

    /// Remembers the tag of users whose PIN was seen on a number for the first time.
    async fn learn(&self, number: &DialedNumber, seen: &[HeldPin], tag: &PinTag) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        for held in seen {
            learn_tag(&mut tx, number, held, tag).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn hashing<T: Send + 'static>(
        &self,
        pepper: Pepper,
        work: impl FnOnce(&Hasher) -> Result<T, PepperFault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.pin_hashings)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Interrupted)?;
        let hasher = Hasher {
            pepper,
            made: Arc::clone(&self.pin_hashes),
        };
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&hasher)
        });
        Ok(done.await.map_err(|_| StoreError::Interrupted)??)
    }
}

/// A PIN that is being set, hashed.
pub(in crate::store) struct NewPin {
    pub(in crate::store) pin: Pin,
    /// What the user keeps.
    pub(in crate::store) hash: PinHash,
    /// What each number keeps.
    pub(in crate::store) tags: Vec<(DialedNumber, PinTag)>,
}

/// A salt for a number.
pub(in crate::store) fn fresh_salt() -> Result<NumberSalt, PepperFault> {
    NumberSalt::fresh().map_err(|_| PepperFault::Hashing)
}

/// The one place where PINs are hashed, so that none goes uncounted.
struct Hasher {
    pepper: Pepper,
    made: Arc<AtomicU64>,
}

impl Hasher {
    fn tag(&self, pin: &Pin, salt: NumberSalt) -> Result<PinTag, PepperFault> {
        self.made.fetch_add(1, Ordering::Relaxed);
        PinTag::of(pin, salt, &self.pepper).map_err(|_| PepperFault::Hashing)
    }

    fn hash(&self, pin: &Pin) -> Result<PinHash, PepperFault> {
        self.made.fetch_add(1, Ordering::Relaxed);
        PinHash::of(pin, &self.pepper).map_err(|_| PepperFault::Hashing)
    }

    fn verifies(&self, hash: &PinHash, pin: &Pin) -> Result<bool, PepperFault> {
        self.made.fetch_add(1, Ordering::Relaxed);
        hash.verifies(pin, &self.pepper).map_err(|_| PepperFault::Hashing)
    }

    fn verified(&self, pin: &Pin, held: Vec<HeldPin>) -> Result<Vec<HeldPin>, PepperFault> {
        let mut found = Vec::new();
        for one in held {
            if self.verifies(&one.hash, pin)? {
                found.push(one);
            }
        }
        Ok(found)
    }
}
