//! What a call rests on: the facts that came, read once and made to claims, and what was heard of its voice; all of it
//! weighed on a snapshot of the dialed number's roster.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::caller_claims;
use super::callers::CallerHistory;
use super::claims::{self, Claimer};
use super::kept::{Before, Kept};
use super::recorder::Refused;
use super::roster::Roster;
use super::services::Services;
use super::stored_version::StoredVersion;
use super::voice_known::VoiceKnown;
use crate::decision::Reason;
use crate::evidence::{CallFacts, CallerNumber, Region, read_facts};
use crate::store::{CallerIsForwarder, KeyedHash, PinCaller, PinTry, StoreError};
use crate::units::{CallId, DialedNumber, PhoneNumber, TenantId, UserId};
use crate::verdict::Identification;
use crate::verdict::chain::{Claim, EvidenceSource, Identity, Tier, combine, nothing_known};

/// Most facts that wait for a store that cannot be read.
const MAX_WAITING: usize = 16;

/// Which call it is, for all that is done about it.
pub(super) struct CallContext {
    pub id: CallId,
    pub number: DialedNumber,
    /// Whose number it is; `None` where the store could not be asked and never was.
    pub tenant: Option<TenantId>,
    pub region: Region,
    pub started_at: OffsetDateTime,
    pub services: Arc<Services>,
}

/// What a call rests on.
pub(super) struct CallEvidence {
    claims: Vec<Claim>,
    /// Facts that are not read yet.
    waiting: Vec<CallFacts>,
    /// What was heard of the voice.
    pub voice: VoiceKnown,
    caller: Option<CallerNumber>,
    /// The keyed hash of the caller's number that was known before a restart.
    caller_before: Option<String>,
    /// The number that forwarded the call, by the latest facts that named one; none where it is private.
    forwarder: Option<PhoneNumber>,
    roster: Option<Arc<Roster>>,
    /// What calls before this one say of callers' numbers; read with each new roster.
    callers: Arc<CallerHistory>,
    /// The version that is known to be stored, or on its way there.
    pub stored: Option<StoredVersion>,
    /// Whether any of ours since was refused.
    pub refused: Arc<Refused>,
    /// Whether the call began while its record could not be read, and the record is still to be taken in.
    pub is_unread: bool,
}

impl CallContext {
    /// The time by the clock that all nodes share.
    pub fn now(&self) -> OffsetDateTime {
        self.services.store.shared_time()
    }

    fn claimer<'a>(&'a self, hash: Option<&'a KeyedHash>) -> Claimer<'a> {
        Claimer {
            store: &self.services.store,
            number: &self.number,
            evidence_priors: &self.services.identity.evidence_priors,
            hash,
            now: self.now(),
        }
    }
}

impl CallEvidence {
    /// What a call rests on when it begins or is taken up.
    pub fn from_before(before: Before) -> Self {
        Self {
            claims: before.claims,
            waiting: Vec::new(),
            voice: before.known,
            caller: None,
            caller_before: before.caller,
            forwarder: None,
            roster: None,
            callers: Arc::default(),
            stored: before.stored,
            refused: Arc::default(),
            is_unread: before.is_unread,
        }
    }

    /// Takes in what another node knows of the call; whether the voice's word is theirs now.
    pub fn take_in(&mut self, other: Before) -> bool {
        claims::add(&mut self.claims, other.claims);
        self.caller_before = self.caller_before.take().or(other.caller);
        self.voice.take_in(other.known)
    }

    /// Keeps facts to be read.
    pub fn put_off(&mut self, facts: &CallFacts) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(facts.clone());
        }
    }

    /// Takes a PIN that is one of `users`'.
    pub fn accept_pin(&mut self, context: &CallContext, users: Vec<UserId>, way: EvidenceSource) {
        let claim = context.claimer(None).pin(users, way);
        claims::add(&mut self.claims, vec![claim]);
    }

    /// Whose PIN was given: the latest that is one user's alone.
    pub fn pin_user(&self) -> Option<UserId> {
        let pins = self.claims.iter().rev().filter(|claim| claim.tier == Tier::T4);
        let mut alone = pins.filter_map(|claim| match claim.users[..] {
            [user] => Some(user),
            _ => None,
        });
        alone.next()
    }

    /// The number that forwarded the call, to be handed on, where facts of a known peer named one. A private one (RFC 5806
    /// section 4, `privacy`) is weighed and not shown, so there is none.
    pub fn forwarder(&self) -> Option<&PhoneNumber> {
        self.forwarder.as_ref()
    }

    /// What a PIN is tried for, and by whom.
    ///
    /// # Errors
    /// [`StoreError`] when there is no key to hash the caller's number with.
    pub async fn pin_try(&self, context: &CallContext) -> Result<PinTry, StoreError> {
        let hash = context.services.keyed_hash().await?;
        let caller = self.caller_hash(&hash);
        let claims = self.claims.iter().filter(|claim| claim.tier != Tier::T4);
        let strongest = claims.filter(|claim| !claim.users.is_empty() && claims::counts_for_pins(claim));
        Ok(PinTry {
            number: context.number.clone(),
            caller: caller.map_or_else(|| PinCaller::Withheld(context.id.clone()), PinCaller::Number),
            claimed: strongest
                .max_by(|a, b| a.owner.total_cmp(&b.owner))
                .and_then(|claim| claim.users.first().copied()),
        })
    }

    /// Takes the roster as it is now, and reads the facts that wait: each once.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read; facts that were not read wait on.
    pub async fn bring_in(&mut self, context: &CallContext, roster: Arc<Roster>) -> Result<(), StoreError> {
        let services = &context.services;
        // A checkpoint may come with an older one than other news brought meanwhile.
        let is_newer = self
            .roster
            .as_ref()
            .is_none_or(|known| known.version < roster.version);
        if is_newer || self.callers.is_unread {
            self.read_callers(context, roster.caller_is_forwarder).await;
        }
        if is_newer {
            self.roster = Some(roster);
        }
        // The voice may have been heard by an older roster, here or on another node.
        if let (Some(word), Some(roster)) = (&mut self.voice.word, &self.roster) {
            word.said.leave_out(|user| roster.member(user).is_some());
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        let own = services.own_lines.now().await?;
        let is_own = |number: &PhoneNumber| own.contains(&number.line_key());
        let hash = services.keyed_hash().await.ok();
        let claimer = context.claimer(hash.as_ref());
        while let Some(facts) = self.waiting.first() {
            let found = read_facts(facts, &context.number, &is_own, context.region);
            let new = claimer.claims(facts, &found).await?;
            claims::add(&mut self.claims, new);
            if let Some(forwarder) = found.forwarder().filter(|_| facts.trusted) {
                // Handed on it is signed: of a hint that would make a certainty.
                if !forwarder.place.is_hint() {
                    self.forwarder = (!forwarder.private).then(|| forwarder.number.clone());
                }
            }
            let caller = found.caller;
            if caller.as_ref().is_some_and(|caller| caller.number().is_some()) || self.caller.is_none() {
                self.caller = caller;
            }
            self.waiting.remove(0);
        }
        Ok(())
    }

    /// Reads what calls before this one say of callers' numbers, where the rule asks for it. While they cannot be read every
    /// caller's number is doubted.
    async fn read_callers(&mut self, context: &CallContext, rule: CallerIsForwarder) {
        let services = &context.services;
        let read = match rule {
            CallerIsForwarder::Auto => services.callers.history(&services.store, &context.number).await,
            CallerIsForwarder::Never | CallerIsForwarder::Always => Ok(Arc::default()),
        };
        self.callers = read.unwrap_or_else(|fault| {
            // One line a call, however often it is tried.
            if !self.callers.is_unread {
                let id = &context.id;
                tracing::warn!(
                    call.id = %id, %fault,
                    "calls before call {id} cannot be read, so that its caller's number says nothing of who speaks: {fault}"
                );
            }
            Arc::new(CallerHistory::unread())
        });
    }

    /// Whether something was weighed, and by an older roster than this one.
    pub fn was_weighed_before(&self, roster: &Roster) -> bool {
        self.roster
            .as_ref()
            .is_some_and(|known| known.version < roster.version)
    }

    /// Takes out of what is said whoever is not on the roster any more, and whom no voice may name on this call.
    pub fn take_back(&self, said: &mut Identification) {
        self.voice.withhold(said);
        if let Some(roster) = &self.roster {
            said.leave_out(|user| roster.member(user).is_some());
        }
    }

    /// Whose line and whose voice, by all there is.
    pub fn weigh(&self, context: &CallContext) -> Identity {
        let roster = self.roster.as_deref();
        let members = roster.map_or(&[][..], |known| &known.members);
        let mut claims = self.claims.clone();
        let rule = roster.map(|known| known.caller_is_forwarder).unwrap_or_default();
        caller_claims::take_forwarders_out(&mut claims, rule);
        // Empty unless the rule is to find out.
        caller_claims::doubt_callers(&mut claims, &self.callers);
        let mut assigned = context.claimer(None).assigned(members);
        if let Some(claim) = &mut assigned {
            claim.at = context.started_at;
        }
        claims.extend(assigned);
        let services = &context.services;
        let target = roster.map(|known| known.error_target).unwrap_or_default();
        let policy = services.active_model().policy_of(&target);
        combine(
            members,
            &claims,
            self.voice.word.as_ref(),
            &services.identity.evidence_priors,
            &policy,
        )
    }

    /// What is said while nothing can be weighed.
    pub fn unavailable(&self) -> Identity {
        nothing_known(Reason::Unavailable, &self.claims, self.voice.word.as_ref())
    }

    /// The same for whoever takes the call up after a restart; `None` when it is too much to be kept.
    pub async fn kept(&self, context: &CallContext) -> Option<Value> {
        // The key is asked for only where there is a number to hash: that may make its file.
        let caller = match self.caller.as_ref().and_then(CallerNumber::number) {
            Some(_) => {
                let hash = context.services.keyed_hash().await.ok();
                hash.and_then(|hash| self.caller_hash(&hash))
            }
            None => self.caller_before.clone(),
        };
        let members = self.roster.as_ref().map_or(&[][..], |known| &known.members);
        Kept::of(&self.claims, &self.voice, members, caller).document()
    }

    /// What stands for the caller's number; `None` while there is none.
    fn caller_hash(&self, hash: &KeyedHash) -> Option<String> {
        let number = self.caller.as_ref().and_then(CallerNumber::number);
        let now = number.map(|number| hash.of("caller", &number.line_key()));
        now.or_else(|| self.caller_before.clone())
    }
}
