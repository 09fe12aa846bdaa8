//! Claims and a voice to an [`Identity`].

use std::collections::HashMap;

use time::OffsetDateTime;

use super::beliefs::Beliefs;
use super::items::items;
use super::joint::{Joint, Shares, joint};
use super::words::contradictions;
use super::{EvidenceItem, Identity, LineOwner, OwnerStatus, Speaker, SpeakerAgreement, SpeakerStatus, Tier};
use crate::decision::{Policy, Reason};
use crate::units::{Seconds, UserId};
use crate::verdict::{Identification, OutcomeName};

/// A user of the dialed number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Whether the dialed number is theirs alone.
    pub exclusive: bool,
    /// Whether any voice of theirs is enrolled.
    pub enrolled: bool,
}

/// Something that points to a user of the dialed number, other than the voice.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Which tier; [`Tier::T5`] has no claims.
    pub tier: Tier,
    /// What it is.
    pub kind: &'static str,
    /// The user of the dialed number it points to; `None` when it points to nobody there.
    pub user: Option<UserId>,
    /// How likely that user owns the line, when this is all there is ([`Beliefs`]).
    pub owner: f64,
    /// How likely that user is the one who speaks; `None` when it says nothing of that.
    pub speaker: Option<f64>,
    /// Whether a verification of it was made and failed.
    pub failed: bool,
    /// Who brought it.
    pub source: &'static str,
    /// When it was first seen.
    pub at: OffsetDateTime,
    /// A keyed hash of its value.
    pub value_hash: Option<String>,
    /// What else there is to say.
    pub note: Option<String>,
}

/// The voice's latest word.
#[derive(Debug, Clone, PartialEq)]
pub struct Voice {
    /// What it is.
    pub said: Identification,
    /// When it was heard.
    pub at: OffsetDateTime,
}

/// What is said of a call by all its evidence.
///
/// Claims of one kind of knowledge are not counted twice: of forwarding headers and PASSporTs together the
/// strongest for a user counts, for they are copies of one thing. A claim for somebody who is not on `roster`
/// counts for nobody.
pub fn combine(
    roster: &[Member],
    claims: &[Claim],
    voice: Option<&Voice>,
    beliefs: &Beliefs,
    policy: &Policy,
) -> Identity {
    if roster.is_empty() {
        return nothing_known(Reason::EmptyRoster, claims, voice);
    }
    let weighed = Weighed::of(roster, claims, voice, beliefs, policy);
    let line_owner = weighed.line_owner(beliefs);
    let speaker = weighed.speaker(&line_owner, policy);
    let agreement = agreement(&line_owner, &speaker);
    let contradictions = contradictions(&weighed.present, &speaker, roster);
    let evidence = weighed.evidence(claims, beliefs);
    Identity {
        line_owner,
        speaker,
        agreement,
        contradictions,
        evidence,
    }
}

/// What is said when nobody can be: the roster is empty, or could not be read.
pub fn nothing_known(reason: Reason, claims: &[Claim], voice: Option<&Voice>) -> Identity {
    Identity {
        line_owner: LineOwner::unknown(),
        speaker: Speaker::inconclusive(reason.name()),
        agreement: SpeakerAgreement::Undetermined,
        contradictions: Vec::new(),
        evidence: items(claims, voice, |_| None),
    }
}

/// Evidence that tells the same thing in several places.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Knowledge {
    Assigned,
    Forwarding,
    Caller,
    Pin,
}

impl Knowledge {
    /// In the one order in which they are added up.
    const ALL: [Self; 4] = [Self::Assigned, Self::Forwarding, Self::Caller, Self::Pin];

    const fn of(tier: Tier) -> Self {
        match tier {
            Tier::T0 => Self::Assigned,
            Tier::T1 | Tier::T3 => Self::Forwarding,
            Tier::T2 | Tier::T5 => Self::Caller,
            Tier::T4 => Self::Pin,
        }
    }
}

/// The claims of one call that point to users of the roster, and what they come to.
struct Weighed<'a> {
    roster: &'a [Member],
    /// Claims for users of the roster.
    present: Vec<&'a Claim>,
    heard: Option<&'a Voice>,
    /// The voice's ratio of each user, in the order of the roster; empty when it may not be weighed.
    voice: Vec<f64>,
    joint: Joint,
}

impl<'a> Weighed<'a> {
    fn of(
        roster: &'a [Member],
        claims: &'a [Claim],
        heard: Option<&'a Voice>,
        beliefs: &Beliefs,
        policy: &Policy,
    ) -> Self {
        let places: HashMap<UserId, usize> = roster
            .iter()
            .enumerate()
            .map(|(at, one)| (one.user, at))
            .collect();
        let present: Vec<&Claim> = claims
            .iter()
            .filter(|claim| claim.user.is_some_and(|user| places.contains_key(&user)))
            .collect();
        let voice = voice_ratios(heard, &places, roster.len());
        let mut owner = vec![0.0; roster.len()];
        let mut speaker = if voice.is_empty() {
            vec![0.0; roster.len()]
        } else {
            voice.clone()
        };
        for knowledge in Knowledge::ALL {
            let mut strongest = vec![(0.0_f64, 0.0_f64); roster.len()];
            for claim in present
                .iter()
                .filter(|claim| Knowledge::of(claim.tier) == knowledge)
            {
                let Some(place) = claim.user.and_then(|user| places.get(&user)) else {
                    continue;
                };
                let (of_owner, of_speaker) = &mut strongest[*place];
                *of_owner = of_owner.max(beliefs.owner_llr(claim.owner, roster.len()));
                let spoken = claim
                    .speaker
                    .map_or(0.0, |speaks| beliefs.speaker_llr(speaks, policy.unknown_share));
                *of_speaker = of_speaker.max(spoken);
            }
            for (place, (of_owner, of_speaker)) in strongest.into_iter().enumerate() {
                owner[place] += of_owner;
                speaker[place] += of_speaker;
            }
        }
        let shares = Shares {
            unknown_owner: beliefs.unknown_owner_share,
            third_party: policy.unknown_share,
            owner_speaks: beliefs.owner_speaks_share,
        };
        Self {
            roster,
            present,
            heard,
            voice,
            joint: joint(&owner, &speaker, &shares),
        }
    }

    fn line_owner(&self, beliefs: &Beliefs) -> LineOwner {
        let Some((member, posterior)) = self.likeliest(&self.joint.owner) else {
            return LineOwner::unknown();
        };
        let status = if posterior >= beliefs.accept {
            OwnerStatus::Identified
        } else if posterior > 0.5 {
            OwnerStatus::Probable
        } else {
            return LineOwner::unknown();
        };
        LineOwner {
            status,
            user_id: Some(member.user),
            user_name: Some(member.name.clone()),
            posterior: Some(posterior),
        }
    }

    /// The speaker. What the voice alone decided stands; where it waits for more, a claim may have moved the
    /// prior far enough for its thresholds; and without it there are only claims.
    fn speaker(&self, owner: &LineOwner, policy: &Policy) -> Speaker {
        let said = self.heard.map(|heard| &heard.said);
        let outcome = said.map(|said| said.outcome);
        let named = said
            .and_then(|said| said.user_id)
            .and_then(|user| self.place(user));
        match (outcome, named) {
            (Some(OutcomeName::Identified), Some(place)) => self.spoken(SpeakerStatus::Identified, place),
            (Some(OutcomeName::Unknown), _) => self.speaker_unlike_all(owner),
            _ => self.speaker_of_all_evidence(policy),
        }
    }

    /// The voice is nobody's that is enrolled. Only somebody who never enrolled may still be speaking.
    fn speaker_unlike_all(&self, owner: &LineOwner) -> Speaker {
        if let Some(place) = self.claimed().filter(|place| !self.roster[*place].enrolled) {
            return self.spoken(SpeakerStatus::Claimed, place);
        }
        let owner = owner.user_id.and_then(|user| self.place(user));
        if owner.is_some_and(|place| !self.roster[place].enrolled) {
            return Speaker::inconclusive("not_enrolled");
        }
        self.third_party()
    }

    fn speaker_of_all_evidence(&self, policy: &Policy) -> Speaker {
        if let Some(said) = self
            .heard
            .map(|heard| &heard.said)
            .filter(|_| !self.voice.is_empty())
        {
            let best = self.best(&self.joint.speaker);
            // As the voice alone is asked: an early word needs more than a late one.
            let net = Seconds::checked(said.net_speech_seconds).unwrap_or(Seconds::ZERO);
            let asked = if said.is_final { *policy } else { policy.after(net) };
            if let Some((place, posterior)) = best
                && posterior >= asked.accept
                && self.voice[place] > 0.0
            {
                return self.spoken(SpeakerStatus::Identified, place);
            }
            if self.joint.third_party >= asked.reject {
                return self.third_party();
            }
        }
        if let Some(place) = self.claimed() {
            return self.spoken(SpeakerStatus::Claimed, place);
        }
        let reason = self.heard.and_then(|heard| heard.said.reason);
        let reason = reason.unwrap_or(Reason::TooLittleSpeech);
        Speaker::inconclusive(reason.name())
    }

    /// Who says to be speaking: by PIN, or else by the phone.
    fn claimed(&self) -> Option<usize> {
        let of = |tier| {
            let claims = self
                .present
                .iter()
                .filter(move |claim| claim.tier == tier && claim.speaker.is_some());
            let places = claims.filter_map(|claim| claim.user.and_then(|user| self.place(user)));
            places.max_by(|a, b| {
                let likelier = self.joint.speaker[*a].total_cmp(&self.joint.speaker[*b]);
                likelier.then_with(|| b.cmp(a))
            })
        };
        of(Tier::T4).or_else(|| of(Tier::T2))
    }

    fn third_party(&self) -> Speaker {
        Speaker {
            status: SpeakerStatus::ThirdParty,
            user_id: None,
            user_name: None,
            posterior: Some(self.joint.third_party),
            reason: None,
        }
    }

    fn spoken(&self, status: SpeakerStatus, place: usize) -> Speaker {
        let member = &self.roster[place];
        Speaker {
            status,
            user_id: Some(member.user),
            user_name: Some(member.name.clone()),
            posterior: Some(self.joint.speaker[place]),
            reason: None,
        }
    }

    fn place(&self, user: UserId) -> Option<usize> {
        self.roster.iter().position(|member| member.user == user)
    }

    fn best(&self, posteriors: &[f64]) -> Option<(usize, f64)> {
        let all = posteriors.iter().copied().enumerate();
        all.max_by(|(a_at, a), (b_at, b)| a.total_cmp(b).then_with(|| b_at.cmp(a_at)))
    }

    fn likeliest(&self, posteriors: &[f64]) -> Option<(&Member, f64)> {
        let (place, posterior) = self.best(posteriors)?;
        Some((&self.roster[place], posterior))
    }

    fn evidence(&self, claims: &[Claim], beliefs: &Beliefs) -> Vec<EvidenceItem> {
        let users = self.roster.len();
        items(claims, self.heard, |claim| {
            let user = claim.user.filter(|user| self.place(*user).is_some())?;
            Some((user, beliefs.owner_llr(claim.owner, users)))
        })
    }
}

/// The voice's ratio of each user of the roster: 0 for who is not enrolled. Empty when the voice may not be
/// weighed: there is none yet, the audio is too bad, or several people speak.
fn voice_ratios(heard: Option<&Voice>, places: &HashMap<UserId, usize>, users: usize) -> Vec<f64> {
    let said = heard.map(|heard| &heard.said);
    let Some(said) = said.filter(|said| !said.ratios.is_empty()) else {
        return Vec::new();
    };
    let weighs = match said.outcome {
        OutcomeName::Identified | OutcomeName::Unknown => true,
        OutcomeName::Inconclusive => {
            matches!(said.reason, Some(Reason::TooLittleSpeech | Reason::Ambiguous))
        }
    };
    if !weighs {
        return Vec::new();
    }
    let mut ratios = vec![0.0; users];
    for (user, llr) in &said.ratios {
        if let Some(place) = places.get(user) {
            ratios[*place] = llr.get();
        }
    }
    ratios
}

fn agreement(owner: &LineOwner, speaker: &Speaker) -> SpeakerAgreement {
    match (owner.user_id, speaker.status, speaker.user_id) {
        (_, SpeakerStatus::ThirdParty, _) => SpeakerAgreement::ThirdParty,
        (Some(owner), _, Some(speaker)) if owner == speaker => SpeakerAgreement::Same,
        (Some(_), _, Some(_)) => SpeakerAgreement::Different,
        _ => SpeakerAgreement::Undetermined,
    }
}

impl LineOwner {
    const fn unknown() -> Self {
        Self {
            status: OwnerStatus::Unknown,
            user_id: None,
            user_name: None,
            posterior: None,
        }
    }
}

impl Speaker {
    const fn inconclusive(reason: &'static str) -> Self {
        Self {
            status: SpeakerStatus::Inconclusive,
            user_id: None,
            user_name: None,
            posterior: None,
            reason: Some(reason),
        }
    }
}
