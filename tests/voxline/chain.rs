//! Laws of the chain of evidence: whose line, whose voice.

mod invites;
mod laws;
mod pins;

use time::OffsetDateTime;
use voxline::decision::{Policy, Reason};
use voxline::units::{Llr, UserId};
use voxline::verdict::chain::{
    Claim, EvidenceKind, EvidencePriors, EvidenceSource, Member, OwnerStatus, SpeakerAgreement,
    SpeakerReason, SpeakerStatus, Tier, Voice, combine,
};
use voxline::verdict::{Identification, Identity, OutcomeName, Shown};
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
        anybodys: false,
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
fn who_plays_a_recording_is_not_named_and_the_line_keeps_its_owner() {
    let roster = roster(20);
    let alice = roster[3].user;
    let played = voice(OutcomeName::Inconclusive, None, Some(Reason::Replayed), &[]);
    for tier in [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4] {
        let identity = said(&roster, &[claim(tier, Some(alice))], Some(&played));
        let speaker = &identity.speaker;
        assert_eq!(
            (speaker.status, speaker.user_id, speaker.reason),
            (
                SpeakerStatus::Inconclusive,
                None,
                Some(SpeakerReason::Voice(Reason::Replayed))
            ),
            "{tier:?}"
        );
        let heard = said(&roster, &[claim(tier, Some(alice))], None);
        assert_eq!(identity.line_owner, heard.line_owner, "{tier:?}");
    }
}

#[test]
fn a_spoofed_voice_is_none_and_the_rest_says_what_it_says() {
    let roster = roster(20);
    let alice = roster[3].user;
    let spoofed = voice(OutcomeName::Inconclusive, None, Some(Reason::Spoofed), &[]);
    for tier in [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4] {
        let claims = [claim(tier, Some(alice))];
        let (with, without) = (
            said(&roster, &claims, Some(&spoofed)),
            said(&roster, &claims, None),
        );
        assert_eq!(with.line_owner, without.line_owner, "{tier:?}");
        let speaker = &with.speaker;
        assert_eq!(speaker.user_id, without.speaker.user_id, "{tier:?}");
        let claimed = matches!(tier, Tier::T2 | Tier::T4);
        assert_eq!(speaker.status == SpeakerStatus::Claimed, claimed, "{tier:?}");
        let reason = (!claimed).then_some(SpeakerReason::Voice(Reason::Spoofed));
        assert_eq!(speaker.reason, reason, "{tier:?}");
    }
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
fn a_phone_names_nobody_once_several_voices_were_heard() {
    let mut roster = roster(5);
    let phone = [claim(Tier::T2, Some(roster[0].user))];
    let several = voice(OutcomeName::Inconclusive, None, Some(Reason::SeveralVoices), &[]);
    let identity = said(&roster, &phone, Some(&several));
    assert_eq!(identity.speaker.status, SpeakerStatus::Inconclusive);
    assert_eq!(
        identity.speaker.reason,
        Some(SpeakerReason::Voice(Reason::SeveralVoices))
    );
    assert_eq!(identity.line_owner.user_id, Some(roster[0].user));
    // Whose voice nobody knows, it says nothing of. And a PIN is not passed on.
    roster[0].enrolled = false;
    let unheard = said(&roster, &phone, Some(&several));
    assert_eq!(unheard.speaker.status, SpeakerStatus::Claimed);
    roster[0].enrolled = true;
    let pin = [claim(Tier::T4, Some(roster[0].user))];
    assert_eq!(
        said(&roster, &pin, Some(&several)).speaker.status,
        SpeakerStatus::Claimed
    );
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
    let shown = serde_json::to_value(Shown::new(&identity, false)).unwrap();
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
