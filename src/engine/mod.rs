//! Where inference runs: a few threads of its own, a bounded queue, and admission by permit.
//!
//! Nothing here blocks the async runtime, and nothing can be asked of a model without a [`Permit`]:
//! overload is a refusal at the door, never a growing queue. Each thread owns its models, so none waits
//! for another's lock. Work whose asker has gone is dropped before it costs anything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

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

/// All permits are taken. Ask again after [`Busy::retry_after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("as much is being analysed as this machine can bear; ask again in {} s", retry_after.as_secs())]
pub struct Busy {
    /// A polite time to wait.
    pub retry_after: Duration,
}

/// Proof of having been admitted. Work is accepted only together with one; dropping it lets the next in.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
}

type Job = Box<dyn FnOnce(&mut Analyst) + Send>;

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    slots: Arc<Semaphore>,
    capacity: usize,
}

impl Engine {
    /// Starts `threads` inference threads and admits at most `capacity` askers at a time (one-shot
    /// requests and live calls alike). Every thread has its models loaded before this returns.
    ///
    /// # Errors
    /// [`EngineError`] when a model cannot be loaded or a thread cannot be started.
    pub fn start(models: &Models, threads: usize, capacity: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::new(Semaphore::new(capacity)), capacity)
    }

    /// Starts an engine of other models behind the same door: its permits and this one's are the same,
    /// so an exchange lets nobody in twice.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn successor(&self, models: &Models, threads: usize) -> Result<Self, EngineError> {
        Self::start_behind(models, threads, Arc::clone(&self.slots), self.capacity)
    }

    fn start_behind(
        models: &Models,
        threads: usize,
        slots: Arc<Semaphore>,
        capacity: usize,
    ) -> Result<Self, EngineError> {
        let runtime = Runtime::load(&models.library)?;
        // A permit holder has at most one job waiting, so the queue can never be longer than this.
        let (jobs, inbox) = mpsc::channel::<Job>(capacity.max(1));
        let inbox = Arc::new(Mutex::new(inbox));
        for at in 0..threads.max(1) {
            let mut analyst = Analyst::load(&runtime, models)?;
            let inbox = Arc::clone(&inbox);
            std::thread::Builder::new()
                .name(format!("inference-{at}"))
                .spawn(move || work(&inbox, &mut analyst))
                .map_err(EngineError::Thread)?;
        }
        Ok(Self {
            jobs,
            slots,
            capacity,
        })
    }

    /// Asks to be admitted, without waiting.
    ///
    /// # Errors
    /// [`Busy`] when all permits are taken.
    pub fn admit(&self) -> Result<Permit, Busy> {
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => Ok(Permit { _slot: slot }),
            Err(_) => Err(Busy {
                retry_after: Duration::from_secs(2),
            }),
        }
    }

    /// How many askers are admitted now, and how many could be.
    pub fn load(&self) -> (usize, usize) {
        (self.capacity - self.slots.available_permits(), self.capacity)
    }

    /// Runs `job` on an inference thread and gives its answer. A job whose asker is gone before its turn
    /// is not run.
    ///
    /// # Errors
    /// [`EngineError::Crashed`] when the job died, [`EngineError::Stopped`] when the engine has ended.
    pub async fn run<T, F>(&self, _admitted: &Permit, job: F) -> Result<T, EngineError>
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
        self.jobs.send(boxed).await.map_err(|_| EngineError::Stopped)?;
        answer.await.map_err(|_| EngineError::Crashed)
    }
}

/// One inference thread: takes job after job until every [`Engine`] is dropped.
fn work(inbox: &Mutex<mpsc::Receiver<Job>>, analyst: &mut Analyst) {
    loop {
        // Waiting under the lock is how the threads take turns: whoever holds it takes the next job.
        let job = inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else { return };
        // A job that panics drops its reply, which its asker sees as `Crashed`; the models hold no
        // state between jobs, so the thread can go on.
        if catch_unwind(AssertUnwindSafe(|| job(analyst))).is_err() {
            tracing::error!("an analysis job panicked: this is a bug");
        }
    }
}
