//! How long the figures of ten million trials take: `cargo bench --bench measure`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use voxline::measure::{Cost, Dice, Draws, Figures, Kind, Paired, Trials, bootstrap};

/// As many as a large evaluation has.
const TRIALS: usize = 10_000_000;

/// One trial in a hundred is of a target.
fn scores(count: usize) -> (Vec<f64>, Vec<f64>) {
    let mut dice = Dice::new(1);
    let mut some = |mean: f64, count: usize| (0..count).map(|_| mean + 2.0 * dice.normal()).collect();
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
                black_box(Figures::of(&trials, Kind::Ratios, &Cost::USUAL))
            },
            BatchSize::PerIteration,
        );
    });
    let mut dice = Dice::new(2);
    let speakers = 1_000;
    let paired: Vec<Paired> = (0..TRIALS)
        .map(|at| {
            let (enrolled, target) = (dice.below(speakers) as u32, at % 100 == 0);
            let tested = if target {
                enrolled
            } else {
                dice.below(speakers) as u32
            };
            let mean = if target { 3.0 } else { -3.0 };
            Paired {
                score: mean + 2.0 * dice.normal(),
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
            bencher.iter(|| bootstrap(black_box(&paired), speakers, &Cost::USUAL, draws));
        },
    );
    group.finish();
}

criterion_group!(benches, figures);
criterion_main!(benches);
