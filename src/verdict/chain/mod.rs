//! Whose line, whose voice: all evidence of a call put together by likelihoods.
//!
//! The two questions are kept apart. The *line owner* is the user through whose line the call came; the
//! *speaker* is whose voice is on it; in a plain forwarded call they are two people. [`combine()`] weighs what the
//! tiers found and gives an [`Identity`]: both answers, whether they agree, every contradiction in words, and the
//! evidence itself.
//!
//! Laws, each with a test: a claim moves the prior of the speaker and never the voice's thresholds; a header by
//! itself names no speaker, and where the voice says "nobody on the roster" no enrolled user is named (whoever is not
//! enrolled, or has opted out, cannot be told from nobody by voice: a PIN or a phone of theirs still claims to be them);
//! evidence for a user of another number counts for nobody here; the order in which evidence came does not matter; a PIN that several users
//! share names none of them unless the rest leaves one.

mod evidence_priors;
mod joint;
mod kinds;
mod claim;
mod items;
mod weighed;
mod words;
mod combine;

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::units::{UserId, words};

pub use crate::store::NumberMember as Member;
pub use claim::{Claim, Voice};
pub use combine::{combine, nothing_known};
pub use evidence_priors::EvidencePriors;
pub use kinds::{ContradictionCode, EvidenceKind, EvidenceSource, SpeakerReason};

/// The tiers of evidence, as telephony speaks of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Tier {
    /// The dialed number is one user's alone.
    T0,
    /// Forwarding headers and carriers' fields.
    T1,
    /// The caller's number.
    T2,
    /// PASSporTs.
    T3,
    /// A PIN.
    T4,
    /// The voice.
    T5,
}

words! {
    /// How sure the line owner is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum OwnerStatus {
        /// Sure enough to act on.
        Identified = "identified",
        /// Likelier this user than all others together.
        Probable = "probable",
        /// It cannot be said.
        Unknown = "unknown",
    }
}

/// The user through whose line the call came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineOwner {
    /// How sure it is.
    pub status: OwnerStatus,
    /// Id of the user, where one is named.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user_id: Option<UserId>,
    /// The user's display name, where one is named.
    pub user_name: Option<String>,
    /// Probability that it is this user.
    pub posterior: Option<f64>,
}

words! {
    /// How sure the speaker is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum SpeakerStatus {
        /// The voice says so.
        Identified = "identified",
        /// A PIN or the caller's number says so, the voice not yet.
        Claimed = "claimed",
        /// Nobody on the roster, by the voice.
        ThirdParty = "third_party",
        /// It cannot be said; `reason` says why.
        Inconclusive = "inconclusive",
    }
}

/// Whose voice is on the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Speaker {
    /// How sure it is.
    pub status: SpeakerStatus,
    /// Who, when identified or claimed.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user_id: Option<UserId>,
    /// The user's display name, where one is named.
    pub user_name: Option<String>,
    /// Probability of what is said, all evidence together.
    pub posterior: Option<f64>,
    /// Why it is inconclusive: the voice's reasons, or `not_enrolled` where the voice is nobody's it knows and
    /// the line's owner never enrolled.
    #[schema(value_type = Option<String>)]
    pub reason: Option<SpeakerReason>,
}

/// Whether the line's owner is the one who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerAgreement {
    /// The owner speaks.
    Same,
    /// Somebody who is not on the roster speaks: the plain forwarded call.
    ThirdParty,
    /// Another user of the number speaks.
    Different,
    /// It cannot be said.
    Undetermined,
}

/// Two pieces of evidence that cannot both be right, or should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Contradiction {
    /// Which, for programs.
    #[schema(value_type = String)]
    pub code: ContradictionCode,
    /// Which, for people. It names nobody: the evidence has the ids.
    pub message: &'static str,
}

impl From<ContradictionCode> for Contradiction {
    fn from(code: ContradictionCode) -> Self {
        Self {
            code,
            message: code.message(),
        }
    }
}

/// Its message is that of its code.
impl<'de> Deserialize<'de> for Contradiction {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Coded {
            code: ContradictionCode,
        }
        Coded::deserialize(from).map(|coded| coded.code.into())
    }
}

/// One piece of evidence, for audit. The number itself is not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceItem {
    /// The tier of evidence it belongs to.
    pub tier: Tier,
    /// What it is, as in `diversion`, `caller_number`, `pin`, `voice`.
    #[schema(value_type = String)]
    pub kind: EvidenceKind,
    /// The user it points to; null when it points to nobody on the dialed number.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user_id: Option<UserId>,
    /// How strong it is: natural-log likelihood ratio that this user owns the line (for the voice: that they
    /// speak) against anybody else.
    pub llr: Option<f64>,
    /// Who brought it.
    #[schema(value_type = String)]
    pub source: EvidenceSource,
    /// When it was first seen.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// A keyed hash of the value: equal for equal values of this deployment, and the value of none.
    pub value_hash: Option<String>,
    /// What else there is to say of it.
    pub note: Option<String>,
}

/// Whose line and whose voice, with everything it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// Whose line the call came through.
    pub line_owner: LineOwner,
    /// Whose voice is on it.
    pub speaker: Speaker,
    /// Whether they are one.
    pub agreement: SpeakerAgreement,
    /// What does not fit together.
    pub contradictions: Vec<Contradiction>,
    /// The evidence, by tier.
    pub evidence: Vec<EvidenceItem>,
    /// The speaker as the claims alone have it, where that is another user than by the voice too and little was heard so far:
    /// what whoever sees no scores is shown ([`Shown`](super::Shown)), and nobody beside the speaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub speaker_by_claims: Option<Speaker>,
}

impl Identity {
    /// Whether both say the same apart from figures.
    pub fn same_word(&self, other: &Self) -> bool {
        let words = |identity: &Self| {
            let (owner, speaker) = (&identity.line_owner, &identity.speaker);
            (
                (owner.status, owner.user_id),
                (speaker.status, speaker.user_id, speaker.reason),
                identity.agreement,
            )
        };
        let pieces = |identity: &Self| -> Vec<(Tier, EvidenceKind, Option<UserId>)> {
            let items = identity.evidence.iter();
            items.map(|item| (item.tier, item.kind, item.user_id)).collect()
        };
        words(self) == words(other)
            && self.contradictions == other.contradictions
            && pieces(self) == pieces(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;

    #[test]
    fn what_was_said_of_a_call_is_read_as_it_was_written() {
        let user = UserId::fresh();
        let owner = LineOwner {
            status: OwnerStatus::Probable,
            user_id: Some(user),
            user_name: Some("Ana".to_owned()),
            posterior: Some(0.75),
        };
        let speaker = |status, reason| Speaker {
            status,
            user_id: None,
            user_name: None,
            posterior: None,
            reason,
        };
        let item = EvidenceItem {
            tier: Tier::T1,
            kind: EvidenceKind::Diversion,
            user_id: Some(user),
            llr: Some(2.5),
            source: EvidenceSource::Sip,
            at: OffsetDateTime::UNIX_EPOCH,
            value_hash: None,
            note: Some("trusted".to_owned()),
        };
        for reason in [SpeakerReason::Voice(Reason::Replayed), SpeakerReason::NotEnrolled] {
            let identity = Identity {
                line_owner: owner.clone(),
                speaker: speaker(SpeakerStatus::Inconclusive, Some(reason)),
                agreement: SpeakerAgreement::Undetermined,
                contradictions: ContradictionCode::ALL.map(Contradiction::from).to_vec(),
                evidence: vec![item.clone()],
                speaker_by_claims: Some(speaker(SpeakerStatus::Claimed, None)),
            };
            let written = serde_json::to_value(&identity).unwrap();
            assert_eq!(Identity::deserialize(&written).unwrap(), identity);
        }
    }
}
