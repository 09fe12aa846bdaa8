//! Calls that are not one voice from beginning to end, and what looking at a call on its way costs: composed from
//! a protocol's recordings, heard as the product hears a call and judged as it judges one.

mod counts;
mod shares;
mod sound;
mod speaker_sampler;

use std::path::PathBuf;

use serde::Serialize;

use super::super::bootstrap::Draws;
use super::super::condition::Prepared;
use super::super::protocol::Protocol;
use super::super::rng::Rng;
use super::super::wait::Wait;
use super::calls::{Followed, Follower};
use super::error::BenchError;
use super::hear::{BenchListener, Heard, Item, Pipeline, Print, loaded};
use super::{Benchmark, Progress, work};
use crate::samples::RATE;

use counts::Counts;
use speaker_sampler::{Kind, Script, SpeakerSampler};

pub use shares::Share;

/// Users on the roster that a composed call is judged on.
const ROSTER: usize = 5;

/// The rosters on which looking on the way is held against looking once.
const ROSTERS: [usize; 3] = [ROSTER, 20, 100];

/// Rosters of each of those sizes that a call meets.
const MEETINGS: usize = 4;

/// What came of a condition's composed calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Handover {
    /// What the calls came over.
    pub condition: String,
    /// Users on the roster.
    pub roster: usize,
    /// The phone is handed to a stranger, and to another user of the roster.
    pub handed: [Handed; 2],
    /// Turns of 1.5 to 3 s: with a stranger, and with another user.
    pub turns: [Stood; 2],
    /// Both at once, with a stranger and with another user, by how many dB the second voice is below the first.
    pub both: Vec<(f64, [Stood; 2])>,
    /// One user alone.
    pub alone: Alone,
    /// Looking at a call of one voice on its way, beside looking once.
    pub looking: Vec<Looking>,
}

/// A call that one voice began and another goes on with; only those in which the first had its name when the second
/// began.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Handed {
    /// In how many calls the name of the first voice stood when the second began.
    pub named: Share,
    /// What stood after some seconds of the second voice's speech.
    pub after: Vec<(f64, Stood)>,
    /// Of all calls: a name that is neither's, at any time.
    pub ever_others: Share,
}

/// What stood.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stood {
    /// The name of the first voice.
    pub first: Share,
    /// The name of the second.
    pub second: Share,
    /// The name of anybody else.
    pub others: Share,
    /// *Unknown*.
    pub unknown: Share,
    /// Nothing decided.
    pub inconclusive: Share,
}

/// Calls of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Alone {
    /// What stood at the end.
    pub ended: Stood,
    /// Taken for two voices at any checkpoint.
    pub taken_for_two: Share,
    /// Of those who were named: the name taken back, be it for a moment.
    pub taken_back: Share,
}

/// Calls of one voice on rosters of one size: what looking on the way gains and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looking {
    /// Users on the roster.
    pub roster: usize,
    /// Strangers who are given a name when a call is looked at once, after ten seconds of speech or at its end.
    pub stranger_once: Share,
    /// Strangers who are given one at any checkpoint, if every checkpoint asks what the last one does.
    pub stranger_flat: Share,
    /// Strangers who are given one at any checkpoint, as it is.
    pub stranger: Share,
    /// Users who are given their own name at any checkpoint.
    pub right: Share,
    /// Users who are given another's at any checkpoint.
    pub wrong: Share,
    /// Of those who were named rightly: the name taken back, be it for a moment.
    pub taken_back: Share,
    /// Net speech at the right name.
    pub wait: Option<Wait>,
}

/// A composed call as it was heard.
struct Played {
    heard: Heard,
    /// Seconds of speech before the second voice began.
    before_s: Option<f64>,
}

/// Composes, hears and judges `bench.handover` calls of each kind under each condition.
///
/// # Errors
/// [`BenchError::NoCalibration`] where nothing can be decided, [`BenchError::NoCast`] where the protocol has too few
/// people, else as the hearing.
pub(super) fn handover(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    models: &[Option<Print>],
    progress: &dyn Progress,
) -> Result<Vec<Handover>, BenchError> {
    let calibration = bench.calibration.as_ref();
    let calibration = calibration.filter(|_| bench.pipeline == Pipeline::Product);
    let calibration = calibration.ok_or(BenchError::NoCalibration)?;
    let sampler = SpeakerSampler::of(&protocol.tables).ok_or(BenchError::NoCast)?;
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
        pipeline: bench.pipeline,
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
            let mut checkpoints = counts::CheckpointCounts::default();
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
