//! The test as a whole: a server, its people, and step after step of calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;
use uuid::Uuid;

use super::super::protocol::Protocol;
use super::call::{Kind, Made, Planned};
use super::error::LoadFault;
use super::figures::{Beside, LoadStep, MemorySample};
use super::people::People;
use super::server::{Server, Target};
use super::track::{FRAMES_A_SECOND, Track, tracks};
use crate::onnx::Runtime;
use crate::speech::Vad;
use crate::units::Seconds;

/// How long a recording lasts that is uploaded beside the calls: as long as the service takes by default.
const FILE: Seconds = Seconds::new(1_800.0);
/// How often the server's memory is asked for.
const LOOK: Duration = Duration::from_secs(2);
/// A pause between two steps, in which the server finishes what it began.
const BREATH: Duration = Duration::from_secs(2);
/// How long files are analysed where there are no calls to end it.
const FILES_ALONE: Duration = Duration::from_secs(60);

/// What is to be tested.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// The server.
    pub target: Target,
    /// The folder of a benchmark protocol with searches and rosters: its recordings are the calls.
    pub protocol: PathBuf,
    /// How many calls at a time, step by step.
    pub calls: Vec<usize>,
    /// How long each call lasts.
    pub length: Seconds,
    /// Over how long the calls of a step begin.
    pub ramp: Seconds,
    /// How many dialed numbers share the calls.
    pub numbers: usize,
    /// Half-hour recordings that are uploaded at a time; each step is then made without them first.
    pub files: usize,
    /// How long calls follow one another; `None` for one call a line.
    pub soak: Option<Seconds>,
    /// ONNX Runtime's shared library.
    pub library: PathBuf,
    /// The speech detector's graph, the same as the server's.
    pub vad_graph: PathBuf,
}

/// Makes the test and gives the figures of each step; `said` is told what is going on.
///
/// # Errors
/// [`LoadFault`] when the test cannot begin, or the server stops answering.
pub async fn run_load(
    settings: &LoadSettings,
    said: &mut dyn FnMut(&str),
) -> Result<Vec<LoadStep>, LoadFault> {
    let protocol = Protocol::read(&settings.protocol)?;
    said("hearing the recordings");
    let tracks = {
        let mut vad = Vad::load(&Runtime::load(&settings.library)?, &settings.vad_graph)?;
        tracks(&protocol, &mut vad, settings.length, &settings.protocol)?
    };
    said("starting the server");
    let server = Arc::new(Server::reach(&settings.target).await?);
    said("enrolling the callers");
    let people = People::add(&server, &protocol, settings.numbers, said).await?;
    let test = Test {
        settings,
        server: Arc::clone(&server),
        people,
        tracks,
    };
    let steps = test.steps(said).await;
    if matches!(settings.target, Target::Running { .. }) {
        test.people.remove(&server).await?;
    }
    steps
}

struct Test<'a> {
    settings: &'a LoadSettings,
    server: Arc<Server>,
    people: People,
    tracks: Vec<Arc<Track>>,
}

impl Test<'_> {
    async fn steps(&self, said: &mut dyn FnMut(&str)) -> Result<Vec<LoadStep>, LoadFault> {
        let mut steps = Vec::new();
        for calls in &self.settings.calls {
            let with_files = [0, self.settings.files];
            let beside = if self.settings.files > 0 { &with_files[..] } else { &with_files[..1] };
            for files in beside.iter().copied().filter(|files| calls + files > 0) {
                said(&format!("{calls} calls, {files} files"));
                steps.push(self.step(*calls, files).await?);
                sleep(BREATH).await;
            }
        }
        Ok(steps)
    }

    async fn step(&self, calls: usize, files: usize) -> Result<LoadStep, LoadFault> {
        let before = self.server.process().await?;
        let began = Instant::now();
        let uploads = self.upload(files);
        let memory = tokio::spawn(watch_memory(Arc::clone(&self.server), began));
        let run = Uuid::now_v7();
        let until = self.settings.soak.map(|soak| began + duration(soak));
        let mut lines = JoinSet::new();
        for line in 0..calls {
            let start = began + duration(self.settings.ramp).mul_f64(line as f64 / calls as f64);
            lines.spawn(self.line(line, run, start, until));
        }
        if calls == 0 {
            sleep(self.settings.soak.map_or(FILES_ALONE, duration)).await;
        }
        let made: Vec<(Made, f64)> = lines.join_all().await.into_iter().flatten().collect();
        let took_s = began.elapsed().as_secs_f64();
        let files_done = uploads.end().await;
        let after = self.server.process().await?;
        memory.abort();
        let cpu = before.cpu_seconds.zip(after.cpu_seconds);
        let beside = Beside {
            cpu_seconds: cpu.map(|(before, after)| after - before),
            // Aborted, it still gives what it had when it could not end before.
            memory: self.memory_of(memory).await,
            files_done,
            file_seconds: files_done as f64 * FILE.get(),
            took_s,
        };
        Ok(LoadStep::of(calls, files, made, beside))
    }
}
