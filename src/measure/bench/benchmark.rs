//! How a benchmark is run, and whom it tells where it is.

use std::path::PathBuf;

use super::super::condition::Prepared;
use super::cache::Cache;
use super::error::BenchError;
use crate::bytes::Limits;
use crate::decision::{Calibration, Policy};
use crate::engine::Models;

/// How a benchmark is run.
pub struct Benchmark<'a> {
    /// The files it runs on.
    pub models: &'a Models,
    /// The model's calibration, where it has one.
    pub calibration: Option<Calibration>,
    /// What the product decides by.
    pub policy: Policy,
    /// The enrolments' condition.
    pub enroll: Prepared,
    /// The tests' conditions: every trial is done under each.
    pub tests: Vec<Prepared>,
    /// Threads, each with its own models.
    pub threads: usize,
    /// The seed of conditions, rosters and intervals.
    pub seed: u64,
    /// How often speakers are drawn for the intervals; fewer when there are very many trials.
    pub replicates: usize,
    /// Whether the parts without speech are scored too.
    pub leakage: bool,
    /// Whether every word on every call is put down.
    pub words: bool,
    /// How many calls of each kind are composed of several voices; 0 for none.
    pub handover: usize,
    /// The bounds on recordings.
    pub limits: Limits,
    /// Where embeddings are kept between runs; none to keep nothing.
    pub cache: Option<PathBuf>,
}

impl Benchmark<'_> {
    /// The cache, opened, where there is to be one.
    pub(super) fn open_cache(&self) -> Result<Option<Cache>, BenchError> {
        let folder = self.cache.as_deref();
        folder.map(|folder| Cache::open(folder, self.models)).transpose()
    }
}

/// Where a benchmark is: called with what is heard and how much of it there is, and after each recording.
pub trait Progress: Sync {
    /// So many recordings of a kind come now.
    fn begin(&self, what: &str, recordings: usize);
    /// One of them is done.
    fn step(&self);
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::super::super::condition::Condition;
    use super::*;
    use crate::voiceprint::Card;

    /// The shipped model's card, with nothing to run it.
    pub(in super::super) fn models() -> Models {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/voxline-phone-2");
        Models {
            library: PathBuf::new(),
            vad_graph: PathBuf::new(),
            segmentation_graph: PathBuf::new(),
            card: Card::read(&folder).unwrap(),
            countermeasure: None,
        }
    }

    /// A benchmark of calls as they are.
    pub(in super::super) fn benchmark(models: &Models) -> Benchmark<'_> {
        let clean = || Condition::default().prepare().unwrap();
        Benchmark {
            models,
            calibration: None,
            policy: Policy::default(),
            enroll: clean(),
            tests: vec![clean()],
            threads: 1,
            seed: 1,
            replicates: 0,
            leakage: false,
            words: false,
            handover: 0,
            limits: Limits::default(),
            cache: None,
        }
    }
}
