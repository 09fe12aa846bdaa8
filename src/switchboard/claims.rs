//! What was found in a call's facts, as claims for users of the dialed number.

use time::OffsetDateTime;

use super::callers::CallerHistory;
use crate::evidence::{AttestationLevel, CallFacts, CallerNumber, Forwarder, Found, Place};
use crate::store::{CallerIsForwarder, KeyedHash, Store, StoreError};
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
        let owner = match level {
            _ if failed => self.evidence_priors.caller_failed,
            Some((AttestationLevel::A, true)) => self.evidence_priors.caller_attested,
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
            if claim.owner > old.owner {
                *old = Claim { at: old.at, ..claim };
            }
            old.failed = failed;
        } else if known.len() < MAX_CLAIMS {
            known.push(claim);
        }
    }
}

/// Whether anybody who calls can have made a claim: a header of a peer that is not known, a PASSporT that was only read.
pub(super) fn may_be_anybodys(claim: &Claim) -> bool {
    let noted = |what: &str| claim.note.as_deref().is_some_and(|note| note.contains(what));
    match claim.tier {
        Tier::T1 => noted(UNKNOWN_PEER),
        Tier::T3 => !noted(VERIFIED),
        _ => false,
    }
}

/// Lets a caller's number that is the forwarder's speak for the line only: by `rule` always or never, or where the
/// call's forwarding evidence, whenever it came, is of the same number.
pub(super) fn take_forwarders_out(claims: &mut [Claim], rule: CallerIsForwarder) {
    let forwarded = |tier| matches!(tier, Tier::T1 | Tier::T3);
    let by: Vec<(Vec<UserId>, Option<String>)> = claims
        .iter()
        .filter(|claim| forwarded(claim.tier) && (!claim.users.is_empty() || claim.value_hash.is_some()))
        .map(|claim| (claim.users.clone(), claim.value_hash.clone()))
        .collect();
    // Where a number was not hashed its user stands for it.
    let is_same = |claim: &Claim| {
        by.iter().any(|(users, hash)| match (hash, &claim.value_hash) {
            (Some(one), Some(other)) => one == other,
            _ => !users.is_empty() && *users == claim.users,
        })
    };
    let callers = claims.iter().map(|claim| {
        claim.tier == Tier::T2
            && claim.speaker.is_some()
            && match rule {
                CallerIsForwarder::Never => false,
                CallerIsForwarder::Always => true,
                CallerIsForwarder::Auto => is_same(claim),
            }
    });
    let callers: Vec<bool> = callers.collect();
    for (claim, _) in claims.iter_mut().zip(callers).filter(|(_, is)| *is) {
        claim.speaker = None;
        note(claim, "the forwarder's number: it says nothing of who speaks");
    }
}

/// Lets a caller's number speak for its user as far as it did in earlier calls, and not at all where mostly others were
/// heard with it: a carrier that rewrites From leaves no other trace.
pub(super) fn doubt_callers(claims: &mut [Claim], history: &CallerHistory) {
    for claim in claims.iter_mut().filter(|claim| claim.tier == Tier::T2) {
        let (Some(speaks), [user]) = (claim.speaker, claim.users.as_slice()) else {
            continue;
        };
        let share = history.share(*user);
        if share > 0.5 {
            claim.speaker = Some(speaks.min(share));
            continue;
        }
        claim.speaker = None;
        note(claim, history.doubt());
    }
}

fn note(claim: &mut Claim, said: &str) {
    claim.note = Some(match claim.note.take() {
        Some(note) => format!("{note}; {said}"),
        None => said.to_owned(),
    });
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
            source: EvidenceSource::Sip,
            at: OffsetDateTime::UNIX_EPOCH,
            value_hash: hash.map(str::to_owned),
            note: None,
        }
    }

    #[test]
    fn what_every_caller_can_send_is_told_from_what_is_vouched_for() {
        for (tier, note, anybodys) in [
            (Tier::T1, None, false),
            (Tier::T1, Some("from a peer that is not known"), true),
            (Tier::T2, None, false),
            (Tier::T3, None, true),
            (Tier::T3, Some("signature verified"), false),
        ] {
            let claim = Claim {
                note: note.map(str::to_owned),
                ..claim(tier, Some(UserId::fresh()), None)
            };
            assert_eq!(may_be_anybodys(&claim), anybodys, "{tier:?}, {note:?}");
        }
    }

    #[test]
    fn a_number_that_was_heard_with_other_voices_speaks_for_the_line_alone() {
        use serde_json::json;
        let alice = UserId::fresh();
        let call = |own: bool| {
            let (outcome, speaker) = if own {
                ("identified", "identified")
            } else {
                ("unknown", "third_party")
            };
            json!({"outcome": outcome, "user_id": own.then_some(alice), "speaker": {"status": speaker},
                "evidence": [{"tier": "T2", "user_id": alice}]})
        };
        for (calls, speaks) in [
            (vec![], Some(0.8)),
            (vec![true; 30], Some(0.8)),
            (vec![false], None),
            (vec![false, true], Some(2.0 / 3.0)),
            (vec![false, false, true], None),
        ] {
            let verdicts: Vec<_> = calls.iter().map(|own| call(*own)).collect();
            let mut claims = vec![
                claim(Tier::T2, Some(alice), Some("a")),
                claim(Tier::T4, Some(alice), None),
            ];
            doubt_callers(&mut claims, &CallerHistory::read(&verdicts));
            let same = match (claims[0].speaker, speaks) {
                (Some(got), Some(wanted)) => (got - wanted).abs() < 1e-9,
                (got, wanted) => got == wanted,
            };
            assert!(same, "{calls:?}: {:?}", claims[0].speaker);
            assert_eq!(claims[0].note.is_some(), speaks.is_none());
            assert!((claims[0].owner - 0.9).abs() < f64::EPSILON, "the line stays");
            assert_eq!(
                claims[1],
                claim(Tier::T4, Some(alice), None),
                "a PIN is not doubted"
            );
        }
    }

    #[test]
    fn the_forwarders_number_speaks_for_the_line_alone() {
        use CallerIsForwarder::{Always, Auto, Never};
        let (alice, bob) = (Some(UserId::fresh()), Some(UserId::fresh()));
        let diverted = |user, hash| vec![claim(Tier::T1, user, hash)];
        for (what, evidence, speaks) in [
            // never, always, auto
            (
                "the same number",
                diverted(alice, Some("a")),
                [true, false, false],
            ),
            (
                "another number of the user's",
                diverted(alice, Some("b")),
                [true, false, true],
            ),
            (
                "another user's number",
                diverted(bob, Some("b")),
                [true, false, true],
            ),
            ("nobody's number", diverted(None, Some("c")), [true, false, true]),
            (
                "a number that was not hashed",
                diverted(alice, None),
                [true, false, false],
            ),
            ("nothing usable", diverted(None, None), [true, false, true]),
            ("no forwarder", Vec::new(), [true, false, true]),
            (
                "a PASSporT",
                vec![claim(Tier::T3, alice, Some("a"))],
                [true, false, false],
            ),
            ("a PIN", vec![claim(Tier::T4, alice, None)], [true, false, true]),
        ] {
            for (rule, speaks) in [Never, Always, Auto].into_iter().zip(speaks) {
                // Evidence counts whenever it came.
                let mut claims = vec![claim(Tier::T2, alice, Some("a"))];
                claims.extend(evidence.clone());
                take_forwarders_out(&mut claims, rule);
                assert_eq!(claims[0].speaker.is_some(), speaks, "{what} by {rule}");
                assert_eq!(claims[0].note.is_none(), speaks, "{what} by {rule}");
                assert!(
                    (claims[0].owner - 0.9).abs() < f64::EPSILON,
                    "{what}: the line stays"
                );
            }
        }
    }
}
