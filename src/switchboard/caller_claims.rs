//! How far a caller's number speaks for who speaks: not where it is the forwarder's, nor where it came with other voices.

use super::callers::CallerHistory;
use crate::store::CallerIsForwarder;
use crate::units::UserId;
use crate::verdict::chain::{Claim, Tier};

/// Lets a caller's number that is the forwarder's speak for the line only: by `rule` always or never, or where the
/// call's forwarding evidence, whenever it came, is of the same number.
pub(super) fn take_forwarders_out(claims: &mut [Claim], rule: CallerIsForwarder) {
    let forwarded = |tier| matches!(tier, Tier::T1 | Tier::T3);
    let by: Vec<(Vec<UserId>, Option<String>)> = claims
        .iter()
        .filter(|claim| forwarded(claim.tier) && (!claim.users.is_empty() || claim.value_hash.is_some()))
        .map(|claim| (claim.users.clone(), claim.value_hash.clone()))
        .collect();
    // Where a number was not hashed its user stands for it.
    let is_same = |claim: &Claim| {
        by.iter().any(|(users, hash)| match (hash, &claim.value_hash) {
            (Some(one), Some(other)) => one == other,
            _ => !users.is_empty() && *users == claim.users,
        })
    };
    let callers = claims.iter().map(|claim| {
        claim.tier == Tier::T2
            && claim.speaker.is_some()
            && match rule {
                CallerIsForwarder::Never => false,
                CallerIsForwarder::Always => true,
                CallerIsForwarder::Auto => is_same(claim),
            }
    });
    let callers: Vec<bool> = callers.collect();
    for (claim, _) in claims.iter_mut().zip(callers).filter(|(_, is)| *is) {
        claim.speaker = None;
        note(claim, "the forwarder's number: it says nothing of who speaks");
    }
}

/// Lets a caller's number speak for its user as far as it did in earlier calls, and not at all where mostly others were
/// heard with it: a carrier that rewrites From leaves no other trace.
pub(super) fn doubt_callers(claims: &mut [Claim], history: &CallerHistory) {
    for claim in claims.iter_mut().filter(|claim| claim.tier == Tier::T2) {
        let (Some(speaks), [user]) = (claim.speaker, claim.users.as_slice()) else {
            continue;
        };
        let share = history.share(*user);
        if share > 0.5 {
            claim.speaker = Some(speaks.min(share));
            continue;
        }
        claim.speaker = None;
        note(claim, history.doubt());
    }
}

fn note(claim: &mut Claim, said: &str) {
    claim.note = Some(match claim.note.take() {
        Some(note) => format!("{note}; {said}"),
        None => said.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_heard_with_other_voices_speaks_for_the_line_alone() {
        use serde_json::json;
        let alice = UserId::fresh();
        let call = |own: bool| {
            let (outcome, speaker) = if own {
                ("identified", "identified")
            } else {
                ("unknown", "third_party")
            };
            json!({"outcome": outcome, "user_id": own.then_some(alice), "speaker": {"status": speaker},
                "evidence": [{"tier": "T2", "user_id": alice}]})
        };
        for (calls, speaks) in [
            (vec![], Some(0.8)),
            (vec![true; 30], Some(0.8)),
            (vec![false], None),
            (vec![false, true], Some(2.0 / 3.0)),
            (vec![false, false, true], None),
        ] {
            let verdicts: Vec<_> = calls.iter().map(|own| call(*own)).collect();
            let mut claims = vec![
                Claim::of_tier(Tier::T2, Some(alice), Some("a")),
                Claim::of_tier(Tier::T4, Some(alice), None),
            ];
            doubt_callers(&mut claims, &CallerHistory::read(&verdicts));
            let same = match (claims[0].speaker, speaks) {
                (Some(got), Some(wanted)) => (got - wanted).abs() < 1e-9,
                (got, wanted) => got == wanted,
            };
            assert!(same, "{calls:?}: {:?}", claims[0].speaker);
            assert_eq!(claims[0].note.is_some(), speaks.is_none());
            assert!((claims[0].owner - 0.9).abs() < f64::EPSILON, "the line stays");
            assert_eq!(
                claims[1],
                Claim::of_tier(Tier::T4, Some(alice), None),
                "a PIN is not doubted"
            );
        }
    }

    #[test]
    fn the_forwarders_number_speaks_for_the_line_alone() {
        use CallerIsForwarder::{Always, Auto, Never};
        let (alice, bob) = (Some(UserId::fresh()), Some(UserId::fresh()));
        let diverted = |user, hash| vec![Claim::of_tier(Tier::T1, user, hash)];
        for (what, evidence, speaks) in [
            // never, always, auto
            (
                "the same number",
                diverted(alice, Some("a")),
                [true, false, false],
            ),
            (
                "another number of the user's",
                diverted(alice, Some("b")),
                [true, false, true],
            ),
            (
                "another user's number",
                diverted(bob, Some("b")),
                [true, false, true],
            ),
            ("nobody's number", diverted(None, Some("c")), [true, false, true]),
            (
                "a number that was not hashed",
                diverted(alice, None),
                [true, false, false],
            ),
            ("nothing usable", diverted(None, None), [true, false, true]),
            ("no forwarder", Vec::new(), [true, false, true]),
            (
                "a PASSporT",
                vec![Claim::of_tier(Tier::T3, alice, Some("a"))],
                [true, false, false],
            ),
            (
                "a PIN",
                vec![Claim::of_tier(Tier::T4, alice, None)],
                [true, false, true],
            ),
        ] {
            for (rule, speaks) in [Never, Always, Auto].into_iter().zip(speaks) {
                // Evidence counts whenever it came.
                let mut claims = vec![Claim::of_tier(Tier::T2, alice, Some("a"))];
                claims.extend(evidence.clone());
                take_forwarders_out(&mut claims, rule);
                assert_eq!(claims[0].speaker.is_some(), speaks, "{what} by {rule}");
                assert_eq!(claims[0].note.is_none(), speaks, "{what} by {rule}");
                assert!(
                    (claims[0].owner - 0.9).abs() < f64::EPSILON,
                    "{what}: the line stays"
                );
            }
        }
    }
}
