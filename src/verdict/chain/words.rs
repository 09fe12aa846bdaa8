//! Contradictions, in words.

use super::{Claim, Contradiction, Member, Speaker, SpeakerStatus, Tier};
use crate::units::UserId;

/// What does not fit together. `present` are the claims for users of the roster.
pub(super) fn contradictions(present: &[&Claim], speaker: &Speaker, roster: &[Member]) -> Vec<Contradiction> {
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
        (unheard(&callers), CALLER_IS_NOT_THE_VOICE),
        (unheard(&pins), PIN_IS_NOT_THE_VOICE),
        (
            speaker.status == SpeakerStatus::Identified && unheard(&forwarders),
            FORWARDER_IS_NOT_THE_VOICE,
        ),
        (forwarders.len() > 1, FORWARDING_DISAGREES),
        (apart(&pins, &forwarders), PIN_IS_NOT_THE_FORWARDER),
        (apart(&pins, &callers), PIN_IS_NOT_THE_CALLER),
        (several_pins(present), SEVERAL_PINS),
        (present.iter().any(|claim| claim.failed), CALLER_NOT_ATTESTED),
    ];
    let said = found.into_iter().filter(|(holds, _)| *holds);
    said.map(|(_, (code, message))| Contradiction { code, message })
        .collect()
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

type Words = (&'static str, &'static str);

const CALLER_IS_NOT_THE_VOICE: Words = (
    "caller_is_not_the_voice",
    "the call comes from the phone of one user, and the voice is not theirs: somebody else uses that phone, or \
     the caller's number is forged",
);
const PIN_IS_NOT_THE_VOICE: Words = (
    "pin_is_not_the_voice",
    "the PIN of one user was given, and the voice is not theirs: somebody else knows it",
);
const FORWARDER_IS_NOT_THE_VOICE: Words = (
    "forwarder_is_not_the_voice",
    "the call came through the line of one user, and the voice is that of another user of this number",
);
const FORWARDING_DISAGREES: Words = (
    "forwarding_disagrees",
    "the forwarding evidence points to several users of this number",
);
const PIN_IS_NOT_THE_FORWARDER: Words = (
    "pin_is_not_the_forwarder",
    "the PIN of one user was given on a call that came through the line of another",
);
const PIN_IS_NOT_THE_CALLER: Words = (
    "pin_is_not_the_caller",
    "the PIN of one user was given on a call from the phone of another",
);
const SEVERAL_PINS: Words = ("several_pins", "PINs of several users were given on this call");
const CALLER_NOT_ATTESTED: Words = (
    "caller_not_attested",
    "the caller's number is that of a user, and its verification failed: it may be forged",
);
