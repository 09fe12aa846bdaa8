//! Claims and a voice to an [`Identity`].

use std::collections::HashSet;

use super::evidence_priors::EvidencePriors;
use super::items::items;
use super::weighed::{Lines, Weighed};
use super::words::contradictions;
use super::{
    Claim, Identity, LineOwner, Member, OwnerStatus, Speaker, SpeakerAgreement, SpeakerReason, SpeakerStatus,
    Tier, Voice,
};
use crate::decision::{Outcome, Policy, Reason};
use crate::units::{Seconds, UserId};

/// What is said of a call by all its evidence.
///
/// Claims of one kind of knowledge are not counted twice: of forwarding headers and PASSporTs together the
/// strongest for a user counts, for they are copies of one thing. A claim for somebody who is not on `roster`
/// counts for nobody.
///
/// The voice counts for the line's owner once somebody is identified by it, and not before: otherwise the line would tell
/// whoever sees no scores whom a voice that names nobody is like.
///
/// A claim for several users raises all of them alike, and so never tells them apart. It makes a name only where
/// everything else does: where one of them has, of the probability of them all, the share that identifies
/// ([`EvidencePriors::accept`] and [`Policy::accept`], whichever is larger). Otherwise nobody is named who would not be named
/// without it.
pub fn combine(
    roster: &[Member],
    claims: &[Claim],
    voice: Option<&Voice>,
    evidence_priors: &EvidencePriors,
    policy: &Policy,
) -> Identity {
    if roster.is_empty() {
        return nothing_known(Reason::EmptyRoster, claims, voice);
    }
    let weighed = Weighed::of(roster, claims, voice, evidence_priors, policy);
    let claimed = weighed.line_owner(&weighed.claimed_lines, evidence_priors);
    let speaker = weighed.speaker(&claimed, policy);
    // Whose voice it is says whose line it likely is. While that cannot be said, whom it is like would be told by the line.
    let line_owner = match speaker.status {
        SpeakerStatus::Identified => weighed.line_owner(&weighed.heard_lines, evidence_priors),
        _ => claimed,
    };
    let agreement = agreement(&line_owner, &speaker);
    let present: Vec<&Claim> = weighed.present.iter().map(|one| one.claim).collect();
    let contradictions = contradictions(&present, &speaker, roster);
    let evidence = items(claims, voice, |claim| weighed.counted(claim, evidence_priors));
    let is_hidden = voice.is_some_and(|heard| heard.said.is_hidden());
    let speaker_by_claims = (is_hidden && speaker.status != SpeakerStatus::Identified)
        .then(|| Weighed::of(roster, claims, None, evidence_priors, policy).speaker(&line_owner, policy))
        .filter(|by_claims| by_claims.user_id != speaker.user_id);
    Identity {
        line_owner,
        speaker,
        agreement,
        contradictions,
        evidence,
        speaker_by_claims,
    }
}

/// What is said when nobody can be: the roster is empty, or could not be read.
pub fn nothing_known(reason: Reason, claims: &[Claim], voice: Option<&Voice>) -> Identity {
    Identity {
        line_owner: LineOwner::unknown(),
        speaker: Speaker::inconclusive(SpeakerReason::Voice(reason)),
        agreement: SpeakerAgreement::Undetermined,
        contradictions: Vec::new(),
        evidence: items(claims, voice, |_| Vec::new()),
        speaker_by_claims: None,
    }
}

impl Weighed<'_> {
    fn line_owner(&self, lines: &Lines, evidence_priors: &EvidencePriors) -> LineOwner {
        let Some((place, mut posterior)) = Self::best(&lines.all) else {
            return LineOwner::unknown();
        };
        if self.left_open(place, &lines.all) {
            posterior = posterior.min(lines.alone[place]);
        }
        let status = if posterior >= evidence_priors.accept {
            OwnerStatus::Identified
        } else if posterior > 0.5 {
            OwnerStatus::Probable
        } else {
            return LineOwner::unknown();
        };
        let member = &self.roster[place];
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
        match self.heard.map(|heard| heard.said.word()) {
            Some(Outcome::Identified(user)) => match self.place(user) {
                Some(place) => self.spoken(SpeakerStatus::Identified, place),
                None => self.speaker_of_all_evidence(policy),
            },
            Some(Outcome::Unknown) => self.speaker_unlike_all(owner),
            // Whoever plays a recording may have its speaker's phone and PIN too.
            Some(Outcome::Inconclusive(Reason::Replayed)) => {
                Speaker::inconclusive(SpeakerReason::Voice(Reason::Replayed))
            }
            Some(Outcome::Inconclusive(_)) | None => self.speaker_of_all_evidence(policy),
        }
    }

    /// The voice is nobody's that is enrolled. Only somebody who never enrolled may still be speaking.
    fn speaker_unlike_all(&self, owner: &LineOwner) -> Speaker {
        if let Some(place) = self.claimed().filter(|place| !self.roster[*place].enrolled) {
            return self.spoken(SpeakerStatus::Claimed, place);
        }
        if self.sharers().any(|place| !self.roster[place].enrolled) {
            return Speaker::inconclusive(SpeakerReason::NotEnrolled);
        }
        let owner = owner.user_id.and_then(|user| self.place(user));
        if owner.is_some_and(|place| !self.roster[place].enrolled) {
            return Speaker::inconclusive(SpeakerReason::NotEnrolled);
        }
        self.third_party()
    }

    fn speaker_of_all_evidence(&self, policy: &Policy) -> Speaker {
        if let Some(said) = self
            .heard
            .map(|heard| &heard.said)
            .filter(|_| !self.voice.is_empty())
        {
            let best = Self::best(&self.joint.speaker);
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
        Speaker::inconclusive(SpeakerReason::Voice(reason))
    }

    /// Who says to be speaking: by a PIN of their own, by one that others have too where the rest leaves them alone,
    /// or else by the phone, unless a shared PIN says that it is somebody else or the voice makes it more likely than not.
    fn claimed(&self) -> Option<usize> {
        let own = |tier| {
            let claims = self
                .present
                .iter()
                .filter(move |one| one.claim.tier == tier && one.claim.speaker.is_some());
            claims
                .filter(|one| !one.is_shared())
                .flat_map(|one| &one.places)
                .copied()
        };
        let shared = self
            .sharers()
            .filter(|place| !self.left_open(*place, &self.joint.speaker));
        let among: HashSet<usize> = self.sharers().collect();
        let phones = own(Tier::T2)
            .filter(|place| among.is_empty() || among.contains(place))
            .filter(|place| self.voice_allows(*place));
        let likeliest = |places: &mut dyn Iterator<Item = usize>| {
            places.max_by(|a, b| {
                let likelier = self.joint.speaker[*a].total_cmp(&self.joint.speaker[*b]);
                likelier.then_with(|| b.cmp(a))
            })
        };
        likeliest(&mut own(Tier::T4))
            .or_else(|| likeliest(&mut { shared }))
            .or_else(|| likeliest(&mut { phones }))
    }

    /// Whether the voice, as far as it was heard, leaves it likelier than not that this user speaks. A phone is passed on,
    /// and its number forged or written by a forwarder: it greets nobody against what is heard, nor who speaks on it after
    /// somebody else did. A voice that was compared with nobody here says nothing.
    fn voice_allows(&self, place: usize) -> bool {
        let reason = self.heard.and_then(|heard| heard.said.reason);
        if reason == Some(Reason::SeveralVoices) {
            return !self.roster[place].enrolled;
        }
        let says_nothing = self.voice.iter().all(|ratio| *ratio == 0.0);
        says_nothing || !self.roster[place].enrolled || self.joint.speaker[place] > 0.5
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

    fn best(posteriors: &[f64]) -> Option<(usize, f64)> {
        let all = posteriors.iter().copied().enumerate();
        all.max_by(|(a_at, a), (b_at, b)| a.total_cmp(b).then_with(|| b_at.cmp(a_at)))
    }
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
    const fn inconclusive(reason: SpeakerReason) -> Self {
        Self {
            status: SpeakerStatus::Inconclusive,
            user_id: None,
            user_name: None,
            posterior: None,
            reason: Some(reason),
        }
    }
}
