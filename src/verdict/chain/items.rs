//! The evidence as it is kept for audit.

use super::{Claim, EvidenceItem, EvidenceKind, EvidenceSource, Tier, Voice};
use crate::decision::Reason;
use crate::units::UserId;
use crate::verdict::OutcomeName;

/// Most users of one claim that are shown one by one.
const SHOWN: usize = 10;

/// The evidence for audit, by tier; `counted` says for whom a claim counts and how much. A claim for several users is
/// an item for each of them, or one without a user where there are too many.
pub(super) fn items(
    claims: &[Claim],
    voice: Option<&Voice>,
    counted: impl Fn(&Claim) -> Vec<(UserId, f64)>,
) -> Vec<EvidenceItem> {
    let mut items: Vec<EvidenceItem> = claims
        .iter()
        .flat_map(|claim| {
            let counted = counted(claim);
            let shown: Vec<Option<(UserId, f64)>> = match counted.len() {
                1..=SHOWN => counted.into_iter().map(Some).collect(),
                _ => vec![None],
            };
            shown.into_iter().map(move |of| item(claim, of))
        })
        .collect();
    items.sort_by_key(|item| (item.tier, item.at, item.kind.name(), item.user_id));
    items.extend(
        voice
            .filter(|voice| voice.said.net_speech_seconds > 0.0)
            .map(voice_item),
    );
    items
}

fn item(claim: &Claim, counted: Option<(UserId, f64)>) -> EvidenceItem {
    let sharers = claim.users.len();
    let shared = (sharers > 1).then(|| format!("of one of the {sharers} users who share it"));
    let notes: Vec<&str> = shared
        .as_deref()
        .into_iter()
        .chain(claim.note.as_deref())
        .collect();
    EvidenceItem {
        tier: claim.tier,
        kind: claim.kind,
        user_id: counted.map(|(user, _)| user),
        llr: counted.map(|(_, llr)| llr),
        source: claim.source,
        at: claim.at,
        value_hash: claim.value_hash.clone(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

fn voice_item(voice: &Voice) -> EvidenceItem {
    let said = &voice.said;
    let word = match (said.outcome, said.reason) {
        (OutcomeName::Identified, _) => "identified",
        (OutcomeName::Unknown, _) => "nobody on the roster",
        (OutcomeName::Inconclusive, reason) => reason.map_or("inconclusive", Reason::name),
    };
    EvidenceItem {
        tier: Tier::T5,
        kind: EvidenceKind::Voice,
        user_id: said.user_id,
        llr: said.llr,
        source: EvidenceSource::Audio,
        at: voice.at,
        value_hash: None,
        note: Some(format!("{word} after {:.1} s of speech", said.net_speech_seconds)),
    }
}
