//! How long the embedded gallery takes to search rosters of 10 people to the largest that there may be.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;
use voxline::gallery::{EmbeddedGallery, Gallery, GalleryPrint, MAX_PRINTS, Query};
use voxline::units::{DialedNumber, Seconds, UserId};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

/// The dimension of the voiceprints.
const DIM: usize = 192;

/// The voice of person `person`: some direction, the same in every run.
fn voice(person: usize) -> Embedding {
    let numbers = (0..DIM).map(|index| ((person * DIM + index) as f32 * 0.618_034).sin());
    Embedding::from_direction(numbers.collect()).expect("a sine is finite and not always zero")
}

fn roster(people: usize) -> Vec<GalleryPrint> {
    (0..people)
        .map(|person| GalleryPrint {
            user: UserId::from_uuid(Uuid::from_u128(person as u128)),
            clips: 3,
            print: Voiceprint {
                embedding: voice(person),
                model: ModelId::new("bench"),
                bandwidth: Bandwidth::Narrow,
                net_speech: Seconds::new(30.0),
            },
        })
        .collect()
}

fn search(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let number: DialedNumber = "+12025550102".parse().expect("a valid number");
    let mut group = criterion.benchmark_group("embedded search, 192 numbers a voice");
    for people in [10, 100, 1_000, 10_000, MAX_PRINTS] {
        let gallery = EmbeddedGallery::new();
        runtime
            .block_on(gallery.replace(&number, roster(people)))
            .expect("the roster is fine");
        let query = Query {
            number: number.clone(),
            model: ModelId::new("bench"),
            probe: voice(people),
        };
        group.throughput(Throughput::Elements(people as u64));
        group.bench_with_input(BenchmarkId::from_parameter(people), &query, |bencher, query| {
            bencher.iter(|| runtime.block_on(gallery.search(black_box(query))));
        });
    }
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
