//! Work spread over threads, each with models of its own, and what all of it begins with.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use voxline::bytes::Limits;
use voxline::engine::{Analyst, Models};
use voxline::onnx::Runtime;
use voxline::samples::{RATE, load};
use voxline::verdict::{Listener, Look};

/// The models and the number of threads that use them.
pub struct Bench {
    pub models: Models,
    pub threads: usize,
}

impl Bench {
    /// Does `work` to each item, in any order, and gives the answers in the items' order. The first
    /// fault of each thread ends it, and the first of all is returned.
    pub fn each<T: Sync, R: Send>(
        &self,
        what: &'static str,
        items: &[T],
        work: impl Fn(&mut Analyst, &T) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let runtime = Runtime::load(&self.models.library)?;
        let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {eta}")?;
        let bar = ProgressBar::new(items.len() as u64)
            .with_style(style)
            .with_message(what);
        let next = AtomicUsize::new(0);
        let turn = || -> Result<Vec<(usize, R)>> {
            let mut analyst = Analyst::load(&runtime, &self.models)?;
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else {
                    return Ok(done);
                };
                done.push((at, work(&mut analyst, item)?));
                bar.inc(1);
            }
        };
        let parts: Vec<Result<Vec<(usize, R)>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(turn)).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|part| part.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the bench panicked"))))
                .collect()
        });
        bar.finish_and_clear();
        let mut done = Vec::with_capacity(items.len());
        for part in parts {
            done.extend(part?);
        }
        done.sort_by_key(|(at, _)| *at);
        Ok(done.into_iter().map(|(_, answer)| answer).collect())
    }
}

/// The samples of a recording, at 16 kHz.
pub fn samples(path: &Path) -> Result<Vec<f32>> {
    let read = || -> Result<Vec<f32>> { Ok(load(std::fs::read(path)?, None, &Limits::default())?.samples) };
    read().with_context(|| path.display().to_string())
}

/// What the product hears in `samples`: a look at each of `marks` (seconds of net speech) that is
/// reached, and one at the end.
pub fn listen(analyst: &mut Analyst, samples: &[f32], marks: &'static [f64]) -> Result<Vec<Look>> {
    let mut listener = Listener::new(RATE, 1, None, marks)?;
    let mut looks = listener.push(analyst, samples)?;
    looks.push(listener.finish(analyst)?);
    looks.retain(|look| !look.is_glance);
    Ok(looks)
}
