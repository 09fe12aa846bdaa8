//! A carrier that writes the forwarding user's own number into From, and nothing else.

use serde_json::{Value, json};
use voxline::carriers::Carrier;
use voxline::carriers::Carrier::Bandwidth;

use super::peer::{ALICE, CALLER, Call, Deployment, NUMBER, token_in};

/// The service's own idea of who may be named: these are tests of what follows from a voice.
const USUAL: [(&str, &str); 2] = [
    ("VOXLINE_DECISION_ACCEPT", "0.97"),
    ("VOXLINE_DECISION_UNKNOWN_SHARE", "0.5"),
];

/// A call rings from Alice's number; its token, and what is said of it before anybody is heard.
async fn ring(deployment: &Deployment, id: &'static str) -> (String, Value) {
    let call = Call {
        id,
        from: ALICE,
        forwarded: None,
    };
    let (status, answer) = deployment.ring(Bandwidth, &call).await;
    assert_eq!(status, 200, "{answer}");
    let (_, known) = deployment.service.get(&format!("/v1/calls/{id}")).await;
    (token_in(Bandwidth, &answer), known["verdict"].clone())
}

#[tokio::test]
async fn after_a_strangers_voice_a_number_greets_nobody_until_its_user_speaks() {
    let deployment = Deployment::start_with(&USUAL).await;
    let alice = json!(deployment.alice);
    // Nothing is known yet: the number is taken for the phone of who calls.
    let (token, first) = ring(&deployment, "c-1").await;
    assert_eq!(first["speaker"]["status"], "claimed", "{first}");
    let heard = deployment.hear(Bandwidth, "c-1", &token, "fergus-1", "").await;
    assert_eq!(heard["speaker"]["status"], "third_party", "{heard}");

    let (token, second) = ring(&deployment, "c-2").await;
    assert_eq!(second["speaker"]["user_id"], Value::Null, "{second}");
    assert_eq!(second["line_owner"]["user_id"], alice, "{second}");
    let note = second["evidence"][0]["note"].as_str().unwrap();
    assert!(note.contains("heard with other voices"), "{note}");
    // It was Alice after all, on her own phone.
    let heard = deployment.hear(Bandwidth, "c-2", &token, "alice-1", "").await;
    assert_eq!(heard["speaker"]["user_id"], alice, "{heard}");

    let (_, third) = ring(&deployment, "c-3").await;
    assert_eq!(third["speaker"]["status"], "claimed", "{third}");
}

#[tokio::test]
async fn a_number_that_was_said_to_be_rewritten_or_not_is_not_found_out_about() {
    let deployment = Deployment::start_with(&USUAL).await;
    let (token, _) = ring(&deployment, "c-1").await;
    deployment.hear(Bandwidth, "c-1", &token, "fergus-1", "").await;
    for (rule, named) in [("never", true), ("always", false)] {
        let url = format!(
            "{}/v1/numbers/{}",
            deployment.service.base,
            NUMBER.replace('+', "%2B")
        );
        let patch = deployment
            .service
            .http
            .patch(url)
            .bearer_auth(&deployment.service.key);
        let changed = patch
            .json(&json!({"caller_is_forwarder": rule}))
            .send()
            .await
            .unwrap();
        assert!(changed.status().is_success(), "{}", changed.status());
        let (_, said) = ring(&deployment, if named { "c-never" } else { "c-always" }).await;
        assert_eq!(said["speaker"]["user_id"].is_string(), named, "{rule}: {said}");
    }
}

#[tokio::test]
async fn a_forwarded_call_from_the_number_its_header_names_counts_once() {
    let deployment = Deployment::start_with(&USUAL).await;
    for id in ["c-1", "c-2"] {
        let call = Call {
            id,
            from: if id == "c-1" { ALICE } else { CALLER },
            forwarded: Some(ALICE),
        };
        let (_, answer) = deployment.ring(Carrier::Bandwidth, &call).await;
        let token = token_in(Carrier::Bandwidth, &answer);
        let said = deployment.hear(Bandwidth, id, &token, "fergus-1", "").await;
        assert_eq!(said["speaker"]["status"], "third_party", "{said}");
    }
    // Her own phone is hers as before.
    let (_, said) = ring(&deployment, "c-3").await;
    assert_eq!(said["speaker"]["status"], "claimed", "{said}");
}
