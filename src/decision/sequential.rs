//! One call's decisions, checkpoint after checkpoint: early where the evidence allows, steady once said, and taken back
//! when somebody else speaks.

use std::collections::HashMap;

use crate::units::{Llr, NotFinite, UserId};

use super::policy::Policy;
use super::posterior::{Decision, Outcome, Reason, VoiceEvidence, decide};

/// The posterior below which a word that stands is taken back, a name or *unknown*, unless naming itself needs less. Far below
/// what a name needs: evidence that wavers around one line must not make the word waver.
const RELEASE: f64 = 0.8;

/// A ratio of the last seconds at which they speak against a name: e times likelier somebody else's. `models/README.md`
/// has what it costs and what it finds.
const CONTRARY: f64 = -1.0;

/// What was heard up to a checkpoint or a window check: what [`SequentialDecision::hear`] decides on.
#[derive(Debug, Clone, Copy)]
pub struct CheckpointEvidence<'a> {
    /// All the speech so far; at a window check as it was at the last checkpoint.
    pub whole: VoiceEvidence<'a>,
    /// What the voice that spoke last said so far, when there are several: then nothing is decided on
    /// all of it, which is nobody's voice.
    pub latest: Option<VoiceEvidence<'a>>,
    /// The ratio of each user by the last seconds alone; `None` where there are too few.
    pub recent: Option<&'a [(UserId, Llr)]>,
    /// Whether several people speak at once. It is not asked while a name stands: what was known when the name was given counts until
    /// the checkpoint after its fall.
    pub at_once: bool,
    /// Whether nothing more will come.
    pub is_final: bool,
}

/// The last word on a call, which stands until another is earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Named(UserId),
    Unknown,
}

/// The course of one call. Each checkpoint is of all the speech so far, and a window check between two of them has the voice of
/// the one before: they are never independent, and are neither added up nor counted. That there are many of them is paid for by
/// [`Policy::after`].
#[derive(Debug, Clone, Default)]
pub struct SequentialDecision {
    standing: Option<Standing>,
    /// Whether several people spoke at once when no name stood last.
    at_once: bool,
}

impl SequentialDecision {
    /// Whether a name stands.
    pub fn names(&self) -> bool {
        matches!(self.standing, Some(Standing::Named(_)))
    }

    /// Decides after another checkpoint or window check; a recording without any on its way is heard once, and that is final.
    ///
    /// A name that was said stays while it keeps a posterior of 0.8, and so does *unknown* while nobody keeps it. What takes either back: another user who is identified, several voices of which the
    /// last does not fit, or last seconds that speak against the name.
    ///
    /// # Errors
    /// As [`decide`]. What stood before still stands then.
    pub fn hear(&mut self, heard: &CheckpointEvidence<'_>, policy: &Policy) -> Result<Decision, NotFinite> {
        let voice = heard.latest.as_ref().unwrap_or(&heard.whole);
        let asked = if heard.is_final {
            *policy
        } else {
            policy.after(voice.net_speech)
        };
        let mut decision = decide(voice, &asked)?;
        if !self.names() {
            self.at_once = heard.at_once;
        }
        decision.outcome = self.weigh(heard, voice, &decision, policy);
        self.standing = match decision.outcome {
            Outcome::Identified(user) => Some(Standing::Named(user)),
            Outcome::Unknown => Some(Standing::Unknown),
            Outcome::Inconclusive(_) => None,
        };
        Ok(decision)
    }

    fn weigh(
        &self,
        heard: &CheckpointEvidence<'_>,
        voice: &VoiceEvidence<'_>,
        decision: &Decision,
        policy: &Policy,
    ) -> Outcome {
        let several = Outcome::Inconclusive(Reason::SeveralVoices);
        // In bad audio everybody is unlike themself.
        let contrary = |user: UserId| !voice.poor_audio && speaks_against(heard.recent, user);
        match (decision.outcome, self.standing) {
            (Outcome::Identified(user), _) if contrary(user) => several,
            (Outcome::Identified(user), _) => Outcome::Identified(user),
            (Outcome::Inconclusive(Reason::EmptyRoster | Reason::UnfamiliarLine), _) => decision.outcome,
            (_, Some(Standing::Named(user))) if contrary(user) => several,
            (_, Some(Standing::Named(user))) if still_fits(decision, user, policy) => {
                Outcome::Identified(user)
            }
            _ if heard.latest.is_some() => several,
            // Of two voices at once a print is nobody's: that it fits no user says nothing of either.
            (Outcome::Unknown | Outcome::Inconclusive(Reason::Ambiguous), _) if self.at_once => several,
            (Outcome::Inconclusive(Reason::TooLittleSpeech | Reason::Ambiguous), Some(Standing::Unknown))
                if decision.nobody.get() >= RELEASE =>
            {
                Outcome::Unknown
            }
            // Nor may other evidence make a name of it.
            (Outcome::Inconclusive(Reason::TooLittleSpeech | Reason::Ambiguous), _)
                if likeliest(decision).is_some_and(contrary) =>
            {
                several
            }
            (outcome, _) => outcome,
        }
    }
}

/// The user who is likelier than nobody and everybody else, if any.
fn likeliest(decision: &Decision) -> Option<UserId> {
    let best = decision.candidates.first()?;
    (best.posterior > decision.nobody).then_some(best.user_id)
}

fn speaks_against(recent: Option<&[(UserId, Llr)]>, user: UserId) -> bool {
    let own = recent.and_then(|llrs| llrs.iter().find(|(of, _)| *of == user));
    own.is_some_and(|(_, ratio)| ratio.get() <= CONTRARY)
}

/// A user against whom the last seconds speak is weighed by these: nor may other evidence make a name of who spoke before.
pub fn lowered_by(mut llrs: Vec<(UserId, Llr)>, last: Vec<(UserId, Llr)>) -> Vec<(UserId, Llr)> {
    let against = last.into_iter().filter(|(_, llr)| llr.get() <= CONTRARY);
    let against: HashMap<UserId, Llr> = against.collect();
    for (user, llr) in &mut llrs {
        *llr = against.get(user).map_or(*llr, |last| (*last).min(*llr));
    }
    llrs
}

fn still_fits(decision: &Decision, user: UserId, policy: &Policy) -> bool {
    let needed = RELEASE.min(policy.accept);
    let best = decision.candidates.first();
    best.is_some_and(|best| best.user_id == user && best.posterior.get() >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;
    use proptest::prelude::*;

    const TWO: usize = 2;

    fn users() -> [UserId; TWO] {
        [UserId::fresh(), UserId::fresh()]
    }

    fn llrs(users: &[UserId], values: &[f64]) -> Vec<(UserId, Llr)> {
        let pairs = users.iter().zip(values);
        pairs
            .map(|(user, value)| (*user, Llr::new(*value).unwrap()))
            .collect()
    }

    fn evidence(llrs: &[(UserId, Llr)], net: f64) -> VoiceEvidence<'_> {
        VoiceEvidence {
            llrs,
            net_speech: Seconds::new(net),
            poor_audio: false,
            unfamiliar: false,
        }
    }

    fn checkpoint(whole: &[(UserId, Llr)], net: f64) -> CheckpointEvidence<'_> {
        CheckpointEvidence {
            whole: evidence(whole, net),
            latest: None,
            recent: None,
            at_once: false,
            is_final: false,
        }
    }

    fn said(sequential: &mut SequentialDecision, heard: &CheckpointEvidence<'_>) -> Outcome {
        sequential.hear(heard, &Policy::default()).unwrap().outcome
    }

    const SEVERAL: Outcome = Outcome::Inconclusive(Reason::SeveralVoices);

    #[test]
    fn an_early_name_needs_more_than_a_late_one() {
        let users = users();
        let fits = llrs(&users, &[5.5, -5.0]);
        let fresh = |heard: &CheckpointEvidence<'_>| said(&mut SequentialDecision::default(), heard);
        assert_ne!(fresh(&checkpoint(&fits, 1.6)), Outcome::Identified(users[0]));
        assert_eq!(fresh(&checkpoint(&fits, 10.0)), Outcome::Identified(users[0]));
        let last = CheckpointEvidence {
            is_final: true,
            ..checkpoint(&fits, 1.6)
        };
        assert_eq!(fresh(&last), Outcome::Identified(users[0]));
        let surely = llrs(&users, &[7.5, -5.0]);
        assert_eq!(fresh(&checkpoint(&surely, 1.6)), Outcome::Identified(users[0]));
    }

    #[test]
    fn a_name_stays_while_the_evidence_only_wavers() {
        let users = users();
        let (sure, less, gone) = (
            llrs(&users, &[8.0, -4.0]),
            llrs(&users, &[2.5, -4.0]),
            llrs(&users, &[-5.0, -4.0]),
        );
        let mut sequential = SequentialDecision::default();
        for (at, heard) in [&sure, &less, &sure, &less].into_iter().enumerate() {
            let net = 3.0 + at as f64;
            assert_eq!(
                said(&mut sequential, &checkpoint(heard, net)),
                Outcome::Identified(users[0])
            );
        }
        assert_eq!(said(&mut sequential, &checkpoint(&gone, 8.0)), Outcome::Unknown);
        // What was never said is not kept.
        assert_ne!(
            said(&mut SequentialDecision::default(), &checkpoint(&less, 4.0)),
            Outcome::Identified(users[0])
        );
    }

    #[test]
    fn unknown_stays_while_the_evidence_only_wavers() {
        let users = users();
        let mut sequential = SequentialDecision::default();
        assert_eq!(
            said(&mut sequential, &checkpoint(&llrs(&users, &[-6.0, -6.0]), 2.0)),
            Outcome::Unknown
        );
        let doubt = llrs(&users, &[-0.8, -6.0]);
        assert_eq!(said(&mut sequential, &checkpoint(&doubt, 2.5)), Outcome::Unknown);
        let turned = llrs(&users, &[3.0, -6.0]);
        assert_eq!(
            said(&mut sequential, &checkpoint(&turned, 3.0)),
            Outcome::Inconclusive(Reason::TooLittleSpeech)
        );
        assert_eq!(
            said(&mut sequential, &checkpoint(&llrs(&users, &[8.0, -6.0]), 4.0)),
            Outcome::Identified(users[0])
        );
    }

    #[test]
    fn the_phone_handed_to_a_stranger_takes_the_name_back() {
        let users = users();
        let sure = llrs(&users, &[8.0, -4.0]);
        let stranger = llrs(&users, &[-4.0, -4.0]);
        let mut sequential = SequentialDecision::default();
        assert_eq!(
            said(&mut sequential, &checkpoint(&sure, 6.0)),
            Outcome::Identified(users[0])
        );
        // All of the speech still fits: the last of it does not.
        let first = CheckpointEvidence {
            recent: Some(&stranger),
            ..checkpoint(&sure, 9.0)
        };
        assert_eq!(said(&mut sequential, &first), SEVERAL);
        let second = CheckpointEvidence {
            latest: Some(evidence(&stranger, 3.2)),
            recent: Some(&stranger),
            ..checkpoint(&sure, 10.0)
        };
        assert_eq!(said(&mut sequential, &second), SEVERAL);
    }

    #[test]
    fn the_phone_handed_to_another_user_gives_their_name() {
        let users = users();
        let (first, second) = (llrs(&users, &[8.0, -4.0]), llrs(&users, &[-4.0, 8.0]));
        let mut sequential = SequentialDecision::default();
        assert_eq!(
            said(&mut sequential, &checkpoint(&first, 6.0)),
            Outcome::Identified(users[0])
        );
        let handed = CheckpointEvidence {
            latest: Some(evidence(&second, 3.2)),
            recent: Some(&second),
            ..checkpoint(&first, 10.0)
        };
        assert_eq!(said(&mut sequential, &handed), Outcome::Identified(users[1]));
    }

    #[test]
    fn who_comes_back_after_an_interruption_keeps_the_name() {
        let users = users();
        let sure = llrs(&users, &[8.0, -4.0]);
        let mut sequential = SequentialDecision::default();
        said(&mut sequential, &checkpoint(&sure, 6.0));
        let mixed = llrs(&users, &[1.0, -4.0]);
        let back = CheckpointEvidence {
            latest: Some(evidence(&sure, 8.0)),
            recent: Some(&sure),
            ..checkpoint(&mixed, 12.0)
        };
        assert_eq!(said(&mut sequential, &back), Outcome::Identified(users[0]));
    }

    #[test]
    fn several_voices_of_nobody_known_are_not_one_unknown_caller() {
        let users = users();
        let nobody = llrs(&users, &[-4.0, -4.0]);
        let heard = CheckpointEvidence {
            latest: Some(evidence(&nobody, 4.8)),
            ..checkpoint(&nobody, 9.0)
        };
        assert_eq!(said(&mut SequentialDecision::default(), &heard), SEVERAL);
    }

    #[test]
    fn two_at_once_of_whom_nobody_fits_are_not_one_unknown_caller() {
        let users = users();
        let nobody = llrs(&users, &[-4.0, -4.0]);
        let at_once = |llrs| CheckpointEvidence {
            at_once: true,
            ..checkpoint(llrs, 9.0)
        };
        let mut sequential = SequentialDecision::default();
        assert_eq!(said(&mut sequential, &checkpoint(&nobody, 8.0)), Outcome::Unknown);
        assert_eq!(said(&mut sequential, &at_once(&nobody)), SEVERAL);
        // A name that fits is one of theirs, and what was known when it was given counts until it has fallen.
        let (sure, named) = (llrs(&users, &[8.0, -4.0]), Outcome::Identified(users[0]));
        assert_eq!(said(&mut sequential, &at_once(&sure)), named);
        assert_eq!(said(&mut sequential, &checkpoint(&nobody, 10.0)), SEVERAL);
        assert_eq!(said(&mut sequential, &checkpoint(&sure, 11.0)), named);
        assert_eq!(said(&mut sequential, &at_once(&nobody)), Outcome::Unknown);
        assert_eq!(said(&mut sequential, &at_once(&nobody)), SEVERAL);
    }

    #[test]
    fn last_seconds_that_speak_against_the_likeliest_leave_nobody_to_be_named() {
        let users = users();
        let (likely, other) = (llrs(&users, &[3.0, -4.0]), llrs(&users, &[-4.0, -4.0]));
        let fresh = |heard: &CheckpointEvidence<'_>| said(&mut SequentialDecision::default(), heard);
        let heard = |recent| CheckpointEvidence {
            recent: Some(recent),
            ..checkpoint(&likely, 8.0)
        };
        assert_eq!(fresh(&heard(&likely)), Outcome::Inconclusive(Reason::Ambiguous));
        assert_eq!(fresh(&heard(&other)), SEVERAL);
        // Of nobody's voice nothing falls.
        let unlike = llrs(&users, &[-1.0, -4.0]);
        let nobody = CheckpointEvidence {
            recent: Some(&other),
            ..checkpoint(&unlike, 4.0)
        };
        assert_ne!(fresh(&nobody), SEVERAL);
    }

    #[test]
    fn bad_audio_does_not_hand_the_phone_over() {
        let users = users();
        let (sure, unlike) = (llrs(&users, &[8.0, -4.0]), llrs(&users, &[-3.0, -3.0]));
        let mut heard = CheckpointEvidence {
            recent: Some(&unlike),
            ..checkpoint(&sure, 9.0)
        };
        heard.whole.poor_audio = true;
        assert_eq!(
            said(&mut SequentialDecision::default(), &heard),
            Outcome::Identified(users[0])
        );
    }

    proptest! {
        #[test]
        fn nobody_is_named_whom_the_evidence_of_the_moment_does_not_favour(
            checkpoints in prop::collection::vec((-8.0..8.0f64, -8.0..8.0f64, 1.0..20.0f64, any::<bool>()), 1..20),
        ) {
            let users = users();
            let mut sequential = SequentialDecision::default();
            for (one, two, net, is_final) in checkpoints {
                let llrs = llrs(&users, &[one, two]);
                let heard = CheckpointEvidence { is_final, ..checkpoint(&llrs, net) };
                let decision = sequential.hear(&heard, &Policy::default()).unwrap();
                if let Outcome::Identified(user) = decision.outcome {
                    prop_assert_eq!(user, decision.candidates[0].user_id);
                    prop_assert!(decision.candidates[0].posterior.get() >= RELEASE);
                }
            }
        }
    }
}
