//! The joint distribution of line owner and speaker, and its two marginals.
//!
//! Hypotheses are pairs of an owner `o` (a user, or nobody known) and a speaker `s` (a user, or a third party).
//!
//! * `P(o = u) = (1 - ε) / n` for each of `n` users, `ε` for nobody known;
//! * `P(s = third | o) = κ` whoever owns the line, with the `κ` of the voice's own decision;
//! * given that a user speaks, the line's owner does with probability `ω`, each other user with
//!   `ρ = (1 - ω) / (n - 1)`; on a line of nobody known each with `1 / n`.
//!
//! Evidence multiplies: `w(o) = P(o) e^{L(o)}` for the owner, `v(s) = e^{M(s)}` for the speaker. With `V = Σ v(u)`
//! and `W = Σ w(u)` over the users, the sums over the other variable are closed forms, so both marginals take time
//! in `n`, not in its square:
//!
//! * `P(o = u | e) ∝ w(u) · (κ v(third) + (1 - κ) ((ω - ρ) v(u) + ρ V))`,
//! * `P(o = nobody | e) ∝ w(nobody) · (κ v(third) + (1 - κ) V / n)`,
//! * `P(s = u | e) ∝ (1 - κ) v(u) · ((ω - ρ) w(u) + ρ W + w(nobody) / n)`,
//! * `P(s = third | e) ∝ κ v(third) · (W + w(nobody))`.
//!
//! All terms are positive as long as `ω ≥ 1 / n`, so nothing cancels, and then no evidence for a user lowers that
//! user's posterior. Without any evidence of the owner the speaker's marginal is the voice's own posterior.

/// The marginals over a roster, in its order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joint {
    /// Probability of each user as the line's owner.
    pub owner: Vec<f64>,
    /// Probability that the line is nobody's known.
    pub nobody: f64,
    /// Probability of each user as the speaker.
    pub speaker: Vec<f64>,
    /// Probability that a third party speaks.
    pub third_party: f64,
}

/// The shares of the prior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shares {
    /// `ε`: lines of nobody known.
    pub unknown_owner: f64,
    /// `κ`: third parties.
    pub third_party: f64,
    /// `ω`: owners among the users who speak.
    pub owner_speaks: f64,
}

/// The marginals, given what the evidence says of each user as owner and as speaker (natural logarithms of
/// likelihood ratios against anybody else).
pub(super) fn joint(owner: &[f64], speaker: &[f64], shares: &Shares) -> Joint {
    let users = owner.len().min(speaker.len());
    let n = users.max(1) as f64;
    let unknown = shares.unknown_owner;
    // Less the largest, so that no ratio overflows; it cancels in the division below.
    let highest_owner = owner.iter().copied().fold(0.0, f64::max);
    let highest_speaker = speaker.iter().copied().fold(0.0, f64::max);
    let w: Vec<f64> = owner[..users]
        .iter()
        .map(|llr| (1.0 - unknown) / n * (llr - highest_owner).exp())
        .collect();
    let v: Vec<f64> = speaker[..users]
        .iter()
        .map(|llr| (llr - highest_speaker).exp())
        .collect();
    let (w_nobody, v_third) = (unknown * (-highest_owner).exp(), (-highest_speaker).exp());
    let (all_w, all_v): (f64, f64) = (w.iter().sum(), v.iter().sum());

    let (omega, rho) = match users {
        0 | 1 => (1.0, 0.0),
        _ => (shares.owner_speaks, (1.0 - shares.owner_speaks) / (n - 1.0)),
    };
    let (third, inside) = (shares.third_party, 1.0 - shares.third_party);
    let mut owner: Vec<f64> = w
        .iter()
        .zip(&v)
        .map(|(w, v)| w * (third * v_third + inside * ((omega - rho) * v + rho * all_v)))
        .collect();
    let mut nobody = w_nobody * (third * v_third + inside * all_v / n);
    let mut speaker: Vec<f64> = w
        .iter()
        .zip(&v)
        .map(|(w, v)| inside * v * ((omega - rho) * w + rho * all_w + w_nobody / n))
        .collect();
    let mut third_party = third * v_third * (all_w + w_nobody);
    normalise(&mut owner, &mut nobody);
    normalise(&mut speaker, &mut third_party);
    Joint {
        owner,
        nobody,
        speaker,
        third_party,
    }
}

fn normalise(parts: &mut [f64], rest: &mut f64) {
    let total = parts.iter().sum::<f64>() + *rest;
    for part in parts {
        *part /= total;
    }
    *rest /= total;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every pair of hypotheses, one by one.
    fn by_hand(owner: &[f64], speaker: &[f64], shares: &Shares) -> Joint {
        let n = owner.len();
        let one = n as f64;
        let mut found = Joint {
            owner: vec![0.0; n],
            nobody: 0.0,
            speaker: vec![0.0; n],
            third_party: 0.0,
        };
        for o in 0..=n {
            let prior = if o < n {
                (1.0 - shares.unknown_owner) / one
            } else {
                shares.unknown_owner
            };
            for s in 0..=n {
                let given = match (o, s) {
                    (_, s) if s == n => shares.third_party,
                    (o, _) if o == n => (1.0 - shares.third_party) / one,
                    (o, s) if n == 1 || o == s => {
                        (1.0 - shares.third_party) * if n == 1 { 1.0 } else { shares.owner_speaks }
                    }
                    _ => (1.0 - shares.third_party) * (1.0 - shares.owner_speaks) / (one - 1.0),
                };
                let weight = prior
                    * given
                    * owner.get(o).copied().unwrap_or(0.0).exp()
                    * speaker.get(s).copied().unwrap_or(0.0).exp();
                *found.owner.get_mut(o).unwrap_or(&mut found.nobody) += weight;
                *found.speaker.get_mut(s).unwrap_or(&mut found.third_party) += weight;
            }
        }
        normalise(&mut found.owner, &mut found.nobody);
        normalise(&mut found.speaker, &mut found.third_party);
        found
    }

    fn shares() -> impl Strategy<Value = Shares> {
        (0.01..0.9, 0.01..0.99, 0.5..1.0).prop_map(|(unknown_owner, third_party, owner_speaks)| Shares {
            unknown_owner,
            third_party,
            owner_speaks,
        })
    }

    fn llrs() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((-1.0..12.0, -12.0..9.0), 1..12)
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-10
    }

    proptest! {
        #[test]
        fn the_closed_form_is_the_sum_over_all_pairs(llrs in llrs(), shares in shares()) {
            let (owner, speaker): (Vec<f64>, Vec<f64>) = llrs.into_iter().unzip();
            let (fast, slow) = (joint(&owner, &speaker, &shares), by_hand(&owner, &speaker, &shares));
            for (one, other) in fast.owner.iter().zip(&slow.owner).chain(fast.speaker.iter().zip(&slow.speaker)) {
                prop_assert!(close(*one, *other), "{fast:?} {slow:?}");
            }
            prop_assert!(close(fast.nobody, slow.nobody) && close(fast.third_party, slow.third_party));
        }

        #[test]
        fn more_evidence_for_a_user_never_lowers_their_probability(
            llrs in llrs(), shares in shares(), which in 0_usize..12, more in 0.0..8.0_f64, claim in any::<bool>(),
        ) {
            let (mut owner, mut speaker): (Vec<f64>, Vec<f64>) = llrs.into_iter().unzip();
            let user = which % owner.len();
            let before = joint(&owner, &speaker, &shares).owner[user];
            owner[user] += more;
            if claim {
                speaker[user] += more / 2.0;
            }
            let after = joint(&owner, &speaker, &shares).owner[user];
            prop_assert!(after >= before - 1e-12, "{before} -> {after}");
        }

        #[test]
        fn without_evidence_of_the_owner_the_speaker_is_the_voices_own_posterior(
            speaker in prop::collection::vec(-12.0..9.0_f64, 1..12), shares in shares(),
        ) {
            let found = joint(&vec![0.0; speaker.len()], &speaker, &shares);
            let n = speaker.len() as f64;
            let weight = |llr: &f64| (1.0 - shares.third_party) / n * llr.exp();
            let total = shares.third_party + speaker.iter().map(weight).sum::<f64>();
            for (llr, probability) in speaker.iter().zip(&found.speaker) {
                prop_assert!(close(*probability, weight(llr) / total));
            }
        }
    }

    #[test]
    fn no_evidence_is_the_prior_and_extremes_stay_finite() {
        let shares = Shares {
            unknown_owner: 0.1,
            third_party: 0.5,
            owner_speaks: 0.9,
        };
        let found = joint(&[0.0; 4], &[0.0; 4], &shares);
        assert!(found.owner.iter().all(|one| close(*one, 0.9 / 4.0)) && close(found.nobody, 0.1));
        assert!(found.speaker.iter().all(|one| close(*one, 0.5 / 4.0)) && close(found.third_party, 0.5));
        let wild = joint(&[900.0, 0.0, 800.0], &[-900.0, 900.0, 0.0], &shares);
        assert!(wild.owner.iter().chain(&wild.speaker).all(|one| one.is_finite()));
        let empty = joint(&[], &[], &shares);
        assert_eq!((empty.nobody, empty.third_party), (1.0, 1.0));
    }
}
