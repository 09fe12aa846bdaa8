//! Calls under way while the model is exchanged.

use voxline::decision::Reason;
use voxline::switchboard::switch_model;
use voxline::voiceprint::ModelId;

use super::calls::{octets, start};
use super::{TestDeployment, number};
use crate::support::config;

const OTHER: &str = "voxline-phone-3";
const ALICE: [&str; 2] = ["calls/alice-1.wav", "calls/alice-2.wav"];

/// Has the other model serve, by which Alice alone is enrolled.
async fn exchange(deployment: &TestDeployment) {
    let config = config(&[("data_dir", deployment.folder.path().to_str().unwrap())]);
    let other = ModelId::new(OTHER);
    let report = switch_model(
        &config.board,
        deployment.board.store(),
        &other,
        true,
        &mut |_, _| {},
    )
    .await;
    assert!(report.unwrap().switched);
    deployment.board.follow_model().await;
    assert_eq!(*deployment.board.card().id(), other);
    let alice = deployment.people["alice"];
    // What one model heard another has not, and a recording enrols nobody twice.
    deployment.board.remove_enrolments(alice).await.unwrap();
    let signup = [1, 2, 3].map(|clip| format!("signup/alice/{clip}.flac"));
    let files: Vec<&str> = signup.iter().map(String::as_str).collect();
    let report = deployment.enrol(alice, &files).await;
    assert!(report.accepted, "{:?}", report.issues);
}

#[tokio::test]
async fn a_name_that_had_fallen_does_not_come_back_by_another_model() {
    for goes_on in [false, true] {
        let deployment = TestDeployment::full().await;
        let alice = Some(deployment.people["alice"]);
        let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
        let mut said = Vec::new();
        // More of her than is kept of a call's speech, and then somebody else.
        for file in ALICE.repeat(3) {
            said.extend(call.push(&octets(file)).await.unwrap());
        }
        assert!(said.iter().any(|said| said.identification.user_id == alice));
        for _ in 0..3 {
            said.extend(call.push(&octets("calls/stranger-man.wav")).await.unwrap());
        }
        assert_ne!(said.last().unwrap().identification.user_id, alice);
        exchange(&deployment).await;
        let mut after = Vec::new();
        if goes_on {
            // As a carrier sends it: each window is said by itself.
            for second in octets("calls/stranger-man.wav").chunks(8_000) {
                after.extend(call.push(second).await.unwrap());
            }
            assert!(!after.is_empty());
        }
        after.push(call.finish().await);
        for said in &after {
            let voice = &said.identification;
            assert_eq!(voice.model, ModelId::new(OTHER));
            assert_ne!(voice.user_id, alice, "version {}", said.version);
            assert_ne!(said.identity.speaker.user_id, alice, "version {}", said.version);
        }
        let last = &after.last().unwrap().identification;
        assert_ne!(last.reason, Some(Reason::EmptyRoster), "she is enrolled");
    }
}

#[tokio::test]
async fn who_speaks_on_is_named_by_another_model_too() {
    let deployment = TestDeployment::full().await;
    let alice = Some(deployment.people["alice"]);
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    for file in ALICE.repeat(3) {
        call.push(&octets(file)).await.unwrap();
    }
    exchange(&deployment).await;
    for file in ALICE {
        call.push(&octets(file)).await.unwrap();
    }
    let said = call.call_session().verdict();
    assert_eq!(said.identification.model, ModelId::new(OTHER));
    assert_eq!(said.identification.user_id, alice, "{:?}", said.identification);
}
