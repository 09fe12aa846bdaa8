//! The identification document, as the contract fixes it.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::decision::{Decision, Outcome, Reason};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::{Bandwidth, ModelId};

/// The three things that can be said of a speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeName {
    /// It is a user of the dialed number.
    Identified,
    /// Enough speech, and nobody on the roster.
    Unknown,
    /// It cannot be said; `reason` says why.
    Inconclusive,
}

/// How good the audio was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Quality {
    /// `narrow` for telephone audio, `wide` when there is speech above 4 kHz.
    #[schema(value_type = String)]
    pub bandwidth: Bandwidth,
    /// Speech over background in dB; null until both were heard.
    pub snr_db: Option<f64>,
    /// Share of speech samples at full scale, 0 to 1.
    pub clipping: f64,
    /// Whether several voices overlap; null where, as in this version, nothing has measured it.
    pub overlap: Option<bool>,
}

impl Quality {
    /// Whether a mismatch would say more about the audio than about the voice: speech hardly above the
    /// background, or a fifth of it cut off.
    pub fn is_poor(&self) -> bool {
        self.snr_db.is_some_and(|snr| snr < 3.0) || self.clipping > 0.2
    }
}

/// Milliseconds of work, by arrow of the journey. Waiting for a turn is not work.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
pub struct TimingMs {
    /// Bytes to 16 kHz samples.
    pub decode: f64,
    /// Samples to speech.
    pub vad: f64,
    /// Speech to voiceprint.
    pub embed: f64,
    /// Voiceprint to similarities.
    pub search: f64,
    /// Similarities to decision.
    pub decide: f64,
}

/// One user of the roster with their scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Scored {
    /// Who.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// Natural-log likelihood ratio of this user against anybody else.
    pub llr: f64,
    /// Probability that it is this user, given the prior and the rest of the roster.
    pub posterior: f64,
}

/// What is known of the speaker on one call, now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
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
    /// The roster, best first.
    pub candidates: Vec<Scored>,
    /// The dialed number.
    #[schema(value_type = String)]
    pub number: DialedNumber,
    /// Seconds of speech that were heard; the first two minutes of it are what is compared.
    pub net_speech_seconds: f64,
    /// How good the audio was; null when there was no speech to measure.
    pub quality: Option<Quality>,
    /// Why it is inconclusive.
    #[schema(value_type = Option<String>)]
    pub reason: Option<Reason>,
    /// The speaker model.
    #[schema(value_type = String)]
    pub model: ModelId,
    /// The calibration.
    pub calibration: String,
    /// The work it took.
    pub timing_ms: TimingMs,
    /// Whether the audio has ended: nothing more will come.
    #[serde(rename = "final")]
    pub is_final: bool,
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
            reason: Some(reason),
            model,
            calibration,
            timing_ms: TimingMs::default(),
            is_final: false,
        }
    }

    /// Writes a decision into the document.
    #[must_use]
    pub fn decided(mut self, decision: &Decision, names: &HashMap<UserId, String>, net: Seconds) -> Self {
        self.candidates = decision
            .candidates
            .iter()
            .map(|candidate| Scored {
                user_id: candidate.user_id,
                llr: candidate.llr.get(),
                posterior: candidate.posterior.get(),
            })
            .collect();
        self.llr = self.candidates.first().map(|best| best.llr);
        self.net_speech_seconds = net.get();
        (self.outcome, self.reason) = match decision.outcome {
            Outcome::Identified(_) => (OutcomeName::Identified, None),
            Outcome::Unknown => (OutcomeName::Unknown, None),
            Outcome::Inconclusive(reason) => (OutcomeName::Inconclusive, Some(reason)),
        };
        match decision.outcome {
            Outcome::Identified(user) => {
                self.user_id = Some(user);
                self.user_name = names.get(&user).cloned();
                self.posterior = self.candidates.first().map(|best| best.posterior);
            }
            Outcome::Unknown => self.posterior = Some(decision.nobody.get()),
            Outcome::Inconclusive(_) => self.posterior = None,
        }
        self
    }

    /// The same without any score: for those who may know who it is but not how sure we are. Scores
    /// shown to everybody would let an attacker climb towards acceptance step by step.
    #[must_use]
    pub fn without_scores(mut self) -> Self {
        self.posterior = None;
        self.llr = None;
        self.candidates = Vec::new();
        self
    }
}
