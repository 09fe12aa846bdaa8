//! Hears a recording, as the product hears a call.

use std::path::Path;
use std::time::Instant;

use super::cache::Cache;
use super::error::BenchError;
use super::heard::{HeardRecording, Item, Print, Prints, WindowCheck};
use crate::bytes::Limits;
use crate::engine::Analyst;
use crate::samples::{RATE, load};
use crate::speech::Span;
use crate::units::Seconds;
use crate::verdict::{CHECKPOINTS, Checkpoint, StreamSession, embed_speech};
use crate::voiceprint::{Bandwidth, Embedding, ExtractError};

/// How everything is heard.
pub(super) struct BenchListener<'a> {
    /// Whether the parts without speech are heard too.
    pub silence: bool,
    pub limits: &'a Limits,
    pub cache: Option<&'a Cache>,
}

impl BenchListener<'_> {
    /// Hears a recording, or recalls it.
    pub fn hear(&self, analyst: &mut Analyst, item: &Item<'_>) -> Result<HeardRecording, BenchError> {
        let bytes = std::fs::read(&item.path).map_err(|cause| BenchError::Unreadable {
            path: item.path.clone(),
            cause,
        })?;
        let key = self.cache.map(|cache| cache.key(&bytes, item, self.silence));
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
    ) -> Result<HeardRecording, BenchError> {
        let bytes = |cache: &Cache| {
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            cache.key(&bytes, item, self.silence)
        };
        self.recalled_or(self.cache.map(bytes).as_deref(), || {
            self.hear_afresh(analyst, item, samples)
        })
    }

    fn recalled_or(
        &self,
        key: Option<&str>,
        hear: impl FnOnce() -> Result<HeardRecording, BenchError>,
    ) -> Result<HeardRecording, BenchError> {
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
    ) -> Result<HeardRecording, BenchError> {
        let samples = item.condition.apply(samples, item.seed)?;
        let started = Instant::now();
        let listen = |cause| BenchError::Listen {
            path: item.path.clone(),
            cause,
        };
        let marks = if item.on_the_way { CHECKPOINTS } else { &[] };
        let mut session = StreamSession::new(RATE, 1, None, marks).map_err(listen)?;
        let mut checkpoints = session.push(analyst, &samples).map_err(listen)?;
        checkpoints.push(session.finish(analyst).map_err(listen)?);
        let work_s = started.elapsed().as_secs_f64();
        let bandwidth = checkpoints
            .last()
            .and_then(|checkpoint| checkpoint.quality)
            .map(|quality| quality.bandwidth);
        let silence = match bandwidth {
            Some(bandwidth) if self.silence => non_speech(analyst, &samples, session.spans(), bandwidth)
                .map_err(|cause| not_extracted(item, cause))?,
            _ => None,
        };
        let (checkpoints, checks, windows) = sorted(checkpoints);
        Ok(HeardRecording {
            checkpoints,
            checks,
            windows,
            silence,
            spans: session.spans().to_vec(),
            audio_s: RATE.seconds(samples.len()).get(),
            work_s,
        })
    }
}

fn not_extracted(item: &Item<'_>, cause: ExtractError) -> BenchError {
    BenchError::Extract {
        path: item.path.clone(),
        cause,
    }
}

/// The checkpoints, the windows checked between them, and all windows in order: a checkpoint carries the last of them
/// alone.
fn sorted(all: Vec<Checkpoint>) -> (Vec<Prints>, Vec<WindowCheck>, Vec<Embedding>) {
    let (mut checkpoints, mut checks, mut windows) = (Vec::new(), Vec::new(), Vec::new());
    for checkpoint in all {
        let known = checkpoint.windows.len()
            - (checkpoint.windows_heard - windows.len()).min(checkpoint.windows.len());
        windows.extend_from_slice(&checkpoint.windows[known..]);
        let prints = Prints {
            at_s: checkpoint.net_speech.get(),
            windows: checkpoint.windows_heard,
            recent: checkpoint.recent,
            print: checkpoint.print.map(Print::of),
            quality: checkpoint.quality,
            presentation: checkpoint.presentation,
        };
        if checkpoint.is_window_check {
            let after = checkpoints.len();
            checks.push(WindowCheck { after, prints });
        } else {
            checkpoints.push(prints);
        }
    }
    (checkpoints, checks, windows)
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
/// out, and less than 0.5 s in all is less than a model takes.
fn non_speech(
    analyst: &mut Analyst,
    samples: &[f32],
    speech: &[Span],
    bandwidth: Bandwidth,
) -> Result<Option<Print>, ExtractError> {
    const EDGE: usize = 512;
    const LEAST: usize = 8_000;
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
        return Ok(None);
    }
    let length = RATE.seconds(between.len());
    let print = embed_speech(analyst, &between, length, bandwidth)?;
    Ok(Some(Print::of(print)))
}
