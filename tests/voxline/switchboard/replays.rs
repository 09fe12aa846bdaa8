//! A recording that is played names nobody, whoever else says who it is; somebody who speaks is named as before.

use voxline::decision::Reason;
use voxline::measure::Condition;
use voxline::store::FingerprintCounts;
use voxline::switchboard::CallVerdict;
use voxline::units::CallId;
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::SpeakerStatus;

use super::calls::{octets, start};
use super::identifying::untimed;
use super::{TestDeployment, number};
use crate::support::clip;

/// The octets of a recording that is played into a telephone.
fn played(file: &str) -> Vec<u8> {
    down_the_telephone(&clip(&format!("enrollment_samples/{file}")))
}

pub fn down_the_telephone(samples: &[f32]) -> Vec<u8> {
    use voxline::bytes::g711::mulaw_encode;
    use voxline::samples::{telephone, to_the_network};
    let line = to_the_network(&telephone(samples));
    line.iter()
        .map(|sample| mulaw_encode((sample * 32_767.0) as i16))
        .collect()
}

/// What is said of a call at its end and before.
async fn called(deployment: &TestDeployment, octets: &[&[u8]]) -> Vec<CallVerdict> {
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let mut said = Vec::new();
    for piece in octets.iter().flat_map(|octets| octets.chunks(3_200)) {
        said.extend(call.push(piece).await.unwrap());
    }
    said.push(call.finish().await);
    said
}

fn last(said: &[CallVerdict]) -> &CallVerdict {
    said.last().unwrap()
}

#[tokio::test]
async fn an_enrolments_recording_names_nobody_as_a_file_and_on_a_call() {
    let deployment = TestDeployment::full().await;
    for file in [
        "signup/alice/1.flac",
        "signup/robert/2.flac",
        "signup/walter/3.flac",
    ] {
        let said = deployment.identify(&number(1), file).await;
        assert_eq!(
            (said.outcome, said.reason, said.user_id, said.posterior),
            (OutcomeName::Inconclusive, Some(Reason::Replayed), None, None),
            "{file}"
        );
        let said = called(&deployment, &[&played(file)]).await;
        let (identification, speaker) = (&last(&said).identification, &last(&said).identity.speaker);
        assert_eq!(identification.reason, Some(Reason::Replayed), "{file}");
        assert_eq!(
            (speaker.status, speaker.user_id),
            (SpeakerStatus::Inconclusive, None),
            "{file}"
        );
    }
}

#[tokio::test]
async fn a_recording_is_known_by_another_codec_place_and_level() {
    let deployment = TestDeployment::full().await;
    for (file, codec, level) in [
        ("signup/alice/1.flac", "gsm", 0.3),
        ("signup/robert/2.flac", "amr", 0.15),
        ("signup/walter/3.flac", "opus:12", 0.5),
    ] {
        let codec = codec.parse::<Condition>().unwrap().prepare().unwrap();
        let whole = codec
            .apply(&clip(&format!("enrollment_samples/{file}")), 5)
            .unwrap();
        // It begins some way in, at no frame's beginning, and is softer than it was.
        let middle: Vec<f32> = whole[13_337..].iter().map(|sample| level * sample).collect();
        let said = called(&deployment, &[&down_the_telephone(&middle)]).await;
        let identification = &last(&said).identification;
        assert_eq!(
            (identification.reason, identification.user_id),
            (Some(Reason::Replayed), None),
            "{file}"
        );
    }
}

#[tokio::test]
async fn who_says_other_words_is_named_as_without_the_search() {
    let searched = TestDeployment::full().await;
    let unsearched = TestDeployment::full_with(&[("decision.replay", "off")]).await;
    for file in ["calls/alice-1.wav", "calls/alice-2.wav", "calls/robert-1.wav"] {
        let with = searched.identify(&number(1), file).await;
        let without = unsearched.identify(&number(1), file).await;
        assert_eq!(with.outcome, OutcomeName::Identified, "{file}");
        assert_eq!(untimed(&with), untimed(&without), "{file}");
    }
}

#[tokio::test]
async fn once_a_recording_was_played_the_call_names_nobody_any_more() {
    let deployment = TestDeployment::full().await;
    let (recording, herself) = (played("signup/alice/2.flac"), octets("calls/alice-1.wav"));
    let said = called(&deployment, &[&recording, &herself, &herself]).await;
    let first = said
        .iter()
        .position(|one| one.identification.is_replay())
        .unwrap();
    for one in &said[first..] {
        assert!(one.identification.is_replay(), "version {}", one.version);
        assert_eq!(one.identity.speaker.user_id, None);
    }
    // Before, when the recording comes after, she was named.
    let said = called(&deployment, &[&herself, &recording]).await;
    let alice = Some(deployment.people["alice"]);
    assert!(said.iter().any(|one| one.identification.user_id == alice));
    assert!(last(&said).identification.is_replay());
}

#[tokio::test]
async fn an_earlier_call_is_known_again_where_calls_are_kept() {
    let deployment = TestDeployment::full_with(&[("decision.replay", "calls")]).await;
    let alice = deployment.people["alice"];
    let (one, other) = (octets("calls/alice-1.wav"), octets("calls/alice-2.wav"));
    let stranger = octets("calls/stranger-man.wav");
    let first = called(&deployment, &[&one]).await;
    assert_eq!(last(&first).identification.user_id, Some(alice));
    assert!(
        last(&called(&deployment, &[&one]).await)
            .identification
            .is_replay()
    );
    // She says something else.
    let second = called(&deployment, &[&other]).await;
    assert_eq!(last(&second).identification.user_id, Some(alice));
    for _ in 0..2 {
        let said = called(&deployment, &[&stranger]).await;
        assert_eq!(last(&said).identification.outcome, OutcomeName::Unknown);
    }
    let kept = deployment.board.store().export_user(alice, false).await.unwrap();
    assert_eq!((kept.fingerprints.clips, kept.fingerprints.calls), (3, 2));
}

#[tokio::test]
async fn whoever_wants_no_search_has_none_and_keeps_nothing_for_it() {
    let mut deployment = TestDeployment::empty_with(&[("decision.replay", "off")]).await;
    let alice = deployment.sign_up("alice").await;
    let said = deployment.identify(&number(1), "signup/alice/1.flac").await;
    assert_eq!(said.user_id, Some(alice));
    let kept = deployment.board.store().export_user(alice, false).await.unwrap();
    assert_eq!(kept.fingerprints, FingerprintCounts::default());
}

#[tokio::test]
async fn a_second_stream_of_a_call_does_not_wash_a_replay_away() {
    let deployment = TestDeployment::full().await;
    let call: CallId = "washed".parse().unwrap();
    let begun = || voxline::switchboard::CallStart {
        call_id: call.clone(),
        ..start(number(1))
    };
    let mut stream = deployment.board.open_call(begun(), None).await.unwrap();
    stream.call_session().hold_open();
    stream.push(&played("signup/alice/1.flac")).await.unwrap();
    assert!(stream.finish().await.identification.is_replay());
    let mut stream = deployment.board.open_call(begun(), None).await.unwrap();
    for file in ["calls/alice-1.wav", "calls/alice-2.wav"] {
        for said in stream.push(&octets(file)).await.unwrap() {
            assert!(
                said.identification.is_replay(),
                "{:?}",
                said.identification.reason
            );
        }
    }
    let said = stream.finish().await;
    assert_eq!(said.identity.speaker.user_id, None);
}

#[tokio::test]
async fn whoever_enrols_on_a_call_is_no_replay_on_it() {
    let mut deployment = TestDeployment::empty().await;
    let robert = deployment.sign_up("robert").await;
    let alice = deployment.add("alice").await;
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let files = [
        "signup/alice/1.flac",
        "signup/alice/2.flac",
        "signup/alice/3.flac",
    ];
    for file in files {
        for said in call.push(&played(file)).await.unwrap() {
            assert_ne!(said.identification.user_id, Some(robert));
        }
    }
    assert!(deployment.enrol(alice, &files).await.accepted);
    call.push(&octets("calls/alice-1.wav")).await.unwrap();
    let said = call.finish().await.identification;
    assert_eq!((said.user_id, said.reason), (Some(alice), None));
}
