//! Laws of the chain, on random rosters and evidence.

use proptest::prelude::*;

use super::*;

/// Some claims on a roster: tier, whom they are for, how strong, and whether whoever calls may have written them.
fn claims() -> impl Strategy<Value = Vec<(usize, usize, f64, bool)>> {
    prop::collection::vec((0_usize..5, 0_usize..40, 0.3..0.9999, any::<bool>()), 0..12)
}

const TIERS: [Tier; 5] = [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4];

fn of(roster: &[Member], drawn: &[(usize, usize, f64, bool)]) -> Vec<Claim> {
    let one = |(tier, user, owner, anybodys): &(usize, usize, f64, bool)| Claim {
        owner: *owner,
        anybodys: *anybodys,
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
        anybodys in any::<bool>(), heard in any::<bool>(),
    ) {
        let roster = roster(users);
        let member = user % users;
        let mut claims = of(&roster, &drawn);
        let heard = heard.then(|| unknown(&roster));
        let before = probability(&said(&roster, &claims, heard.as_ref()), roster[member].user);
        claims.push(Claim { owner: strength, anybodys, ..claim(TIERS[tier], Some(roster[member].user)) });
        let after = probability(&said(&roster, &claims, heard.as_ref()), roster[member].user);
        prop_assert!(after >= before - 1e-12, "{} -> {}", before, after);
    }

    #[test]
    fn what_whoever_calls_may_have_written_identifies_no_line(
        users in 1_usize..300, drawn in claims(), third in 0.01..0.99_f64, says_who_speaks in any::<bool>(),
    ) {
        let roster = roster(users);
        let priors = EvidencePriors::default();
        let policy = Policy { unknown_share: third, ..Policy::default() };
        let written = of(&roster, &drawn).into_iter().filter(|one| !matches!(one.tier, Tier::T0 | Tier::T4));
        let written: Vec<Claim> = written
            .map(|one| Claim {
                owner: one.owner.min(priors.accept - 1e-6),
                speaker: one.speaker.filter(|_| says_who_speaks),
                anybodys: true,
                ..one
            })
            .collect();
        let identity = combine(&roster, &written, None, &priors, &policy);
        prop_assert_ne!(identity.line_owner.status, OwnerStatus::Identified, "{:?}", identity.line_owner);
    }

    #[test]
    fn a_voice_that_names_nobody_says_nothing_of_the_line(
        users in 1_usize..40, drawn in claims(), ratios in prop::collection::vec(-8.0..6.0_f64, 40),
        unsure in 0_usize..3,
    ) {
        let roster = roster(users);
        let claims = of(&roster, &drawn);
        let llrs: Vec<_> = roster.iter().zip(&ratios).map(|(member, ratio)| (member.user, *ratio)).collect();
        let heard = match unsure {
            0 => voice(OutcomeName::Unknown, None, None, &llrs),
            1 => voice(OutcomeName::Inconclusive, None, Some(Reason::TooLittleSpeech), &llrs),
            _ => voice(OutcomeName::Inconclusive, None, Some(Reason::Ambiguous), &llrs),
        };
        let (before, after) = (said(&roster, &claims, None), said(&roster, &claims, Some(&heard)));
        // With a claim beside it the voice may name somebody all the same.
        if after.speaker.status != SpeakerStatus::Identified {
            prop_assert_eq!(before.line_owner, after.line_owner);
        }
    }

    #[test]
    fn no_evidence_is_the_prior(users in 2_usize..200) {
        let identity = said(&roster(users), &[], None);
        prop_assert_eq!(identity.line_owner.status, OwnerStatus::Unknown);
        prop_assert_eq!(identity.speaker.status, SpeakerStatus::Inconclusive);
        prop_assert!(identity.evidence.is_empty() && identity.contradictions.is_empty());
    }
}
