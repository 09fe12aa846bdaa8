//! What the claims and the voice of a call come to, as ratios and probabilities of each user.

use std::collections::HashMap;

use super::claim::{Claim, Voice};
use super::evidence_priors::EvidencePriors;
use super::joint::{Joint, Shares, joint};
use super::{Member, Tier};
use crate::decision::{Outcome, Policy, Reason};
use crate::units::UserId;

/// What the claims for one user say of whose line it is, by where they know it from: of copies of one thing the strongest.
/// Natural logarithms of likelihood ratios.
#[derive(Clone, Copy, Default)]
struct OfOwner {
    assigned: f64,
    /// Who forwarded the call, where somebody vouches for it.
    forwarding: f64,
    /// The caller's number, where somebody vouches for it.
    caller: f64,
    /// A PIN.
    pin: f64,
    /// Who forwarded the call, as whoever calls may have written it.
    written_forwarding: f64,
    /// The caller's number, as whoever calls may have written it.
    written_caller: f64,
    /// A caller's number whose verification failed.
    failed: f64,
}

impl OfOwner {
    fn add(&mut self, claim: &Claim, llr: f64) {
        let known = match claim.tier {
            Tier::T0 => &mut self.assigned,
            Tier::T1 | Tier::T3 if claim.anybodys => &mut self.written_forwarding,
            Tier::T1 | Tier::T3 => &mut self.forwarding,
            Tier::T4 => &mut self.pin,
            Tier::T2 | Tier::T5 if claim.failed => &mut self.failed,
            // It says nothing of who speaks because it is the forwarder's: a copy of who forwarded.
            Tier::T2 | Tier::T5 if claim.anybodys && claim.speaker.is_none() => &mut self.written_forwarding,
            Tier::T2 | Tier::T5 if claim.anybodys => &mut self.written_caller,
            Tier::T2 | Tier::T5 => &mut self.caller,
        };
        *known = known.max(llr);
    }

    /// All of it together. One INVITE, which one person writes, brings all that nobody vouches for: of that one thing counts, who
    /// forwarded the call or the caller's number, whichever makes more. A number whose verification failed adds to nothing.
    fn together(self) -> f64 {
        let by_forwarding = self.forwarding.max(self.written_forwarding) + self.caller;
        let by_caller = self.forwarding + self.caller.max(self.written_caller);
        (self.assigned + by_forwarding.max(by_caller) + self.pin).max(self.failed)
    }
}

/// A claim that counts.
pub(super) struct Present<'a> {
    pub claim: &'a Claim,
    /// The places on the roster of those it points to, in order; never empty.
    pub places: Vec<usize>,
}

impl<'a> Present<'a> {
    /// `None` unless everybody it points to is on the roster: once one of several is gone, it might have been them.
    fn of(claim: &'a Claim, roster: &HashMap<UserId, usize>) -> Option<Self> {
        let places: Option<Vec<usize>> = claim.users.iter().map(|user| roster.get(user).copied()).collect();
        let mut places = places?;
        places.sort_unstable();
        places.dedup();
        (!places.is_empty()).then_some(Self { claim, places })
    }

    /// Whether it points to several users.
    pub fn is_shared(&self) -> bool {
        self.places.len() > 1
    }
}

/// The probability of each user as the line's owner.
pub(super) struct Lines {
    pub all: Vec<f64>,
    /// Without claims for several users.
    pub alone: Vec<f64>,
}

/// The claims of one call that point to users of the roster, and what they come to.
pub(super) struct Weighed<'a> {
    pub roster: &'a [Member],
    /// Claims for users of the roster.
    pub present: Vec<Present<'a>>,
    pub heard: Option<&'a Voice>,
    /// The voice's ratio of each user, in the order of the roster; empty when it may not be weighed.
    pub voice: Vec<f64>,
    /// All evidence together, of who speaks.
    pub joint: Joint,
    /// Of the line's owner: all evidence together.
    pub heard_lines: Lines,
    /// Of the line's owner: the claims, without the voice.
    pub claimed_lines: Lines,
    /// The share of the probability of several at which one of them is left.
    leaves_one: f64,
}

impl<'a> Weighed<'a> {
    /// Weighs `claims` and what was `heard` against everybody on `roster`; claims for users who are not on it count
    /// for nobody. Ratios are natural logarithms.
    pub fn of(
        roster: &'a [Member],
        claims: &'a [Claim],
        heard: Option<&'a Voice>,
        evidence_priors: &EvidencePriors,
        policy: &Policy,
    ) -> Self {
        let places: HashMap<UserId, usize> = roster
            .iter()
            .enumerate()
            .map(|(at, one)| (one.user, at))
            .collect();
        let present: Vec<Present<'_>> = claims
            .iter()
            .filter_map(|claim| Present::of(claim, &places))
            .collect();
        let voice = voice_llrs(heard, roster, &places);
        let shares = Shares {
            unknown_owner: evidence_priors.unknown_owner_share,
            third_party: policy.unknown_share,
            owner_speaks: evidence_priors.owner_speaks_share,
        };
        let users = roster.len();
        let owners = |voice: &[f64], counts: &dyn Fn(&Present<'_>) -> bool| {
            let owner = owner_llrs(present.iter().filter(|one| counts(one)), users, evidence_priors);
            // What nobody vouches for has said all it says of the line by its strength: that it claims to speak adds nothing.
            let vouched = present.iter().filter(|one| counts(one) && !one.claim.anybodys);
            let speaker = speaker_llrs(vouched, voice, users, evidence_priors, &shares);
            joint(&owner, &speaker, &shares).owner
        };
        let is_shared = present.iter().any(Present::is_shared);
        let lines = |voice: &[f64]| {
            let all = owners(voice, &|_| true);
            let alone = if is_shared {
                owners(voice, &|one| !one.is_shared())
            } else {
                all.clone()
            };
            Lines { all, alone }
        };
        let owner = owner_llrs(present.iter(), users, evidence_priors);
        let speaker = speaker_llrs(present.iter(), &voice, users, evidence_priors, &shares);
        Self {
            roster,
            heard,
            heard_lines: lines(&voice),
            claimed_lines: lines(&[]),
            joint: joint(&owner, &speaker, &shares),
            leaves_one: evidence_priors.accept.max(policy.accept),
            present,
            voice,
        }
    }

    /// The places of all who share a PIN that was given.
    pub fn sharers(&self) -> impl Iterator<Item = usize> {
        let shared = self.present.iter().filter(|one| one.is_shared());
        shared.flat_map(|one| &one.places).copied()
    }

    /// Whether a claim points to this user and others, and by `posteriors` it may as well be one of these.
    pub fn left_open(&self, place: usize, posteriors: &[f64]) -> bool {
        let mut shared = self
            .present
            .iter()
            .filter(|one| one.is_shared() && one.places.contains(&place));
        shared.any(|one| {
            let together: f64 = one.places.iter().map(|at| posteriors[*at]).sum();
            // Also where nothing is left to share.
            !(posteriors[place] >= self.leaves_one * together && together > 0.0)
        })
    }

    /// For whom a claim counts, and how much.
    pub fn counted(&self, claim: &Claim, evidence_priors: &EvidencePriors) -> Vec<(UserId, f64)> {
        let Some(one) = self.present.iter().find(|one| std::ptr::eq(one.claim, claim)) else {
            return Vec::new();
        };
        let llr = evidence_priors.owner_llr(claim.owner, one.places.len(), self.roster.len());
        one.places.iter().map(|at| (self.roster[*at].user, llr)).collect()
    }
}

/// The ratio of each user as owner.
fn owner_llrs<'p, 'a: 'p>(
    claims: impl Iterator<Item = &'p Present<'a>>,
    users: usize,
    evidence_priors: &EvidencePriors,
) -> Vec<f64> {
    let mut known = vec![OfOwner::default(); users];
    for one in claims {
        let llr = evidence_priors.owner_llr(one.claim.owner, one.places.len(), users);
        for at in &one.places {
            known[*at].add(one.claim, llr);
        }
    }
    known.into_iter().map(OfOwner::together).collect()
}

/// The ratio of each user as speaker, by the voice and by claims: of phones and of PINs the strongest for a user counts.
fn speaker_llrs<'p, 'a: 'p>(
    claims: impl Iterator<Item = &'p Present<'a>>,
    voice: &[f64],
    users: usize,
    evidence_priors: &EvidencePriors,
    shares: &Shares,
) -> Vec<f64> {
    let mut strongest = vec![(0.0_f64, 0.0_f64); users];
    for one in claims {
        let Some(speaks) = one.claim.speaker else { continue };
        let llr = evidence_priors.speaker_llr(speaks, shares.third_party, one.places.len(), users);
        for at in &one.places {
            let (phone, pin) = &mut strongest[*at];
            let known = if one.claim.tier == Tier::T4 { pin } else { phone };
            *known = known.max(llr);
        }
    }
    let said = voice.iter().copied().chain(std::iter::repeat(0.0));
    let all = strongest.iter().zip(said);
    all.map(|((phone, pin), said)| said + phone + pin).collect()
}

/// The voice's ratio of each user of the roster: 0 for who is not enrolled. Empty when the voice may not be
/// weighed: there is none yet, the audio is too bad, or several people speak.
fn voice_llrs(heard: Option<&Voice>, roster: &[Member], places: &HashMap<UserId, usize>) -> Vec<f64> {
    let said = heard.map(|heard| &heard.said);
    let Some(said) = said.filter(|said| !said.llrs.is_empty()) else {
        return Vec::new();
    };
    let weighs = match said.word() {
        Outcome::Identified(_) | Outcome::Unknown => true,
        Outcome::Inconclusive(reason) => matches!(reason, Reason::TooLittleSpeech | Reason::Ambiguous),
    };
    if !weighs {
        return Vec::new();
    }
    let others = said.llr_of_others.map_or(0.0, |llr| llr.get());
    let of = |member: &Member| if member.enrolled { others } else { 0.0 };
    let mut llrs: Vec<f64> = roster.iter().map(of).collect();
    for (user, llr) in &said.llrs {
        if let Some(place) = places.get(user) {
            llrs[*place] = llr.get();
        }
    }
    llrs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claims_strength_is_the_posterior_of_all_who_share_it() {
        let evidence_priors = EvidencePriors::default();
        let shares = Shares {
            unknown_owner: evidence_priors.unknown_owner_share,
            third_party: 0.5,
            owner_speaks: evidence_priors.owner_speaks_share,
        };
        for (sharers, users) in [(1, 1), (1, 5), (2, 2), (2, 5), (7, 300), (20, 21)] {
            for strength in [0.96, 0.98, 0.999] {
                let llr = evidence_priors.owner_llr(strength, sharers, users);
                let owner: Vec<f64> = (0..users)
                    .map(|at| if at < sharers { llr } else { 0.0 })
                    .collect();
                let found = joint(&owner, &vec![0.0; users], &shares);
                let together: f64 = found.owner[..sharers].iter().sum();
                assert!(
                    (together - strength).abs() < 1e-9,
                    "{together} of {strength}, {sharers} of {users}"
                );
            }
        }
    }
}
