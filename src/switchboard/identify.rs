//! A look and a dialed number to an identification.

use std::collections::HashSet;
use std::time::Instant;

use crate::bytes::Limits;
use crate::decision::{Course, Evidence, Heard, Outcome, Reason, VOICE_WINDOW, Voices, decide, recent};
use crate::engine::{Engine, Permit};
use crate::gallery::Hit;
use crate::units::{DialedNumber, Llr, Seconds, UserId};
use crate::verdict::{Hearing, Identification, Look, MARKS, Recording};
use crate::voiceprint::{Bandwidth, Embedding, Voiceprint};

use super::error::BoardError;
use super::keeper::{Found, KeeperError};
use super::open::Switchboard;
use super::serving::Serving;

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
        if let Some(unheard) = heard.unheard {
            tracing::warn!(%unheard, "a part of the recording was not heard");
        }
        let last = heard.looks.len().saturating_sub(1);
        let mut course = Course::default();
        let mut said: Vec<Identification> = Vec::with_capacity(heard.looks.len());
        for (at, look) in heard.looks.iter().enumerate() {
            let next = serving.answer(number, look, &mut course, at == last).await;
            if !(look.is_glance && said.last().is_some_and(|before| before.says_as_much_as(&next))) {
                said.push(next);
            }
        }
        Ok(said)
    }
}

impl Serving {
    /// What a look says about the speaker, after what was said before. Always answers: a failing part makes
    /// it `unavailable`.
    pub(super) async fn answer(
        &self,
        number: &DialedNumber,
        look: &Look,
        course: &mut Course,
        is_final: bool,
    ) -> Identification {
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
        match self.judge(number, look, course, &mut said).await {
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
        course: &mut Course,
        said: &mut Identification,
    ) -> Result<Option<Identification>, KeeperError> {
        let started = Instant::now();
        let probes = self.probes(look);
        let found = self.keeper.search(number, &probes.views).await?;
        if let Some(quality) = &mut said.quality {
            quality.overlap = probes.several;
        }
        if found.roster.names.is_empty() {
            said.reason = Some(Reason::EmptyRoster);
            return Ok(None);
        }
        // Between two marks the voice is that of the first.
        let Some(net_speech) = look.views.first().map(|view| view.net_speech) else {
            return Ok(None);
        };
        let ratios = self.ratios(&probes, look, &found);
        said.timing_ms.search = started.elapsed().as_secs_f64() * 1e3;
        let Some(ratios) = ratios else {
            said.reason = Some(Reason::Unavailable);
            return Ok(None);
        };
        let started = Instant::now();
        let poor_audio = look.quality.is_some_and(|quality| quality.is_poor());
        let evidence = |ratios, net_speech| Evidence {
            ratios,
            net_speech,
            poor_audio,
        };
        let latest = ratios.latest.as_ref();
        let heard = Heard {
            whole: evidence(&ratios.whole, net_speech),
            latest: latest.map(|(ratios, net)| evidence(ratios, *net)),
            recent: ratios.recent.as_deref(),
            is_final: said.is_final,
        };
        let policy = self.policy_of(&found.roster.promise);
        let Ok(decision) = course.hear(&heard, &policy) else {
            said.reason = Some(Reason::Unavailable);
            return Ok(None);
        };
        let mut decided = said
            .clone()
            .decided(&decision, &found.roster.names, look.net_speech);
        decided.timing_ms.decide = started.elapsed().as_secs_f64() * 1e3;
        if net_speech >= policy.minimum_speech {
            // Those that were decided on: of several voices, the one that spoke last.
            decided.ratios = ratios.latest.map_or(ratios.whole, |(latest, _)| latest);
        }
        Ok(Some(decided))
    }

    /// Whether a call in this voice would be named after a user of the number other than `but`.
    pub(super) async fn names_another(
        &self,
        number: &DialedNumber,
        views: &[Voiceprint],
        net: Seconds,
        but: UserId,
    ) -> Result<bool, KeeperError> {
        let found = self.keeper.search(number, views).await?;
        let Some(mut ratios) = self.ratios_of(views, &found.hits, net, &found) else {
            return Ok(false);
        };
        ratios.retain(|(user, _)| *user != but);
        let evidence = Evidence {
            ratios: &ratios,
            net_speech: net,
            poor_audio: false,
        };
        let decision = decide(&evidence, &self.policy_of(&found.roster.promise));
        Ok(decision.is_ok_and(|decision| matches!(decision.outcome, Outcome::Identified(_))))
    }

    /// What a roster is searched by after a look.
    fn probes(&self, look: &Look) -> Probes {
        let mut probes = Probes {
            views: look.views.clone(),
            latest: None,
            recent: None,
            several: None,
        };
        let Some(test) = self.calibration.voices.filter(|_| !look.views.is_empty()) else {
            return probes;
        };
        let windows = &look.windows;
        if let Some(last) = recent(windows) {
            probes.recent = probes.add(self, last.iter());
        }
        probes.several = match test.hear(windows) {
            Voices::TooFew => None,
            Voices::One => Some(false),
            Voices::Several(split) => {
                let latest: Vec<&Embedding> = split.latest().filter_map(|at| windows.get(at)).collect();
                probes.latest = probes.add(self, latest.into_iter());
                Some(true)
            }
        };
        probes
    }

    /// The ratios of each user by each kind of probe. `None` when a score left the finite numbers.
    fn ratios(&self, probes: &Probes, look: &Look, found: &Found) -> Option<Ratios> {
        let (own, own_net) = (look.views.len(), look.views.first()?.net_speech);
        let of = |at: Option<usize>| {
            let Some(at) = at else { return Some(None) };
            let net = probes.views[at].net_speech;
            let ratios = self.ratios_of(&probes.views[at..=at], found.hits.get(at..=at)?, net, found)?;
            Some(Some((ratios, net)))
        };
        Some(Ratios {
            whole: self.ratios_of(&probes.views[..own], found.hits.get(..own)?, own_net, found)?,
            latest: of(probes.latest)?,
            recent: of(probes.recent)?.map(|(ratios, _)| ratios),
        })
    }

    /// The ratio of each user: by the view of the call's own kind where the user has such a print, by
    /// the next view where not. `None` when a score left the finite numbers.
    fn ratios_of(
        &self,
        views: &[Voiceprint],
        hits: &[Vec<Hit>],
        net: Seconds,
        found: &Found,
    ) -> Option<Vec<(UserId, Llr)>> {
        let mut judged = HashSet::new();
        let mut ratios = Vec::new();
        for (view, hits) in views.iter().zip(hits) {
            let curve = self.calibration.curve(view.bandwidth);
            for hit in hits {
                // A hit that is not on the roster we read is a change in between: the next look sees it.
                if !found.roster.names.contains_key(&hit.user) || !judged.insert(hit.user) {
                    continue;
                }
                ratios.push((hit.user, curve.llr(hit.cosine, net).ok()?));
            }
        }
        Some(ratios)
    }
}

/// Everything a roster is searched by in one go: the look's own views first.
struct Probes {
    views: Vec<Voiceprint>,
    /// Where among them the voice is that spoke last, when there are several.
    latest: Option<usize>,
    /// Where the last seconds are.
    recent: Option<usize>,
    /// Whether there are several voices, where that could be told.
    several: Option<bool>,
}

impl Probes {
    /// Adds the voice of some windows and says where it is; `None` when they cancel out.
    fn add<'a>(
        &mut self,
        serving: &Serving,
        windows: impl ExactSizeIterator<Item = &'a Embedding>,
    ) -> Option<usize> {
        let net_speech = Seconds::checked(VOICE_WINDOW.get() * windows.len() as f64)?;
        let embedding = Embedding::mean(windows.map(|window| (window, 1.0))).ok()?;
        self.views.push(Voiceprint {
            embedding,
            model: serving.card.id().clone(),
            bandwidth: Bandwidth::Narrow,
            net_speech,
        });
        Some(self.views.len() - 1)
    }
}

/// The ratios of one look.
struct Ratios {
    whole: Vec<(UserId, Llr)>,
    latest: Option<(Vec<(UserId, Llr)>, Seconds)>,
    recent: Option<Vec<(UserId, Llr)>>,
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
