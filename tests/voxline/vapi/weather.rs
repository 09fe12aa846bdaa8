//! Vapi's own side behind a wire that is slow, cut, noisy or silent: the calls' audio and the address that they are
//! commanded by.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, ROBERT, TestDeployment, script, silent};
use crate::wire::{Weather, Wire};

/// The call is answered; what Vapi says of its audio and control leads over the wire.
fn answered(deployment: &mut TestDeployment, wire: &Wire, call: &str) {
    let play = json!({"do": "play", "call": call, "script": script(&[("user", "alice-1")])});
    let played = deployment.peer.ask(&play);
    let (_, port) = deployment.peer.address.rsplit_once(':').unwrap();
    let port = port.trim_end_matches('/');
    let monitor = played["monitor"].to_string();
    let over = monitor.replace(&format!(":{port}/"), &format!(":{}/", wire.port()));
    assert_ne!(monitor, over);
    let monitor: Value = serde_json::from_str(&over).unwrap();
    deployment.send(json!({
        "type": "status-update", "status": "in-progress", "timestamp": 2, "phoneNumber": {"number": NUMBER},
        "call": {"id": call, "monitor": monitor, "phoneCallProviderDetails": {"sip": {"headers": {}}}},
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_to_vapi_in_any_weather_costs_the_voice_and_never_the_pin() {
    let mut deployment = TestDeployment::open();
    let alice = json!(deployment.alice);
    let wire = Wire::to(&deployment.peer.address).await;
    for weather in [Weather::Slow, Weather::Cut, Weather::Garbled, Weather::Silent] {
        wire.turn(weather);
        let call = format!("c-{weather:?}");
        deployment.ring(&call, "+12025550199");
        answered(&mut deployment, &wire, &call);
        let said = deployment.tool(&call, "t-1", "verify_pin", json!({"pin": ALICE.1}));
        assert!(said.contains(&deployment.alice), "{weather:?}: {said}");
        deployment.end(&call);
        let last = deployment.last_word(&call).await;
        assert_eq!(
            last["verdict"]["speaker"]["user_id"], alice,
            "{weather:?}: {last}"
        );
    }
    // Calls that come afterwards are heard again.
    wire.turn(Weather::Fair);
    deployment.ring("c-fair", "+12025550199");
    answered(&mut deployment, &wire, "c-fair");
    let told = deployment.told("c-fair", "] identified: ");
    assert!(told.iter().any(|told| told.contains("Alice")), "{told:?}");
}

#[tokio::test]
async fn what_the_model_was_not_told_is_told_until_it_arrives() {
    let mut deployment = TestDeployment::open_with(&[], false);
    // A host that is out of order for longer than a message is tried at once, and one that refuses in passing.
    for (times, status) in [(4, 503), (1, 409), (1, 404)] {
        let call = format!("c-{status}");
        deployment.ring(&call, "+12025550199");
        let play = silent();
        deployment.answer(&call, play, json!({}));
        deployment
            .peer
            .ask(&json!({"do": "deaf", "times": times, "status": status}));
        deployment.tool(&call, "t-1", "verify_pin", json!({"pin": ALICE.1}));
        let told = deployment.told(&call, "] claimed: ");
        assert_eq!(told.len(), 1, "{status}: {told:?}");
        deployment.end(&call);
    }
}

#[tokio::test]
async fn a_call_that_comes_up_late_is_told_however_much_is_news_before() {
    let mut deployment = TestDeployment::open_with(&[], false);
    deployment.ring("c-late", "+12025550199");
    let play = silent();
    deployment.answer("c-late", play, json!({}));
    deployment
        .peer
        .ask(&json!({"do": "deaf", "times": 1_000, "status": 404}));
    for (_, pin) in [ALICE, ROBERT] {
        let said = deployment.tool("c-late", pin, "verify_pin", json!({"pin": pin}));
        assert!(said.contains("verified: "), "{said}");
        // Until the model would be told.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    deployment.peer.ask(&json!({"do": "deaf", "times": 0}));
    deployment.told("c-late", "] ");
}

/// A verdict is told in the end, although the control address answered so often with `status` meanwhile.
fn told_in_spite_of(status: u16, times: u32) {
    let mut deployment = TestDeployment::open_with(&[], false);
    deployment.ring("c-away", "+12025550199");
    let play = silent();
    deployment.answer("c-away", play, json!({}));
    deployment
        .peer
        .ask(&json!({"do": "deaf", "times": times, "status": status}));
    deployment.tool("c-away", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    let told = deployment.told("c-away", "] claimed: ");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_call_that_is_missing_for_a_while_does_not_end_all_telling() {
    told_in_spite_of(404, 2);
}

#[test]
fn a_refusal_in_passing_does_not_end_all_telling() {
    told_in_spite_of(403, 1);
}
