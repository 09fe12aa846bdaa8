//! The identification document, as the contract fixes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::{Decision, Outcome, Reason};
use crate::samples::quality::QualityMeter;
use crate::units::{DialedNumber, Llr, Seconds, UserId, words};
use crate::voiceprint::{Bandwidth, ModelId};

use super::Warning;

/// Most candidates of an identification: enough to see who came near, few enough that the verdict of a
/// roster of thousands stays some kilobytes.
const MAX_CANDIDATES: usize = 10;

words! {
    /// The three things that can be said of a speaker.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum OutcomeName {
        /// It is a user of the dialed number.
        Identified = "identified",
        /// It is nobody on the roster.
        Unknown = "unknown",
        /// It cannot be said; `reason` says why.
        Inconclusive = "inconclusive",
    }
}

/// How good the audio was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quality {
    /// `narrow` for telephone audio, `wide` when there is speech above 4 kHz.
    #[schema(value_type = String)]
    pub bandwidth: Bandwidth,
    /// Speech over background in dB; null until both were heard.
    pub snr_db: Option<f64>,
    /// Share of speech samples at full scale, 0 to 1.
    pub clipping: f64,
    /// Whether several people speak, in turns or at once; null while there is too little speech to tell: 5 s, or 1 s once the audio has ended.
    pub overlap: Option<bool>,
}

/// Share of speech energy above 4 kHz from which a recording is called wide-band: -40 dB. What a
/// telephone leaves up there, after resampling, lies below -60 dB.
const WIDE_SHARE: f32 = 1e-4;

/// Share of what lies above 4 kHz that may mirror what lies below: more, and it is a telephone call brought to 16 kHz by
/// straight lines or repeated samples, whatever noise came on top.
const MOST_MIRRORED: f32 = 0.2;

impl Quality {
    /// What was measured of some speech.
    pub(super) fn measured(meter: &QualityMeter, snr_db: Option<f64>, at_once: Option<bool>) -> Self {
        let above = meter.high_band();
        let wide = above.share >= WIDE_SHARE && above.mirrored < MOST_MIRRORED;
        Self {
            bandwidth: if wide { Bandwidth::Wide } else { Bandwidth::Narrow },
            snr_db,
            clipping: f64::from(meter.clipping()),
            overlap: at_once,
        }
    }

    /// Whether a mismatch would say more about the audio than about the voice: speech hardly above the
    /// background, or a fifth of it cut off.
    pub fn is_poor(&self) -> bool {
        self.snr_db.is_some_and(|snr| snr < 3.0) || self.clipping > 0.2
    }
}

/// Milliseconds of work, by arrow of the journey. Waiting for a turn is not work.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TimingMs {
    /// Bytes to 16 kHz samples.
    pub decode: f64,
    /// Samples to speech, and whether several speak at once.
    pub vad: f64,
    /// Speech to voiceprint.
    pub embed: f64,
    /// Voiceprint to similarities.
    pub search: f64,
    /// Similarities to decision.
    pub decide: f64,
}

/// One user of the roster with their scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// Id of the user.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// Natural-log likelihood ratio of this user against anybody else.
    pub llr: f64,
    /// Probability that it is this user, given the prior and the rest of the roster.
    pub posterior: f64,
}

/// What is known of the speaker on one call, now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Identification {
    /// What is said.
    pub outcome: OutcomeName,
    /// Who, when identified.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user_id: Option<UserId>,
    /// Their name, when identified.
    pub user_name: Option<String>,
    /// Probability of what is said: of the user when identified, of nobody when unknown, otherwise null.
    pub posterior: Option<f64>,
    /// Evidence for the best candidate, null when there is none.
    pub llr: Option<f64>,
    /// The best ten of the roster, best first.
    pub candidates: Vec<Scored>,
    /// The dialed number.
    #[schema(value_type = String)]
    pub number: DialedNumber,
    /// Seconds of speech that were heard; of a recording the first two minutes of it are what is compared, of a
    /// live call the last two.
    pub net_speech_seconds: f64,
    /// How good the audio was; null when there was no speech to measure.
    pub quality: Option<Quality>,
    /// Natural-log likelihood ratio of speech from a loudspeaker or a synthesiser against a person's, of the latest of it; left out
    /// where no countermeasure is installed, and before any speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countermeasure_llr: Option<f64>,
    /// Why it is inconclusive.
    #[schema(value_type = Option<String>)]
    pub reason: Option<Reason>,
    /// The speaker model.
    #[schema(value_type = String)]
    pub model: ModelId,
    /// Id of the calibration.
    pub calibration: String,
    /// The work it took.
    pub timing_ms: TimingMs,
    /// Whether the audio has ended: nothing more will come.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// What of a recording was not heard; left out where all of it was, and of live calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The ratios of the whole roster, for the chain of evidence; never shown. Empty as long as less was
    /// said than decides anything.
    #[serde(skip)]
    #[schema(ignore)]
    pub llrs: Vec<(UserId, Llr)>,
    /// What the ratio of anybody else who is enrolled is at most, where `llrs` are not of all: of a large roster the store keeps
    /// the likeliest.
    #[serde(skip)]
    #[schema(ignore)]
    pub llr_of_others: Option<Llr>,
    /// Whether a countermeasure took whole windows of the stream's speech for spoofed, whatever is said of it: no voice names
    /// anybody on the call any more.
    #[serde(skip)]
    #[schema(ignore)]
    pub was_spoofed: bool,
    /// Which of the call's streams it was heard on; 0 where that is not known. Of two the higher one says who has the phone.
    #[serde(skip)]
    #[schema(ignore)]
    pub stream: u64,
}

impl Identification {
    /// An identification that says nothing yet; the switchboard fills it in.
    pub fn inconclusive(number: DialedNumber, model: ModelId, calibration: String, reason: Reason) -> Self {
        Self {
            outcome: OutcomeName::Inconclusive,
            user_id: None,
            user_name: None,
            posterior: None,
            llr: None,
            candidates: Vec::new(),
            number,
            net_speech_seconds: 0.0,
            quality: None,
            countermeasure_llr: None,
            reason: Some(reason),
            model,
            calibration,
            timing_ms: TimingMs::default(),
            is_final: false,
            warnings: Vec::new(),
            llrs: Vec::new(),
            llr_of_others: None,
            was_spoofed: false,
            stream: 0,
        }
    }

    /// What is said once nobody hears the call any more: what was measured so far stays, the word on it does not.
    #[must_use]
    pub fn unheard(&self) -> Self {
        let (number, model, calibration) =
            (self.number.clone(), self.model.clone(), self.calibration.clone());
        Self {
            net_speech_seconds: self.net_speech_seconds,
            quality: self.quality,
            ..Self::inconclusive(number, model, calibration, Reason::Unavailable)
        }
    }

    /// Writes a decision into the document, with the best ten of its candidates. The posteriors are those
    /// the whole roster gave.
    #[must_use]
    pub fn decided(
        mut self,
        decision: &Decision,
        name_of: impl FnOnce(UserId) -> Option<String>,
        net: Seconds,
    ) -> Self {
        self.candidates = decision
            .candidates
            .iter()
            .take(MAX_CANDIDATES)
            .map(|candidate| Scored {
                user_id: candidate.user_id,
                llr: candidate.llr.get(),
                posterior: candidate.posterior.get(),
            })
            .collect();
        self.llr = self.candidates.first().map(|best| best.llr);
        self.net_speech_seconds = net.get();
        (self.outcome, self.user_id, self.reason) = match decision.outcome {
            Outcome::Identified(user) => (OutcomeName::Identified, Some(user), None),
            Outcome::Unknown => (OutcomeName::Unknown, None, None),
            Outcome::Inconclusive(reason) => (OutcomeName::Inconclusive, None, Some(reason)),
        };
        self.user_name = self.user_id.and_then(name_of);
        self.posterior = match decision.outcome {
            Outcome::Identified(_) => self.candidates.first().map(|best| best.posterior),
            Outcome::Unknown => Some(decision.nobody.get()),
            Outcome::Inconclusive(_) => None,
        };
        self
    }

    /// Takes back who it is, for `reason`: no name, and no ratios that other evidence could make one of.
    pub fn withhold(&mut self, reason: Reason) {
        self.outcome = OutcomeName::Inconclusive;
        self.reason = Some(reason);
        (self.user_id, self.user_name, self.posterior) = (None, None, None);
        self.llrs.clear();
        self.llr_of_others = None;
    }

    /// Takes out whoever is not there any more, by name, as a candidate and in the ratios. A name that goes is no word on
    /// anybody else: then it cannot be told who it is.
    pub fn leave_out(&mut self, is_there: impl Fn(UserId) -> bool) {
        // What was taken up from the store has no candidates: of whom its ratio is cannot be told then.
        let is_anybodys = self.candidates.is_empty() && self.llrs.iter().any(|(user, _)| !is_there(*user));
        if self.user_id.is_some_and(|user| !is_there(user)) {
            self.withhold(Reason::Unavailable);
        }
        let best = self.candidates.first().map(|best| best.user_id);
        self.candidates.retain(|candidate| is_there(candidate.user_id));
        if is_anybodys || best.is_some_and(|user| !is_there(user)) {
            self.llr = self.candidates.first().map(|best| best.llr);
        }
        self.llrs.retain(|(user, _)| is_there(*user));
    }

    /// The ratio of a user; of one whose own was not kept, what it is at most. `None` where nothing says anything of them.
    pub fn llr_of(&self, user: UserId) -> Option<Llr> {
        let own = self.llrs.iter().find(|(of, _)| *of == user);
        own.map(|(_, llr)| *llr).or(self.llr_of_others)
    }

    /// Whether a recording was played.
    pub fn is_replay(&self) -> bool {
        self.reason == Some(Reason::Replayed)
    }

    /// Whether a countermeasure takes the speech for spoofed.
    pub fn is_spoofed(&self) -> bool {
        self.reason == Some(Reason::Spoofed)
    }

    /// What the voice comes to by itself. `outcome` is its name, and the speaker of a call is made of it with all other
    /// evidence ([`super::chain::combine`]): the two never differ but by evidence.
    pub fn word(&self) -> Outcome {
        match (self.outcome, self.user_id) {
            (OutcomeName::Identified, Some(user)) => Outcome::Identified(user),
            (OutcomeName::Unknown, _) => Outcome::Unknown,
            // Of neither a user nor a reason there is nothing that could be relied on.
            (OutcomeName::Identified | OutcomeName::Inconclusive, _) => {
                Outcome::Inconclusive(self.reason.unwrap_or(Reason::Unavailable))
            }
        }
    }

    /// Whether another word on the same call says nothing that this one does not, but for numbers.
    pub fn says_as_much_as(&self, other: &Self) -> bool {
        self.word() == other.word() && self.is_final == other.is_final
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Candidate;
    use crate::units::{Llr, Posterior};

    fn of_roster(users: usize) -> (Decision, Identification) {
        let candidates: Vec<_> = (0..users)
            .map(|place| Candidate {
                user_id: UserId::fresh(),
                llr: Llr::new(9.25 - place as f64).unwrap(),
                posterior: Posterior::new(0.97 / (1.0 + 40.0 * place as f64)).unwrap(),
            })
            .collect();
        let decision = Decision {
            outcome: Outcome::Identified(candidates[0].user_id),
            candidates,
            nobody: Posterior::new(0.01).unwrap(),
        };
        let number: DialedNumber = "+12025550102".parse().unwrap();
        let best = decision.candidates[0].user_id;
        let name_of = |user| (user == best).then(|| "Ana".to_owned());
        let blank =
            Identification::inconclusive(number, ModelId::new("m"), "c".to_owned(), Reason::TooLittleSpeech);
        let said = blank.decided(&decision, name_of, Seconds::new(5.0));
        (decision, said)
    }

    #[test]
    fn the_best_ten_are_shown_in_order_whatever_the_rosters_size() {
        for users in [1, 2, 9, 10, 11, 5000] {
            let (decision, said) = of_roster(users);
            let shown: Vec<_> = said.candidates.iter().map(|one| one.user_id).collect();
            let best = decision.candidates.iter().map(|one| one.user_id).take(10);
            assert_eq!(shown, best.collect::<Vec<_>>());
            assert_eq!((said.llr, said.posterior), (Some(9.25), Some(0.97)));
            assert_eq!(said.user_id, Some(decision.candidates[0].user_id));
            assert_eq!(said.user_name.as_deref(), Some("Ana"));
            assert!(serde_json::to_string(&said).unwrap().len() < 4096);
        }
    }

    #[test]
    fn the_ratio_of_who_is_left_out_goes_with_them() {
        let (decision, mut shown) = of_roster(2);
        let best = decision.candidates[0].user_id;
        shown.llrs = decision
            .candidates
            .iter()
            .map(|one| (one.user_id, one.llr))
            .collect();
        // As it is taken up from the store.
        let mut kept = Identification {
            candidates: Vec::new(),
            ..shown.clone()
        };
        for said in [&mut shown, &mut kept] {
            said.leave_out(|user| user != best);
        }
        assert_eq!((shown.llr, kept.llr), (Some(8.25), None));
    }
}
