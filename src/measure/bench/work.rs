//! Work spread over threads, each with models of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::error::BenchError;
use crate::engine::{Analyst, Models};
use crate::onnx::Runtime;

/// Does `work` to each item on `threads` threads and gives the answers in the items' order; `done` is called
/// after each. The first fault ends all of it.
pub(super) fn each<T: Sync, R: Send>(
    models: &Models,
    threads: usize,
    items: &[T],
    work: impl Fn(&mut Analyst, &T) -> Result<R, BenchError> + Sync,
    done: &(dyn Fn() + Sync),
) -> Result<Vec<R>, BenchError> {
    let runtime = Runtime::load(&models.library).map_err(crate::engine::EngineError::from)?;
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let turn = || -> Result<Vec<(usize, R)>, BenchError> {
        let mut analyst = Analyst::load(&runtime, models)?;
        let mut answers = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let answer = work(&mut analyst, item).inspect_err(|_| stopped.store(true, Ordering::Relaxed))?;
            answers.push((at, answer));
            done();
        }
        Ok(answers)
    };
    let parts: Vec<Result<Vec<(usize, R)>, BenchError>> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads.clamp(1, items.len().max(1)))
            .map(|_| scope.spawn(turn))
            .collect();
        working
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(BenchError::Crashed)))
            .collect()
    });
    let mut answers = Vec::with_capacity(items.len());
    for part in parts {
        answers.extend(part?);
    }
    answers.sort_unstable_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
