//! What was found in a call's facts, as claims for users of the dialed number.

use time::OffsetDateTime;

use crate::evidence::{AttestationLevel, CallFacts, CallerNumber, Forwarder, Found, Place};
use crate::store::{KeyedHash, Store, StoreError};
use crate::units::{DialedNumber, PhoneNumber, UserId};
use crate::verdict::chain::{Claim, EvidenceKind, EvidencePriors, EvidenceSource, Member, Tier};

/// Most claims of a call: far more than any call has, so that no flood of webhooks fills the memory.
pub(super) const MAX_CLAIMS: usize = 64;

/// What is noted of a claim that somebody brings who is not known.
const UNKNOWN_PEER: &str = "from a peer that is not known";
/// What is noted of a PASSporT that its provider signed.
const VERIFIED: &str = "signature verified";

/// Makes claims for a call's number of what carriers and callers say.
pub(super) struct Claimer<'a> {
    pub store: &'a Store,
    pub number: &'a DialedNumber,
    pub evidence_priors: &'a EvidencePriors,
    pub hash: Option<&'a KeyedHash>,
    pub now: OffsetDateTime,
}

impl Claimer<'_> {
    /// The claims in what was found. Numbers are looked up on the dialed number's roster alone, each
    /// whole, in any spelling of its line.
    ///
    /// # Errors
    /// [`StoreError`] when the roster cannot be read: the facts are kept and tried again.
    pub async fn claims(&self, facts: &CallFacts, found: &Found) -> Result<Vec<Claim>, StoreError> {
        let mut claims = Vec::new();
        let notes: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
        let notes = (!notes.is_empty()).then(|| notes.join("; "));
        for forwarder in found.forwarders.iter().chain(&found.passports) {
            claims.push(self.forwarded(facts, forwarder, notes.as_deref()).await?);
        }
        if claims.is_empty() && notes.is_some() {
            // What was there and could not be used is worth telling too.
            claims.push(Claim {
                note: notes,
                ..self.blank(Tier::T1, EvidenceKind::Forwarding, facts.source.into())
            });
        }
        if let Some(caller) = &found.caller {
            claims.push(self.called(facts, found, caller).await?);
        }
        Ok(claims)
    }

    async fn forwarded(
        &self,
        facts: &CallFacts,
        forwarder: &Forwarder,
        notes: Option<&str>,
    ) -> Result<Claim, StoreError> {
        let passport = matches!(forwarder.place, Place::PassportDiv | Place::PassportDest);
        let tier = if passport { Tier::T3 } else { Tier::T1 };
        let weak = forwarder.outdone || forwarder.place.is_hint();
        let owner = match (passport, forwarder.verified, facts.trusted) {
            (true, true, _) => self.evidence_priors.passport_verified,
            (true, false, _) => self.evidence_priors.passport,
            (false, _, true) if !weak => self.evidence_priors.forwarding,
            (false, _, true) => self.evidence_priors.forwarding_hint,
            (false, _, false) => self.evidence_priors.forwarding_untrusted.min(if weak {
                self.evidence_priors.forwarding_hint
            } else {
                1.0
            }),
        };
        let user = self.user_of(&forwarder.number).await?;
        let mut note: Vec<&str> = Vec::new();
        note.extend(user.is_none().then_some("this number is nobody's on the roster"));
        note.extend(forwarder.verified.then_some(VERIFIED));
        note.extend((!passport && !facts.trusted).then_some(UNKNOWN_PEER));
        note.extend(forwarder.reason.as_deref());
        note.extend(notes);
        Ok(Claim {
            users: user.into_iter().collect(),
            owner,
            anybodys: !(forwarder.verified || (facts.trusted && !passport)),
            value_hash: self.hashed(&forwarder.number.line_key()),
            note: (!note.is_empty()).then(|| note.join("; ")),
            ..self.blank(tier, forwarder.place.into(), facts.source.into())
        })
    }

    async fn called(
        &self,
        facts: &CallFacts,
        found: &Found,
        caller: &CallerNumber,
    ) -> Result<Claim, StoreError> {
        let blank = self.blank(Tier::T2, EvidenceKind::CallerNumber, facts.source.into());
        let CallerNumber::Known(number) = caller else {
            let note = match caller {
                CallerNumber::Anonymous => "withheld",
                _ => "no usable number",
            };
            return Ok(Claim {
                note: Some(note.to_owned()),
                ..blank
            });
        };
        let level = found
            .attestation
            .map(|attested| (attested.level, attested.verified));
        let failed = matches!(level, Some((AttestationLevel::Failed, _)));
        let vouched = matches!(level, Some((AttestationLevel::A, true)));
        let owner = match level {
            _ if failed => self.evidence_priors.caller_failed,
            _ if vouched => self.evidence_priors.caller_attested,
            _ => self.evidence_priors.caller,
        };
        let user = self.user_of(number).await?;
        let attested = match level {
            Some((AttestationLevel::Failed, _)) => "verification failed",
            Some((AttestationLevel::A, true)) => "attestation A, verified",
            Some((_, true)) => "attestation B or C, verified",
            Some((_, false)) => "attested, not verified",
            None => "not attested",
        };
        Ok(Claim {
            users: user.into_iter().collect(),
            owner,
            speaker: Some(self.evidence_priors.caller_speaks.min(owner)),
            failed,
            // B and C vouch for no number (ATIS-1000074 section 5.2.3).
            anybodys: !vouched,
            value_hash: self.hashed(&number.line_key()),
            note: Some(attested.to_owned()),
            ..blank
        })
    }

    /// The claim of the number itself, when it is one user's alone.
    pub fn assigned(&self, roster: &[Member]) -> Option<Claim> {
        let alone = roster.iter().find(|member| member.exclusive)?;
        Some(Claim {
            users: vec![alone.user],
            owner: self.evidence_priors.assigned,
            ..self.blank(Tier::T0, EvidenceKind::AssignedNumber, EvidenceSource::Roster)
        })
    }

    /// The claim of a PIN that is one of `users`'. There is no hash of it: those few values could be tried.
    pub fn pin(&self, users: Vec<UserId>, way: EvidenceSource) -> Claim {
        Claim {
            users,
            owner: self.evidence_priors.pin,
            speaker: Some(self.evidence_priors.pin_speaks),
            ..self.blank(Tier::T4, EvidenceKind::Pin, way)
        }
    }

    fn blank(&self, tier: Tier, kind: EvidenceKind, source: EvidenceSource) -> Claim {
        Claim {
            tier,
            kind,
            users: Vec::new(),
            owner: 0.0,
            speaker: None,
            failed: false,
            anybodys: false,
            source,
            at: self.now,
            value_hash: None,
            note: None,
        }
    }

    async fn user_of(&self, number: &PhoneNumber) -> Result<Option<UserId>, StoreError> {
        self.store.user_by_phone(self.number, number).await
    }

    fn hashed(&self, number: &str) -> Option<String> {
        self.hash.map(|hash| hash.of("number", number))
    }
}

/// Adds claims to those there are. The same evidence a second time, as by a webhook that was sent twice, changes
/// nothing but its strength, should it have become stronger: the time of the first stays.
pub(super) fn add(known: &mut Vec<Claim>, new: Vec<Claim>) {
    for claim in new {
        let twin = known.iter().position(|old| {
            (old.tier, old.kind, old.source) == (claim.tier, claim.kind, claim.source)
                && old.users == claim.users
                && old.value_hash == claim.value_hash
        });
        if let Some(old) = twin.and_then(|at| known.get_mut(at)) {
            let failed = old.failed || claim.failed;
            let is_vouched_for = old.anybodys && !claim.anybodys;
            if claim.owner > old.owner || (is_vouched_for && claim.owner >= old.owner) {
                *old = Claim { at: old.at, ..claim };
            }
            old.failed = failed;
        } else if known.len() < MAX_CLAIMS {
            known.push(claim);
        }
    }
}

/// Whether a wrong PIN counts against whom a claim points to: not by a header of a peer that is not known or a PASSporT that was
/// only read, which cost whoever calls nothing. A caller's number does, whoever vouches for it: a caller's tries are counted by it.
pub(super) fn counts_for_pins(claim: &Claim) -> bool {
    claim.tier == Tier::T2 || !claim.anybodys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(tier: Tier, user: Option<UserId>, hash: Option<&str>) -> Claim {
        Claim {
            tier,
            kind: EvidenceKind::Forwarding,
            users: user.into_iter().collect(),
            owner: 0.9,
            speaker: (tier == Tier::T2).then_some(0.8),
            failed: false,
            anybodys: false,
            source: EvidenceSource::Sip,
            at: OffsetDateTime::UNIX_EPOCH,
            value_hash: hash.map(str::to_owned),
            note: None,
        }
    }

    #[test]
    fn what_every_caller_can_send_is_told_from_what_is_vouched_for() {
        for (tier, anybodys, counts) in [
            (Tier::T1, false, true),
            (Tier::T1, true, false),
            (Tier::T2, true, true),
            (Tier::T3, true, false),
            (Tier::T3, false, true),
        ] {
            let claim = Claim {
                anybodys,
                ..claim(tier, Some(UserId::fresh()), None)
            };
            assert_eq!(counts_for_pins(&claim), counts, "{tier:?}, {anybodys}");
        }
    }

    #[test]
    fn evidence_that_comes_again_is_vouched_for_once_anybody_does() {
        let user = Some(UserId::fresh());
        let of = |anybodys, owner| Claim {
            owner,
            anybodys,
            ..claim(Tier::T3, user, Some("a"))
        };
        for (first, then, left) in [
            (of(true, 0.8), of(false, 0.99), of(false, 0.99)),
            (of(true, 0.8), of(false, 0.8), of(false, 0.8)),
            (of(false, 0.8), of(true, 0.8), of(false, 0.8)),
        ] {
            let mut known = vec![first];
            add(&mut known, vec![then]);
            assert_eq!(known, [left]);
        }
    }
}
