//! The open-set decision: posterior over the roster and "nobody".

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::units::{Llr, NotFinite, Posterior, Seconds, UserId, words};

use super::policy::Policy;

/// What is known of one call so far.
#[derive(Debug, Clone, Copy)]
pub struct VoiceEvidence<'a> {
    /// The ratio of each enrolled user of the dialed number, in any order, each user once.
    pub llrs: &'a [(UserId, Llr)],
    /// How much the caller has said.
    pub net_speech: Seconds,
    /// Whether the audio is too bad for a mismatch to mean anything.
    pub poor_audio: bool,
    /// Whether the call is like the roster, or unlike it, as no call was that ratios were fitted on.
    pub unfamiliar: bool,
}

words! {
    /// Why nothing could be decided.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Reason {
        /// The caller has not said enough yet.
        TooLittleSpeech = "too_little_speech",
        /// Too noisy, clipped or broken to judge.
        PoorAudio = "poor_audio",
        /// All of the roster is more like the call, or less, than on any call that the calibration was fitted on: what a ratio
        /// would mean here is not known.
        UnfamiliarLine = "unfamiliar_line",
        /// More than one person speaks, and the last of them is nobody who could be named.
        SeveralVoices = "several_voices",
        /// Somebody of the roster fits, but not surely enough for a name: two users alike, or one not
        /// well enough.
        Ambiguous = "ambiguous",
        /// What was said was heard before, sound for sound: a recording is played.
        Replayed = "replayed",
        /// A countermeasure takes the speech for a loudspeaker's or a synthesiser's.
        Spoofed = "spoofed",
        /// Nobody on the dialed number is enrolled.
        EmptyRoster = "empty_roster",
        /// A part needed for the decision did not answer.
        Unavailable = "unavailable",
    }
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is this user.
    Identified(UserId),
    /// It is nobody on the roster, however little was said beyond the least that decides anything.
    Unknown,
    /// It cannot be said.
    Inconclusive(Reason),
}

/// One user of the roster and how well they fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Candidate {
    /// Id of the user that the posterior is of.
    pub user_id: UserId,
    /// The evidence alone.
    pub llr: Llr,
    /// The evidence together with the prior and the rest of the roster.
    pub posterior: Posterior,
}

/// The decision with everything it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is decided.
    pub outcome: Outcome,
    /// The whole roster, best first; ties by user id.
    pub candidates: Vec<Candidate>,
    /// Probability that it is nobody on the roster.
    pub nobody: Posterior,
}

/// Decides who is speaking, or that it cannot be said.
///
/// Prior: `unknown_share` for nobody, the rest shared evenly by the roster. A caller from outside has
/// ratio 1 against itself, so the posterior of user *i* is
/// `p_i · e^llr_i / (p_0 + Σ p_j · e^llr_j)`.
///
/// ```
/// use voxline::decision::{VoiceEvidence, Outcome, Policy, Reason, decide};
/// use voxline::units::{Llr, NotFinite, Seconds, UserId};
///
/// let (alice, bob) = (UserId::fresh(), UserId::fresh());
/// // The call is e^6 = 400 times likelier if it is Alice, and half as likely if it is Bob.
/// let llrs = [(alice, Llr::new(6.0)?), (bob, Llr::new(-0.7)?)];
/// let mut evidence = VoiceEvidence {
///     llrs: &llrs,
///     net_speech: Seconds::new(4.0),
///     poor_audio: false,
///     unfamiliar: false,
/// };
/// let decision = decide(&evidence, &Policy::default())?;
/// assert_eq!(decision.outcome, Outcome::Identified(alice));
/// // Half a second of speech names nobody, however well it fits.
/// evidence.net_speech = Seconds::new(0.5);
/// let decision = decide(&evidence, &Policy::default())?;
/// assert_eq!(decision.outcome, Outcome::Inconclusive(Reason::TooLittleSpeech));
/// # Ok::<(), NotFinite>(())
/// ```
///
/// # Errors
/// [`NotFinite`] when the policy's own numbers leave the finite numbers; callers answer `unavailable`.
pub fn decide(evidence: &VoiceEvidence<'_>, policy: &Policy) -> Result<Decision, NotFinite> {
    let (candidates, nobody) = posteriors(evidence.llrs, policy.unknown_share)?;
    let outcome = match judge(&candidates, nobody, evidence.net_speech, policy) {
        outcome @ Outcome::Inconclusive(Reason::EmptyRoster | Reason::TooLittleSpeech) => outcome,
        _ if evidence.unfamiliar => Outcome::Inconclusive(Reason::UnfamiliarLine),
        // Noise makes every voice unlike its print: it can hide a user, it cannot make one.
        Outcome::Unknown if evidence.poor_audio => Outcome::Inconclusive(Reason::PoorAudio),
        outcome => outcome,
    };
    Ok(Decision {
        outcome,
        candidates,
        nobody,
    })
}

fn posteriors(llrs: &[(UserId, Llr)], unknown_share: f64) -> Result<(Vec<Candidate>, Posterior), NotFinite> {
    // Best first, ties by user id: sums then run in one order, whatever order the roster came in.
    let mut llrs = llrs.to_vec();
    llrs.sort_by_key(|(user_id, llr)| (Reverse(*llr), *user_id));
    let share = (1.0 - unknown_share) / llrs.len().max(1) as f64;
    // Logarithms throughout, less the largest: no ratio overflows.
    let logs: Vec<f64> = llrs.iter().map(|(_, llr)| share.ln() + llr.get()).collect();
    let nobody = unknown_share.ln();
    let largest = logs.iter().copied().fold(nobody, f64::max);
    let total = (nobody - largest).exp() + logs.iter().map(|log| (log - largest).exp()).sum::<f64>();
    let mut candidates = Vec::with_capacity(llrs.len());
    for ((user_id, llr), log) in llrs.into_iter().zip(logs) {
        let posterior = Posterior::new((log - largest).exp() / total)?;
        candidates.push(Candidate {
            user_id,
            llr,
            posterior,
        });
    }
    Ok((candidates, Posterior::new((nobody - largest).exp() / total)?))
}

fn judge(candidates: &[Candidate], nobody: Posterior, net: Seconds, policy: &Policy) -> Outcome {
    let Some(best) = candidates.first() else {
        return Outcome::Inconclusive(Reason::EmptyRoster);
    };
    if net < policy.minimum_speech {
        return Outcome::Inconclusive(Reason::TooLittleSpeech);
    }
    if best.posterior.get() >= policy.accept {
        return Outcome::Identified(best.user_id);
    }
    if 1.0 - nobody.get() >= policy.accept {
        // Surely one of ours, not surely which: a wrong name is worse than none.
        return Outcome::Inconclusive(Reason::Ambiguous);
    }
    if nobody.get() >= policy.reject {
        return Outcome::Unknown;
    }
    if net >= policy.enough_speech {
        // Neither surely somebody nor surely nobody: a user on a bad day is not called a stranger.
        return Outcome::Inconclusive(Reason::Ambiguous);
    }
    Outcome::Inconclusive(Reason::TooLittleSpeech)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn roster(llrs: &[f64]) -> Vec<(UserId, Llr)> {
        llrs.iter()
            .map(|llr| (UserId::fresh(), Llr::new(*llr).unwrap()))
            .collect()
    }

    fn decided(llrs: &[(UserId, Llr)], net: f64) -> Decision {
        let evidence = VoiceEvidence {
            llrs,
            net_speech: Seconds::new(net),
            poor_audio: false,
            unfamiliar: false,
        };
        decide(&evidence, &Policy::default()).unwrap()
    }

    #[test]
    fn strong_evidence_for_one_user_identifies_that_user() {
        let roster = roster(&[-4.0, 6.9, -5.0]);
        assert_eq!(decided(&roster, 3.0).outcome, Outcome::Identified(roster[1].0));
    }

    #[test]
    fn a_line_unlike_all_that_was_fitted_gives_neither_a_name_nor_unknown() {
        for llrs in [[9.0, -5.0], [-9.0, -9.0]] {
            let evidence = VoiceEvidence {
                llrs: &roster(&llrs),
                net_speech: Seconds::new(20.0),
                poor_audio: false,
                unfamiliar: true,
            };
            let outcome = decide(&evidence, &Policy::default()).unwrap().outcome;
            assert_eq!(outcome, Outcome::Inconclusive(Reason::UnfamiliarLine));
        }
    }

    #[test]
    fn the_nearest_name_is_not_given_when_nobody_fits() {
        let roster = roster(&[-0.5, -3.0, -6.0]);
        assert_eq!(
            decided(&roster, 6.0).outcome,
            Outcome::Inconclusive(Reason::Ambiguous)
        );
        let far = self::roster(&[-6.0, -7.0]);
        assert_eq!(decided(&far, 1.5).outcome, Outcome::Unknown);
    }

    #[test]
    fn middling_evidence_waits_for_more_speech_and_then_gives_no_name() {
        let waiting = Outcome::Inconclusive(Reason::TooLittleSpeech);
        for middling in [roster(&[1.0, -3.0]), roster(&[-0.5, -3.0])] {
            assert_eq!(decided(&middling, 5.9).outcome, waiting);
            assert_eq!(
                decided(&middling, 6.0).outcome,
                Outcome::Inconclusive(Reason::Ambiguous)
            );
        }
    }

    #[test]
    fn the_largest_roster_is_the_last_on_which_the_best_llr_names_somebody() {
        let highest = Llr::new(8.31).unwrap();
        let largest = Policy::default().largest_roster(highest);
        let against = |others: usize| roster(&[&[8.31][..], &vec![-300.0; others]].concat());
        let (fits, too_many) = (against(largest - 1), against(largest));
        assert_eq!(decided(&fits, 5.0).outcome, Outcome::Identified(fits[0].0));
        assert_ne!(
            decided(&too_many, 5.0).outcome,
            Outcome::Identified(too_many[0].0)
        );
        let never = Policy {
            accept: 0.999_999,
            ..Policy::default()
        };
        assert_eq!(never.largest_roster(highest), 0);
    }

    #[test]
    fn two_users_who_fit_alike_are_ambiguous_not_the_luckier_one() {
        let roster = roster(&[6.5, 6.6, -5.0]);
        assert_eq!(
            decided(&roster, 8.0).outcome,
            Outcome::Inconclusive(Reason::Ambiguous)
        );
    }

    #[test]
    fn too_little_speech_decides_nothing_however_well_it_fits() {
        let roster = roster(&[7.0]);
        assert_eq!(
            decided(&roster, 0.9).outcome,
            Outcome::Inconclusive(Reason::TooLittleSpeech)
        );
    }

    #[test]
    fn bad_audio_is_never_proof_that_nobody_is_known() {
        let (stranger, user) = (roster(&[-6.0]), roster(&[7.0]));
        let heard = |llrs| {
            let evidence = VoiceEvidence {
                llrs,
                net_speech: Seconds::new(6.0),
                poor_audio: true,
                unfamiliar: false,
            };
            decide(&evidence, &Policy::default()).unwrap().outcome
        };
        assert_eq!(heard(&stranger), Outcome::Inconclusive(Reason::PoorAudio));
        assert_eq!(heard(&user), Outcome::Identified(user[0].0));
    }

    #[test]
    fn an_empty_roster_has_nobody_to_find() {
        assert_eq!(
            decided(&[], 10.0).outcome,
            Outcome::Inconclusive(Reason::EmptyRoster)
        );
    }

    #[test]
    fn the_same_evidence_weighs_less_on_a_larger_roster() {
        let few = decided(&roster(&[6.0, -7.0]), 3.0).candidates[0].posterior;
        let many = decided(&roster(&[&[6.0][..], &[-7.0; 200][..]].concat()), 3.0).candidates[0].posterior;
        assert!(many < few);
    }

    proptest! {
        #[test]
        fn posteriors_and_nobody_always_sum_to_one(llrs in prop::collection::vec(-700.0..700.0f64, 0..50)) {
            let decision = decided(&roster(&llrs), 5.0);
            let sum = decision.nobody.get()
                + decision.candidates.iter().map(|candidate| candidate.posterior.get()).sum::<f64>();
            if llrs.is_empty() {
                // Nobody to share the roster's part of the prior: nothing is decided from it.
                prop_assert_eq!(decision.outcome, Outcome::Inconclusive(Reason::EmptyRoster));
            } else {
                prop_assert!((sum - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn the_order_of_the_roster_changes_nothing(llrs in prop::collection::vec(-10.0..10.0f64, 1..20)) {
            let forward = roster(&llrs);
            let backward: Vec<_> = forward.iter().rev().copied().collect();
            prop_assert_eq!(decided(&forward, 3.0), decided(&backward, 3.0));
        }
    }
}
