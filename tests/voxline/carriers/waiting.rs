//! Calls that wait for their streams while the service starts again.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use voxline::carriers::Carrier;

use super::frames::media;
use super::peer::{Deployment, NUMBER, PIN, call, mulaw, of_tier};
use super::proofs::proof;

#[tokio::test]
async fn a_vonage_caller_whose_token_is_unknown_is_handed_on() {
    let mut deployment = Deployment::start_with(&[("VOXLINE_VONAGE_LISTEN_SECONDS", "1")]).await;
    let ringing = call("aaaaaaaa-bbbb-cccc-dddd-0123456789ac");
    let forgotten = deployment.token(Carrier::Vonage, &ringing).await;
    // As a crash does.
    deployment.restart();
    for (id, token) in [(ringing.id, forgotten.as_str()), ("u-2", "made-up")] {
        let signed = proof(Carrier::Vonage, "");
        let mut stream = deployment.open(Carrier::Vonage, &signed).await.unwrap();
        let begin = json!({"event": "websocket:connected", "content-type": "audio/l16;rate=8000",
            "call_token": token, "call_id": id, "number": NUMBER});
        stream.send(Message::text(begin.to_string())).await;
        for (at, packet) in mulaw("comfort-noise").chunks(160).enumerate() {
            if !stream.try_send(media(Carrier::Vonage, packet, at, at)).await {
                break;
            }
        }
        // The next action of the document begins with this.
        let closed = timeout(Duration::from_secs(120), stream.close_code()).await;
        assert_eq!(closed.expect("it stays open"), Some(1000), "{id}");
    }
}

#[tokio::test]
async fn a_call_that_rings_before_an_orderly_restart_is_heard_after_it() {
    let mut deployment = Deployment::start().await;
    let token = deployment.token(Carrier::Telnyx, &call("v2:restart")).await;
    deployment.service.tell("-TERM");
    assert!(deployment.service.child().wait().unwrap().success());
    deployment.restart();
    let mut stream = deployment.open(Carrier::Telnyx, &[]).await.unwrap();
    stream
        .play(Carrier::Telnyx, "v2:restart", &token, &mulaw("alice-1"), "")
        .await;
    assert_eq!(stream.close_code().await, Some(1000));
    let said = deployment.verdict("v2:restart").await;
    assert_eq!(said["outcome"], "identified", "{said}");
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
    assert_eq!(deployment.open(Carrier::Telnyx, &[]).await.err(), Some(401));
}

#[tokio::test]
async fn keys_that_come_after_a_restart_and_twice_are_a_pin() {
    let mut deployment = Deployment::start().await;
    deployment.ring(Carrier::Bandwidth, &call("c-keys")).await;
    deployment.recorded().await;
    deployment.restart();
    for (second, digit) in PIN.chars().enumerate() {
        let time = format!("2026-09-01T10:00:{second:02}.250Z");
        let key =
            json!({"eventType": "dtmf", "callId": "c-keys", "digit": digit.to_string(), "eventTime": time});
        for _ in 0..2 {
            let (status, said) = deployment.send(Carrier::Bandwidth, &key.to_string()).await;
            assert_eq!(status, 200, "{said}");
        }
    }
    let end = json!({"eventType": "disconnect", "callId": "c-keys"}).to_string();
    deployment.send(Carrier::Bandwidth, &end).await;
    let said = deployment.verdict("c-keys").await;
    let pin = of_tier(&said, "T4");
    let alice = json!(deployment.alice);
    assert_eq!(pin.first().map(|pin| &pin["user_id"]), Some(&alice), "{said}");
    let (_, tries) = deployment.service.get("/v1/audit?act=pin.try").await;
    assert_eq!(tries.as_array().map(Vec::len), Some(1), "{tries}");
}
