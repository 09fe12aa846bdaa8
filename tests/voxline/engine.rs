//! Laws of the inference engine: nobody in without a permit, no fault of one job is another's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use futures_util::FutureExt;
use voxline::engine::{Asker, Busy, Engine, EngineError};
use voxline::speech::{VadState, WINDOW};
use voxline::units::KeyId;

use crate::support::models;

const LIVE: Asker = Asker::live(None);

fn engine(threads: usize, capacity: usize) -> Engine {
    Engine::start(&models(), threads, capacity).unwrap_or_else(|fault| panic!("{fault}"))
}

#[tokio::test]
async fn whoever_comes_when_all_permits_are_taken_is_refused_at_once() {
    let engine = engine(1, 1);
    assert_eq!(engine.load(), (0, 1));
    let first = engine.admit(LIVE).unwrap();
    assert_eq!(engine.load(), (1, 1));
    let Busy { retry_after, .. } = engine.admit(LIVE).unwrap_err();
    assert!(retry_after.as_secs() > 0);
    // A clone is the same engine.
    assert!(engine.clone().admit(LIVE).is_err());
    drop(first);
    assert_eq!(engine.load(), (0, 1));
    assert!(engine.admit(LIVE).is_ok());
}

#[tokio::test]
async fn a_job_has_the_models_and_its_answer_comes_back() {
    let engine = engine(2, 4);
    let permit = engine.admit(LIVE).unwrap();
    let answer = engine.run(&permit, |analyst| {
        let embedding = analyst.extractor.embed(&[0.1; 32_000]).unwrap();
        let speech = analyst.vad.probability(&[0.0; WINDOW], &mut VadState::default());
        (embedding.dim(), speech.unwrap())
    });
    let (dimension, speech) = answer.await.unwrap();
    assert!(dimension == 192 && speech < 0.1);
}

#[tokio::test]
async fn a_job_that_panics_answers_crashed_and_the_engine_goes_on() {
    let engine = engine(1, 2);
    let permit = engine.admit(LIVE).unwrap();
    for _ in 0..3 {
        let died: Result<(), _> = engine.run(&permit, |_| panic!("as the test wants it")).await;
        assert!(matches!(died, Err(EngineError::Crashed)));
        assert_eq!(engine.run(&permit, |_| 7).await.unwrap(), 7);
    }
    drop(permit);
    assert_eq!(engine.load(), (0, 2));
}

#[tokio::test]
async fn a_job_whose_asker_left_before_its_turn_is_not_run() {
    let engine = engine(1, 3);
    let (first, second) = (engine.admit(LIVE).unwrap(), engine.admit(LIVE).unwrap());
    // The only thread is held until the test lets it go.
    let (release, held) = mpsc::channel::<()>();
    let holding = engine.run(&first, move |_| held.recv().is_ok());
    tokio::pin!(holding);
    assert!(holding.as_mut().now_or_never().is_none());

    let ran = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&ran);
    let left = engine.run(&second, move |_| mark.store(true, Ordering::SeqCst));
    // Polled once, the job is queued; dropped with the future, nobody waits for it.
    assert!(left.now_or_never().is_none());

    release.send(()).unwrap();
    assert!(holding.await.unwrap());
    // One thread takes jobs in turn: when this one is answered, the one before has had its turn.
    engine.run(&second, |_| ()).await.unwrap();
    assert!(!ran.load(Ordering::SeqCst));
}

#[tokio::test]
async fn whoever_is_on_the_line_comes_before_recordings_that_wait() {
    let engine = engine(1, 4);
    let busy = engine.admit(LIVE).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let holding = engine.run(&busy, move |_| held.recv().is_ok());
    tokio::pin!(holding);
    assert!(holding.as_mut().now_or_never().is_none());

    let (tell, turns) = mpsc::channel();
    let mut waiting = Vec::new();
    for (name, asker) in [
        ("first recording", Asker::recording(None)),
        ("second recording", Asker::recording(None)),
        ("call", LIVE),
    ] {
        let (engine, tell) = (engine.clone(), tell.clone());
        let permit = engine.admit(asker).unwrap();
        let mut run = Box::pin(async move { engine.run(&permit, move |_| tell.send(name).unwrap()).await });
        // Polled once, the job is queued.
        assert!(run.as_mut().now_or_never().is_none());
        waiting.push(run);
    }
    release.send(()).unwrap();
    for run in waiting {
        run.await.unwrap();
    }
    let turns: Vec<&str> = turns.try_iter().collect();
    assert_eq!(turns, ["call", "first recording", "second recording"]);
}

#[tokio::test]
async fn one_key_never_takes_every_place_and_gives_its_own_back() {
    let engine = engine(1, 16);
    let (greedy, other) = (
        Asker::live(Some(KeyId::fresh())),
        Asker::live(Some(KeyId::fresh())),
    );
    let mut held = Vec::new();
    let refused = loop {
        match engine.admit(greedy) {
            Ok(permit) => held.push(permit),
            Err(refused) => break refused,
        }
    };
    assert!(refused.of_the_key && held.len() == 14, "{} places", held.len());
    let others = (engine.admit(other).unwrap(), engine.admit(LIVE).unwrap());
    assert!(!engine.admit(LIVE).unwrap_err().of_the_key, "full is full");
    drop(others);
    held.pop();
    assert!(engine.admit(greedy).is_ok());
}

#[test]
fn an_engine_without_its_files_does_not_start_and_names_them() {
    let mut absent = models();
    absent.vad_graph = "nowhere/silero.onnx".into();
    let Err(fault) = Engine::start(&absent, 1, 1) else {
        panic!("an engine without a speech detector started")
    };
    assert!(fault.to_string().contains("nowhere/silero.onnx"), "{fault}");
}
