//! What was found in a call's facts, as claims for users of the dialed number.

use serde_json::Value;
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
/// What is noted of a caller's number that its provider vouches for.
const ATTESTED: &str = "attestation A, verified";

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
            Some((AttestationLevel::A, true)) => ATTESTED,
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

/// A claim as it was kept; `None` where it cannot be read here. An earlier release, as of a node that is not brought up to date yet,
/// does not keep whether a claim may be anybody's: its note tells.
pub(super) fn read_kept(mut kept: Value) -> Option<Claim> {
    if kept.get("anybodys").is_none() {
        let anybodys = is_noted_as_anybodys(&kept);
        kept.as_object_mut()?
            .insert("anybodys".to_owned(), Value::Bool(anybodys));
    }
    serde_json::from_value(kept).ok()
}

/// Whether a claim may be anybody's, by what is noted of one of its tier.
fn is_noted_as_anybodys(kept: &Value) -> bool {
    let note = kept["note"].as_str().unwrap_or_default();
    let noted = |what: &str| note.split("; ").any(|part| part == what);
    match kept["tier"].as_str() {
        Some("T1") => noted(UNKNOWN_PEER),
        Some("T2") => !noted(ATTESTED),
        Some("T3") => !noted(VERIFIED),
        _ => false,
    }
}

/// Whether a wrong PIN counts against whom a claim points to: not by a header of a peer that is not known or a PASSporT that was
/// only read, which cost whoever calls nothing. A caller's number does, whoever vouches for it: a caller's tries are counted by it.
pub(super) fn counts_for_pins(claim: &Claim) -> bool {
    claim.tier == Tier::T2 || !claim.anybodys
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decision::Policy;
    use crate::verdict::chain::{OwnerStatus, combine};

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
                ..Claim::of_tier(tier, Some(UserId::fresh()), None)
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
            ..Claim::of_tier(Tier::T3, user, Some("a"))
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

    /// As a release kept claims that had no `anybodys`.
    fn kept_before(tier: &str, kind: &str, user: UserId, owner: f64, note: &str) -> Value {
        json!({
            "tier": tier, "kind": kind, "users": [user], "owner": owner, "speaker": null, "failed": false,
            "source": "sip", "at": "2026-11-29T12:00:00Z", "value_hash": "00ff", "note": note,
        })
    }

    #[test]
    fn what_an_earlier_release_kept_is_vouched_for_by_its_note_alone() {
        let user = UserId::fresh();
        for (tier, kind, note, anybodys) in [
            (
                "T1",
                "diversion",
                "from a peer that is not known; unconditional",
                true,
            ),
            ("T1", "diversion", "unconditional", false),
            ("T2", "caller_number", "not attested", true),
            ("T2", "caller_number", "attestation B or C, verified", true),
            ("T2", "caller_number", "attestation A, verified", false),
            ("T3", "passport_div", "it was not verified", true),
            ("T3", "passport_div", "signature verified", false),
            ("T4", "pin", "", false),
        ] {
            let read = read_kept(kept_before(tier, kind, user, 0.9, note)).unwrap();
            assert_eq!(read.anybodys, anybodys, "{tier}: {note}");
            // One of this release is as it was kept.
            for told in [true, false] {
                let mut kept = kept_before(tier, kind, user, 0.9, note);
                kept["anybodys"] = Value::Bool(told);
                assert_eq!(read_kept(kept).unwrap().anybodys, told);
            }
        }
        assert_eq!(read_kept(kept_before("T9", "pin", user, 0.9, "")), None);
        assert_eq!(read_kept(Value::Null), None);
    }

    #[test]
    fn an_unsigned_invite_that_an_earlier_release_kept_makes_no_line_identified() {
        let priors = EvidencePriors::default();
        let member = |_| Member {
            user: UserId::fresh(),
            name: String::new(),
            exclusive: false,
            enrolled: true,
        };
        let roster: Vec<Member> = (0..5).map(member).collect();
        let user = roster[0].user;
        let kept = [
            kept_before("T1", "diversion", user, priors.forwarding_untrusted, UNKNOWN_PEER),
            kept_before("T2", "caller_number", user, priors.caller, "not attested"),
        ];
        let read: Vec<Claim> = kept.into_iter().filter_map(read_kept).collect();
        let said = combine(&roster, &read, None, &priors, &Policy::default());
        assert_eq!(said.line_owner.status, OwnerStatus::Probable);
        // Nor where a node of that release tells it anew.
        let mut known = read.clone();
        add(&mut known, read.clone());
        assert_eq!(known, read);
        assert!(known.iter().all(|claim| claim.anybodys));
    }
}
