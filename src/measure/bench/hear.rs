//! What a benchmark hears in a recording, by the product's own ears.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::condition::Prepared;
use super::cache::Cache;
use super::error::BenchError;
use crate::bytes::Limits;
use crate::decision::{LEAST_SPEECH, over_the_telephone};
use crate::engine::Analyst;
use crate::samples::{RATE, load};
use crate::speech::Span;
use crate::units::Seconds;
use crate::verdict::{Listener, Look, MARKS, Quality, embed_views};
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, Voiceprint};

/// What is done to a recording before it becomes a voiceprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Practice {
    /// What the product does: only the speech, and wide-band recordings are stored through a simulated
    /// telephone too, so that a call meets a print of its own kind. The only one that is calibrated.
    Product,
    /// Only the speech in it.
    Vad,
    /// Nothing: the whole recording, silence and all.
    Whole,
}

impl Practice {
    /// Its name on the command line and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Vad => "vad",
            Self::Whole => "whole",
        }
    }
}

/// A voice, in one of its bandwidths.
pub(super) type View = (Bandwidth, Embedding);

/// What was heard up to some moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Prints {
    /// Seconds of speech.
    pub net_s: f64,
    /// The voice; none when there was too little.
    pub views: Vec<View>,
    /// How many of the recording's windows had been heard.
    pub windows: usize,
    /// How good it was; none when there was no speech.
    pub quality: Option<Quality>,
}

/// What was seen between two looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Glance {
    /// How many looks there were before it.
    pub after: usize,
    /// Seconds of speech there were.
    pub at_s: f64,
    /// The voice of the look before it, with the windows there were.
    pub prints: Prints,
}

/// What was heard in a recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    /// At each mark that was asked for, and at the end.
    pub looks: Vec<Prints>,
    /// What was glanced at between marks.
    pub glances: Vec<Glance>,
    /// The voice of each window of the speech, in order; none without speech detection.
    pub windows: Vec<Embedding>,
    /// The parts without speech, as if they were a voice; none when there was too little of them.
    pub silence: Vec<View>,
    /// Where in the recording the speech was, in 16 kHz samples; none without speech detection.
    pub spans: Vec<Span>,
    /// How long the recording was.
    pub audio_s: f64,
    /// How long the product worked on it.
    pub work_s: f64,
}

impl Heard {
    /// What was heard in all.
    pub fn whole(&self) -> Option<&Prints> {
        self.looks.last()
    }

    /// The voice of all of it; none when there was too little.
    pub fn views(&self) -> &[View] {
        self.whole().map_or(&[], |prints| &prints.views)
    }

    /// The voice of all of it, where it counts for the mean of its line: heard over a telephone, and enough.
    pub fn of_line(&self) -> Option<&Embedding> {
        let whole = self.whole().filter(|whole| whole.net_s >= LEAST_SPEECH.get())?;
        match whole.views.as_slice() {
            [(_, voice)] if over_the_telephone(self.bandwidths()) => Some(voice),
            _ => None,
        }
    }

    /// The bandwidths it was heard in.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth> {
        self.views().iter().map(|(bandwidth, _)| *bandwidth)
    }
}

/// A recording to hear, and how.
pub(super) struct Item<'a> {
    pub path: PathBuf,
    /// Names the dice: the same recording meets the same noise in every run.
    pub seed: u64,
    pub span: Option<(f64, f64)>,
    pub max_seconds: f64,
    pub condition: &'a Prepared,
    /// Whether it is looked at on the way, as a live call is.
    pub on_the_way: bool,
}

/// How everything is heard.
pub(super) struct Ears<'a> {
    pub practice: Practice,
    /// Whether the parts without speech are heard too.
    pub silence: bool,
    pub limits: &'a Limits,
    pub cache: Option<&'a Cache>,
}

impl Ears<'_> {
    /// Hears a recording, or recalls it.
    pub fn hear(&self, analyst: &mut Analyst, item: &Item<'_>) -> Result<Heard, BenchError> {
        let bytes = std::fs::read(&item.path).map_err(|cause| BenchError::Unreadable {
            path: item.path.clone(),
            cause,
        })?;
        let key = self.cache.map(|cache| cache.key(&bytes, item, self));
        self.recalled_or(key.as_deref(), || {
            let mut samples = loaded(bytes, &item.path, self.limits)?;
            cut(&mut samples, item);
            self.hear_afresh(analyst, item, &samples)
        })
    }

    /// Hears samples (16 kHz) that lie in no file as they are, or recalls them; `item` says how.
    pub fn hear_samples(
        &self,
        analyst: &mut Analyst,
        item: &Item<'_>,
        samples: &[f32],
    ) -> Result<Heard, BenchError> {
        let bytes = |cache: &Cache| {
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            cache.key(&bytes, item, self)
        };
        self.recalled_or(self.cache.map(bytes).as_deref(), || {
            self.hear_afresh(analyst, item, samples)
        })
    }

    fn recalled_or(
        &self,
        key: Option<&str>,
        hear: impl FnOnce() -> Result<Heard, BenchError>,
    ) -> Result<Heard, BenchError> {
        let (Some(cache), Some(key)) = (self.cache, key) else {
            return hear();
        };
        match cache.recall(key)? {
            Some(heard) => Ok(heard),
            // What is kept is what is used, so that a run with and without a full cache gives the same figures.
            None => cache.keep(key, hear()?),
        }
    }

    fn hear_afresh(
        &self,
        analyst: &mut Analyst,
        item: &Item<'_>,
        samples: &[f32],
    ) -> Result<Heard, BenchError> {
        let samples = item.condition.apply(samples, item.seed)?;
        let started = Instant::now();
        let audio_s = RATE.seconds(samples.len()).get();
        let extract = |cause| BenchError::Extract {
            path: item.path.clone(),
            cause,
        };
        if self.practice == Practice::Whole {
            let views = if samples.is_empty() {
                Vec::new()
            } else {
                vec![(
                    Bandwidth::Wide,
                    analyst.extractor.embed(&samples).map_err(extract)?,
                )]
            };
            let looks = vec![Prints {
                net_s: audio_s,
                views,
                ..Prints::default()
            }];
            return Ok(Heard {
                looks,
                glances: Vec::new(),
                windows: Vec::new(),
                silence: Vec::new(),
                spans: Vec::new(),
                audio_s,
                work_s: started.elapsed().as_secs_f64(),
            });
        }
        let listen = |cause| BenchError::Listen {
            path: item.path.clone(),
            cause,
        };
        let marks = if item.on_the_way { MARKS } else { &[] };
        let mut listener = Listener::new(RATE, 1, None, marks).map_err(listen)?;
        let mut looks = listener.push(analyst, &samples).map_err(listen)?;
        looks.push(listener.finish(analyst).map_err(listen)?);
        let work_s = started.elapsed().as_secs_f64();
        let bandwidth = looks
            .last()
            .and_then(|look| look.quality)
            .map(|quality| quality.bandwidth);
        let silence = match bandwidth {
            Some(bandwidth) if self.silence => {
                non_speech(analyst, &samples, listener.spans(), bandwidth).map_err(extract)?
            }
            _ => Vec::new(),
        };
        let (looks, glances, windows) = self.sorted(looks);
        Ok(Heard {
            looks,
            glances,
            windows,
            silence: self.kept(silence),
            spans: listener.spans().to_vec(),
            audio_s,
            work_s,
        })
    }

    /// The looks, the glances between them, and all windows in order: a look carries the last of them alone.
    fn sorted(&self, all: Vec<Look>) -> (Vec<Prints>, Vec<Glance>, Vec<Embedding>) {
        let (mut looks, mut glances, mut windows) = (Vec::new(), Vec::new(), Vec::new());
        for look in all {
            let known = look.windows.len() - (look.windows_heard - windows.len()).min(look.windows.len());
            windows.extend_from_slice(&look.windows[known..]);
            let at_s = look.net_speech.get();
            let viewed = look.views.first().filter(|_| look.is_glance);
            let prints = Prints {
                net_s: viewed.map_or(at_s, |view| view.net_speech.get()),
                windows: look.windows_heard,
                views: self.kept(look.views),
                quality: look.quality,
            };
            if look.is_glance {
                let after = looks.len();
                glances.push(Glance { after, at_s, prints });
            } else {
                looks.push(prints);
            }
        }
        (looks, glances, windows)
    }

    fn kept(&self, views: Vec<Voiceprint>) -> Vec<View> {
        let most = if self.practice == Practice::Product {
            views.len()
        } else {
            1
        };
        views
            .into_iter()
            .take(most)
            .map(|view| (view.bandwidth, view.embedding))
            .collect()
    }
}

/// The 16 kHz samples of a recording's bytes.
pub(super) fn loaded(bytes: Vec<u8>, path: &Path, limits: &Limits) -> Result<Vec<f32>, BenchError> {
    let clip = load(bytes, None, limits).map_err(|cause| BenchError::Load {
        path: path.to_owned(),
        cause,
    })?;
    Ok(clip.samples)
}

fn cut(samples: &mut Vec<f32>, item: &Item<'_>) {
    let at = |seconds: f64| RATE.samples(Seconds::checked(seconds).unwrap_or_default());
    if let Some((start, end)) = item.span {
        samples.truncate(at(end));
        samples.drain(..at(start).min(samples.len()));
    }
    if item.max_seconds > 0.0 {
        samples.truncate(at(item.max_seconds));
    }
}

/// The parts between the speech, put through the product's own path as if they were a voice. What they tell of
/// a speaker, the channel and the room tell, not the voice. A window (32 ms) at each edge of the speech is left
/// out, and less than 0.3 s in all says nothing.
fn non_speech(
    analyst: &mut Analyst,
    samples: &[f32],
    speech: &[Span],
    bandwidth: Bandwidth,
) -> Result<Vec<Voiceprint>, ExtractError> {
    const EDGE: usize = 512;
    const LEAST: usize = 4_800;
    let mut between = Vec::new();
    let mut from = 0;
    let ends = speech
        .iter()
        .map(|span| (span.start.saturating_sub(EDGE), span.end + EDGE));
    for (start, end) in ends.chain([(samples.len(), samples.len())]) {
        if start > from {
            between.extend_from_slice(&samples[from..start.min(samples.len())]);
        }
        from = from.max(end.min(samples.len()));
    }
    if between.len() < LEAST {
        return Ok(Vec::new());
    }
    let length = RATE.seconds(between.len());
    embed_views(analyst, &between, length, bandwidth)
}
