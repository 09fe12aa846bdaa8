//! Speech that a countermeasure takes for spoofed names nobody by voice and enrols nobody; other speech is judged as without one.
//!
//! The countermeasure of these tests takes whoever is loud for spoofed, so that one recording can be both.

use std::sync::Arc;

use voxline::decision::Reason;
use voxline::engine::Asker;
use voxline::switchboard::{
    BoardError, CallStart, CallVerdict, ClipBytes, Identification, IssueCode, Switchboard,
};
use voxline::units::CallId;
use voxline::verdict::OutcomeName;

use super::calls::start;
use super::identifying::untimed;
use super::replays::down_the_telephone;
use super::{TestDeployment, number, open};
use crate::countermeasures::{breaking, installed, loudness};
use crate::support::{clip, wav};

/// How much softer a recording is made not to be loud: 20 dB.
const SOFTER: f32 = 0.1;

fn at(gain: f32, file: &str) -> Vec<f32> {
    let whole = clip(&format!("enrollment_samples/{file}"));
    whole.iter().map(|sample| gain * sample).collect()
}

fn recording(gain: f32, file: &str) -> ClipBytes {
    let bytes = wav(16_000, 1, &at(gain, file));
    ClipBytes::new(file.to_owned(), bytes, None)
}

/// A deployment with everybody enrolled and the countermeasure in this folder.
async fn listening(folder: &tempfile::TempDir) -> TestDeployment {
    let path = folder.path().to_str().unwrap();
    TestDeployment::full_with(&[("decision.countermeasure", path)]).await
}

async fn identified(
    deployment: &TestDeployment,
    gain: f32,
    file: &str,
    stream: bool,
) -> Result<Vec<Identification>, BoardError> {
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let recording = recording(gain, file);
    deployment
        .board
        .identify(&permit, &number(1), recording, None, stream)
        .await
}

async fn called(deployment: &TestDeployment, start: CallStart, gain: f32, file: &str) -> Vec<CallVerdict> {
    called_at(&deployment.board, start, gain, file).await
}

async fn called_at(board: &Switchboard, start: CallStart, gain: f32, file: &str) -> Vec<CallVerdict> {
    let mut call = board.open_call(start, None).await.unwrap();
    call.call_session().hold_open();
    let mut said = Vec::new();
    for piece in down_the_telephone(&at(gain, file)).chunks(3_200) {
        said.extend(call.push(piece).await.unwrap());
    }
    said.push(call.finish().await);
    said
}

#[tokio::test]
async fn spoofed_speech_names_nobody_and_other_speech_is_named_as_ever() {
    let folder = installed(&loudness(), &[]);
    let (with, without) = (listening(&folder).await, TestDeployment::full().await);
    for (file, who) in [("calls/alice-1.wav", "alice"), ("calls/robert-1.wav", "robert")] {
        let user = Some(with.people[who]);
        for stream in [false, true] {
            let loud = identified(&with, 1.0, file, stream).await.unwrap();
            assert!(loud.iter().all(|said| said.user_id.is_none()), "{file}");
            let last = loud.last().unwrap();
            let found = (last.outcome, last.reason, last.posterior);
            assert_eq!(
                found,
                (OutcomeName::Inconclusive, Some(Reason::Spoofed), None),
                "{file}"
            );
            assert!(last.countermeasure_llr.unwrap() >= 0.0 && last.llrs.is_empty());
            let soft = identified(&with, SOFTER, file, stream).await.unwrap();
            let plain = identified(&without, SOFTER, file, stream).await.unwrap();
            assert_eq!((soft.len(), soft.last().unwrap().user_id), (plain.len(), user));
            for (mut soft, plain) in soft.into_iter().zip(plain) {
                let ratio = soft.countermeasure_llr.take();
                assert!(ratio.is_none_or(|llr| llr < 0.0));
                assert_eq!(untimed(&soft), untimed(&plain), "{file}");
            }
        }
        let loud = called(&with, start(number(1)), 1.0, file).await;
        for said in &loud {
            let (voice, speaker) = (&said.identification, &said.identity.speaker);
            assert_eq!((voice.user_id, speaker.user_id), (None, None), "{file}");
        }
        assert!(loud.last().unwrap().identification.is_spoofed(), "{file}");
        let soft = called(&with, start(number(1)), SOFTER, file).await;
        assert_eq!(soft.last().unwrap().identification.user_id, user, "{file}");
    }
}

#[tokio::test]
async fn a_spoofed_stranger_is_unknown_as_before() {
    let folder = installed(&loudness(), &[]);
    let deployment = listening(&folder).await;
    let said = identified(&deployment, 1.0, "calls/stranger-man.wav", false)
        .await
        .unwrap();
    assert_eq!(said[0].outcome, OutcomeName::Unknown);
    assert!(said[0].countermeasure_llr.unwrap() >= 0.0);
}

#[tokio::test]
async fn who_spoofed_once_is_named_by_no_later_speech_or_stream() {
    let folder = installed(&loudness(), &[]);
    let deployment = listening(&folder).await;
    let call: CallId = "spoofed".parse().unwrap();
    let begun = || CallStart {
        call_id: call.clone(),
        ..start(number(1))
    };
    let mut stream = deployment.board.open_call(begun(), None).await.unwrap();
    stream.call_session().hold_open();
    for (gain, file) in [(1.0, "calls/alice-1.wav"), (SOFTER, "calls/alice-2.wav")] {
        stream.push(&down_the_telephone(&at(gain, file))).await.unwrap();
    }
    assert!(stream.finish().await.identification.is_spoofed());
    for file in ["calls/alice-2.wav", "calls/alice-1.wav"] {
        for said in called(&deployment, begun(), SOFTER, file).await {
            assert_eq!(said.identity.speaker.user_id, None);
            assert_ne!(said.identification.outcome, OutcomeName::Identified);
        }
    }
}

/// A poor copy of a user's voice is like nobody's, and a better one comes by another stream, or at the next process.
#[tokio::test]
async fn a_spoofed_stranger_is_followed_by_no_name_restart_or_not() {
    let folder = installed(&loudness(), &[]);
    let deployment = listening(&folder).await;
    for restarts in [false, true] {
        let begun = start(number(1));
        let loud = called(&deployment, begun.clone(), 1.0, "calls/stranger-man.wav").await;
        let unknown = |said: &CallVerdict| said.identification.outcome == OutcomeName::Unknown;
        assert!(loud.last().is_some_and(unknown), "it is nobody's");
        let countermeasure = [("decision.countermeasure", folder.path().to_str().unwrap())];
        let board = if restarts {
            deployment.board.recorded().await;
            open(&deployment.folder, &countermeasure).await
        } else {
            Arc::clone(&deployment.board)
        };
        for said in called_at(&board, begun, SOFTER, "calls/alice-1.wav").await {
            assert_ne!(said.identification.outcome, OutcomeName::Identified);
            assert_eq!(said.identity.speaker.user_id, None, "restarted: {restarts}");
        }
    }
}

#[tokio::test]
async fn ears_that_fail_on_a_second_stream_take_the_first_ones_name_back() {
    // It takes no loud speech.
    let folder = installed(
        &breaking(0.002),
        &[("spoofed_from = 0.0", "spoofed_from = 900.0")],
    );
    let deployment = listening(&folder).await;
    let begun = start(number(1));
    let soft = called(&deployment, begun.clone(), SOFTER, "calls/alice-1.wav").await;
    let alice = Some(deployment.people["alice"]);
    assert_eq!(soft.last().unwrap().identity.speaker.user_id, alice);
    let loud = called(&deployment, begun, 3.0, "calls/alice-1.wav").await;
    let last = loud.last().unwrap();
    assert_eq!(last.identification.reason, Some(Reason::Unavailable));
    assert_eq!(last.identity.speaker.user_id, None);
}

#[tokio::test]
async fn what_was_not_the_caller_is_taken_back_with_all_that_came_of_it() {
    let folder = installed(&loudness(), &[]);
    let deployment = listening(&folder).await;
    let alice = Some(deployment.people["alice"]);
    let begun = start(number(1));
    let call_session = deployment.board.call_session(&begun.call_id, &number(1)).await;
    let call_session = call_session.unwrap();
    call_session.hold_open();
    let before = call_session.voice_known().await;
    // The assistant, say, whose voice is made.
    let mut wrong = deployment.board.open_call(begun.clone(), None).await.unwrap();
    for piece in down_the_telephone(&at(1.0, "calls/alice-1.wav")).chunks(3_200) {
        wrong.push(piece).await.unwrap();
    }
    drop(wrong);
    let heard = call_session.verdict();
    assert!(heard.identification.is_spoofed(), "{:?}", heard.identification);
    call_session.forget_voice_since(before.clone()).await;
    let said = call_session.verdict();
    assert_eq!(said.identification.reason, Some(Reason::TooLittleSpeech));
    assert!(said.version > heard.version && said.identification.net_speech_seconds == 0.0);
    // A second time there is nothing to take back.
    call_session.forget_voice_since(before).await;
    assert_eq!(call_session.verdict().version, said.version);
    let named = called(&deployment, begun, SOFTER, "calls/alice-1.wav").await;
    let last = &named.last().unwrap().identification;
    assert_eq!(last.user_id, alice, "{last:?}");
}

#[tokio::test]
async fn a_recording_that_is_spoofed_enrols_nobody_and_its_soft_copy_does() {
    let folder = installed(&loudness(), &[]);
    let path = folder.path().to_str().unwrap();
    let mut deployment = TestDeployment::empty_with(&[("decision.countermeasure", path)]).await;
    let alice = deployment.add("alice").await;
    let files = [
        "signup/alice/1.flac",
        "signup/alice/2.flac",
        "signup/alice/3.flac",
    ];
    for (gain, accepted) in [(1.0, false), (0.3, true)] {
        let permit = deployment.board.admit(Asker::recording(None)).unwrap();
        let clips = files.map(|file| recording(gain, file)).into();
        let report = deployment
            .board
            .enrol(&permit, alice, "I agree.", clips, None)
            .await;
        let report = report.unwrap();
        assert_eq!(report.accepted, accepted, "{:?}", report.issues);
        let spoofed = report
            .issues
            .iter()
            .filter(|issue| issue.code == IssueCode::Spoofed);
        let said: Vec<_> = spoofed.map(|issue| issue.message.as_str()).collect();
        assert_eq!(said.len(), if accepted { 0 } else { files.len() });
        assert!(
            said.iter().all(|said| said.contains("record the user speaking")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_failing_countermeasure_makes_a_call_unavailable() {
    // It takes the tone at the start and no loud speech.
    let folder = installed(
        &breaking(0.002),
        &[("spoofed_from = 0.0", "spoofed_from = 900.0")],
    );
    let deployment = listening(&folder).await;
    let (loud, file) = (3.0, "calls/alice-1.wav");
    let said = called(&deployment, start(number(1)), loud, file).await;
    assert!(said.iter().all(|said| said.identification.user_id.is_none()));
    let last = said.last().unwrap();
    assert_eq!(last.identification.reason, Some(Reason::Unavailable));
    assert_eq!(last.identity.speaker.user_id, None);
    let fault = identified(&deployment, loud, file, false).await.unwrap_err();
    assert!(matches!(fault, BoardError::Analysis(_)), "{fault}");
    // What it can hear is named.
    let soft = identified(&deployment, SOFTER, file, false).await.unwrap();
    assert_eq!(soft[0].user_id, Some(deployment.people["alice"]));
}
