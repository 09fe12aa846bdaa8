//! A benchmark from its recordings to what came of it.

use std::time::Instant;

use super::super::protocol::Protocol;
use super::benchmark::{Benchmark, Progress};
use super::error::BenchError;
use super::everybody::hear_all;
use super::handover::{check_handover, handover};
use super::heard::HeardRecording;
use super::judge::judge;
use super::outcome::Outcome;
use super::score::enrol;

/// Runs a protocol.
///
/// # Errors
/// [`BenchError`] with the file, line or recording that stopped it.
pub fn run(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Outcome, BenchError> {
    let started = Instant::now();
    if bench.handover > 0 {
        check_handover(bench, protocol)?;
    }
    let voices = hear_all(bench, protocol, false, progress)?;
    let mut outcome = judge(bench, protocol, &voices, started)?;
    if bench.handover > 0 {
        let models = enrol(protocol, &voices.clips, HeardRecording::print)?;
        outcome.details.handover = handover(bench, protocol, &models, progress)?;
        outcome.details.run.seconds = started.elapsed().as_secs_f64();
    }
    Ok(outcome)
}
