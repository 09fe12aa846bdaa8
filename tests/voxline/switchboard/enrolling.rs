//! The gate in front of an enrolment: what is refused, in which words, and that nothing of it is kept.

use std::time::Duration;

use futures_util::future::join_all;
use voxline::engine::Asker;
use voxline::store::{StoreError, UserPatch};
use voxline::switchboard::{Agreement, BoardError, ClipBytes, EnrolmentReport, IssueCode};
use voxline::units::UserId;

use super::recording::stuck_writer;
use super::{TestDeployment, clips};
use crate::support::{Rng, clip, mix, wav};

const ALICE: [&str; 3] = [
    "signup/alice/1.flac",
    "signup/alice/2.flac",
    "signup/alice/3.flac",
];

fn codes(report: &EnrolmentReport) -> Vec<IssueCode> {
    report.issues.iter().map(|issue| issue.code).collect()
}

/// Refused for exactly this, in words that hold `said`, with nothing kept.
async fn refused(
    deployment: &TestDeployment,
    user: UserId,
    report: &EnrolmentReport,
    code: IssueCode,
    said: &str,
) {
    assert!(!report.accepted && report.enrollment_id.is_none());
    assert_eq!(codes(report), [code]);
    let message = &report.issues[0].message;
    assert!(message.contains(said), "{message}");
    let kept = deployment.board.store().enrolments_of(user).await.unwrap();
    assert!(kept.is_empty(), "something of a refused enrolment was kept");
}

#[tokio::test]
async fn a_good_enrolment_is_accepted_and_on_disk_when_that_is_said() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let report = deployment.enrol(alice, &ALICE).await;
    assert!(report.accepted && report.issues.is_empty(), "{:?}", report.issues);
    assert!(report.net_speech_seconds > 15.0);
    let other = voxline::store::Store::open(&deployment.folder.path().join("voxline.db"))
        .await
        .unwrap();
    let kept = other.enrolments_of(alice).await.unwrap();
    assert_eq!(Some(kept[0].id), report.enrollment_id);
    // One of each clip.
    let prints = other
        .voiceprints_of(alice, deployment.board.card().id())
        .await
        .unwrap();
    assert_eq!(prints.len(), 3);
}

#[tokio::test]
async fn who_opted_out_is_refused_before_anything_is_heard() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let patch = UserPatch {
        opted_out: Some(true),
        ..UserPatch::default()
    };
    deployment.board.store().update_user(alice, patch).await.unwrap();
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let no_audio = vec![ClipBytes {
        name: "none".to_owned(),
        bytes: Vec::new(),
    }];
    let fault = deployment
        .board
        .enrol(&permit, alice, "Yes.", no_audio, None)
        .await;
    assert!(
        matches!(fault, Err(BoardError::Store(StoreError::OptedOut(user))) if user == alice),
        "{fault:?}"
    );
}

#[tokio::test]
async fn without_a_user_without_consent_and_without_audio_nothing_is_enrolled() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let nobody = UserId::fresh();
    let fault = deployment
        .board
        .enrol(&permit, nobody, "Yes.", clips(&ALICE), None)
        .await;
    assert!(matches!(fault, Err(BoardError::UnknownUser(user)) if user == nobody));
    for consent in ["", " \n\t"] {
        let fault = deployment
            .board
            .enrol(&permit, alice, consent, clips(&ALICE), None)
            .await;
        assert!(matches!(fault, Err(BoardError::Store(StoreError::NoConsent))));
    }
    let fault = deployment
        .board
        .enrol(&permit, alice, "Yes.", Vec::new(), None)
        .await;
    assert!(matches!(fault, Err(BoardError::NoClips)));
    let many = clips(&["signup/alice/1.flac"; 17]);
    let fault = deployment.board.enrol(&permit, alice, "Yes.", many, None).await;
    assert!(matches!(
        fault,
        Err(BoardError::TooManyClips { given: 17, most: 16 })
    ));
    let fault = deployment
        .board
        .enrol(&permit, alice, "Yes.", clips(&["manifest.toml"]), None)
        .await;
    assert!(matches!(&fault, Err(BoardError::Decode { name, .. }) if name == "manifest.toml"));
    assert!(
        deployment
            .board
            .store()
            .enrolments_of(alice)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_same_recording_twice_is_refused_in_one_enrolment_and_in_two() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let twice = deployment.enrol(alice, &[ALICE[0], ALICE[1], ALICE[0]]).await;
    refused(
        &deployment,
        alice,
        &twice,
        IssueCode::DuplicateClip,
        "the same recording",
    )
    .await;
    assert!(deployment.enrol(alice, &ALICE).await.accepted);
    let again = deployment.enrol(alice, &[ALICE[1], ALICE[2]]).await;
    assert!(!again.accepted);
    assert_eq!(codes(&again), [IssueCode::DuplicateClip]);
    let said = &again.issues[0].message;
    assert!(said.starts_with(ALICE[1]), "{said}");
    assert_eq!(
        deployment.board.store().enrolments_of(alice).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn two_voices_in_one_enrolment_are_refused() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let report = deployment
        .enrol(alice, &[ALICE[0], ALICE[1], "signup/walter/1.flac"])
        .await;
    refused(
        &deployment,
        alice,
        &report,
        IssueCode::DifferentVoices,
        "two people",
    )
    .await;
}

async fn enrol_samples(deployment: &TestDeployment, user: UserId, samples: &[f32]) -> EnrolmentReport {
    let recording = ClipBytes {
        name: "made.wav".to_owned(),
        bytes: wav(16_000, 1, samples),
    };
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let report = deployment
        .board
        .enrol(&permit, user, "Yes.", vec![recording], None)
        .await;
    report.unwrap_or_else(|fault| panic!("{fault}"))
}

#[tokio::test]
async fn two_voices_in_one_recording_are_refused() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let turns = [
        clip("enrollment_samples/signup/alice/1.flac"),
        clip("enrollment_samples/signup/walter/1.flac"),
    ];
    let report = enrol_samples(&deployment, alice, &turns.concat()).await;
    refused(
        &deployment,
        alice,
        &report,
        IssueCode::SeveralVoices,
        "more than one person",
    )
    .await;
}

#[tokio::test]
async fn a_loop_a_whisper_far_away_and_a_gated_recording_are_told() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let speech = clip("enrollment_samples/signup/alice/1.flac");
    let looped = [&speech[..64_000], &speech[..64_000], &speech[..64_000]].concat();
    let report = enrol_samples(&deployment, alice, &looped).await;
    refused(&deployment, alice, &report, IssueCode::Repeated, "comes again").await;

    let gated = [&speech[..], &vec![0.0; speech.len()]].concat();
    let report = enrol_samples(&deployment, alice, &gated).await;
    assert!(report.accepted);
    assert_eq!(codes(&report), [IssueCode::SyntheticSilence]);
}

#[tokio::test]
async fn another_users_voice_is_refused_unless_that_is_meant() {
    let mut deployment = TestDeployment::empty().await;
    deployment.sign_up("alice").await;
    let robert = deployment.add("robert").await;
    // Another recording of hers than those she is enrolled with.
    let hers = clip("enrollment_samples/calls/alice-2.wav");
    let twin = enrol_samples(&deployment, robert, &hers).await;
    refused(
        &deployment,
        robert,
        &twin,
        IssueCode::DuplicateIdentity,
        "another user",
    )
    .await;
    let recording = ClipBytes {
        name: "made.wav".to_owned(),
        bytes: wav(16_000, 1, &hers),
    };
    let meant = Agreement {
        allow_duplicate: true,
        allow_other_voice: false,
        ..Agreement::from("Yes.")
    };
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let report = deployment
        .board
        .enrol(&permit, robert, meant, vec![recording], None)
        .await
        .unwrap();
    assert!(report.accepted, "{:?}", report.issues);
}

#[tokio::test]
async fn a_voice_unlike_the_one_enrolled_before_is_refused() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.sign_up("alice").await;
    let report = deployment
        .enrol(alice, &["signup/walter/1.flac", "signup/walter/2.flac"])
        .await;
    assert!(!report.accepted);
    assert_eq!(codes(&report), [IssueCode::NotTheVoiceBefore]);
    let message = &report.issues[0].message;
    assert!(message.contains("signup/walter/1.flac"), "{message}");
}

#[tokio::test]
async fn too_little_speech_is_refused_and_says_how_much_more_is_needed() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let three = wav(
        16_000,
        1,
        &clip("enrollment_samples/signup/alice/1.flac")[..48_000],
    );
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let short = ClipBytes {
        name: "short.wav".to_owned(),
        bytes: three,
    };
    let report = deployment
        .board
        .enrol(&permit, alice, "Yes.", vec![short], None)
        .await
        .unwrap();
    refused(&deployment, alice, &report, IssueCode::TooLittleSpeech, "more").await;

    let silent = ClipBytes {
        name: "silent.wav".to_owned(),
        bytes: wav(16_000, 1, &[0.0; 160_000]),
    };
    let mut three_and_nothing = clips(&ALICE);
    three_and_nothing.push(silent);
    let report = deployment
        .board
        .enrol(&permit, alice, "Yes.", three_and_nothing, None)
        .await
        .unwrap();
    refused(&deployment, alice, &report, IssueCode::ClipTooShort, "silent.wav").await;
}

#[tokio::test]
async fn noise_clipping_and_a_second_voice_at_once_are_refused_by_name() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let speech = clip("enrollment_samples/signup/alice/1.flac");
    let behind: Vec<f32> = clip("enrollment_samples/signup/robert/1.flac")
        .iter()
        .map(|s| s * 0.5)
        .collect();
    let second = mix(&speech, &behind);
    let noisy = mix(&speech, &Rng::new(9).noise(-24.0, speech.len()));
    let loud: Vec<f32> = speech.iter().map(|s| (s * 20.0).clamp(-1.0, 1.0)).collect();
    for (name, samples, code, said) in [
        ("noisy.wav", &noisy, IssueCode::TooNoisy, "quieter place"),
        ("loud.wav", &loud, IssueCode::Clipped, "cut off"),
        (
            "second.wav",
            &second,
            IssueCode::SeveralVoices,
            "more than one person",
        ),
    ] {
        let mut recordings = clips(&[ALICE[1], ALICE[2]]);
        recordings.push(ClipBytes {
            name: name.to_owned(),
            bytes: wav(16_000, 1, samples),
        });
        let permit = deployment.board.admit(Asker::recording(None)).unwrap();
        let report = deployment
            .board
            .enrol(&permit, alice, "Yes.", recordings, None)
            .await
            .unwrap();
        assert!(!report.accepted, "{name}");
        let issue = report.issues.iter().find(|issue| issue.code == code);
        let message = &issue
            .unwrap_or_else(|| panic!("{name}: {:?}", report.issues))
            .message;
        assert!(message.contains(name) && message.contains(said), "{message}");
    }
}

#[tokio::test]
async fn of_two_voices_enrolled_at_once_for_one_user_one_is_refused() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let walter = [1, 2, 3].map(|nth| format!("signup/walter/{nth}.flac"));
    let walter = walter.each_ref().map(String::as_str);
    let (one, other) = tokio::join!(deployment.enrol(alice, &ALICE), deployment.enrol(alice, &walter));
    assert_eq!(usize::from(one.accepted) + usize::from(other.accepted), 1);
    let kept = deployment.board.store().enrolments_of(alice).await.unwrap();
    assert_eq!(kept.len(), 1);
}

/// Waits until everything was heard that was to be, by the one thread that there is.
async fn all_heard(deployment: &TestDeployment) {
    let (mut began, mut idle) = (false, 0);
    while idle < 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let backlogs = deployment.board.engine().backlogs();
        let waits = backlogs.iter().any(|backlog| backlog.depth > 0);
        began |= waits;
        idle = if began && !waits { idle + 1 } else { 0 };
    }
}

#[tokio::test]
async fn all_who_enrol_on_one_number_at_once_are_enrolled() {
    let mut deployment = TestDeployment::empty_with(&[("inference.threads", "1")]).await;
    let mut users = Vec::new();
    // More than an enrolment is judged times.
    for _ in 0..8 {
        users.push(deployment.add("alice").await);
    }
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let enrol = |user: UserId| {
        let meant = Agreement {
            allow_duplicate: true,
            ..Agreement::from("Yes.")
        };
        deployment.board.enrol(&permit, user, meant, clips(&ALICE), None)
    };
    // Nobody is kept before everybody was heard.
    let mut writer = stuck_writer(&deployment).await;
    let released = async {
        all_heard(&deployment).await;
        sqlx::query("ROLLBACK").execute(&mut writer).await.unwrap();
    };
    let (reports, ()) = tokio::join!(join_all(users.into_iter().map(enrol)), released);
    for report in reports {
        let report = report.unwrap_or_else(|fault| panic!("{fault}"));
        assert!(report.accepted, "{:?}", report.issues);
    }
}
