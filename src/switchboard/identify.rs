//! A checkpoint and a dialed number to an identification.

use std::time::Instant;

use crate::bytes::{Headerless, Limits};
use crate::decision::{Outcome, Reason, SequentialDecision};
use crate::engine::{Engine, Permit};
use crate::gallery::Hit;
use crate::units::{DialedNumber, NotFinite, UserId};
use crate::verdict::scoring::{self, Likeness, Moment, Probes};
use crate::verdict::{CHECKPOINTS, Checkpoint, Hearing, Identification, Recording};
use crate::voiceprint::{Embedding, Voiceprint};

use super::active_model::ActiveModel;
use super::error::BoardError;
use super::gallery_cache::{Found, GalleryCacheError};
use super::open::Switchboard;

impl Switchboard {
    /// Identifies the speaker of a recording among the users of `number`. With `stream`, also gives
    /// what would have been said on a live call as its speech came; the last one is final.
    ///
    /// # Errors
    /// [`BoardError`] when the number is not ours or the recording cannot be heard. A part that fails
    /// later makes the identification `inconclusive` (`unavailable`), never an error and never a name.
    pub async fn identify(
        &self,
        admitted: &Permit,
        number: &DialedNumber,
        recording: ClipBytes,
        channel: Option<u16>,
        stream: bool,
    ) -> Result<Vec<Identification>, BoardError> {
        self.known_number(number).await?;
        let marks: &[f64] = if stream { CHECKPOINTS } else { &[] };
        let ClipBytes { name, bytes } = recording;
        let active_model = self.active_model();
        let heard = hear_in_turns(
            &active_model.engine,
            &self.limits,
            admitted,
            &name,
            bytes,
            channel,
            marks,
        )
        .await?;
        if let Some(unheard) = heard.unheard {
            tracing::warn!(%unheard, "a part of the recording was not heard");
        }
        let warnings = heard.warnings(&name);
        let last = heard.checkpoints.len().saturating_sub(1);
        let mut sequential = SequentialDecision::default();
        let mut said: Vec<Identification> = Vec::with_capacity(heard.checkpoints.len());
        for (at, checkpoint) in heard.checkpoints.iter().enumerate() {
            let next = active_model
                .answer(number, checkpoint, &mut sequential, at == last)
                .await;
            if !(checkpoint.is_window_check
                && said.last().is_some_and(|before| before.says_as_much_as(&next)))
            {
                said.push(next);
            }
        }
        if let Some(last) = said.last_mut() {
            last.warnings = warnings;
        }
        Ok(said)
    }
}

impl ActiveModel {
    /// What a checkpoint says about the speaker, after what was said before. Always answers: a failing part makes
    /// it `unavailable`.
    pub(super) async fn answer(
        &self,
        number: &DialedNumber,
        checkpoint: &Checkpoint,
        sequential: &mut SequentialDecision,
        is_final: bool,
    ) -> Identification {
        let mut said = Identification::inconclusive(
            number.clone(),
            self.card.id().clone(),
            self.calibration.id.clone(),
            Reason::TooLittleSpeech,
        );
        said.net_speech_seconds = checkpoint.net_speech.get();
        said.quality = checkpoint.quality;
        said.timing_ms = checkpoint.timing;
        said.is_final = is_final;
        match self.judge(number, checkpoint, sequential, &mut said).await {
            Ok(Some(decided)) => decided,
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
        number: &DialedNumber,
        checkpoint: &Checkpoint,
        sequential: &mut SequentialDecision,
        said: &mut Identification,
    ) -> Result<Option<Identification>, GalleryCacheError> {
        let started = Instant::now();
        let moment = Moment::of(checkpoint, said.is_final);
        let probes = scoring::probes(&moment, self.calibration.voices);
        let found = self.find(number, &probes).await?;
        if let Some(quality) = &mut said.quality {
            quality.overlap = probes.several;
        }
        let roster = &found.roster;
        if roster.names.is_empty() {
            said.reason = Some(Reason::EmptyRoster);
            return Ok(None);
        }
        said.timing_ms.search = started.elapsed().as_secs_f64() * 1e3;
        let started = Instant::now();
        let policy = self.policy_of(&roster.error_target);
        let likenesses = likenesses(&found);
        let judged = scoring::judge(
            &moment,
            &probes,
            &likenesses,
            &self.calibration,
            &policy,
            sequential,
        );
        let judged = match judged {
            Ok(Some(judged)) => judged,
            Ok(None) => return Ok(None),
            Err(NotFinite) => {
                said.reason = Some(Reason::Unavailable);
                return Ok(None);
            }
        };
        let mut decided = said
            .clone()
            .decided(&judged.decision, &roster.names, checkpoint.net_speech);
        decided.timing_ms.decide = started.elapsed().as_secs_f64() * 1e3;
        if judged.enough_speech {
            decided.llrs = judged.llrs;
        }
        Ok(Some(decided))
    }

    async fn find(&self, number: &DialedNumber, probes: &Probes) -> Result<Found, GalleryCacheError> {
        let voices: Vec<&Embedding> = probes.voices().iter().map(|probe| &probe.voice).collect();
        self.gallery_cache.search(number, &voices).await
    }

    /// Whether a call in this voice would be named after a user of the number other than `but`.
    pub(super) async fn names_another(
        &self,
        number: &DialedNumber,
        print: &Voiceprint,
        but: UserId,
    ) -> Result<bool, GalleryCacheError> {
        let moment = Moment::of_print(Some(print));
        let found = self.find(number, &scoring::probes(&moment, None)).await?;
        let mut likenesses = likenesses(&found).pop().unwrap_or_default();
        likenesses.retain(|likeness| likeness.user != but);
        let policy = self.policy_of(&found.roster.error_target);
        let outcome = scoring::judge_once(&moment, &likenesses, &self.calibration, &policy);
        Ok(matches!(outcome, Ok(Some(Outcome::Identified(_)))))
    }
}

/// How like everybody on the roster each probe is. A hit that is not on the roster we read is a change in between:
/// the next checkpoint sees it.
fn likenesses(found: &Found) -> Vec<Vec<Likeness>> {
    let of = |hit: &Hit| Likeness {
        user: hit.user,
        cosine: hit.cosine,
        enrolled_speech: hit.net_speech,
        enrolled_over: hit.bandwidth,
    };
    let known = |hit: &&Hit| found.roster.names.contains_key(&hit.user);
    let of_probe = |hits: &Vec<Hit>| hits.iter().filter(known).map(of).collect();
    found.hits.iter().map(of_probe).collect()
}

/// Hears a recording in turns of some seconds of audio, between which live calls have theirs. When the asker
/// leaves, no further turn is taken.
pub(super) async fn hear_in_turns(
    engine: &Engine,
    limits: &Limits,
    admitted: &Permit,
    name: &str,
    bytes: Vec<u8>,
    channel: Option<u16>,
    marks: &'static [f64],
) -> Result<Recording, BoardError> {
    let failed = |fault| BoardError::hearing(name, fault);
    let limits = *limits;
    let opened = engine.run(admitted, move |_| Hearing::open(bytes, channel, &limits, marks));
    let mut hearing = Box::new(opened.await?.map_err(failed)?);
    loop {
        let turn = engine.run(admitted, move |analyst| {
            let goes_on = hearing.take_turn(analyst)?;
            Ok((hearing, goes_on))
        });
        let (heard, goes_on) = turn.await?.map_err(failed)?;
        if !goes_on {
            return Ok(heard.into_recording());
        }
        hearing = heard;
    }
}

/// A recording with the name it is called by in messages.
pub struct ClipBytes {
    /// A file name, or "upload".
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl ClipBytes {
    /// A recording; `stated` is what whoever sent it says of it, for a file without a header. With that it gets one, so
    /// that a recording that is kept can be heard again.
    pub fn new(name: String, bytes: Vec<u8>, stated: Option<Headerless>) -> Self {
        let bytes = match stated {
            Some(stated) => stated.with_header(bytes),
            None => bytes,
        };
        Self { name, bytes }
    }
}
