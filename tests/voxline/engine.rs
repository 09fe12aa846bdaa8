//! Laws of the inference engine: nobody in without a permit, no fault of one job is another's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use voxline::engine::{Asker, Busy, Engine, EngineError, Full, Permit, Urgency};
use voxline::speech::{VadState, WINDOW};
use voxline::units::{DialedNumber, KeyId};

use crate::support::models;

const LIVE: Asker<'_> = Asker::live(None);

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
        let speech = analyst
            .vad
            .probabilities(&[[0.0; WINDOW]], &mut VadState::default());
        (embedding.dim(), speech.unwrap()[0])
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
    assert!(
        refused.why == Full::Key && held.len() == 14,
        "{} places",
        held.len()
    );
    let others = (engine.admit(other).unwrap(), engine.admit(LIVE).unwrap());
    assert_eq!(engine.admit(LIVE).unwrap_err().why, Full::Places);
    drop(others);
    held.pop();
    assert!(engine.admit(greedy).is_ok());
}

#[test]
fn an_engine_without_its_files_does_not_start_and_names_them() {
    let (mut deaf, mut mistaken) = (models(), models());
    deaf.vad_graph = "nowhere/silero.onnx".into();
    mistaken.segmentation_graph = mistaken.vad_graph.clone();
    let is_not = "silero_vad.onnx is not the segmentation network";
    for (absent, named) in [(deaf, "nowhere/silero.onnx"), (mistaken, is_not)] {
        let Err(fault) = Engine::start(&absent, 1, 1) else {
            panic!("an engine without {named} started")
        };
        assert!(fault.to_string().contains(named), "{fault}");
    }
}

/// Runs `job` behind whatever waits, and does not wait for it: the future is polled once, which queues the job.
fn queued<T: Send + 'static>(
    engine: &Engine,
    permit: Permit,
    within: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let engine = engine.clone();
    let mut run = Box::pin(async move { engine.run_within(within, &permit, |_| job()).await.unwrap() });
    assert!(run.as_mut().now_or_never().is_none());
    run
}

/// Holds a thread of the engine, from now on, until what is given back is dropped.
fn hold(engine: &Engine, asker: Asker<'_>) -> (mpsc::Sender<()>, impl Future<Output = ()>) {
    let (release, held) = mpsc::channel::<()>();
    let (tell, begun) = mpsc::channel();
    let permit = engine.admit(asker).unwrap();
    let holding = queued(engine, permit, Duration::ZERO, move || {
        let _ = tell.send(());
        let _ = held.recv();
    });
    begun.recv().unwrap();
    (release, holding)
}

#[tokio::test]
async fn of_two_calls_the_nearer_deadline_has_its_turn_first() {
    let engine = engine(1, 8);
    let (release, holding) = hold(&engine, LIVE);
    let (tell, turns) = mpsc::channel();
    let waiting: Vec<_> = [("late", 900), ("soon", 100), ("soon after", 100), ("later", 950)]
        .map(|(name, within)| {
            let (tell, permit) = (tell.clone(), engine.admit(LIVE).unwrap());
            queued(&engine, permit, Duration::from_millis(within), move || {
                tell.send(name).unwrap();
            })
        })
        .into();
    drop(release);
    holding.await;
    for run in waiting {
        run.await;
    }
    let turns: Vec<&str> = turns.try_iter().collect();
    assert_eq!(turns, ["soon", "soon after", "late", "later"]);
}

#[tokio::test]
async fn work_that_can_wait_comes_after_calls_whoever_was_admitted() {
    let engine = engine(1, 8);
    let (release, holding) = hold(&engine, LIVE);
    let (tell, turns) = mpsc::channel();
    let (later, permit) = (tell.clone(), engine.admit(LIVE).unwrap());
    let can_wait = engine.run_as(Urgency::Recording, &permit, move |_| {
        later.send("can wait").unwrap();
    });
    tokio::pin!(can_wait);
    assert!(can_wait.as_mut().now_or_never().is_none());
    let within = Duration::from_secs(60);
    let call = queued(&engine, engine.admit(LIVE).unwrap(), within, move || {
        tell.send("call").unwrap();
    });
    drop(release);
    holding.await;
    call.await;
    can_wait.await.unwrap();
    assert_eq!(turns.try_iter().collect::<Vec<&str>>(), ["call", "can wait"]);
}

#[tokio::test]
async fn while_anybody_is_on_the_line_a_thread_stays_free_of_recordings() {
    let engine = engine(2, 8);
    let recording = Asker::recording(None);
    let (release, holding) = hold(&engine, recording);
    let call = engine.admit(LIVE).unwrap();
    let waits = queued(
        &engine,
        engine.admit(recording).unwrap(),
        Duration::ZERO,
        || "recording",
    );
    // The second thread is free, and is not given to the second recording.
    let started = Instant::now();
    assert_eq!(engine.run(&call, |_| "call").await.unwrap(), "call");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(engine.backlogs()[1].depth, 1);
    drop(release);
    holding.await;
    assert_eq!(waits.await, "recording");
}

#[tokio::test]
async fn where_calls_lag_a_new_one_is_refused_and_those_inside_go_on() {
    let engine = engine(1, 32);
    let (release, holding) = hold(&engine, LIVE);
    let inside = engine.admit(LIVE).unwrap();
    let _as_many_as_are_always_let_in: Vec<Permit> = (0..8).map(|_| engine.admit(LIVE).unwrap()).collect();
    let waits = queued(&engine, engine.admit(LIVE).unwrap(), Duration::ZERO, || 7);
    std::thread::sleep(Duration::from_millis(80));
    assert_eq!(engine.admit(LIVE).unwrap_err().why, Full::Lag);
    assert!(
        engine.admit(Asker::recording(None)).is_ok(),
        "recordings can wait"
    );
    drop(release);
    holding.await;
    assert_eq!(waits.await, 7);
    assert_eq!(engine.run(&inside, |_| 8).await.unwrap(), 8);
    // What was measured counts for two seconds.
    assert_eq!(engine.admit(LIVE).unwrap_err().why, Full::Lag);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert!(engine.admit(LIVE).is_ok());
}

#[tokio::test]
async fn no_number_takes_every_place_and_recordings_take_at_most_64() {
    let engine = engine(1, 100);
    let (one, other): (DialedNumber, DialedNumber) =
        ("+12025550101".parse().unwrap(), "+12025550102".parse().unwrap());
    let mut held = Vec::new();
    let refused = loop {
        match engine.admit(LIVE.to(&one)) {
            Ok(permit) => held.push(permit),
            Err(refused) => break refused,
        }
    };
    assert!(
        refused.why == Full::Number && held.len() == 88,
        "{} places",
        held.len()
    );
    assert!(engine.admit(LIVE.to(&other)).is_ok());
    held.clear();
    held.extend((0..64).map(|_| engine.admit(Asker::recording(None)).unwrap()));
    assert_eq!(
        engine.admit(Asker::recording(None)).unwrap_err().why,
        Full::Places
    );
    assert!(engine.admit(LIVE).is_ok());
}

#[tokio::test]
async fn a_call_whose_job_fails_hurts_no_other() {
    let engine = engine(2, 16);
    let (release, holding) = hold(&engine, LIVE);
    let (again, second) = hold(&engine, LIVE);
    let waiting: Vec<_> = (0..8)
        .map(|number| {
            let (engine, permit) = (engine.clone(), engine.admit(LIVE).unwrap());
            let job = move |_: &mut _| {
                if number % 2 == 0 {
                    number
                } else {
                    panic!("as the test wants it")
                }
            };
            let mut run = Box::pin(async move { engine.run(&permit, job).await });
            assert!(run.as_mut().now_or_never().is_none());
            run
        })
        .collect();
    drop((release, again));
    holding.await;
    second.await;
    for (number, run) in waiting.into_iter().enumerate() {
        assert_eq!(run.await.ok(), (number % 2 == 0).then_some(number));
    }
}
