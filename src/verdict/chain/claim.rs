//! What the chain of evidence weighs: what points to whom, and the voice.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Tier;
use super::kinds::{EvidenceKind, EvidenceSource};
use crate::units::UserId;
use crate::verdict::Identification;

/// Something that points to a user of the dialed number, other than the voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Which tier; [`Tier::T5`] has no claims.
    pub tier: Tier,
    /// What it is.
    pub kind: EvidenceKind,
    /// The user of the dialed number it points to: nobody when it points to nobody there, and several when it is
    /// one of them and does not tell which (a PIN that they share).
    pub users: Vec<UserId>,
    /// How likely that user, or one of them, owns the line, when this is all there is ([`EvidencePriors`](super::EvidencePriors)).
    pub owner: f64,
    /// How likely that user, or one of them, is the one who speaks; `None` when it says nothing of that.
    pub speaker: Option<f64>,
    /// Whether a verification of it was made and failed.
    pub failed: bool,
    /// Whether whoever calls may have written it, as nobody vouches for it: a header of a peer that is not known, a PASSporT
    /// that was only read, a caller's number without a verified attestation A.
    pub anybodys: bool,
    /// Who brought it.
    pub source: EvidenceSource,
    /// When it was first seen.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// A keyed hash of its value.
    pub value_hash: Option<String>,
    /// What else there is to say.
    pub note: Option<String>,
}

#[cfg(test)]
impl Claim {
    /// A claim of this tier for `user`, whom a value of this hash points to; a caller's number says that they speak, too.
    pub fn of_tier(tier: Tier, user: Option<UserId>, hash: Option<&str>) -> Self {
        Self {
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
}

/// The voice's latest word.
#[derive(Debug, Clone, PartialEq)]
pub struct Voice {
    /// What it is.
    pub said: Identification,
    /// When it was heard.
    pub at: OffsetDateTime,
}
