//! Twilio's callers asked for a PIN before they are handed on.

use serde_json::{Value, json};
use voxline::carriers::Carrier::Twilio;

use super::peer::{Deployment, NUMBER, PIN, PUBLIC, call, direct, of_tier, token_in};
use super::proofs::{TOKEN, twilio_signature};
use crate::process::{Logged, program};
use crate::support;

/// Where what was typed goes.
const TYPED: &str = "/carriers/twilio/voice?typed=pin";
pub const PROMPT: &str = "Please type your PIN, or wait.";

async fn asking(settings: &[(&'static str, &str)]) -> Deployment {
    let mut all = vec![
        ("VOXLINE_TWILIO_PIN_PROMPT", PROMPT),
        ("VOXLINE_TWILIO_PIN_SECONDS", "3"),
    ];
    all.extend(settings);
    Deployment::start_with(&all).await
}

/// Twilio's signature of a form to this path.
fn proof_at(path: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![("x-twilio-signature", twilio_signature(TOKEN, path, body))]
}

/// What Twilio sends when a caller has typed: the fields of the call, though not who forwarded it.
pub async fn types(deployment: &Deployment, id: &'static str, digits: &str) -> (u16, String) {
    let ringing = direct(id).webhook(Twilio).replace("ringing", "in-progress");
    let body = format!("{ringing}&msg=Gather+End&Digits={digits}");
    deployment
        .send_to(Twilio, TYPED, &body, &proof_at(TYPED, &body))
        .await
}

/// Plays the call's fork to its end, without a voice; the verdict.
async fn verdict(deployment: &Deployment, id: &str, token: &str) -> Value {
    deployment.hear(Twilio, id, token, "comfort-noise", "").await
}

#[tokio::test]
async fn a_pin_typed_before_handing_on_is_evidence_and_written_nowhere() {
    let deployment = asking(&[]).await;
    let (status, twiml) = deployment.ring(Twilio, &call("CA-typed")).await;
    assert_eq!(status, 200, "{twiml}");
    let order = ["<Stream", "<Gather", PROMPT, "</Gather>", "<Dial"].map(|part| twiml.find(part));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{twiml}");
    let action = format!("action=\"https://id.example.com{TYPED}\" method=\"POST\"");
    assert!(twiml.contains(&action), "{twiml}");

    let (status, after) = types(&deployment, "CA-typed", PIN).await;
    assert_eq!(status, 200, "{after}");
    // Handed on, with the forwarder that the first webhook named, and neither forked nor asked again.
    assert!(
        after.contains(&format!(
            "sip:{NUMBER}@sip.vapi.ai?X-Forwarded-From=%2B12025550103"
        )),
        "{after}"
    );
    assert!(
        !after.contains("<Stream") && !after.contains("<Gather"),
        "{after}"
    );

    let said = verdict(&deployment, "CA-typed", &token_in(Twilio, &twiml)).await;
    let found = of_tier(&said, "T4");
    assert_eq!(found.len(), 1, "{said}");
    assert_eq!(
        (&found[0]["user_id"], &found[0]["source"]),
        (&json!(deployment.alice), &json!("keypad"))
    );
    assert_eq!(said["speaker"]["status"], "claimed", "{said}");
    assert!(!said.to_string().contains(PIN), "a PIN was kept");
}

#[tokio::test]
async fn what_is_typed_is_in_no_log_however_much_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let added = program(data.path()).args(["number", "add", NUMBER]).status();
    assert!(added.unwrap().success());
    let settings = [
        ("VOXLINE_PUBLIC_URL", PUBLIC),
        ("VOXLINE_TWILIO_AUTH_TOKEN", TOKEN),
        ("VOXLINE_TWILIO_PIN_PROMPT", PROMPT),
    ];
    let logged = Logged::start(data.path(), &settings).await;
    let base = &logged.base;
    let voice = "/carriers/twilio/voice";
    let ringing = call("CA-log").webhook(Twilio);
    let typed = format!("{ringing}&Digits={PIN}");
    for (path, body, status) in [(voice, &ringing, 200), (TYPED, &typed, 200), (TYPED, &typed, 200)] {
        let mut request = support::http().post(format!("{base}{path}")).body(body.clone());
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in proof_at(path, body) {
            request = request.header(name, value);
        }
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    // Signed for nothing: refused, and as silent.
    let forged = support::http().post(format!("{base}{TYPED}")).body(typed);
    assert_eq!(forged.send().await.unwrap().status(), 401);
    let log = logged.end();
    assert!(
        log.contains("/carriers/{carrier}/voice"),
        "the requests are in the log"
    );
    assert!(!log.contains(PIN), "a PIN is in the log");
}

#[tokio::test]
async fn whoever_types_nothing_or_nonsense_is_handed_on_all_the_same() {
    let deployment = asking(&[]).await;
    let (_, twiml) = deployment.ring(Twilio, &call("CA-nothing")).await;
    // Nothing typed: Twilio goes on in the document, where the call is handed on.
    let (_, rest) = twiml.split_once("</Gather>").unwrap();
    assert!(
        rest.contains("<Dial") && rest.contains("X-Forwarded-From=%2B12025550103"),
        "{twiml}"
    );
    for digits in [
        "",
        "%23",
        "12",
        "00000000",
        "%2A%2A%2A",
        "999999999999999999999999999999999999",
    ] {
        let (status, after) = types(&deployment, "CA-nothing", digits).await;
        assert_eq!(status, 200, "{digits}: {after}");
        assert!(
            after.contains("<Dial") && !after.contains("<Gather"),
            "{digits}: {after}"
        );
    }
    let said = verdict(&deployment, "CA-nothing", &token_in(Twilio, &twiml)).await;
    assert!(of_tier(&said, "T4").is_empty(), "{said}");
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn wrong_pins_count_once_a_call_and_lock_out_as_on_any_keypad() {
    let deployment = asking(&[("VOXLINE_IDENTITY_PIN_ATTEMPTS", "2")]).await;
    let ring = async |id| {
        let (_, twiml) = deployment.ring(Twilio, &call(id)).await;
        token_in(Twilio, &twiml)
    };
    let first = ring("CA-1").await;
    for _ in 0..4 {
        // Twilio sends a webhook again whose answer was lost.
        types(&deployment, "CA-1", "00000000").await;
    }
    assert!(of_tier(&verdict(&deployment, "CA-1", &first).await, "T4").is_empty());
    // One wrong try of two: the right one still counts.
    let second = ring("CA-2").await;
    types(&deployment, "CA-2", PIN).await;
    assert_eq!(
        of_tier(&verdict(&deployment, "CA-2", &second).await, "T4").len(),
        1
    );
    // The same digits again at once would be no new guess.
    for (id, digits) in [("CA-3", "00000001"), ("CA-4", "00000002")] {
        let token = ring(id).await;
        types(&deployment, id, digits).await;
        verdict(&deployment, id, &token).await;
    }
    let last = ring("CA-5").await;
    let (status, after) = types(&deployment, "CA-5", PIN).await;
    assert!(status == 200 && after.contains("<Dial"), "{after}");
    let said = verdict(&deployment, "CA-5", &last).await;
    assert!(of_tier(&said, "T4").is_empty(), "locked out: {said}");
}

#[tokio::test]
async fn digits_that_twilio_did_not_sign_are_refused() {
    let deployment = asking(&[]).await;
    let (_, twiml) = deployment.ring(Twilio, &call("CA-forged")).await;
    let body = format!("CallSid=CA-forged&From=%2B12025550101&To=%2B12025550102&Digits={PIN}");
    // Unsigned, and signed for the address without what makes it a PIN.
    for headers in [Vec::new(), proof_at("/carriers/twilio/voice", &body)] {
        let (status, _) = deployment.send_to(Twilio, TYPED, &body, &headers).await;
        assert_eq!(status, 401);
    }
    let said = verdict(&deployment, "CA-forged", &token_in(Twilio, &twiml)).await;
    assert!(of_tier(&said, "T4").is_empty(), "{said}");
}

#[tokio::test]
async fn nobody_is_asked_unless_it_is_configured_and_the_number_is_ours() {
    let deployment = Deployment::start().await;
    let (_, twiml) = deployment.ring(Twilio, &call("CA-plain")).await;
    assert!(!twiml.contains("<Gather") && twiml.contains("<Dial"), "{twiml}");
    let others = asking(&[("VOXLINE_TWILIO_PIN_NUMBERS", "+12025550109")]).await;
    let (_, twiml) = others.ring(Twilio, &call("CA-other")).await;
    assert!(!twiml.contains("<Gather") && twiml.contains("<Dial"), "{twiml}");
}
