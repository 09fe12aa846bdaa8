//! PINs beside the other evidence of a call.

use super::*;

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
fn after_a_voice_of_nobodys_a_claim_names_only_who_is_not_enrolled() {
    for tier in [Tier::T2, Tier::T4] {
        let mut roster = roster(5);
        let user = roster[3].user;
        let mut identity = |enrolled: bool| {
            roster[3].enrolled = enrolled;
            said(&roster, &[claim(tier, Some(user))], Some(&unknown(&roster)))
        };
        let (known, unheard) = (identity(true), identity(false));
        assert_eq!(
            (known.speaker.status, known.speaker.user_id),
            (SpeakerStatus::ThirdParty, None)
        );
        assert_eq!(codes(&known).len(), 1, "{known:?}");
        assert_eq!(
            (unheard.speaker.status, unheard.speaker.user_id),
            (SpeakerStatus::Claimed, Some(user))
        );
        assert!(codes(&unheard).is_empty(), "{unheard:?}");
    }
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
