//! A look and a dialed number to an identification.

use std::collections::HashSet;
use std::time::Instant;

use crate::bytes::Limits;
use crate::decision::{Evidence, Reason, decide};
use crate::engine::{Engine, Permit};
use crate::units::{DialedNumber, Llr, UserId};
use crate::verdict::{Hearing, Identification, Look, MARKS, Recording};

use super::error::BoardError;
use super::keeper::{Found, KeeperError};
use super::open::Switchboard;
use super::serving::Serving;

impl Switchboard {
    /// Identifies the speaker of a recording among the users of `number`. With `stream`, also gives
    /// what would have been said on a live call at each mark of net speech; the last one is final.
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
        let marks: &[f64] = if stream { MARKS } else { &[] };
        let ClipBytes { name, bytes } = recording;
        let serving = self.serving();
        let heard = hear_in_turns(
            &serving.engine,
            &self.limits,
            admitted,
            &name,
            bytes,
            channel,
            marks,
        )
        .await?;
        let last = heard.looks.len().saturating_sub(1);
        let mut said = Vec::with_capacity(heard.looks.len());
        for (at, look) in heard.looks.iter().enumerate() {
            said.push(serving.answer(number, look, at == last).await);
        }
        Ok(said)
    }
}

impl Serving {
    /// What a look says about the speaker. Always answers: a failing part makes it `unavailable`.
    pub(super) async fn answer(&self, number: &DialedNumber, look: &Look, is_final: bool) -> Identification {
        let mut said = Identification::inconclusive(
            number.clone(),
            self.card.id().clone(),
            self.calibration.id.clone(),
            Reason::TooLittleSpeech,
        );
        said.net_speech_seconds = look.net_speech.get();
        said.quality = look.quality;
        said.timing_ms = look.timing;
        said.is_final = is_final;
        match self.judge(number, look, &mut said).await {
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
        look: &Look,
        said: &mut Identification,
    ) -> Result<Option<Identification>, KeeperError> {
        let started = Instant::now();
        let found = self.keeper.search(number, &look.views).await?;
        if found.roster.names.is_empty() {
            said.reason = Some(Reason::EmptyRoster);
            return Ok(None);
        }
        if look.views.is_empty() {
            return Ok(None);
        }
        let ratios = self.ratios(look, &found);
        said.timing_ms.search = started.elapsed().as_secs_f64() * 1e3;
        let Some(ratios) = ratios else {
            said.reason = Some(Reason::Unavailable);
            return Ok(None);
        };
        let started = Instant::now();
        let poor_audio = look.quality.is_some_and(|quality| quality.is_poor());
        let evidence = Evidence {
            ratios: &ratios,
            net_speech: look.net_speech,
            poor_audio,
        };
        let Ok(decision) = decide(&evidence, &self.policy) else {
            said.reason = Some(Reason::Unavailable);
            return Ok(None);
        };
        let mut decided = said
            .clone()
            .decided(&decision, &found.roster.names, look.net_speech);
        decided.timing_ms.decide = started.elapsed().as_secs_f64() * 1e3;
        if look.net_speech >= self.policy.minimum_speech {
            decided.ratios = ratios;
        }
        Ok(Some(decided))
    }

    /// The ratio of each user: by the view of the call's own kind where the user has such a print, by
    /// the next view where not. `None` when a score left the finite numbers.
    fn ratios(&self, look: &Look, found: &Found) -> Option<Vec<(UserId, Llr)>> {
        let mut judged = HashSet::new();
        let mut ratios = Vec::new();
        for (view, hits) in look.views.iter().zip(&found.hits) {
            let curve = self.calibration.curve(view.bandwidth);
            for hit in hits {
                // A hit that is not on the roster we read is a change in between: the next look sees it.
                if !found.roster.names.contains_key(&hit.user) || !judged.insert(hit.user) {
                    continue;
                }
                ratios.push((hit.user, curve.llr(hit.cosine, look.net_speech).ok()?));
            }
        }
        Some(ratios)
    }
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
