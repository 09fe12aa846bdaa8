//! A checkpoint and a roster to an identification.

use std::time::Instant;

use crate::decision::{Outcome, Reason, SequentialDecision};
use crate::gallery::Hit;
use crate::store::StoreError;
use crate::units::{DialedNumber, NotFinite, UserId};
use crate::verdict::scoring::{self, HeardVoice, Likeness, Probes};
use crate::verdict::{Checkpoint, Identification};
use crate::voiceprint::{Embedding, Voiceprint};

use super::active_model::ActiveModel;
use super::gallery_cache::{Found, GalleryCacheError};
use super::roster::Roster;

/// Calls and recordings whose speech a countermeasure took for spoofed.
pub(crate) const SPOOFED: &str = "voxline_spoofed_total";

impl ActiveModel {
    /// What a checkpoint says about the speaker, after what was said before. Always answers: a failing part makes
    /// it `unavailable`.
    pub(super) async fn answer(
        &self,
        number: &DialedNumber,
        roster: Result<&Roster, &StoreError>,
        checkpoint: &Checkpoint,
        sequential: &mut SequentialDecision,
        is_final: bool,
    ) -> Identification {
        let mut said = self.inconclusive(number, Reason::TooLittleSpeech);
        said.net_speech_seconds = checkpoint.net_speech.get();
        said.quality = checkpoint.quality;
        said.countermeasure_llr = checkpoint.presentation.map(|heard| heard.llr.get());
        said.was_spoofed = checkpoint.presentation.is_some_and(|heard| heard.was_spoofed);
        said.timing_ms = checkpoint.timing;
        said.is_final = is_final;
        let judged = match roster {
            Ok(roster) => self.judge(roster, checkpoint, sequential, &mut said).await,
            Err(fault) => Err(fault.to_string()),
        };
        match judged {
            Ok(Some(decided)) => {
                if is_final && decided.is_spoofed() {
                    metrics::counter!(SPOOFED).increment(1);
                    tracing::warn!(
                        ?number,
                        "what was said does not sound like a person speaking: no voice names anybody"
                    );
                }
                decided
            }
            Ok(None) => said,
            Err(fault) => {
                tracing::error!(number = ?number, %fault, "identification unavailable: {fault}");
                metrics::counter!("voxline_identification_faults_total").increment(1);
                said.reason = Some(Reason::Unavailable);
                said
            }
        }
    }

    async fn judge(
        &self,
        roster: &Roster,
        checkpoint: &Checkpoint,
        sequential: &mut SequentialDecision,
        said: &mut Identification,
    ) -> Result<Option<Identification>, String> {
        let started = Instant::now();
        let moment = HeardVoice::of(checkpoint, said.is_final);
        let probes = scoring::probes(&moment, self.calibration.voices);
        let found = self.find(roster, &probes).await;
        let found = found.map_err(|fault| fault.to_string())?;
        if let Some(quality) = &mut said.quality {
            quality.overlap = probes.several.or(quality.overlap);
        }
        if found.enrolled.is_empty() {
            said.reason = Some(Reason::EmptyRoster);
            return Ok(None);
        }
        said.timing_ms.search = started.elapsed().as_secs_f64() * 1e3;
        let started = Instant::now();
        let policy = self.policy_of(&roster.error_target);
        let likenesses = likenesses(roster, &found);
        let curve = self.calibration.curve.on(found.reach);
        let judged = scoring::judge(&moment, &probes, &likenesses, &curve, &policy, sequential);
        let judged = match judged {
            Ok(Some(judged)) => judged,
            Ok(None) => return Ok(None),
            Err(NotFinite) => {
                said.reason = Some(Reason::Unavailable);
                return Ok(None);
            }
        };
        let mut decided = said.clone().decided(
            &judged.decision,
            |user| roster.name_of(user),
            checkpoint.net_speech,
        );
        decided.timing_ms.decide = started.elapsed().as_secs_f64() * 1e3;
        if judged.is_minimum_met {
            decided.llrs = judged.llrs;
        }
        Ok(Some(decided))
    }

    async fn find(&self, roster: &Roster, probes: &Probes) -> Result<Found, GalleryCacheError> {
        let voices: Vec<&Embedding> = probes.voices().iter().map(|probe| &probe.voice).collect();
        self.gallery_cache.search(roster, &voices).await
    }

    /// Whether a call in this voice would be named after a user of the roster other than `but`.
    pub(super) async fn names_another(
        &self,
        roster: &Roster,
        print: &Voiceprint,
        but: UserId,
    ) -> Result<bool, GalleryCacheError> {
        let moment = HeardVoice::of_print(Some(print));
        let found = self.find(roster, &scoring::probes(&moment, None)).await?;
        let mut likenesses = likenesses(roster, &found).pop().unwrap_or_default();
        likenesses.retain(|likeness| likeness.user != but);
        let policy = self.policy_of(&roster.error_target);
        let curve = self.calibration.curve.on(found.reach);
        let outcome = scoring::judge_once(&moment, &likenesses, &curve, &policy)?;
        Ok(matches!(outcome, Some(Outcome::Identified(_))))
    }
}

/// How like everybody on the roster each probe is. A hit that is not on the roster we read is a change in between:
/// the next checkpoint sees it.
fn likenesses(roster: &Roster, found: &Found) -> Vec<Vec<Likeness>> {
    let of = |hit: &Hit| Likeness {
        user: hit.user,
        cosine: hit.cosine,
        enrolled_speech: hit.net_speech,
        enrolled_over: hit.bandwidth,
    };
    let known = |hit: &&Hit| found.enrolled.contains(&hit.user) && roster.member(hit.user).is_some();
    let of_probe = |hits: &Vec<Hit>| hits.iter().filter(known).map(of).collect();
    found.hits.iter().map(of_probe).collect()
}
