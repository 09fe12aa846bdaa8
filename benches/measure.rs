//! How long ten million trials take, from voiceprints to scores and from scores to figures and their intervals:
//! `cargo bench --bench measure`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use voxline::config::Config;
use voxline::decision::Calibration;
use voxline::measure::{
    Called, Cost, Draws, Figures, Kind, Paired, Rng, Search, Trials, bootstrap, bootstrap_searches,
    random_rosters, score_pairs,
};
use voxline::settings::Sources;
use voxline::switchboard::installed;
use voxline::units::Seconds;
use voxline::voiceprint::{Embedding, ModelId};

/// As many as a large evaluation has.
const TRIALS: usize = 10_000_000;

/// One trial in a hundred is of a target.
fn scores(count: usize) -> (Vec<f64>, Vec<f64>) {
    let mut rng = Rng::new(1);
    let mut some = |mean: f64, count: usize| (0..count).map(|_| mean + 2.0 * rng.normal()).collect();
    (some(3.0, count / 100), some(-3.0, count - count / 100))
}

fn figures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("measure");
    group.sample_size(10);
    let (targets, nontargets) = scores(TRIALS);
    group.bench_function("all figures of 10 million trials", |bencher| {
        bencher.iter_batched(
            || (targets.clone(), nontargets.clone()),
            |(targets, nontargets)| {
                let trials = Trials::new(targets, nontargets).expect("no score is NaN");
                black_box(Figures::of(&trials, Kind::Ratios, Cost::USUAL))
            },
            BatchSize::PerIteration,
        );
    });
    let mut rng = Rng::new(2);
    let speakers = 1_000;
    let paired: Vec<Paired> = (0..TRIALS)
        .map(|at| {
            let (enrolled, target) = (rng.below(speakers) as u32, at % 100 == 0);
            let tested = if target {
                enrolled
            } else {
                rng.below(speakers) as u32
            };
            let mean = if target { 3.0 } else { -3.0 };
            Paired {
                score: mean + 2.0 * rng.normal(),
                enrolled,
                tested,
                target,
            }
        })
        .collect();
    let draws = Draws {
        replicates: 100,
        seed: 1,
    };
    group.bench_function(
        "intervals of 10 million trials, 100 draws of 1000 speakers",
        |bencher| {
            bencher.iter(|| bootstrap(black_box(&paired), speakers, Cost::USUAL, draws));
        },
    );
    group.finish();
}

/// The calibration of the shipped model.
fn calibration() -> Calibration {
    let config = Config::load(&Sources::default()).expect("a valid configuration");
    let card = installed(&config.board)
        .and_then(|found| found.card(&ModelId::new("voxline-phone-2")))
        .expect("the speaker model's card");
    Calibration::load(&card.calibration(), &card).expect("its calibration")
}

/// Ten million pairs of 4000 models and 2500 tests, by log-likelihood ratio.
fn scoring(criterion: &mut Criterion) {
    let (models, tests, dimension) = (4_000, 2_500, 192);
    let mut rng = Rng::new(3);
    let mut voice = || {
        let direction = (0..dimension).map(|_| rng.normal() as f32).collect();
        let embedding = Embedding::from_direction(direction).expect("a direction");
        (Seconds::new(5.0), embedding)
    };
    let enrolled: Vec<_> = (0..models).map(|_| voice()).collect();
    let heard: Vec<_> = (0..tests).map(|_| voice()).collect();
    let pairs: Vec<(u32, u32)> = (0..models as u32)
        .flat_map(|model| (0..tests as u32).map(move |test| (model, test)))
        .collect();
    assert_eq!(pairs.len(), TRIALS);
    let calibration = calibration();
    let mut group = criterion.benchmark_group("measure");
    group.sample_size(10);
    group.bench_function("10 million trials of 192 dimensions scored", |bencher| {
        bencher.iter(|| score_pairs(Some(calibration.clone()), &enrolled, &heard, black_box(&pairs)));
    });
    group.finish();
}

/// Intervals of ten thousand searches by a thousand callers.
fn searches(criterion: &mut Criterion) {
    let speakers = 1_000;
    let models: Vec<u32> = (0..speakers as u32).collect();
    let tests = models.repeat(5);
    let score = |test: usize, roster: &[usize]| {
        let of = |model: &usize| {
            let own = if test % speakers == *model { 4.0 } else { 0.0 };
            own + Rng::for_task(test as u64, *model as u64).normal()
        };
        roster.iter().map(of).collect::<Vec<f64>>()
    };
    let found: Vec<Search> = random_rosters(&tests, &models, 10, 1, score);
    let called: Vec<Called> = found
        .into_iter()
        .enumerate()
        .map(|(at, search)| Called {
            search,
            caller: (at / 2 % speakers) as u32,
        })
        .collect();
    let draws = Draws {
        replicates: 1_000,
        seed: 1,
    };
    criterion.bench_function(
        "intervals of 10 000 searches, 1000 draws of 1000 callers",
        |bencher| {
            bencher.iter(|| bootstrap_searches(black_box(&called), speakers, draws));
        },
    );
}

criterion_group!(benches, figures, scoring, searches);
criterion_main!(benches);
