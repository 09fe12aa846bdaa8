//! Where inference runs: a few threads of its own, one queue by deadline, and admission by measured lag.
//!
//! Nothing here blocks the async runtime, and nothing can be asked of a model without a [`Permit`]:
//! overload is a refusal at admission, never a growing queue. Each thread owns its models, so none waits
//! for another's lock. Whoever is on the line comes before any recording, the nearest deadline first; recordings come in
//! slices and leave a thread to the calls. No API key and no number takes every place. Work whose asker has gone is dropped
//! before it costs anything.

mod lag;
mod admission;
mod queue;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::oneshot;

pub use admission::{Asker, Busy, Full, Permit, Urgency};
pub use queue::Backlog;

use admission::Admission;
use queue::{Job, Queue, Shared, Turn};

use crate::onnx::{OnnxError, Runtime};
use crate::speech::{OverlapDetector, OverlapError, Vad, VadError};
use crate::voiceprint::{
    Card, Countermeasure, CountermeasureCard, CountermeasureError, ExtractError, Extractor,
};

/// What an inference thread owns.
pub struct Analyst {
    /// The speech detector.
    pub vad: Vad,
    /// What tells whether several people speak at once.
    pub overlap: OverlapDetector,
    /// The speaker model.
    pub extractor: Extractor,
    /// What hears whether speech is spoofed, where one is installed.
    pub countermeasure: Option<Countermeasure>,
}

impl Analyst {
    /// Loads the models of one thread.
    ///
    /// # Errors
    /// [`EngineError`] when a model is missing or not what its card says.
    pub fn load(runtime: &Runtime, models: &Models) -> Result<Self, EngineError> {
        let vad = Vad::load(runtime, &models.vad_graph)?;
        let overlap = OverlapDetector::load(runtime, &models.segmentation_graph)?;
        let extractor = Extractor::load(runtime, &models.card)?;
        let load = |card| Countermeasure::load(runtime, card);
        let countermeasure = models.countermeasure.as_ref().map(load).transpose()?;
        Ok(Self {
            vad,
            overlap,
            extractor,
            countermeasure,
        })
    }
}

/// Which files the engine runs on; already checked by hash.
#[derive(Debug, Clone)]
pub struct Models {
    /// ONNX Runtime's shared library.
    pub library: PathBuf,
    /// Silero VAD's graph.
    pub vad_graph: PathBuf,
    /// The graph of pyannote's segmentation-3.0.
    pub segmentation_graph: PathBuf,
    /// The speaker model.
    pub card: Card,
    /// The countermeasure, where one is installed.
    pub countermeasure: Option<CountermeasureCard>,
}

/// Why the engine did not start or did not answer.
#[derive(Debug, Error)]
pub enum EngineError {
    /// ONNX Runtime is missing or broken.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The speech detector is missing or broken.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// What tells several people at once is missing or broken.
    #[error(transparent)]
    Overlap(#[from] OverlapError),
    /// The speaker model is missing or broken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The countermeasure is missing or broken.
    #[error(transparent)]
    Countermeasure(#[from] CountermeasureError),
    /// The operating system gave no thread.
    #[error("no inference thread could be started: {0}")]
    Thread(std::io::Error),
    /// A job died; the engine itself goes on.
    #[error("the analysis stopped on an internal fault; the call is answered without it")]
    Crashed,
    /// The engine is shutting down.
    #[error("the inference engine is shutting down")]
    Stopped,
}

/// When a job's answer is wanted, where its asker says nothing else.
const LIVE_WITHIN: Duration = Duration::from_millis(100);
const RECORDING_WITHIN: Duration = Duration::from_secs(2);

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: Arc<Queue>,
    admission: Arc<Admission>,
}

impl Engine {
    /// Starts `threads` inference threads and admits at most `capacity` askers at a time (one-shot
    /// requests and live calls alike). Every thread has its models loaded before this returns.
    ///
    /// # Errors
    /// [`EngineError`] when a model cannot be loaded or a thread cannot be started.
    pub fn start(models: &Models, threads: usize, capacity: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::new(Admission::new(capacity, threads)))
    }

    /// Starts an engine of other models behind the same admission: its permits and this one's are the same,
    /// so an exchange lets nobody in twice.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn successor(&self, models: &Models, threads: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::clone(&self.admission))
    }

    fn start_behind(models: &Models, threads: usize, admission: Arc<Admission>) -> Result<Self, EngineError> {
        let runtime = Runtime::load(&models.library)?;
        let threads = threads.max(1);
        let queue = Queue::new(threads, Arc::clone(&admission));
        for at in 0..threads {
            let mut analyst = Analyst::load(&runtime, models)?;
            let (jobs, admission) = (queue.shared(), Arc::clone(&admission));
            std::thread::Builder::new()
                .name(format!("inference-{at}"))
                .spawn(move || work(&jobs, &admission, &mut analyst))
                .map_err(EngineError::Thread)?;
        }
        Ok(Self {
            queue: Arc::new(queue),
            admission,
        })
    }

    /// Asks to be admitted, without waiting.
    ///
    /// # Errors
    /// [`Busy`] when all permits are taken, or as many as one key or number may take, or, of somebody on the line, when those
    /// inside lag already.
    pub fn admit(&self, asker: Asker<'_>) -> Result<Permit, Busy> {
        let [live, _] = self.queue.backlogs();
        Admission::admit(&self.admission, asker, live.age)
    }

    /// How many askers are admitted now, and how many could be.
    pub fn load(&self) -> (usize, usize) {
        self.admission.load()
    }

    /// What waits for a thread: jobs of live calls, and jobs of recordings.
    pub fn backlogs(&self) -> [Backlog; 2] {
        self.queue.backlogs()
    }

    /// Runs `job` on an inference thread and gives its answer. Jobs of live calls have their turn before those
    /// of recordings. A job whose asker is gone before its turn is not run.
    ///
    /// # Errors
    /// [`EngineError::Crashed`] when the job died.
    pub async fn run<T, F>(&self, admitted: &Permit, job: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Analyst) -> T + Send + 'static,
    {
        self.run_as(admitted.urgency(), admitted, job).await
    }

    /// [`Engine::run`] at another urgency than its asker was admitted with: what is left to do of somebody's audio when they
    /// have spoken can wait as a recording can.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_as<T, F>(&self, urgency: Urgency, _admitted: &Permit, job: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Analyst) -> T + Send + 'static,
    {
        let within = match urgency {
            Urgency::Live => LIVE_WITHIN,
            Urgency::Recording => RECORDING_WITHIN,
        };
        self.answered(urgency, within, job).await
    }

    /// [`Engine::run`] where the answer is wanted within some time: of two jobs of one class the one with the nearer
    /// deadline has its turn first.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_within<T, F>(
        &self,
        within: Duration,
        admitted: &Permit,
        job: F,
    ) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Analyst) -> T + Send + 'static,
    {
        self.answered(admitted.urgency(), within, job).await
    }

    async fn answered<T, F>(&self, urgency: Urgency, within: Duration, job: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Analyst) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let boxed: Job = Box::new(move |analyst| {
            if reply.is_closed() {
                return;
            }
            // An asker who left in the meantime needs no answer.
            let _ = reply.send(job(analyst));
        });
        // A permit holder has at most one job waiting, so the queue is never longer than there are permits.
        let due = Instant::now() + within;
        self.queue.push(urgency, due, boxed);
        answer.await.map_err(|_| EngineError::Crashed)
    }
}

/// One inference thread: takes job after job until every [`Engine`] is dropped.
fn work(jobs: &Shared, admission: &Admission, analyst: &mut Analyst) {
    while let Some(Turn { job, urgency, waited }) = jobs.next() {
        let started = Instant::now();
        // A job that panics drops its reply, which its asker sees as `Crashed`; the models hold no
        // state between jobs, so the thread can go on.
        if catch_unwind(AssertUnwindSafe(|| job(analyst))).is_err() {
            tracing::error!("an analysis job panicked: this is a bug");
        }
        jobs.done(urgency);
        if urgency == Urgency::Live {
            let now = Instant::now();
            admission.lag.took(now, waited, now - started);
        }
    }
}
