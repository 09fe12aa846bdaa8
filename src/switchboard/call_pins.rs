//! PINs on a call: typed, told or spoken, tried once each, and counted whoever gave them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::call_session::{CallSession, PIN_PATIENCE};
use super::call_verdict::Said;
use super::key_presses::{KeyPresses, SETTLING};
use super::keypad::{Typed, is_pin};
use super::pin_answer::PinAnswer;
use super::wrong_pins::FoundWrong;
use crate::evidence::spoken;
use crate::store::{Pin, PinAttempt, PinTry, StoreError};
use crate::units::UserId;
use crate::verdict::chain::EvidenceSource;

/// The pause before a shared store that did not take a key is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl CallSession {
    /// Tries a PIN (T4). `digits` may be text: digits typed, digits spoken, or Vapi's keypad message; `way` is how it was given.
    ///
    /// The PIN is nowhere written down, and the work does not depend on whose it is. A wrong one counts against
    /// the caller, the dialed number, and the user other evidence of the call points to; too many lock these out
    /// for a while, restart or not. The same digits of the same caller within two minutes count once. A PIN that is
    /// being tried when the call ends counts still: the last word waits for it, but not for ever.
    pub async fn try_pin(&self, digits: &str, way: EvidenceSource) -> PinAnswer {
        let _counts = self.trying.token();
        let digits = Zeroizing::new(spoken::digits(digits).unwrap_or_default());
        let Ok(pin) = digits.parse::<Pin>() else {
            return PinAnswer::NotAPin;
        };
        let attempt = {
            let state = self.state.lock().await;
            if state.ended {
                return PinAnswer::Unavailable;
            }
            state.evidence.pin_try(&self.context).await
        };
        // The lock is not held while the hashes are made: the call goes on being heard.
        let tried = match attempt {
            Ok(attempt) => self.tried_once(&attempt, &digits, &pin).await,
            Err(fault) => Err(fault),
        };
        match tried {
            Ok(PinAttempt::Right(user)) => {
                self.accepted(vec![user], way).await;
                PinAnswer::Accepted { user }
            }
            Ok(PinAttempt::Shared(users)) => {
                self.accepted(users.clone(), way).await;
                let named = self.verdict().identity.speaker.user_id;
                PinAnswer::Shared {
                    user: named.filter(|user| users.contains(user)),
                }
            }
            Ok(PinAttempt::Wrong { left }) => PinAnswer::Wrong { left },
            Ok(PinAttempt::Locked { until }) => PinAnswer::LockedOut { until },
            Err(fault) => {
                let id = self.id();
                tracing::error!(call.id = %id, %fault, "a PIN of call {id} was not checked: {fault}");
                PinAnswer::Unavailable
            }
        }
    }

    /// Tries a PIN, unless it is one that this caller has just given in vain: that came a second way, and is no new guess. Now
    /// and then it is looked at all the same: it may be somebody's by now.
    async fn tried_once(&self, attempt: &PinTry, digits: &str, pin: &Pin) -> Result<PinAttempt, StoreError> {
        let services = &self.context.services;
        let hash = services.keyed_hash().await?;
        let before = services.wrong_pins.of(&hash, attempt, digits);
        let mut before = before.lock().await;
        if let Some(found) = &mut *before {
            let left = found.left;
            // Each look is a hash, and whoever repeats themselves is not locked out.
            if !found.may_look(Instant::now()) {
                return Ok(PinAttempt::Wrong { left });
            }
            let users = services.store.users_by_pin(&attempt.number, pin).await?;
            if users.is_empty() {
                return Ok(PinAttempt::Wrong { left });
            }
        }
        let limits = services.identity.pin_limits;
        let tried = services.store.try_pin(attempt, pin, &limits).await?;
        if let PinAttempt::Wrong { left } = tried {
            *before = Some(FoundWrong::new(left, Instant::now()));
        }
        Ok(tried)
    }

    /// Takes a key of the caller's keypad (`0` to `9`, `*`, `#`) and gives the PIN when it is complete, for
    /// [`CallSession::try_typed`]: at `identity.pin_length` digits, or at `#` after at least four. `*` and a pause of
    /// `identity.keypad_timeout_seconds` begin anew, so that the digits of another menu do not become part of it. Digits that
    /// follow a PIN are of a longer number, and passed over until `#`, `*` or such a pause.
    pub fn keypad(&self, digit: char) -> Option<Typed> {
        let identity = &self.context.services.identity;
        let mut keypad = self.keypad.lock().unwrap_or_else(PoisonError::into_inner);
        let digits = keypad.press(
            digit,
            Instant::now(),
            identity.pin_length,
            identity.keypad_timeout,
        )?;
        Some(Typed::new(digits, self.trying.token()))
    }

    /// Takes a key; where it completes a PIN, that is tried. What it comes to is said by the call's verdict.
    pub async fn press(&self, key: char) {
        if let Some(typed) = self.keypad(key) {
            self.try_typed(typed).await;
        }
    }

    /// Takes a key that came by a webhook of its own and was pressed at `at`, by the carrier's clock; to be spawned, for it waits
    /// a second for keys that were pressed before it. The same key of that time comes once, to whichever nodes of a shared
    /// store its webhooks come, and the node that has the last digit of a PIN tries it. The call does not end before. A store that
    /// does not take it is asked again for as long as the last word waits for PINs; after that no PIN is made of what is being
    /// typed, up to a `#`, a `*` or a pause.
    pub fn pressed_at(self: Arc<Self>, key: char, at: OffsetDateTime) -> impl Future<Output = ()> + Send {
        let counts = self.trying.token();
        async move {
            let _counts = counts;
            if let Err(fault) = self.take_press(key, at).await {
                let id = self.id();
                tracing::error!(call.id = %id, %fault, "a key of call {id} was not taken: {fault}");
            }
        }
    }

    async fn take_press(&self, key: char, at: OffsetDateTime) -> Result<(), StoreError> {
        let identity = &self.context.services.identity;
        let (length, timeout) = (identity.pin_length, identity.keypad_timeout);
        let added = self.change_in_time(move |presses| presses.add(key, at)).await;
        if added.is_err() {
            self.lost_key.store(true, Ordering::Release);
        }
        added?;
        sleep(SETTLING).await;
        let press = move |presses: &mut KeyPresses| presses.press(at, length, timeout);
        for digits in self.change_in_time(press).await? {
            self.try_pin(&digits, EvidenceSource::Keypad).await;
        }
        Ok(())
    }

    /// As [`CallSession::change_presses`], again and again for as long as the last word waits for PINs.
    async fn change_in_time<T: Send>(
        &self,
        change: impl Fn(&mut KeyPresses) -> T + Copy + Send,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        loop {
            match self.change_presses(change).await {
                Err(_) if begun.elapsed() < PIN_PATIENCE => sleep(AGAIN).await,
                done => return done,
            }
        }
    }

    /// Changes what came of the call's keys: in memory, or where other nodes have their part in it.
    async fn change_presses<T: Send>(
        &self,
        change: impl FnOnce(&mut KeyPresses) -> T + Send,
    ) -> Result<T, StoreError> {
        let store = &self.context.services.store;
        if !store.is_shared() {
            let mut presses = self.key_presses.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(change(&mut presses));
        }
        let mut spoils = false;
        let changed = store.change_keypad(self.id(), |kept| {
            let mut presses = KeyPresses::read(kept);
            // Asked when it is this one's turn: what is lost meanwhile counts.
            spoils = self.lost_key.swap(false, Ordering::AcqRel);
            if spoils {
                presses.spoil();
            }
            let given = change(&mut presses);
            (presses.text(), given)
        });
        let changed = changed.await;
        if spoils && changed.is_err() {
            self.lost_key.store(true, Ordering::Release);
        }
        changed
    }

    /// Whether digits that were typed as a whole can be a PIN: `identity.pin_length` of them, or fewer, though at least four:
    /// whoever collected them need not say that `#` ended them. Whatever else is typed was asked for by somebody else.
    pub fn can_be_typed(&self, digits: &str) -> bool {
        is_pin(digits.len(), true, self.context.services.identity.pin_length)
    }

    /// What was typed as a whole and collected elsewhere, for [`CallSession::try_typed`], where it can be a PIN.
    pub fn typed(&self, digits: &str) -> Option<Typed> {
        self.can_be_typed(digits)
            .then(|| Typed::new(digits.to_owned(), self.trying.token()))
    }

    /// Tries a PIN that was typed, as [`CallSession::try_pin`] does.
    pub async fn try_typed(&self, typed: Typed) -> PinAnswer {
        self.try_pin(typed.digits(), EvidenceSource::Keypad).await
    }

    /// Whose PIN was given on this call, before a restart too: the latest that is one user's alone.
    pub async fn pin_user(&self) -> Option<UserId> {
        self.state.lock().await.evidence.pin_user()
    }

    async fn accepted(&self, users: Vec<UserId>, way: EvidenceSource) {
        let mut state = self.state.lock().await;
        if state.ended {
            return;
        }
        state.evidence.accept_pin(&self.context, users, way);
        self.next(&mut state, Said::Nothing).await;
    }
}
