//! What each arrow of a call's journey costs, and the whole journey of one call. (The search has a
//! benchmark of its own, `gallery`.)
//!
//! Models must be provisioned. Where a throughput is given, its elements are samples of audio: at
//! 16 kHz, 16 Melem/s is a thousand times faster than speech.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use uuid::Uuid;
use voxline::bytes::{Decoder, Limits};
use voxline::config::Config;
use voxline::decision::{Policy, VoiceEvidence, decide};
use voxline::engine::{Analyst, Asker};
use voxline::samples::{Intake, RATE, load, telephone};
use voxline::settings::Sources;
use voxline::speech::{SpeechFinder, SpeechSettings, VadState, WINDOW};
use voxline::store::NewUser;
use voxline::switchboard::{ClipBytes, Switchboard, installed};
use voxline::units::{DialedNumber, Hertz, Llr, Seconds, UserId};
use voxline::verdict::hear;
use voxline::voiceprint::{FrontEndSettings, KaldiFbank, ModelId};

const CALL: &str = "enrollment_samples/calls/alice-1.wav";
const SIGNUP: [&str; 2] = [
    "enrollment_samples/signup/alice/1.flac",
    "enrollment_samples/signup/alice/2.flac",
];

fn read(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(path).expect("a file of the project")
}

fn config(flags: Vec<(&'static str, String)>) -> Config {
    let sources = Sources {
        flags,
        ..Sources::default()
    };
    Config::load(&sources).expect("a valid configuration")
}

fn analyst() -> Analyst {
    let found = installed(&config(Vec::new()).board).expect("models: run `make provision`");
    let card = found
        .card(&ModelId::new("voxline-phone-2"))
        .expect("the speaker model's card");
    let models = found.models(&card).expect("models: run `make provision`");
    let runtime = voxline::onnx::Runtime::load(&found.library).expect("ONNX Runtime: run `make provision`");
    Analyst::load(&runtime, &models).expect("models: run `make provision`")
}

/// Speech at 16 kHz, as long as asked for: a signup recording over and over.
fn speech(seconds: f64) -> Vec<f32> {
    let clip = load(read(SIGNUP[0]), None, &Limits::default()).expect("a recording");
    let wanted = RATE.samples(Seconds::new(seconds));
    clip.samples.into_iter().cycle().take(wanted).collect()
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, path) in [
        ("mu-law WAV, 7.6 s", CALL),
        ("FLAC, 16 kHz, 7 s", SIGNUP[0]),
        (
            "Ogg Opus, hybrid, 1 s",
            "tests/data/audio/ogg-opus-hybrid-24k.ogg",
        ),
        ("MP3, 1 s", "tests/data/audio/mp3.mp3"),
    ] {
        let bytes = read(path);
        let all = |bytes: Vec<u8>| {
            let mut decoder = Decoder::open(bytes, &Limits::default()).expect("a recording");
            let mut samples = 0;
            while let Some(block) = decoder.next_block().expect("a whole recording") {
                samples += black_box(block).len();
            }
            samples
        };
        group.throughput(Throughput::Elements(all(bytes.clone()) as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| bytes.clone(), all, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn intake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("intake, 10 s");
    for rate in [8_000, 16_000, 48_000] {
        let audio: Vec<f32> = (0..rate * 10).map(|at| (at as f32 * 0.05).sin()).collect();
        group.throughput(Throughput::Elements(audio.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(rate), &audio, |bencher, audio| {
            bencher.iter(|| {
                let mut intake = Intake::new(Hertz(rate as u32), 1, None).expect("a rate that is taken");
                let mut out = Vec::new();
                intake.push(black_box(audio), &mut out);
                intake.finish(&mut out);
                out
            });
        });
    }
    group.finish();
    let audio = speech(10.0);
    criterion.bench_function("telephone, 10 s", |bencher| {
        bencher.iter(|| telephone(black_box(&audio)));
    });
}

fn find_speech(criterion: &mut Criterion) {
    let vad = &mut analyst().vad;
    let audio = speech(1.0);
    let mut state = VadState::default();
    let (windows, _) = audio.as_chunks::<WINDOW>();
    for count in [1, 3, 31] {
        criterion.bench_function(&format!("Silero, {count} windows of 32 ms"), |bencher| {
            bencher.iter(|| vad.probabilities(black_box(&windows[..count]), &mut state));
        });
    }
    criterion.bench_function("speech finder, 1 s", |bencher| {
        bencher.iter(|| {
            let mut finder = SpeechFinder::new(SpeechSettings::default());
            finder.push(vad, black_box(&audio)).expect("the model answers");
            finder.finish(vad).expect("the model answers");
            finder.net_speech()
        });
    });
}

fn embed(criterion: &mut Criterion) {
    let extractor = &mut analyst().extractor;
    let FrontEndSettings::KaldiFbank(settings) = extractor.card().front_end() else {
        panic!("the default model hears Kaldi's filter bank");
    };
    let (mut front_end, mut features) = (KaldiFbank::new(settings), Vec::new());
    let window = speech(1.6);
    criterion.bench_function("front end, one window of 1.6 s", |bencher| {
        bencher.iter(|| {
            features.clear();
            front_end.append(black_box(&window), &mut features)
        });
    });
    let mut group = criterion.benchmark_group("embed");
    for seconds in [3, 10, 30] {
        let audio = speech(f64::from(seconds));
        group.throughput(Throughput::Elements(audio.len() as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("{seconds} s")),
            &audio,
            |bencher, audio| {
                bencher.iter(|| extractor.embed(black_box(audio)).expect("speech has a voice"));
            },
        );
    }
    group.finish();
}

fn decision(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for people in [10u64, 100, 1_000] {
        let ratio = |person: u64| {
            let llr = Llr::new((person as f64 * 0.618_034).sin() * 6.0).expect("a sine is finite");
            (UserId::from_uuid(Uuid::from_u128(u128::from(person))), llr)
        };
        let llrs: Vec<(UserId, Llr)> = (0..people).map(ratio).collect();
        let evidence = VoiceEvidence {
            llrs: &llrs,
            net_speech: Seconds::new(5.0),
            poor_audio: false,
            unfamiliar: false,
        };
        group.bench_with_input(
            BenchmarkId::from_parameter(people),
            &evidence,
            |bencher, evidence| {
                bencher.iter(|| decide(black_box(evidence), &Policy::default()));
            },
        );
    }
    group.finish();
}

/// A deployment with one number and one user enrolled on it.
async fn deployment(folder: &tempfile::TempDir, number: &DialedNumber) -> Switchboard {
    let flags = vec![
        ("data_dir", folder.path().display().to_string()),
        ("inference.threads", "1".to_owned()),
    ];
    let board = Switchboard::open(&config(flags).board)
        .await
        .expect("a deployment: run `make provision`");
    let store = board.store();
    store.add_number(number, None, None).await.expect("a new number");
    let alice = NewUser {
        name: "Alice".to_owned(),
        number: number.clone(),
        phones: Vec::new(),
        pin: None,
        exclusive: false,
    };
    let alice = store.add_user(alice).await.expect("a new user");
    let clips = SIGNUP.map(|name| ClipBytes {
        name: name.to_owned(),
        bytes: read(name),
    });
    let permit = board.admit(Asker::live(None)).expect("a free permit");
    let report = board
        .enrol(&permit, alice.id, "I agree.", clips.into(), None)
        .await;
    assert!(report.expect("an enrolment").accepted);
    board
}

fn whole_call(criterion: &mut Criterion) {
    let (bytes, mut analyst) = (read(CALL), analyst());
    criterion.bench_function("hear a call of 7.6 s: bytes to voiceprint", |bencher| {
        let hear = |bytes| hear(&mut analyst, bytes, None, &Limits::default(), &[]).expect("a call");
        bencher.iter_batched(|| bytes.clone(), hear, BatchSize::SmallInput);
    });
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let number: DialedNumber = "+12025550101".parse().expect("a valid number");
    let board = runtime.block_on(deployment(&folder, &number));
    criterion.bench_function("identify a call of 7.6 s: bytes to document", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let permit = board.admit(Asker::live(None)).expect("a free permit");
                let call = ClipBytes {
                    name: CALL.to_owned(),
                    bytes: bytes.clone(),
                };
                board.identify(&permit, &number, call, None, false).await
            })
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = decode, intake, find_speech, embed, decision, whole_call
}
criterion_main!(benches);
