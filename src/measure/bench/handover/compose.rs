//! Composes calls, hears and judges them.

use std::path::PathBuf;

use super::super::super::bootstrap::Draws;
use super::super::super::condition::Prepared;
use super::super::super::protocol::Protocol;
use super::super::super::rng::Rng;
use super::super::benchmark::{Benchmark, Progress};
use super::super::calls::{Followed, Follower};
use super::super::error::BenchError;
use super::super::hear::{BenchListener, loaded};
use super::super::heard::{Item, Print};
use super::super::work;
use super::counts::{CheckpointCounts, Counts, Played};
use super::figures::Handover;
use super::sound;
use super::speaker_sampler::{Kind, Script, SpeakerSampler};
use crate::decision::Calibration;
use crate::samples::RATE;

/// Users on the roster that a composed call is judged on.
const ROSTER: usize = 5;

/// The rosters on which looking on the way is held against looking once.
const ROSTERS: [usize; 3] = [ROSTER, 20, 100];

/// Rosters of each of those sizes that a call meets.
const MEETINGS: usize = 4;

/// Whether [`handover`] can be asked for: hours may pass before it is.
///
/// # Errors
/// [`BenchError::NoCalibration`] and [`BenchError::TooFewSpeakers`] as there.
pub fn check_handover(bench: &Benchmark<'_>, protocol: &Protocol) -> Result<(), BenchError> {
    needed(bench, protocol).map(|_| ())
}

fn needed<'a>(
    bench: &'a Benchmark<'_>,
    protocol: &'a Protocol,
) -> Result<(&'a Calibration, SpeakerSampler<'a>), BenchError> {
    let calibration = bench.calibration.as_ref().ok_or(BenchError::NoCalibration)?;
    let sampler = SpeakerSampler::of(&protocol.tables).ok_or(BenchError::TooFewSpeakers)?;
    Ok((calibration, sampler))
}

/// Composes, hears and judges `bench.handover` calls of each kind under each condition.
///
/// # Errors
/// [`BenchError::NoCalibration`] where nothing can be decided, [`BenchError::TooFewSpeakers`] where the protocol has too few
/// people, else as the hearing.
pub fn handover(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    models: &[Option<Print>],
    progress: &dyn Progress,
) -> Result<Vec<Handover>, BenchError> {
    let (calibration, sampler) = needed(bench, protocol)?;
    let scripts = sampler.scripts(bench.handover, bench.seed);
    let mut found = Vec::with_capacity(bench.tests.len());
    for condition in &bench.tests {
        let played = play(bench, protocol, &scripts, condition, progress)?;
        let judge = Judge {
            bench,
            protocol,
            follower: Follower {
                calibration,
                policy: &bench.policy,
                models,
            },
            sampler: &sampler,
        };
        found.push(judge.judged(condition, &scripts, &played)?);
    }
    Ok(found)
}

fn play(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    scripts: &[Script],
    condition: &Prepared,
    progress: &dyn Progress,
) -> Result<Vec<Played>, BenchError> {
    let cache = bench.open_cache()?;
    let bench_listener = BenchListener {
        silence: false,
        limits: &bench.limits,
        cache: cache.as_ref(),
    };
    progress.begin(
        &format!("composed calls, {}", condition.condition()),
        scripts.len(),
    );
    let path_of = |test: u32| protocol.audio.join(&protocol.tables.tests[test as usize]);
    let load = |test: u32| {
        let path = path_of(test);
        let bytes = std::fs::read(&path).map_err(|cause| BenchError::Unreadable {
            path: path.clone(),
            cause,
        })?;
        loaded(bytes, &path, &bench.limits)
    };
    let one = |analyst: &mut _, script: &Script| {
        let sound = sound::composed(script, load)?;
        let item = Item {
            path: script.recordings[0]
                .first()
                .map_or_else(PathBuf::new, |test| path_of(*test)),
            seed: script.seed,
            span: None,
            max_seconds: 0.0,
            condition,
            on_the_way: true,
        };
        let heard = bench_listener.hear_samples(analyst, &item, &sound.samples)?;
        let before = |change: usize| {
            let within = |end: usize| end.min(change);
            let spans = heard.spans.iter();
            let samples = spans.map(|span| within(span.end) - within(span.start)).sum();
            RATE.seconds(samples).get()
        };
        let before_s = sound.change.map(before);
        Ok(Played { heard, before_s })
    };
    work::each(bench.models, bench.threads, scripts, one, &|| progress.step())
}

/// What composed calls are judged by.
struct Judge<'a> {
    bench: &'a Benchmark<'a>,
    protocol: &'a Protocol,
    follower: Follower<'a>,
    sampler: &'a SpeakerSampler<'a>,
}

impl Judge<'_> {
    fn judged(
        &self,
        condition: &Prepared,
        scripts: &[Script],
        played: &[Played],
    ) -> Result<Handover, BenchError> {
        let size = ROSTER.min(self.sampler.largest_roster());
        let mut counts = Counts::default();
        for (script, call) in scripts.iter().zip(played) {
            let mut rng = Rng::for_task(script.seed, 2);
            let followed = self.follow(script, call, size, &mut rng)?;
            counts.add(script, call, &followed);
        }
        let draws = Draws {
            replicates: self.bench.replicates,
            seed: self.bench.seed,
        };
        let speakers = self.protocol.tables.speakers.len();
        let mut found = counts.into_figures(condition, size, speakers, draws);
        let sizes = ROSTERS
            .into_iter()
            .filter(|size| *size <= self.sampler.largest_roster());
        for size in sizes {
            let mut checkpoints = CheckpointCounts::default();
            let single = |script: &Script| matches!(script.kind, Kind::Alone | Kind::Stranger);
            for (script, call) in scripts.iter().zip(played).filter(|(script, _)| single(script)) {
                let mut rng = Rng::for_task(script.seed, 2 + size as u64);
                for _ in 0..MEETINGS {
                    checkpoints.add(script, &self.follow(script, call, size, &mut rng)?);
                }
            }
            found
                .looking
                .push(checkpoints.into_figures(size, speakers, draws));
        }
        Ok(found)
    }

    fn follow(
        &self,
        script: &Script,
        call: &Played,
        size: usize,
        rng: &mut Rng,
    ) -> Result<Followed, BenchError> {
        let roster = self.sampler.roster(script, size, rng);
        let followed = self.follower.follow(&roster, &call.heard);
        followed.map_err(|cause| BenchError::Score {
            model: "a roster drawn at random".to_owned(),
            test: "a composed call".to_owned(),
            cause,
        })
    }
}
