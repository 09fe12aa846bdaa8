//! What is not as its carrier documents it costs itself alone.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use voxline::carriers::Carrier;

use super::frames::{media, start, stop};
use super::peer::{ALICE, CALLER, Deployment, NUMBER, call, mulaw};

#[tokio::test]
async fn frames_that_cannot_be_read_are_passed_over_and_counted() {
    let mut deployment = Deployment::start().await;
    let token = deployment.token(Carrier::Twilio, &call("CA-odd")).await;
    let mut stream = deployment.open(Carrier::Twilio, &[]).await.unwrap();
    stream.send(start(Carrier::Twilio, "CA-odd", &token)).await;
    let odd = [
        "hello",
        r#"{"event":"media"}"#,
        r#"{"event":"media","media":{"track":5,"payload":"//7+"}}"#,
        // Read, though not as documented.
        r#"{"event":"dtmf","sequenceNumber":{},"dtmf":{"digit":4}}"#,
    ];
    for (at, packet) in mulaw("alice-1").chunks(160).enumerate() {
        if let Some(frame) = odd.get(at) {
            stream.send(Message::text(*frame)).await;
        }
        stream.send(media(Carrier::Twilio, packet, at, at + 2)).await;
    }
    stream.send(stop(Carrier::Twilio).unwrap()).await;
    assert_eq!(stream.close_code().await, Some(1000));
    let said = deployment.verdict("CA-odd").await;
    assert_eq!(said["outcome"], "identified", "{said}");
    let metrics = format!("{}/metrics", deployment.service.base);
    let metrics = deployment.service.http.get(metrics).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let counted = "voxline_stream_frames_unread_total{carrier=\"twilio\"} 3";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[tokio::test]
async fn a_stream_of_which_nothing_can_be_read_is_ended() {
    let mut deployment = Deployment::start().await;
    let token = deployment.token(Carrier::Plivo, &call("c-unread")).await;
    let mut stream = deployment.open(Carrier::Plivo, &[]).await.unwrap();
    stream.send(start(Carrier::Plivo, "c-unread", &token)).await;
    for _ in 0..101 {
        if !stream.try_send(Message::text("hello")).await {
            break;
        }
    }
    assert_eq!(stream.close_code().await, Some(1003));
}

#[tokio::test]
async fn webhooks_with_fields_of_another_kind_are_answered() {
    let mut deployment = Deployment::start().await;
    let odd = json!([{"name": "X-Foo", "value": null}, 5]);
    let ringing = json!({"data": {"event_type": "call.initiated", "payload": {"call_control_id": "v2:odd",
        "direction": "incoming", "from": CALLER, "to": NUMBER, "sip_headers": odd, "custom_headers": {},
        "shaken_stir_validated": "true"}}});
    let (status, said) = deployment.send(Carrier::Telnyx, &ringing.to_string()).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(deployment.commanded().await.0, "v2:odd/answer");
    let ringing = json!({"eventType": "initiate", "callId": "c-odd", "from": CALLER, "to": NUMBER,
        "diversion": [{"origTo": ALICE}], "stirShaken": "A"});
    let (status, bxml) = deployment.send(Carrier::Bandwidth, &ringing.to_string()).await;
    assert_eq!(status, 200, "{bxml}");
    assert!(
        bxml.contains("<StartStream") && bxml.contains("<Transfer"),
        "{bxml}"
    );
}
