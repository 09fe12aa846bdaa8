//! Who is named, who is not, and from when on.

use serde_json::{Value, json};
use voxline::decision::Reason;
use voxline::engine::Asker;
use voxline::store::{NumberPatch, ShareChange, Store, UserPatch};
use voxline::switchboard::{BoardError, ClipBytes};
use voxline::verdict::OutcomeName;

use super::{Manifest, TestDeployment, clips, number};
use crate::support::{clip, mix, wav};

#[tokio::test]
async fn every_call_of_the_synthetic_callers_ends_as_its_manifest_says() {
    let deployment = TestDeployment::full().await;
    let mut wrong = Vec::new();
    for call in Manifest::read().call {
        let said = deployment.identify(&call.number, &call.file).await;
        let expected = json!({
            "outcome": call.expect,
            "user_id": call.user.map(|key| deployment.people[&key].to_string()),
            "reason": call.reason,
        });
        let document = serde_json::to_value(&said).unwrap();
        let got = json!({
            "outcome": document["outcome"],
            "user_id": document["user_id"],
            "reason": document["reason"],
        });
        if got != expected {
            let (llr, net) = (said.llr, said.net_speech_seconds);
            wrong.push(format!(
                "{}: {got}, not {expected} (llr {llr:?}, {net} s)",
                call.file
            ));
        }
        assert!(said.is_final && said.number == call.number);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn two_who_speak_at_once_are_told_and_are_no_unknown_caller() {
    let deployment = TestDeployment::full().await;
    // Of whom neither is on the number.
    let [one, other] =
        ["stranger-woman", "oleg-1"].map(|who| clip(&format!("enrollment_samples/calls/{who}.wav")));
    for (samples, at_once) in [(&one, false), (&other, false), (&mix(&one, &other), true)] {
        let bytes = ClipBytes {
            name: "call.wav".to_owned(),
            bytes: wav(16_000, 1, samples),
        };
        let permit = deployment.board.admit(Asker::recording(None)).unwrap();
        let said = deployment
            .board
            .identify(&permit, &number(1), bytes, None, false)
            .await;
        let said = said.unwrap().remove(0);
        assert_eq!(said.quality.unwrap().overlap, Some(at_once));
        assert_eq!(said.reason == Some(Reason::SeveralVoices), at_once);
        assert_ne!(said.outcome, OutcomeName::Identified);
    }
}

#[tokio::test]
async fn nobody_of_another_number_is_ever_named_or_even_weighed() {
    let deployment = TestDeployment::full().await;
    let manifest = Manifest::read();
    for call in &manifest.call {
        for dialed in &manifest.number {
            let said = deployment.identify(&dialed.number, &call.file).await;
            let on_it = |id| {
                let (key, _) = deployment.people.iter().find(|(_, user)| **user == id).unwrap();
                manifest.person(key).number == dialed.number
            };
            assert!(said.user_id.is_none_or(on_it), "{}", call.file);
            assert!(
                said.candidates.iter().all(|candidate| on_it(candidate.user_id)),
                "{}",
                call.file
            );
        }
    }
}

#[tokio::test]
async fn what_is_promised_of_a_number_decides_its_calls_and_no_others() {
    let deployment = TestDeployment::full().await;
    let (file, robert) = ("calls/robert-1.wav", deployment.people["robert"]);
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(robert));
    let strict = |share| NumberPatch {
        max_false_accept: share,
        ..NumberPatch::default()
    };
    // One in fourteen thousand: more than a very good match gives on a roster of several.
    let promise = strict(ShareChange::Set(0.000_07));
    deployment
        .board
        .update_number(&number(1), &promise)
        .await
        .unwrap();
    let said = deployment.identify(&number(1), file).await;
    assert_ne!(said.outcome, OutcomeName::Identified);
    let never = strict(ShareChange::Set(0.000_001));
    let refused = deployment.board.update_number(&number(1), &never).await;
    assert!(matches!(refused, Err(BoardError::NeverNames { .. })));
    let usual = strict(ShareChange::Usual);
    deployment.board.update_number(&number(1), &usual).await.unwrap();
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(robert));
    // Another number's promise changes nothing here.
    deployment
        .board
        .update_number(&number(2), &promise)
        .await
        .unwrap();
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(robert));
}

#[tokio::test]
async fn a_removed_user_is_not_found_by_the_very_next_call() {
    let deployment = TestDeployment::full().await;
    let (file, robert) = ("calls/robert-1.wav", deployment.people["robert"]);
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(robert));
    let receipt = deployment.board.remove_user(robert).await.unwrap();
    assert!(receipt.voiceprints_erased > 0);
    let said = deployment.identify(&number(1), file).await;
    assert_eq!(said.user_id, None);
    assert!(
        said.candidates
            .iter()
            .all(|candidate| candidate.user_id != robert)
    );
}

#[tokio::test]
async fn a_user_removed_by_another_process_is_not_found_by_the_very_next_call() {
    let deployment = TestDeployment::full().await;
    let (file, walter) = ("calls/walter-1.wav", deployment.people["walter"]);
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(walter));
    let other = Store::open(&deployment.folder.path().join("voxline.db"))
        .await
        .unwrap();
    other.remove_user(walter).await.unwrap();
    let said = deployment.identify(&number(1), file).await;
    assert_eq!(said.user_id, None);
    assert!(
        said.candidates
            .iter()
            .all(|candidate| candidate.user_id != walter)
    );
}

#[tokio::test]
async fn erased_voiceprints_are_not_found_though_the_user_stays() {
    let deployment = TestDeployment::full().await;
    let (file, ivy) = ("calls/ivy-1.wav", deployment.people["ivy"]);
    assert_eq!(deployment.identify(&number(2), file).await.user_id, Some(ivy));
    deployment.board.store().remove_enrolments(ivy).await.unwrap();
    let said = deployment.identify(&number(2), file).await;
    assert_eq!(said.user_id, None);
    assert!(said.candidates.iter().all(|candidate| candidate.user_id != ivy));
    assert!(deployment.board.store().user(ivy).await.unwrap().is_some());
}

#[tokio::test]
async fn a_user_is_named_as_they_are_called_now() {
    let deployment = TestDeployment::full().await;
    let (file, alice) = ("calls/alice-1.wav", deployment.people["alice"]);
    let name = deployment.identify(&number(1), file).await.user_name;
    assert_eq!(name.as_deref(), Some("Alice"));
    let patch = UserPatch {
        name: Some("Alícia Puig".to_owned()),
        ..UserPatch::default()
    };
    deployment.board.store().update_user(alice, patch).await.unwrap();
    let said = deployment.identify(&number(1), file).await;
    assert_eq!(said.user_id, Some(alice));
    assert_eq!(said.user_name.as_deref(), Some("Alícia Puig"));
}

#[tokio::test]
async fn an_enrolment_is_found_by_the_next_call() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.sign_up("alice").await;
    let file = "calls/robert-1.wav";
    assert_eq!(deployment.identify(&number(1), file).await.user_id, None);
    let robert = deployment.sign_up("robert").await;
    assert_eq!(deployment.identify(&number(1), file).await.user_id, Some(robert));
    assert_eq!(
        deployment.identify(&number(1), "calls/alice-1.wav").await.user_id,
        Some(alice)
    );
}

#[tokio::test]
async fn a_number_with_nobody_enrolled_says_so() {
    let mut deployment = TestDeployment::empty().await;
    let said = deployment.identify(&number(1), "calls/alice-1.wav").await;
    assert_eq!(said.reason, Some(Reason::EmptyRoster));
    // On the roster and not enrolled is as good as nobody.
    deployment.add("alice").await;
    let said = deployment.identify(&number(1), "calls/alice-1.wav").await;
    assert_eq!((said.outcome, said.user_id), (OutcomeName::Inconclusive, None));
    assert_eq!(said.reason, Some(Reason::EmptyRoster));
}

#[tokio::test]
async fn a_number_that_is_not_ours_is_refused_by_name() {
    let deployment = TestDeployment::full().await;
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let call = clips(&["calls/alice-1.wav"]).remove(0);
    let said = deployment
        .board
        .identify(&permit, &number(9), call, None, false)
        .await;
    let fault = said.unwrap_err();
    assert!(matches!(&fault, BoardError::UnknownNumber(unknown) if *unknown == number(9)));
    assert!(fault.to_string().contains("voxline number add"), "{fault}");
}

#[tokio::test]
async fn what_cannot_be_decoded_is_an_error_that_names_the_recording() {
    let deployment = TestDeployment::full().await;
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let mut call = clips(&["README.md"]).remove(0);
    call.name = "holiday.wav".to_owned();
    let said = deployment
        .board
        .identify(&permit, &number(1), call, None, false)
        .await;
    let fault = said.unwrap_err();
    assert!(matches!(fault, BoardError::Decode { .. }));
    assert!(fault.to_string().starts_with("holiday.wav: "), "{fault}");
}

#[tokio::test]
async fn a_stream_of_identifications_ends_in_the_one_without_a_stream() {
    let deployment = TestDeployment::full().await;
    let file = "calls/ivy-1.wav";
    let permit = deployment.board.admit(Asker::recording(None)).unwrap();
    let call = clips(&[file]).remove(0);
    let stream = deployment
        .board
        .identify(&permit, &number(2), call, None, true)
        .await;
    let stream = stream.unwrap();
    assert!(stream.len() > 8, "{} identifications", stream.len());
    let finals = stream.iter().map(|said| said.is_final);
    assert!(finals.eq((1..=stream.len()).map(|at| at == stream.len())));
    let alone = deployment.identify(&number(2), file).await;
    assert_eq!(word(stream.last().unwrap()), word(&alone));
}

#[tokio::test]
async fn a_gallery_out_of_reach_makes_it_unavailable_and_names_nobody() {
    // The discard port: nothing listens there.
    let deployment = TestDeployment::full_with(&[
        ("gallery.backend", "qdrant"),
        ("gallery.qdrant_url", "http://127.0.0.1:9"),
        ("gallery.qdrant_timeout_seconds", "0.5"),
    ])
    .await;
    assert!(!deployment.board.out_of_order().await.is_empty());
    let said = deployment.identify(&number(1), "calls/alice-1.wav").await;
    assert_eq!(said.outcome, OutcomeName::Inconclusive);
    assert_eq!(said.reason, Some(Reason::Unavailable));
    assert!(said.user_id.is_none() && said.user_name.is_none() && said.candidates.is_empty());
    assert!(said.net_speech_seconds > 4.0 && said.is_final);
}

/// What is said, without the ratios: a recording is embedded in one piece and a stream by stretches, so that theirs are only
/// near each other.
pub(super) fn word(said: &voxline::switchboard::Identification) -> Value {
    let mut document = untimed(said);
    for ratio in ["llr", "posterior", "candidates"] {
        document.as_object_mut().unwrap().remove(ratio);
    }
    document
}

/// The document without the figures that differ from run to run.
pub(super) fn untimed(said: &voxline::switchboard::Identification) -> Value {
    let mut document = serde_json::to_value(said).unwrap();
    document.as_object_mut().unwrap().remove("timing_ms");
    document
}
