//! From what was heard to ratios and a decision: the one way, for calls, recordings, enrolments and measurements.
//!
//! It is pure: whoever asks finds the cosines of the [`Probes`] on the roster, in a gallery or in memory, and brings
//! them back to [`judge`].

use crate::decision::{
    CheckpointEvidence, Cohort, Curve, Decision, Outcome, Policy, Reason, SequentialDecision, VOICE_WINDOW,
    VoiceEvidence, VoiceTest, Voices, decide, lowered_by, recent,
};
use crate::units::{Llr, NotFinite, Seconds, UserId};
use crate::voiceprint::Embedding;

pub use super::heard_voice::{HeardVoice, Likeness};
use super::windows::RecentVoice;

/// A voice that a roster is searched by.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The voice of the speech that is judged.
    pub voice: Embedding,
    /// How much speech it is of.
    pub net_speech: Seconds,
}

/// The voices that a roster is searched by after a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    voices: Vec<Probe>,
    /// Where among them the voice is that spoke last, when there are several.
    latest: Option<usize>,
    /// Where the last seconds are.
    recent: Option<usize>,
    /// Whether several people spoke, in turns or at once; `None` where that could not be told.
    pub several: Option<bool>,
}

impl Probes {
    /// Each of them, in the order in which [`judge`] wants what was found.
    pub fn voices(&self) -> &[Probe] {
        &self.voices
    }

    /// Adds the voice of some windows and says where it is; `None` when they cancel out.
    fn add<'a>(&mut self, windows: impl ExactSizeIterator<Item = &'a Embedding>) -> Option<usize> {
        let net_speech = Seconds::checked(VOICE_WINDOW.get() * windows.len() as f64)?;
        let voice = Embedding::mean(windows.map(|window| (window, 1.0))).ok()?;
        self.voices.push(Probe { voice, net_speech });
        Some(self.voices.len() - 1)
    }
}

/// What a checkpoint or a window check came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What is said.
    pub decision: Decision,
    /// The ratio of each user that it was decided on: of several voices, by the one that spoke last; none where the speech is
    /// spoofed.
    pub llrs: Vec<(UserId, Llr)>,
    /// Whether there was as much speech as decides anything ([`Policy::minimum_speech`]).
    pub is_minimum_met: bool,
}

/// What a roster has to be searched by after a checkpoint; nothing when there was too little speech.
pub fn probes(moment: &HeardVoice<'_>, test: Option<VoiceTest>) -> Probes {
    let mut probes = Probes::default();
    let Some((print, net_speech)) = moment.print else {
        return probes;
    };
    probes.voices.push(Probe {
        voice: print.clone(),
        net_speech,
    });
    let windows = moment.windows;
    if let Some(RecentVoice { voice, net_speech }) = moment.recent.cloned() {
        probes.voices.push(Probe { voice, net_speech });
        probes.recent = Some(probes.voices.len() - 1);
    } else if let Some(last) = recent(windows) {
        probes.recent = probes.add(last.iter());
    }
    probes.several = match test.map_or(Voices::TooFew, |test| test.hear(windows)) {
        Voices::TooFew => moment.at_once(),
        Voices::One => Some(moment.at_once() == Some(true)),
        Voices::Several(split) => {
            let latest: Vec<&Embedding> = split.latest().filter_map(|at| windows.get(at)).collect();
            probes.latest = probes.add(latest.into_iter());
            Some(true)
        }
    };
    probes
}

/// Decides after a checkpoint, in the course of what was said before. `found` is how like everybody on the roster
/// each of the probes is, in their order, and `curve` is the roster's ([`Curve::on`]); a roster without anybody has nothing to
/// decide.
///
/// `None` when there was no voice, or not every probe was looked for.
///
/// # Errors
/// [`NotFinite`] when a score leaves the finite numbers. What stood before still stands then.
pub fn judge(
    moment: &HeardVoice<'_>,
    probes: &Probes,
    found: &[Vec<Likeness>],
    curve: &Curve,
    policy: &Policy,
    sequential: &mut SequentialDecision,
) -> Result<Option<Judged>, NotFinite> {
    if probes.voices.is_empty() || found.len() != probes.voices.len() {
        return Ok(None);
    }
    let of = |at: usize| Compared::of(moment, probes.voices[at].net_speech, &found[at], curve);
    let whole = of(0)?;
    let latest = probes.latest.map(of).transpose()?;
    let recent = probes.recent.map(of).transpose()?;
    let heard = CheckpointEvidence {
        whole: whole.evidence(moment),
        latest: latest.as_ref().map(|latest| latest.evidence(moment)),
        recent: recent.as_ref().map(|recent| recent.llrs.as_slice()),
        at_once: moment.at_once() == Some(true),
        is_final: moment.is_final,
    };
    let mut decision = sequential.hear(&heard, policy)?;
    decision.outcome = moment.jointly(decision.outcome);
    let is_spoofed = decision.outcome == Outcome::Inconclusive(Reason::Spoofed);
    Ok(Some(Judged {
        decision,
        is_minimum_met: whole.net_speech >= policy.minimum_speech,
        llrs: if is_spoofed {
            Vec::new()
        } else {
            let recent = recent.filter(|_| !moment.is_poor());
            let last = recent.map_or_else(Vec::new, |recent| recent.llrs);
            lowered_by(latest.unwrap_or(whole).llrs, last)
        },
    }))
}

/// What a decision says that looks at this one moment alone, and asks no more of it than of the last.
///
/// # Errors
/// As [`judge`].
pub fn judge_once(
    moment: &HeardVoice<'_>,
    found: &[Likeness],
    curve: &Curve,
    policy: &Policy,
) -> Result<Option<Outcome>, NotFinite> {
    let Some((_, net_speech)) = moment.print else {
        return Ok(None);
    };
    let compared = Compared::of(moment, net_speech, found, curve)?;
    let decision = decide(&compared.evidence(moment), policy)?;
    Ok(Some(moment.jointly(decision.outcome)))
}

/// A probe and all of a roster.
struct Compared {
    llrs: Vec<(UserId, Llr)>,
    net_speech: Seconds,
    unfamiliar: bool,
}

impl Compared {
    /// Each user is held against how like the probe is to the others.
    fn of(
        moment: &HeardVoice<'_>,
        net_speech: Seconds,
        found: &[Likeness],
        curve: &Curve,
    ) -> Result<Self, NotFinite> {
        let similarity = |likeness: &Likeness| curve.similarity.of(f64::from(likeness.cosine.get()));
        let similarities: Vec<f64> = found.iter().map(similarity).collect();
        let mut llrs = Vec::with_capacity(found.len());
        let mut best: Option<(Llr, Cohort)> = None;
        for (likeness, cohort) in found.iter().zip(Cohort::each_of(&similarities)) {
            let facts = moment.facts(net_speech, likeness, cohort);
            let llr = curve.llr(likeness.cosine, &facts)?;
            if best.is_none_or(|(highest, _)| llr > highest) {
                best = Some((llr, cohort));
            }
            llrs.push((likeness.user, llr));
        }
        Ok(Self {
            llrs,
            net_speech,
            unfamiliar: best.is_some_and(|(_, cohort)| curve.is_unfamiliar(&cohort)),
        })
    }

    fn evidence(&self, moment: &HeardVoice<'_>) -> VoiceEvidence<'_> {
        VoiceEvidence {
            llrs: &self.llrs,
            net_speech: self.net_speech,
            poor_audio: moment.is_poor(),
            unfamiliar: self.unfamiliar,
        }
    }
}

/// The ratio of each user by a probe of so much speech, `found` being all of their roster.
///
/// # Errors
/// [`NotFinite`] when a score leaves the finite numbers.
pub fn llrs(
    moment: &HeardVoice<'_>,
    net_speech: Seconds,
    found: &[Likeness],
    curve: &Curve,
) -> Result<Vec<(UserId, Llr)>, NotFinite> {
    Ok(Compared::of(moment, net_speech, found, curve)?.llrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Calibration;
    use crate::units::Cosine;
    use crate::voiceprint::{Bandwidth, Voiceprint};

    fn calibration() -> Calibration {
        Calibration {
            voices: Some(VoiceTest {
                gain: 0.28,
                gain_per_log: 0.07,
                false_alarm: 0.01,
                miss: 0.05,
            }),
            ..Calibration::straight(25.0, -9.0)
        }
    }

    fn voice(degrees: f32) -> Embedding {
        Embedding::at_degrees(degrees)
    }

    fn found(probes: &Probes, roster: &[(UserId, Embedding)]) -> Vec<Vec<Likeness>> {
        let like = |probe: &Probe| {
            let of = |(user, print): &(UserId, Embedding)| Likeness {
                user: *user,
                cosine: print.cosine(&probe.voice).unwrap(),
                enrolled_speech: Seconds::new(9.0),
                enrolled_over: Bandwidth::Narrow,
            };
            roster.iter().map(of).collect()
        };
        probes.voices().iter().map(like).collect()
    }

    fn judged(
        moment: &HeardVoice<'_>,
        roster: &[(UserId, Embedding)],
        sequential: &mut SequentialDecision,
    ) -> Option<Judged> {
        let calibration = calibration();
        let probes = probes(moment, calibration.voices);
        let found = found(&probes, roster);
        judge(
            moment,
            &probes,
            &found,
            &calibration.curve,
            &Policy::default(),
            sequential,
        )
        .unwrap()
    }

    fn roster() -> [(UserId, Embedding); 2] {
        [(UserId::fresh(), voice(0.0)), (UserId::fresh(), voice(90.0))]
    }

    #[test]
    fn without_a_voice_there_is_nothing_to_search_by_and_nothing_to_say() {
        let moment = HeardVoice::of_print(None);
        assert!(probes(&moment, calibration().voices).voices().is_empty());
        assert_eq!(
            judged(&moment, &roster(), &mut SequentialDecision::default()),
            None
        );
        let once = judge_once(&moment, &[], &calibration().curve, &Policy::default());
        assert_eq!(once, Ok(None));
    }

    #[test]
    fn the_voice_that_spoke_last_is_decided_on_when_there_are_several() {
        let roster = roster();
        let (own, windows) = (voice(30.0), [0.0, 2.0, 0.0, 90.0, 88.0, 90.0].map(voice));
        let moment = HeardVoice {
            print: Some((&own, Seconds::new(9.6))),
            windows: &windows,
            ..HeardVoice::of_print(None)
        };
        let judged = judged(&moment, &roster, &mut SequentialDecision::default()).unwrap();
        assert_eq!(judged.decision.outcome, Outcome::Identified(roster[1].0));
        assert!(judged.llrs[1].1 > judged.llrs[0].1 && judged.is_minimum_met);
    }

    #[test]
    fn who_the_last_seconds_speak_against_is_weighed_by_these() {
        let roster = roster();
        // Something of the first user's in all, and nothing of it in the end.
        let (own, windows) = (voice(65.0), [60.0, 62.0, 90.0, 90.0].map(voice));
        let moment = HeardVoice {
            print: Some((&own, Seconds::new(6.4))),
            windows: &windows,
            ..HeardVoice::of_print(None)
        };
        let judged = judged(&moment, &roster, &mut SequentialDecision::default()).unwrap();
        let by_the_last = 25.0 * f64::from(voice(90.0).cosine(&roster[0].1).unwrap().get()) - 9.0;
        let by_all = 25.0 * f64::from(own.cosine(&roster[0].1).unwrap().get()) - 9.0;
        assert!(by_all > 1.0 && by_the_last < -8.9, "{by_all} {by_the_last}");
        assert!(
            (judged.llrs[0].1.get() - by_the_last).abs() < 1e-3,
            "{:?}",
            judged.llrs
        );
    }

    #[test]
    fn the_last_seconds_are_looked_for_without_a_test_of_voices_too() {
        let (own, windows) = (voice(30.0), [0.0, 90.0, 88.0].map(voice));
        let moment = HeardVoice {
            print: Some((&own, Seconds::new(4.8))),
            windows: &windows,
            ..HeardVoice::of_print(None)
        };
        let probes = probes(&moment, None);
        assert_eq!((probes.voices().len(), probes.several), (2, None));
        assert!((probes.voices()[1].voice.cosine(&voice(89.0)).unwrap().get() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_telephone_print_meets_a_wide_one_as_a_call_does() {
        let wide = Likeness {
            user: UserId::fresh(),
            cosine: Cosine::new(0.6).unwrap(),
            enrolled_speech: Seconds::new(9.0),
            enrolled_over: Bandwidth::Wide,
        };
        let print = |bandwidth| Voiceprint {
            embedding: voice(0.0),
            model: crate::voiceprint::ModelId::new("m"),
            bandwidth,
            net_speech: Seconds::new(9.0),
        };
        let mut curve = calibration().curve;
        curve.signup_offset = 3.0;
        let ratio = |bandwidth| {
            let print = print(bandwidth);
            let moment = HeardVoice::of_print(Some(&print));
            llrs(&moment, print.net_speech, &[wide], &curve).unwrap()[0]
                .1
                .get()
        };
        assert!((ratio(Bandwidth::Narrow) - ratio(Bandwidth::Wide) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_looked_for_is_not_judged() {
        let own = voice(0.0);
        let moment = HeardVoice {
            print: Some((&own, Seconds::new(9.6))),
            ..HeardVoice::of_print(None)
        };
        let probes = probes(&moment, None);
        let (calibration, policy) = (calibration(), Policy::default());
        let judged = judge(
            &moment,
            &probes,
            &[],
            &calibration.curve,
            &policy,
            &mut SequentialDecision::default(),
        );
        assert_eq!(judged, Ok(None));
    }
}
