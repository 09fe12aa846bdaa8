//! The test as a whole: a server, its people, and step after step of calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::protocol::Protocol;
use super::call::{Kind, Made, Planned};
use super::error::LoadFault;
use super::figures::{Beside, LoadStep, MemorySample};
use super::people::{People, unless_interrupted};
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
    /// The server that is tested, or how to start it.
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

/// What a load test comes to.
#[derive(Debug)]
pub struct LoadOutcome {
    /// The figures of each step that came to its end.
    pub steps: Vec<LoadStep>,
    /// Why there are not more of them, and who could not be removed from the server; none where all went well.
    pub faults: Vec<LoadFault>,
}

/// Makes the test and gives the figures of each step, also where a later one comes to no end; `said` is told what is going
/// on. Ctrl-C ends it as a fault does: whoever was added to a server that stays is removed again.
///
/// # Errors
/// [`LoadFault`] when the test cannot begin.
pub async fn run_load(settings: &LoadSettings, said: &mut dyn FnMut(&str)) -> Result<LoadOutcome, LoadFault> {
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
    let mut steps = Vec::new();
    let ended = unless_interrupted(test.steps(&mut steps, said)).await;
    let removed = test.people.remove(&server).await;
    let faults = [ended, removed].into_iter().filter_map(Result::err);
    Ok(LoadOutcome {
        steps,
        faults: faults.collect(),
    })
}

struct Test<'a> {
    settings: &'a LoadSettings,
    server: Arc<Server>,
    people: People,
    tracks: Vec<Arc<Track>>,
}

impl Test<'_> {
    /// Makes the steps, and adds the figures of each that came to its end to `steps`.
    async fn steps(&self, steps: &mut Vec<LoadStep>, said: &mut dyn FnMut(&str)) -> Result<(), LoadFault> {
        for calls in &self.settings.calls {
            let with_files = [0, self.settings.files];
            let beside = if self.settings.files > 0 {
                &with_files[..]
            } else {
                &with_files[..1]
            };
            for files in beside.iter().copied().filter(|files| calls + files > 0) {
                said(&format!("{calls} calls, {files} files"));
                steps.push(self.step(*calls, files).await?);
                sleep(BREATH).await;
            }
        }
        Ok(())
    }

    async fn step(&self, calls: usize, files: usize) -> Result<LoadStep, LoadFault> {
        let before = self.server.process().await?;
        let began = Instant::now();
        let over = CancellationToken::new();
        // An interruption ends what goes on beside the calls too.
        let _ended = over.clone().drop_guard();
        let memory = tokio::spawn(watch_memory(Arc::clone(&self.server), began, over.clone()));
        let uploads = self.upload(files, &over);
        let run = Uuid::now_v7();
        let soaked = self.settings.soak.map(|soak| began + duration(soak));
        let mut lines = JoinSet::new();
        for line in 0..calls {
            let start = began + duration(self.settings.ramp).mul_f64(line as f64 / calls as f64);
            lines.spawn(follow(self.line(line, run), start, soaked));
        }
        if calls == 0 {
            sleep(self.settings.soak.map_or(FILES_ALONE, duration)).await;
        }
        let made: Vec<(Made, f64)> = lines.join_all().await.into_iter().flatten().collect();
        over.cancel();
        let after = self.server.process().await?;
        let took_s = began.elapsed().as_secs_f64();
        let files_done: usize = uploads.join_all().await.into_iter().sum();
        let cpu = before.cpu_seconds.zip(after.cpu_seconds);
        let beside = Beside {
            cpu_seconds: cpu.map(|(before, after)| after - before),
            memory: memory.await.unwrap_or_default(),
            files_done,
            file_seconds: files_done as f64 * FILE.get(),
            took_s,
        };
        Ok(LoadStep::of(calls, files, made, beside))
    }

    /// Has so many recordings analysed at a time, one after the other, until it is over; each task gives how many came
    /// to their end.
    fn upload(&self, files: usize, over: &CancellationToken) -> JoinSet<usize> {
        let mut uploads = JoinSet::new();
        for nth in 0..files {
            let track = &self.tracks[nth % self.tracks.len()];
            let number = self.number_of(track, nth);
            let recording = Bytes::from(track.as_file(FILE));
            let (server, over) = (Arc::clone(&self.server), over.clone());
            uploads.spawn(async move {
                let mut done = 0;
                loop {
                    let heard = tokio::select! {
                        heard = server.identify(&number, recording.clone()) => heard,
                        () = over.cancelled() => return done,
                    };
                    match heard {
                        Ok(_) => done += 1,
                        // Refused: as much is going on as the server takes.
                        Err(_) => sleep(BREATH).await,
                    }
                }
            });
        }
        uploads
    }

    /// What the calls of a line are like.
    fn line(&self, line: usize, run: Uuid) -> Planned {
        let track = &self.tracks[line / 2 % self.tracks.len()];
        let kind = [Kind::Pcm, Kind::Twilio][line % 2];
        let path = match kind {
            Kind::Pcm => "/media/pcm",
            Kind::Twilio => "/media/twilio",
        };
        Planned {
            kind,
            address: self.server.socket(path),
            key: self.server.key(line).to_owned(),
            id: format!("load-{}-{line}", run.simple()),
            number: self.number_of(track, line / 2 / self.tracks.len()),
            track: Arc::clone(track),
            expected: track
                .caller
                .and_then(|model| self.people.users.get(&model).cloned()),
            frames: (self.settings.length.get() * FRAMES_A_SECOND).round() as usize,
        }
    }

    /// The `nth` of the numbers whose roster the track's caller dials.
    fn number_of(&self, track: &Track, nth: usize) -> String {
        let numbers = &self.people.numbers;
        let fitting: Vec<&str> = numbers
            .iter()
            .filter(|(_, roster)| *roster == track.roster)
            .map(|(number, _)| number.as_str())
            .collect();
        fitting
            .get(nth % fitting.len().max(1))
            .copied()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Makes a line's call when it is time, and further ones as long as a soak goes on, each by an id of its own; gives each
/// with its seconds of speech.
async fn follow(line: Planned, start: Instant, soaked: Option<Instant>) -> Vec<(Made, f64)> {
    let mut all = Vec::new();
    sleep_until(start).await;
    loop {
        let call = Planned {
            id: format!("{}-{}", line.id, all.len()),
            ..line.clone()
        };
        let made = call.make().await;
        let speech = line.track.net_speech.within(made.frames);
        let unheard = made.frames == 0;
        all.push((made, speech));
        if soaked.is_none_or(|end| Instant::now() >= end) {
            return all;
        }
        if unheard {
            // A server that takes no calls is not asked without end.
            sleep(BREATH).await;
        }
    }
}

/// Asks for the server's memory now and then, until it is over.
async fn watch_memory(server: Arc<Server>, began: Instant, over: CancellationToken) -> Vec<MemorySample> {
    let mut samples = Vec::new();
    let mut ticks = interval(LOOK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = over.cancelled() => return samples,
        }
        // One that is too busy to answer is asked again.
        let process = server.process().await.unwrap_or_default();
        if let Some(bytes) = process.resident_bytes {
            samples.push(MemorySample {
                at_s: began.elapsed().as_secs_f64(),
                resident_mb: bytes / 1e6,
            });
        }
    }
}

fn duration(seconds: Seconds) -> Duration {
    Duration::from_secs_f64(seconds.get())
}
