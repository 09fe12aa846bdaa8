//! Where inference runs: a few threads of its own, a bounded queue, and admission by permit.
//!
//! Nothing here blocks the async runtime, and nothing can be asked of a model without a [`Permit`]:
//! overload is a refusal at the door, never a growing queue. Each thread owns its models, so none waits
//! for another's lock. Whoever is on the line comes before any recording, and no API key takes every place.
//! Work whose asker has gone is dropped before it costs anything.

mod door;
mod queue;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::oneshot;

pub use door::{Asker, Busy, Permit, Urgency};
pub use queue::Backlog;

use door::Door;
use queue::{Job, Queue, Shared};

use crate::onnx::{OnnxError, Runtime};
use crate::speech::{Vad, VadError};
use crate::voiceprint::{Card, ExtractError, Extractor};

/// What an inference thread owns.
pub struct Analyst {
    /// The speech detector.
    pub vad: Vad,
    /// The speaker model.
    pub extractor: Extractor,
}

impl Analyst {
    /// Loads the models of one thread.
    ///
    /// # Errors
    /// [`EngineError`] when a model is missing or not what its card says.
    pub fn load(runtime: &Runtime, models: &Models) -> Result<Self, EngineError> {
        let vad = Vad::load(runtime, &models.vad_graph)?;
        let extractor = Extractor::load(runtime, &models.card)?;
        Ok(Self { vad, extractor })
    }
}

/// Which files the engine runs on; already checked by hash.
#[derive(Debug, Clone)]
pub struct Models {
    /// ONNX Runtime's shared library.
    pub library: PathBuf,
    /// Silero VAD's graph.
    pub vad_graph: PathBuf,
    /// The speaker model.
    pub card: Card,
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
    /// The speaker model is missing or broken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
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

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: Arc<Queue>,
    door: Arc<Door>,
}

impl Engine {
    /// Starts `threads` inference threads and admits at most `capacity` askers at a time (one-shot
    /// requests and live calls alike). Every thread has its models loaded before this returns.
    ///
    /// # Errors
    /// [`EngineError`] when a model cannot be loaded or a thread cannot be started.
    pub fn start(models: &Models, threads: usize, capacity: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::new(Door::new(capacity)))
    }

    /// Starts an engine of other models behind the same door: its permits and this one's are the same,
    /// so an exchange lets nobody in twice.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn successor(&self, models: &Models, threads: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::clone(&self.door))
    }

    fn start_behind(models: &Models, threads: usize, door: Arc<Door>) -> Result<Self, EngineError> {
        let runtime = Runtime::load(&models.library)?;
        let queue = Queue::default();
        for at in 0..threads.max(1) {
            let mut analyst = Analyst::load(&runtime, models)?;
            let jobs = queue.shared();
            std::thread::Builder::new()
                .name(format!("inference-{at}"))
                .spawn(move || work(&jobs, &mut analyst))
                .map_err(EngineError::Thread)?;
        }
        Ok(Self {
            queue: Arc::new(queue),
            door,
        })
    }

    /// Asks to be admitted, without waiting.
    ///
    /// # Errors
    /// [`Busy`] when all permits are taken, or as many as one key may take.
    pub fn admit(&self, asker: Asker) -> Result<Permit, Busy> {
        Door::admit(&self.door, asker)
    }

    /// How many askers are admitted now, and how many could be.
    pub fn load(&self) -> (usize, usize) {
        self.door.load()
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
        let (reply, answer) = oneshot::channel();
        let boxed: Job = Box::new(move |analyst| {
            if reply.is_closed() {
                return;
            }
            // An asker who left in the meantime needs no answer.
            let _ = reply.send(job(analyst));
        });
        // A permit holder has at most one job waiting, so the queue is never longer than there are permits.
        self.queue.push(admitted.urgency(), boxed);
        answer.await.map_err(|_| EngineError::Crashed)
    }
}

/// One inference thread: takes job after job until every [`Engine`] is dropped.
fn work(jobs: &Shared, analyst: &mut Analyst) {
    while let Some(job) = jobs.next() {
        // A job that panics drops its reply, which its asker sees as `Crashed`; the models hold no
        // state between jobs, so the thread can go on.
        if catch_unwind(AssertUnwindSafe(|| job(analyst))).is_err() {
            tracing::error!("an analysis job panicked: this is a bug");
        }
    }
}
