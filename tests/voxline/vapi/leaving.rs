//! A service that is told to end while calls go on.

use serde_json::json;

use super::harness::{ALICE, NUMBER, STRANGER, TestDeployment, fast, script};

#[tokio::test]
async fn a_call_goes_on_after_a_service_that_was_told_to_end() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-over", ALICE.0);
    deployment.end("c-over");
    let over = deployment.last_word("c-over").await;

    deployment.ring("c-on", STRANGER);
    let parts = [("user", "alice-1"), ("user", "alice-2"), ("user", "silence 60")];
    let play = fast(&parts);
    deployment.answer("c-on", play, json!({}));
    deployment.told("c-on", "] identified: ");
    deployment.stop();
    deployment.start();

    let there = deployment.call("c-on").await;
    assert_eq!(there["final"], false, "{there}");
    assert_eq!(there["verdict"]["final"], false, "{there}");
    let who = deployment.tool("c-on", "t-1", "identify_caller", json!({}));
    assert!(who.contains("] identified: ") && who.contains("Alice"), "{who}");
    // It is listened to again as soon as a message says where.
    let play =
        json!({"do": "play", "call": "c-on", "script": script(&[("user", "silence 1")]), "speed": 3.0});
    let played = deployment.peer.ask(&play);
    deployment.send(json!({
        "type": "status-update", "status": "in-progress", "timestamp": 20, "phoneNumber": {"number": NUMBER},
        "call": {"id": "c-on", "monitor": played["monitor"]},
    }));
    deployment.played("c-on");
    let pin = deployment.tool("c-on", "t-2", "verify_pin", json!({"pin": ALICE.1}));
    assert!(pin.contains("verified: "), "{pin}");
    deployment.end("c-on");
    let last = deployment.last_word("c-on").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    assert_eq!(deployment.call("c-over").await["version"], over["version"]);
}
