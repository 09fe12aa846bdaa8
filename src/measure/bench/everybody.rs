//! Everything of a protocol, heard.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::super::condition::Prepared;
use super::super::protocol::{Clip, Protocol};
use super::benchmark::{Benchmark, Progress};
use super::error::BenchError;
use super::hear::BenchListener;
use super::heard::{HeardRecording, Item};
use super::work;

/// All that was heard.
pub(super) struct Voices {
    /// The clips of each model.
    pub clips: Vec<Vec<HeardRecording>>,
    /// The tests, under each condition.
    pub tests: Vec<Vec<HeardRecording>>,
}

/// Hears everything; `all_on_the_way` looks at every test on the way, and not only at those that are searched.
pub(super) fn hear_all(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    all_on_the_way: bool,
    progress: &dyn Progress,
) -> Result<Voices, BenchError> {
    hear_under(bench, protocol, &bench.tests, all_on_the_way, progress)
}

/// The same with tests under these conditions.
pub(super) fn hear_under(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    conditions: &[Prepared],
    all_on_the_way: bool,
    progress: &dyn Progress,
) -> Result<Voices, BenchError> {
    let cache = bench.open_cache()?;
    let bench_listener = BenchListener {
        silence: bench.leakage,
        limits: &bench.limits,
        cache: cache.as_ref(),
    };
    let hear = |what: &str, items: &[Item<'_>]| {
        progress.begin(what, items.len());
        work::each(
            bench.models,
            bench.threads,
            items,
            |analyst, item| bench_listener.hear(analyst, item),
            &|| progress.step(),
        )
    };
    let clips = hear_clips(bench, protocol, hear)?;
    let searched: BTreeSet<u32> = protocol
        .tables
        .searches
        .iter()
        .map(|search| search.test)
        .collect();
    let mut tests = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let item = |(at, path): (usize, &String)| Item {
            path: protocol.audio.join(path),
            seed: seed_of(bench.seed, path),
            span: None,
            max_seconds: protocol.test.max_seconds,
            condition,
            on_the_way: all_on_the_way || searched.contains(&(at as u32)),
        };
        let items: Vec<Item<'_>> = protocol.tables.tests.iter().enumerate().map(item).collect();
        tests.push(hear(&format!("tests, {}", condition.condition()), &items)?);
    }
    Ok(Voices { clips, tests })
}

/// Hears each clip once, however many models are enrolled with it.
fn hear_clips(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    hear: impl Fn(&str, &[Item<'_>]) -> Result<Vec<HeardRecording>, BenchError>,
) -> Result<Vec<Vec<HeardRecording>>, BenchError> {
    let name = |clip: &Clip| format!("{} {:?}", clip.path, clip.span);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut items = Vec::new();
    for clip in protocol.tables.enrolments.iter().flatten() {
        places.entry(name(clip)).or_insert_with(|| {
            items.push(Item {
                path: protocol.audio.join(&clip.path),
                seed: seed_of(bench.seed, &clip.path),
                span: clip.span,
                max_seconds: protocol.enroll.max_seconds,
                condition: &bench.enroll,
                on_the_way: false,
            });
            items.len() - 1
        });
    }
    let heard = hear("enrolments", &items)?;
    let of_model = |clips: &Vec<Clip>| {
        clips
            .iter()
            .map(|clip| heard[places[&name(clip)]].clone())
            .collect()
    };
    Ok(protocol.tables.enrolments.iter().map(of_model).collect())
}

/// The random numbers of a recording: by its name, so that a list in another order meets the same noise.
fn seed_of(seed: u64, path: &str) -> u64 {
    let hash = Sha256::digest(path.as_bytes());
    let name = hash
        .iter()
        .take(8)
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    seed ^ name
}
