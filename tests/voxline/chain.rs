//! Laws of the chain of evidence: whose line, whose voice.

use proptest::prelude::*;
use time::OffsetDateTime;
use voxline::decision::{Policy, Reason};
use voxline::units::{Llr, UserId};
use voxline::verdict::chain::{
    Claim, EvidenceKind, EvidencePriors, EvidenceSource, Member, OwnerStatus, SpeakerAgreement,
    SpeakerReason, SpeakerStatus, Tier, Voice, combine,
};
use voxline::verdict::{Identification, Identity, OutcomeName};
use voxline::voiceprint::ModelId;

fn roster(users: usize) -> Vec<Member> {
    let member = |at| Member {
        user: UserId::fresh(),
        name: format!("user {at}"),
        exclusive: false,
        enrolled: true,
    };
    (0..users).map(member).collect()
}

fn claim(tier: Tier, user: Option<UserId>) -> Claim {
    let usual = EvidencePriors::default();
    let (kind, owner, speaker) = match tier {
        Tier::T0 => (EvidenceKind::AssignedNumber, usual.assigned, None),
        Tier::T1 => (EvidenceKind::Diversion, usual.forwarding, None),
        Tier::T2 => (
            EvidenceKind::CallerNumber,
            usual.caller,
            Some(usual.caller_speaks),
        ),
        Tier::T3 => (EvidenceKind::PassportDiv, usual.passport_verified, None),
        Tier::T4 | Tier::T5 => (EvidenceKind::Pin, usual.pin, Some(usual.pin_speaks)),
    };
    Claim {
        tier,
        kind,
        users: user.into_iter().collect(),
        owner,
        speaker,
        failed: false,
        source: EvidenceSource::Sip,
        at: OffsetDateTime::UNIX_EPOCH,
        value_hash: None,
        note: None,
    }
}

/// A PIN that several users of a number have.
fn shared_pin(users: &[UserId]) -> Claim {
    Claim {
        users: users.to_vec(),
        ..claim(Tier::T4, None)
    }
}

/// What a voice comes to by itself, with the ratio of each user.
fn voice(
    outcome: OutcomeName,
    user: Option<UserId>,
    reason: Option<Reason>,
    llrs: &[(UserId, f64)],
) -> Voice {
    let number = "+12025550102".parse().unwrap();
    let mut said = Identification::inconclusive(
        number,
        ModelId::new("m"),
        "c".to_owned(),
        reason.unwrap_or(Reason::Ambiguous),
    );
    (said.outcome, said.user_id, said.reason) = (outcome, user, reason);
    said.net_speech_seconds = 3.0;
    said.llrs = llrs
        .iter()
        .map(|(user, llr)| (*user, Llr::new(*llr).unwrap()))
        .collect();
    Voice {
        said,
        at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn identified(roster: &[Member], speaker: usize) -> Voice {
    let llrs: Vec<_> = roster
        .iter()
        .enumerate()
        .map(|(at, member)| (member.user, if at == speaker { 8.0 } else { -5.0 }))
        .collect();
    voice(OutcomeName::Identified, Some(roster[speaker].user), None, &llrs)
}

fn unknown(roster: &[Member]) -> Voice {
    let llrs: Vec<_> = roster.iter().map(|member| (member.user, -6.0)).collect();
    voice(OutcomeName::Unknown, None, None, &llrs)
}

fn said(roster: &[Member], claims: &[Claim], voice: Option<&Voice>) -> Identity {
    combine(
        roster,
        claims,
        voice,
        &EvidencePriors::default(),
        &Policy::default(),
    )
}

fn codes(identity: &Identity) -> Vec<&'static str> {
    identity
        .contradictions
        .iter()
        .map(|found| found.code.name())
        .collect()
}

#[test]
fn a_strangers_forwarded_call_has_an_owner_and_a_third_party() {
    let roster = roster(20);
    let alice = roster[3].user;
    let identity = said(&roster, &[claim(Tier::T1, Some(alice))], Some(&unknown(&roster)));
    assert_eq!(identity.line_owner.status, OwnerStatus::Identified);
    assert_eq!(identity.line_owner.user_id, Some(alice));
    assert_eq!(identity.speaker.status, SpeakerStatus::ThirdParty);
    assert_eq!(
        (identity.speaker.user_id, identity.agreement),
        (None, SpeakerAgreement::ThirdParty)
    );
    assert!(identity.contradictions.is_empty(), "{identity:?}");
}

#[test]
fn the_phone_of_one_and_the_voice_of_another_is_that_voice_and_flagged() {
    let roster = roster(20);
    let (alice, bob) = (roster[3].user, roster[7].user);
    let identity = said(
        &roster,
        &[claim(Tier::T2, Some(alice))],
        Some(&identified(&roster, 7)),
    );
    assert_eq!(identity.speaker.status, SpeakerStatus::Identified);
    assert_eq!(identity.speaker.user_id, Some(bob));
    assert_eq!(codes(&identity), ["caller_is_not_the_voice"]);
    let stranger = said(&roster, &[claim(Tier::T2, Some(alice))], Some(&unknown(&roster)));
    assert_eq!(stranger.speaker.status, SpeakerStatus::ThirdParty);
    assert_eq!(codes(&stranger), ["caller_is_not_the_voice"]);
}

#[test]
fn the_owner_who_calls_is_one_with_the_speaker() {
    let roster = roster(20);
    let identity = said(
        &roster,
        &[claim(Tier::T1, Some(roster[7].user))],
        Some(&identified(&roster, 7)),
    );
    assert_eq!(identity.agreement, SpeakerAgreement::Same);
    assert!(identity.line_owner.posterior.unwrap() > 0.999);
}

#[test]
fn a_claim_moves_the_prior_of_its_user_alone() {
    let roster = roster(20);
    let (alice, bob) = (roster[3].user, roster[7].user);
    let middling: Vec<_> = roster
        .iter()
        .map(|member| (member.user, if member.user == alice { 4.0 } else { -5.0 }))
        .collect();
    let waiting = voice(
        OutcomeName::Inconclusive,
        None,
        Some(Reason::TooLittleSpeech),
        &middling,
    );
    let alone = said(&roster, &[], Some(&waiting));
    assert_eq!(alone.speaker.status, SpeakerStatus::Inconclusive);
    assert_eq!(
        alone.speaker.reason,
        Some(SpeakerReason::Voice(Reason::TooLittleSpeech))
    );
    let claimed = said(&roster, &[claim(Tier::T4, Some(alice))], Some(&waiting));
    assert_eq!(
        (claimed.speaker.status, claimed.speaker.user_id),
        (SpeakerStatus::Identified, Some(alice))
    );
    let another = said(&roster, &[claim(Tier::T4, Some(bob))], Some(&waiting));
    assert_ne!(another.speaker.status, SpeakerStatus::Identified);
}

#[test]
fn a_phone_names_its_user_until_the_voice_makes_that_unlikely() {
    let roster = roster(20);
    let alice = roster[3].user;
    let phone = [claim(Tier::T2, Some(alice))];
    let heard = |ratio: f64| {
        let llrs: Vec<_> = roster
            .iter()
            .map(|member| (member.user, if member.user == alice { ratio } else { -5.0 }))
            .collect();
        voice(
            OutcomeName::Inconclusive,
            None,
            Some(Reason::TooLittleSpeech),
            &llrs,
        )
    };
    for (voice, named) in [
        (None, true),
        (Some(heard(0.0)), true),
        (Some(heard(1.0)), true),
        (Some(heard(-2.0)), false),
        (Some(heard(-5.0)), false),
    ] {
        let identity = said(&roster, &phone, voice.as_ref());
        assert_eq!(
            identity.speaker.user_id.is_some(),
            named,
            "{voice:?}: {identity:?}"
        );
        assert_eq!(identity.line_owner.user_id, Some(alice), "the line stays");
    }
    // Of somebody who never enrolled no voice says anything.
    let mut unheard = roster.clone();
    unheard[3].enrolled = false;
    let identity = said(&unheard, &phone, Some(&heard(0.0)));
    assert_eq!(identity.speaker.status, SpeakerStatus::Claimed);
}

#[test]
fn a_pin_is_a_claim_before_the_voice_and_a_contradiction_against_it() {
    let roster = roster(20);
    let alice = roster[3].user;
    let pin = [claim(Tier::T4, Some(alice))];
    let early = said(&roster, &pin, None);
    assert_eq!(
        (early.speaker.status, early.speaker.user_id),
        (SpeakerStatus::Claimed, Some(alice))
    );
    assert_eq!(early.line_owner.status, OwnerStatus::Identified);
    let stranger = said(&roster, &pin, Some(&unknown(&roster)));
    assert_eq!(stranger.speaker.status, SpeakerStatus::ThirdParty);
    assert_eq!(codes(&stranger), ["pin_is_not_the_voice"]);
    let bob = said(&roster, &pin, Some(&identified(&roster, 7)));
    assert_eq!(bob.speaker.user_id, Some(roster[7].user));
    assert_eq!(codes(&bob), ["pin_is_not_the_voice"]);
}

#[test]
fn a_shared_pin_names_the_one_whom_voice_phone_or_line_leaves() {
    let roster = roster(20);
    let (alice, bob, carl) = (roster[3].user, roster[7].user, roster[9].user);
    let pin = shared_pin(&[alice, bob]);
    let alone = said(&roster, std::slice::from_ref(&pin), None);
    assert_eq!((alone.line_owner.user_id, alone.speaker.user_id), (None, None));
    assert_eq!(alone.speaker.status, SpeakerStatus::Inconclusive);
    let items: Vec<_> = alone.evidence.iter().map(|item| item.user_id.unwrap()).collect();
    assert!(items.len() == 2 && items.contains(&alice) && items.contains(&bob));
    assert!(alone.evidence[0].note.as_deref().unwrap().contains("2 users"));

    for tier in [Tier::T1, Tier::T2] {
        let identity = said(&roster, &[pin.clone(), claim(tier, Some(alice))], None);
        assert_eq!(identity.speaker.status, SpeakerStatus::Claimed, "{tier:?}");
        assert_eq!(identity.speaker.user_id, Some(alice), "{tier:?}");
        assert_eq!(identity.line_owner.status, OwnerStatus::Identified, "{tier:?}");
        assert_eq!(identity.line_owner.user_id, Some(alice), "{tier:?}");
        assert!(identity.contradictions.is_empty(), "{identity:?}");
    }
    let waiting = |alice_has: f64| {
        let ratio = |user| if user == alice { alice_has } else { -5.0 };
        let llrs: Vec<_> = roster
            .iter()
            .map(|member| (member.user, ratio(member.user)))
            .collect();
        voice(
            OutcomeName::Inconclusive,
            None,
            Some(Reason::TooLittleSpeech),
            &llrs,
        )
    };
    let narrowed = said(&roster, std::slice::from_ref(&pin), Some(&waiting(4.0)));
    assert_eq!(narrowed.speaker.status, SpeakerStatus::Identified);
    assert_eq!(narrowed.speaker.user_id, Some(alice));
    let open = said(&roster, std::slice::from_ref(&pin), Some(&waiting(-4.0)));
    assert_eq!((open.line_owner.user_id, open.speaker.user_id), (None, None));

    let third = said(&roster, &[pin.clone(), claim(Tier::T2, Some(carl))], None);
    assert_eq!(third.speaker.user_id, None, "the PIN says that it is not Carl");
    assert_eq!(codes(&third), ["pin_is_not_the_caller"]);
    let stranger = said(&roster, &[pin], Some(&unknown(&roster)));
    assert_eq!(stranger.speaker.status, SpeakerStatus::ThirdParty);
    assert_eq!(codes(&stranger), ["pin_is_not_the_voice"]);
}

#[test]
fn a_shared_pin_never_costs_a_user_the_name_that_other_evidence_gives() {
    let roster = roster(2);
    let (alice, bob) = (roster[0].user, roster[1].user);
    let phone = claim(Tier::T2, Some(alice));
    let weak = Claim {
        owner: 0.7,
        speaker: Some(0.6),
        ..phone
    };
    let before = said(&roster, std::slice::from_ref(&weak), None);
    let after = said(&roster, &[weak, shared_pin(&[alice, bob])], None);
    assert_eq!(before.line_owner.status, OwnerStatus::Probable);
    assert_eq!(after.line_owner, before.line_owner);
    assert_eq!(after.speaker.user_id, before.speaker.user_id);
}

#[test]
fn when_one_who_shared_a_pin_is_gone_it_names_nobody() {
    let all = roster(5);
    let pin = shared_pin(&[all[0].user, all[1].user]);
    let identity = said(&all[1..], &[pin], None);
    assert_eq!(
        (identity.line_owner.user_id, identity.speaker.user_id),
        (None, None)
    );
    assert_eq!(identity.evidence[0].user_id, None);
}

#[test]
fn a_shared_pin_of_the_unenrolled_is_no_third_partys() {
    let mut roster = roster(5);
    (roster[0].enrolled, roster[1].enrolled) = (false, false);
    let pin = shared_pin(&[roster[0].user, roster[1].user]);
    let identity = said(&roster, &[pin], Some(&unknown(&roster[2..])));
    assert_eq!(identity.speaker.status, SpeakerStatus::Inconclusive);
    assert_eq!(identity.speaker.reason, Some(SpeakerReason::NotEnrolled));
}

#[test]
fn several_pins_are_told_when_no_user_has_both() {
    let roster = roster(9);
    let user = |at: usize| roster[at].user;
    let of = |one: &[UserId], other: &[UserId]| {
        let identity = said(&roster, &[shared_pin(one), shared_pin(other)], None);
        codes(&identity).contains(&"several_pins")
    };
    assert!(of(&[user(0), user(1)], &[user(2), user(3)]));
    assert!(of(&[user(0)], &[user(2), user(3)]));
    assert!(!of(&[user(0), user(1)], &[user(1)]));
}

#[test]
fn an_owner_who_never_enrolled_is_not_called_a_third_party() {
    let mut roster = roster(20);
    roster[3].enrolled = false;
    let owner = roster[3].user;
    let heard = unknown(&roster[4..]);
    let forwarded = said(&roster, &[claim(Tier::T1, Some(owner))], Some(&heard));
    assert_eq!(forwarded.speaker.status, SpeakerStatus::Inconclusive);
    assert_eq!(forwarded.speaker.reason, Some(SpeakerReason::NotEnrolled));
    let with_pin = said(&roster, &[claim(Tier::T4, Some(owner))], Some(&heard));
    assert_eq!(with_pin.speaker.status, SpeakerStatus::Claimed);
    assert!(with_pin.contradictions.is_empty());
}

#[test]
fn a_strength_is_the_posterior_when_it_is_all_there_is() {
    for users in [1, 2, 5, 100, 2_000] {
        let roster = roster(users);
        for strength in [0.95, 0.97, 0.99, 0.999] {
            let only = Claim {
                owner: strength,
                ..claim(Tier::T1, Some(roster[0].user))
            };
            let posterior = said(&roster, &[only], None).line_owner.posterior.unwrap();
            assert!(
                (posterior - strength).abs() < 1e-9,
                "{posterior} of {strength} among {users}"
            );
        }
    }
}

#[test]
fn copies_of_one_thing_count_once_and_different_things_add_up() {
    let roster = roster(50);
    let user = Some(roster[0].user);
    let weak = Claim {
        owner: 0.7,
        ..claim(Tier::T1, user)
    };
    let twin = Claim {
        kind: EvidenceKind::HistoryInfo,
        ..weak.clone()
    };
    let passport = Claim {
        owner: 0.7,
        ..claim(Tier::T3, user)
    };
    let posterior = |claims: &[Claim]| said(&roster, claims, None).line_owner.posterior.unwrap();
    let one = posterior(std::slice::from_ref(&weak));
    assert_eq!(posterior(&[weak.clone(), twin, passport]), one);
    assert!(posterior(&[weak, claim(Tier::T2, user)]) > one);
}

#[test]
fn disagreeing_headers_are_flagged_and_the_better_place_wins() {
    let roster = roster(50);
    let (alice, bob) = (roster[0].user, roster[1].user);
    let hint = Claim {
        kind: EvidenceKind::HistoryInfo,
        owner: EvidencePriors::default().forwarding_hint,
        ..claim(Tier::T1, Some(bob))
    };
    let identity = said(&roster, &[claim(Tier::T1, Some(alice)), hint], None);
    assert_eq!(identity.line_owner.user_id, Some(alice));
    assert_eq!(codes(&identity), ["forwarding_disagrees"]);
}

#[test]
fn without_scores_nothing_tells_how_sure_it_is() {
    let roster = roster(5);
    let identity = said(
        &roster,
        &[claim(Tier::T1, Some(roster[0].user))],
        Some(&identified(&roster, 0)),
    );
    let shown = serde_json::to_value(identity.clone().without_scores()).unwrap();
    assert!(shown["line_owner"]["posterior"].is_null() && shown["speaker"]["posterior"].is_null());
    assert!(
        shown["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["llr"].is_null())
    );
    let full = serde_json::to_value(identity).unwrap();
    assert_eq!(full["evidence"][0]["tier"], "T1");
    assert!(full["evidence"][0]["llr"].is_number() && full["speaker"]["posterior"].is_number());
    assert_eq!(full["agreement"], "same");
}

/// Some claims on a roster: tier, whom they are for, how strong.
fn claims() -> impl Strategy<Value = Vec<(usize, usize, f64)>> {
    prop::collection::vec((0_usize..5, 0_usize..40, 0.3..0.9999), 0..12)
}

const TIERS: [Tier; 5] = [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4];

fn of(roster: &[Member], drawn: &[(usize, usize, f64)]) -> Vec<Claim> {
    let one = |(tier, user, owner): &(usize, usize, f64)| Claim {
        owner: *owner,
        ..claim(TIERS[*tier], Some(roster[user % roster.len()].user))
    };
    drawn.iter().map(one).collect()
}

fn probability(identity: &Identity, user: UserId) -> f64 {
    let owner = &identity.line_owner;
    owner
        .posterior
        .filter(|_| owner.user_id == Some(user))
        .unwrap_or(0.0)
}

proptest! {
    #[test]
    fn evidence_for_somebody_of_another_number_names_nobody_here(
        users in 1_usize..40, ours in claims(), theirs in claims(), heard in any::<bool>(),
    ) {
        let (roster, strangers) = (roster(users), roster(17));
        let heard = heard.then(|| identified(&strangers, 0));
        let here = of(&roster, &ours);
        let mut both = here.clone();
        both.extend(of(&strangers, &theirs));
        let (plain, mixed) = (said(&roster, &here, None), said(&roster, &both, heard.as_ref()));
        prop_assert_eq!(&mixed.line_owner, &plain.line_owner);
        prop_assert_eq!(mixed.speaker.user_id, plain.speaker.user_id);
        let foreign = |user: Option<UserId>| {
            user.is_some_and(|user| strangers.iter().any(|member| member.user == user))
        };
        prop_assert!(!foreign(mixed.line_owner.user_id) && !foreign(mixed.speaker.user_id));
        let shown = mixed.evidence.iter().filter(|item| item.tier != Tier::T5);
        prop_assert!(!shown.into_iter().any(|item| foreign(item.user_id)));
    }

    #[test]
    fn a_shared_pin_names_none_of_its_users_while_nothing_tells_them_apart(
        users in 3_usize..40, sharers in 2_usize..6, drawn in claims(), heard in 0_usize..5, ratio in -8.0..8.0_f64,
        strength in 0.3..0.9999_f64,
    ) {
        let roster = roster(users);
        let sharers = sharers.min(users - 1);
        let shared: Vec<UserId> = roster[..sharers].iter().map(|member| member.user).collect();
        // All other claims are for others, and the voice fits those who share the PIN alike.
        let mut claims = of(&roster[sharers..], &drawn);
        claims.push(Claim { owner: strength, ..shared_pin(&shared) });
        let llrs: Vec<_> = roster.iter().map(|member| (member.user, ratio)).collect();
        let heard = match heard {
            0 => None,
            1 => Some(voice(OutcomeName::Unknown, None, None, &llrs)),
            2 => Some(identified(&roster, users - 1)),
            3 => Some(voice(OutcomeName::Inconclusive, None, Some(Reason::PoorAudio), &llrs)),
            _ => Some(voice(OutcomeName::Inconclusive, None, Some(Reason::Ambiguous), &llrs)),
        };
        let identity = said(&roster, &claims, heard.as_ref());
        for named in [identity.line_owner.user_id, identity.speaker.user_id].into_iter().flatten() {
            prop_assert!(!shared.contains(&named), "{:?}", identity);
        }
    }

    #[test]
    fn headers_alone_never_name_a_speaker(
        users in 1_usize..40, drawn in claims(), third in 0.01..0.99_f64,
    ) {
        let roster = roster(users);
        let headers: Vec<Claim> = of(&roster, &drawn)
            .into_iter()
            .filter(|claim| matches!(claim.tier, Tier::T0 | Tier::T1 | Tier::T3))
            .collect();
        let policy = Policy { unknown_share: third, ..Policy::default() };
        let alone = combine(&roster, &headers, None, &EvidencePriors::default(), &policy);
        prop_assert_eq!(alone.speaker.user_id, None);
        let all = of(&roster, &drawn);
        let identity = combine(&roster, &all, Some(&unknown(&roster)), &EvidencePriors::default(), &policy);
        prop_assert_eq!(identity.speaker.status, SpeakerStatus::ThirdParty);
        prop_assert_eq!(identity.speaker.user_id, None);
    }

    #[test]
    fn the_order_in_which_evidence_came_does_not_matter(
        users in 1_usize..40, drawn in claims(), turn in 0_usize..12, speaker in 0_usize..40,
    ) {
        let roster = roster(users);
        let claims = of(&roster, &drawn);
        let heard = identified(&roster, speaker % users);
        let mut claims = claims;
        if users > 2 {
            claims.push(shared_pin(&[roster[0].user, roster[users / 2].user]));
        }
        let mut turned = claims.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        turned.reverse();
        let (one, other) = (said(&roster, &claims, Some(&heard)), said(&roster, &turned, Some(&heard)));
        prop_assert_eq!(&one.line_owner, &other.line_owner);
        prop_assert_eq!(&one.speaker, &other.speaker);
        prop_assert_eq!(&one.contradictions, &other.contradictions);
    }

    #[test]
    fn evidence_for_a_user_never_lowers_their_probability(
        users in 1_usize..40, drawn in claims(), user in 0_usize..40, tier in 0_usize..5, strength in 0.01..0.9999_f64,
        heard in any::<bool>(),
    ) {
        let roster = roster(users);
        let member = user % users;
        let mut claims = of(&roster, &drawn);
        let heard = heard.then(|| unknown(&roster));
        let before = probability(&said(&roster, &claims, heard.as_ref()), roster[member].user);
        claims.push(Claim { owner: strength, ..claim(TIERS[tier], Some(roster[member].user)) });
        let after = probability(&said(&roster, &claims, heard.as_ref()), roster[member].user);
        prop_assert!(after >= before - 1e-12, "{} -> {}", before, after);
    }

    #[test]
    fn no_evidence_is_the_prior(users in 2_usize..200) {
        let identity = said(&roster(users), &[], None);
        prop_assert_eq!(identity.line_owner.status, OwnerStatus::Unknown);
        prop_assert_eq!(identity.speaker.status, SpeakerStatus::Inconclusive);
        prop_assert!(identity.evidence.is_empty() && identity.contradictions.is_empty());
    }
}
