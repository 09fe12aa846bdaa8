//! What in the evidence does not fit together.

use super::{Claim, Contradiction, ContradictionCode, Member, Speaker, SpeakerStatus, Tier};
use crate::units::UserId;

/// What does not fit together. `present` are the claims for users of the roster.
pub(super) fn contradictions(present: &[&Claim], speaker: &Speaker, roster: &[Member]) -> Vec<Contradiction> {
    use ContradictionCode as Code;

    let users = |tiers: &[Tier]| -> Vec<UserId> {
        let claims = present.iter().filter(|claim| tiers.contains(&claim.tier));
        let mut users: Vec<UserId> = claims.flat_map(|claim| &claim.users).copied().collect();
        users.sort();
        users.dedup();
        users
    };
    let forwarders = users(&[Tier::T1, Tier::T3]);
    let (callers, pins) = (users(&[Tier::T2]), users(&[Tier::T4]));
    let apart = |some: &[UserId], others: &[UserId]| {
        !some.is_empty() && !others.is_empty() && !some.iter().any(|user| others.contains(user))
    };
    let unheard = |claimed: &[UserId]| unheard(claimed, speaker, roster);
    let found = [
        (unheard(&callers), Code::CallerIsNotTheVoice),
        (unheard(&pins), Code::PinIsNotTheVoice),
        (
            speaker.status == SpeakerStatus::Identified && unheard(&forwarders),
            Code::ForwarderIsNotTheVoice,
        ),
        (forwarders.len() > 1, Code::ForwardingDisagrees),
        (apart(&pins, &forwarders), Code::PinIsNotTheForwarder),
        (apart(&pins, &callers), Code::PinIsNotTheCaller),
        (several_pins(present), Code::SeveralPins),
        (present.iter().any(|claim| claim.failed), Code::CallerNotAttested),
    ];
    let said = found.into_iter().filter(|(holds, _)| *holds);
    said.map(|(_, code)| Contradiction::from(code)).collect()
}

/// Whether PINs were given that have no user in common.
fn several_pins(present: &[&Claim]) -> bool {
    let pins: Vec<&Claim> = present
        .iter()
        .copied()
        .filter(|claim| claim.tier == Tier::T4)
        .collect();
    let apart = |one: &Claim, other: &Claim| !one.users.iter().any(|user| other.users.contains(user));
    let mut pairs = pins
        .iter()
        .enumerate()
        .flat_map(|(at, one)| pins[..at].iter().map(move |other| (one, other)));
    pairs.any(|(one, other)| apart(one, other))
}

/// Whether the voice is surely not that of any of `claimed`: it is another user's, or nobody's, and one who
/// never enrolled cannot be told from nobody.
fn unheard(claimed: &[UserId], speaker: &Speaker, roster: &[Member]) -> bool {
    if claimed.is_empty() {
        return false;
    }
    match speaker.status {
        SpeakerStatus::Identified => speaker.user_id.is_some_and(|user| !claimed.contains(&user)),
        SpeakerStatus::ThirdParty => claimed.iter().all(|user| {
            let member = roster.iter().find(|member| member.user == *user);
            member.is_some_and(|member| member.enrolled)
        }),
        SpeakerStatus::Claimed | SpeakerStatus::Inconclusive => false,
    }
}
