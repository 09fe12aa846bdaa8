//! Who is let in, and what becomes of everybody else.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, TestDeployment};
use crate::support;

fn ring() -> Value {
    json!({"message": {
        "type": "assistant-request", "phoneNumber": {"number": NUMBER}, "customer": {"number": ALICE.0},
        "call": {"id": "c-door"},
    }})
}

#[tokio::test]
async fn an_unsigned_event_is_refused_and_does_nothing() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let message = ring()["message"].clone();
    let sent = deployment
        .peer
        .ask(&json!({"do": "post", "message": message, "sign": false}));
    assert_eq!(sent["status"], 401, "{sent}");
    assert_eq!(sent["answer"]["code"], "not_vapi");
    assert!(deployment.calls().await.is_empty());
    let url = format!("{}/vapi/events", deployment.base);
    let large = support::http()
        .post(url)
        .body(vec![b' '; 9 * 1024 * 1024])
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn unsigned_messages_are_known_by_the_pass_of_their_ring() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let answer = deployment.ring("c-pass", ALICE.0);
    let pass = &answer["assistantOverrides"]["server"]["headers"]["x-voxline-call"];
    let pass = pass.as_str().unwrap().to_owned();
    let message = |kind: &str, call: &str| {
        json!({"message": {"type": kind, "status": "in-progress", "timestamp": 2,
            "phoneNumber": {"number": NUMBER}, "customer": {"number": ALICE.0}, "call": {"id": call}}})
    };
    let url = format!("{}/vapi/events", deployment.base);
    let send = async |header: (&'static str, &str), message: Value| {
        let request = support::http().post(&url).header(header.0, header.1);
        request.body(message.to_string()).send().await.unwrap().status()
    };
    let header = "x-voxline-call";
    assert_eq!(
        send((header, pass.as_str()), message("status-update", "c-pass")).await,
        StatusCode::OK
    );
    let forged = pass.replace("c-pass", "c-other");
    for (value, message) in [
        (pass.as_str(), message("status-update", "c-other")),
        (pass.as_str(), message("assistant-request", "c-pass")),
        (forged.as_str(), message("status-update", "c-other")),
        ("c-pass.", message("status-update", "c-pass")),
    ] {
        let status = send((header, value), message.clone()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{message}");
    }
    // A signature that is there has to be good, whatever else is.
    let both = support::http()
        .post(&url)
        .header(header, &pass)
        .header("x-signature", "00")
        .header("x-timestamp", "1760000000")
        .body(message("status-update", "c-pass").to_string());
    assert_eq!(both.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // The key is the store's: a restart in the middle of the call changes nothing.
    deployment.restart();
    let url = format!("{}/vapi/events", deployment.base);
    let again = support::http().post(url).header(header, &pass);
    let again = again.body(message("status-update", "c-pass").to_string());
    assert_eq!(again.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn without_any_authentication_nothing_is_taken() {
    let deployment =
        TestDeployment::open_with(&[("VOXLINE_VAPI_AUTH", ""), ("VOXLINE_VAPI_SECRET", "")], false);
    let url = format!("{}/vapi/events", deployment.base);
    let answer = support::http()
        .post(url)
        .body(ring().to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers().contains_key("www-authenticate"));
    let problem: Value = answer.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("vapi.auth"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_token_of_the_token_endpoint_lets_vapi_in_also_after_a_restart() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_AUTH", "oauth2")], false);
    let ask = |base: &str, secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=voxline&client_secret={secret}");
        let request = support::http().post(format!("{base}/vapi/oauth/token"));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
    };
    let refused = ask(&deployment.base, "wrong").await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    // As OAuth has it, and as the OpenAPI document says.
    assert_eq!(refused.headers()["content-type"], "application/json");
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused, json!({"error": "invalid_client"}));
    let document = serde_json::to_value(voxline::reply::openapi()).unwrap();
    let told = &document["paths"]["/vapi/oauth/token"]["post"]["responses"]["401"]["content"];
    assert!(told["application/json"].is_object(), "{told}");
    let granted: Value = ask(&deployment.base, "vapi-test-secret")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let enter = |base: &str, token: &str| {
        let request = support::http()
            .post(format!("{base}/vapi/events"))
            .bearer_auth(token);
        request.body(ring().to_string()).send()
    };
    assert_eq!(
        enter(&deployment.base, &token).await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(
        enter(&deployment.base, "another").await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    deployment.restart();
    assert_eq!(
        enter(&deployment.base, &token).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_call_to_no_number_of_ours_is_answered_and_searched_nowhere() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let answer =
        deployment.send(json!({"type": "assistant-request", "call": {"id": "c-web", "type": "webCall"}}));
    assert_eq!(answer["assistantId"], "a-1", "{answer}");
    assert_eq!(
        answer["assistantOverrides"]["variableValues"]["identity_status"],
        "unknown"
    );
    let other = deployment.send(json!({
        "type": "assistant-request", "phoneNumber": {"number": "+12025550177"}, "customer": {"number": ALICE.0},
        "call": {"id": "c-other"},
    }));
    assert_eq!(
        other["assistantOverrides"]["variableValues"]["line_owner_name"], "",
        "{other}"
    );
    assert!(deployment.calls().await.is_empty());
    // A number that only its id names is looked up on Vapi's side.
    deployment
        .peer
        .shelve("phone-number", json!({"id": "pn-9", "number": NUMBER}));
    let named = deployment.send(json!({
        "type": "assistant-request", "customer": {"number": ALICE.0}, "call": {"id": "c-id", "phoneNumberId": "pn-9"},
    }));
    assert_eq!(
        named["assistantOverrides"]["variableValues"]["line_owner_name"], "Alice",
        "{named}"
    );
}

#[tokio::test]
async fn whom_the_invite_is_to_never_beats_what_vapi_says_was_dialed() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let other = "+12025550188";
    deployment.run(&["number", "add", other]);
    deployment
        .peer
        .shelve("phone-number", json!({"id": "pn-9", "number": NUMBER}));
    let sip = json!({"sip": {"headers": {"To": format!("<sip:{other}@h>")}}});
    // The id says which number it is; of one that Vapi does not know either, nothing is guessed.
    for (call, id) in [("c-to", "pn-9"), ("c-unknown", "pn-nobody-has")] {
        deployment.send(json!({
            "type": "status-update", "status": "in-progress", "customer": {"number": ALICE.0},
            "call": {"id": call, "phoneNumberId": id, "phoneCallProviderDetails": sip},
        }));
    }
    for (call, id, named) in [("c-to", "pn-9", true), ("c-unknown", "pn-nobody-has", false)] {
        let answer = deployment.send(json!({
            "type": "tool-calls", "call": {"id": call, "phoneNumberId": id, "phoneCallProviderDetails": sip},
            "toolCallList": [{"id": "t-1", "type": "function", "function": {"name": "identify_caller", "arguments": {}}}],
        }));
        assert_eq!(answer.to_string().contains("Alice"), named, "{answer}");
    }
    let calls = deployment.calls().await;
    let numbers: Vec<_> = calls.iter().map(|call| &call["number"]).collect();
    assert_eq!(numbers, [&json!(NUMBER)], "{calls:?}");
}

#[tokio::test]
async fn a_sip_address_names_the_dialed_number_without_vapis_api() {
    let settings = [("VOXLINE_VAPI_SIP_NUMBERS", "+12025550102=sip:office@sip.vapi.ai")];
    let mut deployment = TestDeployment::open_with(&settings, false);
    for (call, address) in [
        ("c-office", "sip:office@sip.vapi.ai"),
        ("c-plain", "sip:+12025550102@sip.vapi.ai"),
    ] {
        let answer = deployment.send(json!({
            "type": "assistant-request", "phoneNumber": {"provider": "vapi", "sipUri": address},
            "customer": {"number": ALICE.0}, "call": {"id": call},
        }));
        let said = &answer["assistantOverrides"]["variableValues"]["line_owner_name"];
        assert_eq!(said, "Alice", "{answer}");
    }
}
