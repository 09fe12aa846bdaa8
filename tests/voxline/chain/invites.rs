//! What one INVITE says, and what somebody vouches for.

use super::*;

#[test]
fn what_one_invite_says_counts_once_and_what_is_vouched_for_adds_up() {
    let usual = EvidencePriors::default();
    for users in [2, 3, 5, 20, 300] {
        let roster = roster(users);
        let of = |tier, anybodys, owner| Claim {
            anybodys,
            owner,
            ..claim(tier, Some(roster[0].user))
        };
        let written = |tier, owner| of(tier, true, owner);
        let diversion = written(Tier::T1, usual.forwarding_untrusted);
        let passport = written(Tier::T3, usual.passport);
        let caller = written(Tier::T2, usual.caller);
        let failed = Claim {
            failed: true,
            ..written(Tier::T2, usual.caller_failed)
        };
        // A From that is the Diversion's says nothing of who speaks.
        let same = Claim {
            speaker: None,
            ..caller.clone()
        };
        let hint = of(Tier::T1, false, usual.forwarding_hint);
        let known = of(Tier::T1, false, usual.forwarding);
        let attested = of(Tier::T2, false, usual.caller_attested);
        let posterior = |claims: &[&Claim]| {
            let claims: Vec<Claim> = claims.iter().copied().cloned().collect();
            said(&roster, &claims, None).line_owner.posterior.unwrap_or(0.0)
        };
        for (claims, strongest) in [
            (vec![&diversion, &caller], usual.caller),
            (vec![&diversion, &same], usual.caller),
            (vec![&diversion, &passport, &same], usual.caller),
            (vec![&passport, &failed], usual.passport),
            (vec![&hint, &same], usual.caller),
            (vec![&hint, &failed], usual.forwarding_hint),
            (vec![&known, &diversion, &passport], usual.forwarding),
        ] {
            let found = posterior(&claims);
            assert!(
                (found - strongest).abs() < 1e-9,
                "{found} of {claims:?} among {users}"
            );
        }
        for (claims, alone) in [
            (vec![&known, &caller], &known),
            (vec![&hint, &caller], &caller),
            (vec![&diversion, &attested], &attested),
        ] {
            assert!(
                posterior(&claims) > posterior(&[alone]),
                "{claims:?} among {users}"
            );
        }
        for claims in [vec![&known], vec![&attested], vec![&attested, &diversion]] {
            assert!(posterior(&claims) >= usual.accept, "{claims:?} among {users}");
        }
    }
}
