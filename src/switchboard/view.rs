//! The switchboard as far as an [`Access`] reaches: every way by which a request reads or writes, and there is no other.
//!
//! What an access does not see is answered as what is not there is, in the same words. The network's side has this and
//! not the switchboard, so a route that forgets to ask does not compile.

use std::sync::Arc;

use super::board::Switchboard;
use super::enrol::{Agreement, EnrolmentReport};
use super::enrol_live::{EnrolmentStart, LiveEnrolment};
use super::error::BoardError;
use super::importing::{CsvFault, ImportDefaults, import_csv};
use super::recording::ClipBytes;
use crate::engine::{Asker, Permit};
use crate::store::{
    Access, Consent, Enrolment, ImportReport, Invite, KeyInfo, NewInvite, NewUser, Number, NumberPatch,
    Receipt, Scope, StoreError, Token, User, UserPatch,
};
use crate::units::{DialedNumber, EnrolmentId, InviteId, UserId};

/// What one access sees and may change.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) board: &'a Arc<Switchboard>,
    pub(super) access: &'a Access,
}

/// How far a tenant's set-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Dialed numbers that the key sees.
    pub numbers: u64,
    /// Users on them.
    pub users: u64,
    /// Users whom the model in use knows by voice.
    pub enrolled: u64,
    /// Whether any call was recorded.
    pub has_calls: bool,
}

impl Switchboard {
    /// What `access` sees.
    pub fn view<'a>(self: &'a Arc<Self>, access: &'a Access) -> View<'a> {
        View { board: self, access }
    }
}

/// Admission, keys and numbers.
impl View<'_> {
    /// Asks to be admitted with a recording.
    ///
    /// # Errors
    /// [`BoardError::Busy`] when as much is going on as this machine can bear, or as this key or tenant may ask for.
    pub fn admit_recording(&self) -> Result<Permit, BoardError> {
        let asker = Asker::recording(self.access.key());
        self.board.admit(asker.of(self.access.tenant()))
    }

    /// The keys that may be known of.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        self.board.store.seen_keys(self.access).await
    }

    /// Adds a number to the operator's own tenant.
    ///
    /// # Errors
    /// [`BoardError::OperatorsAlone`] for everybody else; the store's.
    pub async fn add_number(
        &self,
        number: &DialedNumber,
        region: Option<&str>,
        name: Option<&str>,
    ) -> Result<Number, BoardError> {
        self.require_operator()?;
        Ok(self.board.store.add_number(number, region, name).await?)
    }

    /// The numbers, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn numbers(&self) -> Result<Vec<Number>, StoreError> {
        self.board.store.seen_numbers(self.access).await
    }

    /// One number.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`].
    pub async fn number(&self, number: &DialedNumber) -> Result<Number, BoardError> {
        self.require(number).await?;
        let known = self.board.store.number(number).await?;
        known.ok_or_else(|| BoardError::UnknownNumber(number.clone()))
    }

    /// As [`Switchboard::update_number`].
    ///
    /// # Errors
    /// Likewise.
    pub async fn update_number(
        &self,
        number: &DialedNumber,
        patch: &NumberPatch,
    ) -> Result<Number, BoardError> {
        self.require(number).await?;
        self.board.update_number(number, patch).await
    }

    /// How far the set-up has come.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn progress(&self) -> Result<Progress, StoreError> {
        let store = &self.board.store;
        let (users, enrolled) = store.user_counts(self.access, self.board.card().id()).await?;
        Ok(Progress {
            numbers: store.seen_numbers(self.access).await?.len() as u64,
            users,
            enrolled,
            has_calls: store.has_calls(self.access).await?,
        })
    }

    /// An error for everybody but the operator.
    pub(super) fn require_operator(&self) -> Result<(), BoardError> {
        if self.access.is_operator() {
            Ok(())
        } else {
            Err(BoardError::OperatorsAlone)
        }
    }

    /// An error unless the number is seen, the same as for one that is not here.
    pub(super) async fn require(&self, number: &DialedNumber) -> Result<(), BoardError> {
        Ok(self.board.store.require_number(self.access, number).await?)
    }
}

/// What a key may do with users.
impl View<'_> {
    /// Adds a user to a number.
    ///
    /// # Errors
    /// As [`crate::store::Store::add_user`].
    pub async fn add_user(&self, new: NewUser) -> Result<User, BoardError> {
        self.require(&new.number).await?;
        Ok(self.board.store.add_user(new).await?)
    }

    /// The users of a number, oldest first.
    ///
    /// # Errors
    /// [`BoardError::Store`] of [`StoreError::UnknownNumber`].
    pub async fn users_of(&self, number: &DialedNumber) -> Result<Vec<User>, BoardError> {
        self.require(number).await?;
        let users = self.board.store.users_of(number).await?.into_iter();
        Ok(users.filter_map(|user| self.access.sight_of(user)).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn user(&self, user: UserId) -> Result<User, StoreError> {
        self.board.store.seen_user(self.access, user).await
    }

    /// As [`Switchboard::update_user`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn update_user(&self, user: UserId, patch: UserPatch) -> Result<User, BoardError> {
        if patch.numbers.as_ref().is_some_and(Vec::is_empty) {
            // Wrong whoever the user is, and so said first.
            return Err(StoreError::NoNumber.into());
        }
        self.board.store.own_user(self.access, user).await?;
        for number in patch.numbers.iter().flatten() {
            self.require(number).await?;
        }
        self.board.update_user(user, patch).await
    }

    /// As [`Switchboard::remove_user`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn remove_user(&self, user: UserId) -> Result<Receipt, BoardError> {
        self.board.store.own_user(self.access, user).await?;
        self.board.remove_user(user).await
    }

    /// The consents a user gave, and the numbers they are on. To a narrowed key their words are not shown: these name the
    /// number that they were agreed to for, which may be one that it does not see, also one that the user has left.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or the store fails.
    pub async fn consents_of(&self, user: UserId) -> Result<(Vec<Consent>, Vec<Number>), BoardError> {
        let known = self.user(user).await?;
        let mut numbers = Vec::with_capacity(known.numbers.len());
        for number in &known.numbers {
            numbers.extend(self.board.store.number(number).await?);
        }
        let mut consents = self.board.store.consents_of(user).await?;
        if self.access.narrowed_to().is_some() {
            for consent in &mut consents {
                consent.text = None;
            }
        }
        Ok((consents, numbers))
    }

    /// Takes over the users of a CSV text; with `dry_run` only says what would be done.
    ///
    /// # Errors
    /// [`CsvFault`] when the text is no table of users at all; [`StoreError`] when the store fails.
    pub async fn import_csv(
        &self,
        text: &str,
        defaults: &ImportDefaults,
        dry_run: bool,
    ) -> Result<Result<ImportReport, CsvFault>, StoreError> {
        import_csv(&self.board.store, self.access, text, defaults, dry_run).await
    }
}

/// Voices, and the links by which they are enrolled.
impl View<'_> {
    /// As [`Switchboard::enrol`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn enrol(
        &self,
        admitted: &Permit,
        user: UserId,
        agreement: Agreement,
        clips: Vec<ClipBytes>,
        channel: Option<u16>,
    ) -> Result<EnrolmentReport, BoardError> {
        self.board.store.own_user(self.access, user).await?;
        self.refuse_other_voice(&agreement)?;
        self.board.enrol(admitted, user, agreement, clips, channel).await
    }

    /// As [`Switchboard::open_enrolment`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn open_enrolment(&self, start: EnrolmentStart) -> Result<LiveEnrolment, BoardError> {
        self.board.store.own_user(self.access, start.user).await?;
        self.refuse_other_voice(&start.agreement)?;
        self.board.open_enrolment(start, self.access.key()).await
    }

    /// Only an administrator enrols another voice over the one before.
    fn refuse_other_voice(&self, agreement: &Agreement) -> Result<(), BoardError> {
        if agreement.allow_other_voice && !self.access.allows(Scope::Admin) {
            return Err(BoardError::AdminsAlone);
        }
        Ok(())
    }

    /// The enrolments of a user, oldest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn enrolments_of(&self, user: UserId) -> Result<Vec<Enrolment>, StoreError> {
        self.user(user).await?;
        self.board.store.enrolments_of(user).await
    }

    /// As [`Switchboard::remove_enrolment`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn remove_enrolment(
        &self,
        user: UserId,
        enrolment: EnrolmentId,
    ) -> Result<Receipt, BoardError> {
        self.board.store.own_user(self.access, user).await?;
        self.board.remove_enrolment(user, enrolment).await
    }

    /// As [`Switchboard::remove_enrolments`].
    ///
    /// # Errors
    /// Likewise; [`StoreError::UserElsewhere`].
    pub async fn remove_enrolments(&self, user: UserId) -> Result<Receipt, BoardError> {
        self.board.store.own_user(self.access, user).await?;
        self.board.remove_enrolments(user).await
    }

    /// Makes a link by which a user enrols once.
    ///
    /// # Errors
    /// As [`crate::store::Store::create_invite`]; [`StoreError::UserElsewhere`].
    pub async fn create_invite(&self, new: NewInvite) -> Result<(Token, Invite), StoreError> {
        self.board.store.own_user(self.access, new.user).await?;
        self.board.store.create_invite(new).await
    }

    /// The links of a user to the numbers that are seen, oldest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn invites_of(&self, user: UserId) -> Result<Vec<Invite>, StoreError> {
        self.user(user).await?;
        let mut invites = self.board.store.invites_of(user).await?;
        invites.retain(|invite| self.access.covers(&invite.number));
        Ok(invites)
    }

    /// Takes a link of a user back.
    ///
    /// # Errors
    /// [`StoreError::UnknownInvite`], also where there is no such user.
    pub async fn revoke_invite(&self, user: UserId, invite: InviteId) -> Result<(), StoreError> {
        match self.board.store.own_user(self.access, user).await {
            Err(StoreError::UnknownUser(_)) => Err(StoreError::UnknownInvite(invite)),
            Err(fault) => Err(fault),
            Ok(_) => self.board.store.revoke_invite(invite, Some(user)).await,
        }
    }
}
