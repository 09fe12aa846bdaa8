//! Whole calls.

use std::time::Duration;

use serde_json::json;
use voxline::carriers::Carrier;
use voxline::carriers::forward;

use super::calls::signed;
use super::frames::start;
use super::peer::{
    ALICE, CALLER, Call, Deployment, FORWARD_SECRET, NUMBER, PIN, call, direct, mulaw, of_tier,
};
use super::proofs::{media_type, path, percent, proof};

/// A call's id for each carrier.
fn id(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Twilio => "CA0001",
        Carrier::Telnyx => "v2:call-0001",
        Carrier::Vonage => "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        Carrier::Bandwidth => "c-0001",
        Carrier::Plivo => "eac94337-b1cd-499b-82d1-b39bca50dc31",
        Carrier::Asterisk => "1796000000.5",
        Carrier::Jambonz => "7a0b2c5e-6d1f-4a3b-9c8d-0e1f2a3b4c5d",
    }
}

#[tokio::test]
async fn carriers_send_and_are_answered_what_the_openapi_document_names() {
    let deployment = Deployment::empty().await;
    let document = serde_json::to_value(voxline::reply::openapi()).unwrap();
    let described = &document["paths"]["/carriers/{carrier}/voice"]["post"];
    for carrier in Carrier::ALL {
        let call = direct(id(carrier));
        let body = call.webhook(carrier);
        let url = format!("{}{}", deployment.service.base, path(carrier));
        let mut request = deployment.service.http.post(url);
        request = request.header("content-type", media_type(carrier));
        for (name, value) in proof(carrier, &body) {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{carrier}");
        let answered = answer.headers()["content-type"].to_str().unwrap();
        let content = &described["responses"]["200"]["content"];
        assert!(content[answered].is_object(), "{carrier}: {answered}");
        let content = &described["requestBody"]["content"];
        assert!(content[media_type(carrier)].is_object(), "{carrier}");
    }
}

#[tokio::test]
async fn every_carrier_brings_whose_line_it_was_and_its_stream_whose_voice() {
    let mut deployment = Deployment::start().await;
    for carrier in Carrier::ALL {
        let call = call(id(carrier));
        let token = deployment.token(carrier, &call).await;
        let mut stream = deployment.open(carrier, &[]).await.unwrap();
        stream.play(carrier, call.id, &token, &mulaw("alice-1"), "").await;
        assert!(
            matches!(stream.close_code().await, None | Some(1000)),
            "{carrier}"
        );
        let said = deployment.verdict(call.id).await;
        let alice = json!(deployment.alice);
        assert_eq!(said["line_owner"]["user_id"], alice, "{carrier}: {said}");
        assert_eq!(said["speaker"]["user_id"], alice, "{carrier}: {said}");
        assert_eq!(said["outcome"], "identified", "{carrier}: {said}");
        // The token is used, and no stream is waited for any more.
        assert_eq!(deployment.open(carrier, &[]).await.err(), Some(401), "{carrier}");
    }
}

#[tokio::test]
async fn a_forwarded_calls_line_is_the_users_and_its_voice_somebody_elses() {
    let mut deployment = Deployment::start().await;
    let call = call("CA0002");
    let token = deployment.token(Carrier::Twilio, &call).await;
    let said = deployment
        .hear(Carrier::Twilio, call.id, &token, "robert-1", "")
        .await;
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
    assert_ne!(said["speaker"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn a_pin_is_taken_from_every_carriers_keys() {
    let mut deployment = Deployment::start().await;
    for carrier in Carrier::ALL {
        let call = direct(id(carrier));
        let token = deployment.token(carrier, &call).await;
        if carrier == Carrier::Bandwidth {
            for digit in PIN.chars() {
                let key = json!({"eventType": "dtmf", "callId": call.id, "digit": digit.to_string()});
                assert_eq!(deployment.send(carrier, &key.to_string()).await.0, 200);
            }
        }
        let said = deployment
            .hear(carrier, call.id, &token, "comfort-noise", PIN)
            .await;
        let found = of_tier(&said, "T4");
        let pin = found.first().unwrap_or_else(|| panic!("{carrier}: {said}"));
        assert_eq!(pin["user_id"], json!(deployment.alice), "{carrier}: {said}");
        assert!(!said.to_string().contains(PIN), "{carrier}: a PIN was kept");
    }
}

#[tokio::test]
async fn the_call_is_handed_on_with_the_number_that_forwarded_it_signed() {
    let mut deployment = Deployment::start().await;
    let call = call("CA0003");
    let (_, twiml) = deployment.ring(Carrier::Twilio, &call).await;
    let value = |name: &str| -> String {
        let (_, rest) = twiml.split_once(&format!("{name}=")).unwrap();
        rest.split(['&', '<']).next().unwrap().replace("%2B", "+")
    };
    assert!(twiml.contains(&format!("sip:{NUMBER}@sip.vapi.ai?")), "{twiml}");
    assert_eq!(value("X-Forwarded-From"), ALICE);
    let good = forward::verify(
        &FORWARD_SECRET.into(),
        ALICE,
        &NUMBER.parse().unwrap(),
        "CA0003",
        value("X-Fwd-Time").parse().unwrap(),
        &value("X-Fwd-Sig"),
    );
    assert!(good, "{twiml}");

    let call = Call { id: "v2:c", ..call };
    deployment.ring(Carrier::Telnyx, &call).await;
    assert_eq!(deployment.commanded().await.0, "v2:c/answer");
    deployment
        .send(Carrier::Telnyx, &call.telnyx("call.answered"))
        .await;
    let (path, fork) = deployment.commanded().await;
    assert_eq!(path, "v2:c/streaming_start");
    assert_eq!(fork["stream_url"], "wss://id.example.com/media/telnyx");
    let (path, transfer) = deployment.commanded().await;
    assert_eq!(path, "v2:c/transfer");
    let first = json!({"name": "X-Forwarded-From", "value": ALICE});
    assert_eq!(transfer["custom_headers"][0], first, "{transfer}");
}

#[tokio::test]
async fn a_caller_whom_telnyx_transfers_nowhere_is_not_left_in_silence() {
    let mut deployment = Deployment::empty().await;
    let call = call("v2:refused");
    deployment
        .send(Carrier::Telnyx, &call.telnyx("call.answered"))
        .await;
    let with_caller = deployment.commanded().await;
    assert_eq!(
        (with_caller.0.as_str(), &with_caller.1["from"]),
        ("v2:refused/transfer", &json!(CALLER))
    );
    let without = deployment.commanded().await;
    assert_eq!(
        (without.0.as_str(), &without.1["from"], &without.1["privacy"]),
        ("v2:refused/transfer", &json!(null), &json!("id"))
    );
    assert_eq!(deployment.commanded().await.0, "v2:refused/hangup");

    // Telnyx says yes, and the leg to Vapi fails afterwards.
    let call = Call {
        id: "v2:silent",
        ..call
    };
    deployment
        .send(Carrier::Telnyx, &call.telnyx("call.answered"))
        .await;
    let (path, transfer) = deployment.commanded().await;
    assert_eq!(path, "v2:silent/transfer");
    let failed = json!({"data": {"event_type": "call.hangup", "payload": {
        "call_control_id": "v2:leg-b", "direction": "outgoing", "from": CALLER, "to": "sip:h",
        "client_state": transfer["target_leg_client_state"], "hangup_cause": "call_rejected"}}});
    let (status, _) = deployment.send(Carrier::Telnyx, &failed.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(deployment.commanded().await.0, "v2:silent/hangup");
}

#[tokio::test]
async fn a_command_that_telnyx_takes_a_moment_later_is_not_refused() {
    let mut deployment = Deployment::empty().await;
    let answered = call("v2:too-soon").telnyx("call.answered");
    deployment.send(Carrier::Telnyx, &answered).await;
    for _ in 0..2 {
        let (path, transfer) = deployment.commanded().await;
        assert_eq!(
            (path.as_str(), &transfer["from"]),
            ("v2:too-soon/transfer", &json!(CALLER))
        );
    }
    let answered = call("v2:next").telnyx("call.answered");
    deployment.send(Carrier::Telnyx, &answered).await;
    assert_eq!(deployment.commanded().await.0, "v2:next/transfer");
}

#[tokio::test]
async fn an_unsigned_x_forwarded_from_of_a_sip_caller_is_not_signed_on() {
    let deployment = Deployment::start().await;
    let call = direct("CA0004");
    let with = |headers: &[(&str, String)]| {
        let mut webhook = call.webhook(Carrier::Twilio);
        for (name, value) in headers {
            webhook += &format!("&SipHeader_{name}={}", percent(value));
        }
        webhook
    };
    let headers = signed(ALICE, call.id);
    for (headers, is_named) in [(&headers[..1], false), (&headers[..], true)] {
        let (status, twiml) = deployment.send(Carrier::Twilio, &with(headers)).await;
        assert_eq!(status, 200, "{twiml}");
        assert_eq!(twiml.contains("X-Forwarded-From"), is_named, "{twiml}");
    }
}

#[tokio::test]
async fn a_call_that_ended_after_a_restart_is_final() {
    let mut deployment = Deployment::start().await;
    let call = call("c-restart");
    deployment.ring(Carrier::Bandwidth, &call).await;
    deployment.recorded().await;
    deployment.restart();
    let end = json!({"eventType": "disconnect", "callId": call.id}).to_string();
    assert_eq!(deployment.send(Carrier::Bandwidth, &end).await.0, 200);
    let said = deployment.verdict(call.id).await;
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn an_end_told_while_the_store_cannot_be_read_is_tried_again() {
    let mut deployment = Deployment::start().await;
    let call = call("c-dark");
    deployment.ring(Carrier::Bandwidth, &call).await;
    deployment.recorded().await;
    deployment.restart();
    deployment.rename_calls("calls", "calls_away").await;
    let end = json!({"eventType": "disconnect", "callId": call.id}).to_string();
    assert_eq!(deployment.send(Carrier::Bandwidth, &end).await.0, 200);
    // For the first try.
    tokio::time::sleep(Duration::from_secs(1)).await;
    deployment.rename_calls("calls_away", "calls").await;
    let said = deployment.verdict(call.id).await;
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn a_number_that_is_not_ours_is_handed_on_without_a_fork() {
    let deployment = Deployment::empty().await;
    for carrier in [
        Carrier::Twilio,
        Carrier::Vonage,
        Carrier::Bandwidth,
        Carrier::Plivo,
        Carrier::Asterisk,
        Carrier::Jambonz,
    ] {
        let call = call(id(carrier));
        let (status, answer) = deployment.ring(carrier, &call).await;
        assert_eq!(status, 200, "{carrier}: {answer}");
        assert!(
            answer.contains("sip.vapi.ai") && !answer.contains("wss://") && !answer.contains("token="),
            "{carrier}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_token_opens_no_other_call_and_no_second_stream() {
    let mut deployment = Deployment::start().await;
    let used = deployment.token(Carrier::Twilio, &direct("CA1")).await;
    let waiting = deployment.token(Carrier::Twilio, &direct("CA2")).await;
    for (id, token) in [("CA3", used.as_str()), ("CA1", used.as_str()), ("CA2", "made-up")] {
        let mut stream = deployment.open(Carrier::Twilio, &[]).await.unwrap();
        stream.send(start(Carrier::Twilio, id, token)).await;
        assert_eq!(stream.close_code().await, Some(1008), "{id}");
    }
    // Another carrier's stream is not waited for at all.
    assert_eq!(deployment.open(Carrier::Plivo, &[]).await.err(), Some(401));
    let mut stream = deployment.open(Carrier::Twilio, &[]).await.unwrap();
    stream
        .play(Carrier::Twilio, "CA2", &waiting, &mulaw("one-word"), "")
        .await;
    assert_eq!(stream.close_code().await, Some(1000));
}
