//! PINs on Vapi: what of a keypad is one, what counts once, and one that several users of the line have.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, ROBERT, STRANGER, TestDeployment, silent};
use crate::support;

/// A house in which Carol has Alice's PIN, and nobody's voice is known; with Carol's id.
fn shared() -> (TestDeployment, String) {
    let settings = [
        ("VOXLINE_IDENTITY_PINS_UNIQUE", "false"),
        ("VOXLINE_VAPI_ENROLL_BY_PHONE", "true"),
        ("VOXLINE_VAPI_TRUST_FORWARDED", "always"),
        ("VOXLINE_VAPI_TOOL_SECONDS", "1"),
    ];
    let deployment = TestDeployment::open_with(&settings, false);
    let words = ["user", "add", "--name", "Carol", "--number", NUMBER];
    let carol = deployment.run(&[&words[..], &["--phone", "+12025550105", "--pin", ALICE.1]].concat());
    (deployment, carol["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_shared_pin_is_right_and_names_nobody_by_itself() {
    let (mut deployment, carol) = shared();
    deployment.ring("c-shared", STRANGER);
    let said = deployment.tool("c-shared", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    assert!(
        said.contains("] right, and it names nobody yet: several users of this line have this PIN"),
        "{said}"
    );
    assert!(!said.contains("verified"), "{said}");
    let who = deployment.tool("c-shared", "t-2", "identify_caller", json!({}));
    assert!(
        !who.contains("] identified") && !who.contains("] claimed"),
        "{who}"
    );
    for said in [&said, &who] {
        for name in ["Alice", "Carol", &deployment.alice, &carol, ALICE.1] {
            assert!(!said.contains(name), "{name}: {said}");
        }
    }
    // It counts as no proof of who they are.
    let enrol = deployment.tool("c-shared", "t-3", "enroll_voice", json!({}));
    assert!(enrol.contains("prove who they are"), "{enrol}");

    // The INVITE says that Alice's telephone forwarded the call: the line is hers, and anybody may speak on it.
    let headers = json!({"Diversion": format!("<sip:{}@h>;reason=unconditional", ALICE.0)});
    deployment.answer("c-shared", silent(), headers);
    deployment.told("c-shared", "that of Alice");
    let again = deployment.tool("c-shared", "t-4", "verify_pin", json!({"pin": ALICE.1}));
    assert!(again.contains("] right, and it names nobody yet: "), "{again}");
    deployment.end("c-shared");
    let last = deployment.last_word("c-shared").await;
    assert_eq!(
        last["verdict"]["line_owner"]["user_id"], deployment.alice,
        "{last}"
    );
    assert_eq!(last["verdict"]["speaker"]["user_id"], Value::Null, "{last}");
}

#[tokio::test]
async fn a_shared_pin_is_that_of_the_one_whom_the_rest_of_the_call_leaves() {
    let (mut deployment, carol) = shared();
    deployment.ring("c-hers", ALICE.0);
    let said = deployment.tool("c-hers", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    let hers = format!(
        "by everything else on this call it is Alice (user {})",
        deployment.alice
    );
    assert!(
        said.contains("] verified: several users of this line have this PIN"),
        "{said}"
    );
    assert!(
        said.contains(&hers) && !said.contains(&carol) && !said.contains("Carol"),
        "{said}"
    );
    // Nor may somebody be enrolled as Alice who shares her PIN and uses her telephone.
    let enrol = deployment.tool("c-hers", "t-2", "enroll_voice", json!({}));
    assert!(enrol.contains("prove who they are"), "{enrol}");
}

#[tokio::test]
async fn beside_a_shared_pin_ones_own_names_and_a_wrong_one_counts() {
    let (mut deployment, _) = shared();
    deployment.ring("c-own", STRANGER);
    let wrong = deployment.tool("c-own", "t-1", "verify_pin", json!({"pin": "9999"}));
    assert!(
        wrong.contains("] wrong: this PIN is nobody's on this line; 2 attempts are left"),
        "{wrong}"
    );
    let own = deployment.tool("c-own", "t-2", "verify_pin", json!({"pin": ROBERT.1}));
    let his = format!(
        "] verified: the PIN is that of Robert (user {})",
        deployment.robert
    );
    assert!(own.contains(&his), "{own}");
}

#[tokio::test]
async fn whose_pin_was_given_on_a_call_is_known_after_a_restart() {
    let (mut deployment, _) = shared();
    deployment.ring("c-on", STRANGER);
    let own = deployment.tool("c-on", "t-1", "verify_pin", json!({"pin": ROBERT.1}));
    assert!(own.contains("verified: "), "{own}");
    // Lists show what is recorded.
    for _ in 0..1_200 {
        let listed = deployment.calls().await;
        if listed
            .iter()
            .any(|call| call["verdict"]["line_owner"]["user_id"] == deployment.robert)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    deployment.restart();
    let who = deployment.tool("c-on", "t-2", "identify_caller", json!({}));
    assert!(
        who.contains("] claimed: ") && who.contains("Robert") && !who.contains("pending"),
        "{who}"
    );
    // Who proved who they are may be enrolled, and need not prove it again.
    let asked = deployment.tool("c-on", "t-3", "enroll_voice", json!({}));
    assert!(asked.contains("Do you agree"), "{asked}");
}

/// A house in which nobody's voice is known, with these settings.
fn plain(settings: &[(&str, &str)]) -> TestDeployment {
    TestDeployment::open_with(settings, false)
}

/// What was typed on a call's keypad so far, as Vapi tells it: the whole conversation.
fn typed(call: &str, at: u32, entries: &[&str]) -> Value {
    let entry = |digits: &&str| json!({"role": "user", "message": format!("User's Keypad Entry: {digits}")});
    let messages: Vec<Value> = entries.iter().map(entry).collect();
    json!({
        "type": "conversation-update", "timestamp": at, "call": {"id": call}, "phoneNumber": {"number": NUMBER},
        "messages": messages,
    })
}

/// What came of every try of a PIN, once there are so many; the latest first.
async fn tried(deployment: &TestDeployment, count: usize) -> Vec<String> {
    let mut tried = Vec::new();
    for _ in 0..200 {
        let entries = deployment.get("/v1/audit?act=pin.try").await;
        let outcome = |entry: &Value| entry["outcome"].as_str().unwrap().to_owned();
        tried = entries.as_array().unwrap().iter().map(outcome).collect();
        if tried.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tried
}

#[tokio::test]
async fn what_is_typed_and_has_no_pins_length_is_no_try_of_one() {
    let mut deployment = plain(&[]);
    deployment.ring("c-order", STRANGER);
    // Order numbers, the last with a customer's number that somebody ended early.
    let entries = ["123456", "234567", "345678", "123#", ROBERT.1];
    deployment.send(typed("c-order", 10, &entries));
    assert_eq!(tried(&deployment, 1).await, ["right"]);
    let who = deployment.tool("c-order", "t-1", "identify_caller", json!({}));
    assert!(who.contains("Robert"), "{who}");
}

#[tokio::test]
async fn an_entry_that_is_shorter_than_pins_may_be_is_one_without_its_hash() {
    let mut deployment = plain(&[("VOXLINE_IDENTITY_PIN_LENGTH", "6")]);
    deployment.ring("c-short", STRANGER);
    deployment.send(typed("c-short", 10, &["1234567", "730", ROBERT.1]));
    assert_eq!(tried(&deployment, 1).await, ["right"]);
    let who = deployment.tool("c-short", "t-1", "identify_caller", json!({}));
    assert!(who.contains("Robert"), "{who}");
}

#[tokio::test]
async fn a_pin_that_is_passed_as_a_number_is_not_tried_and_asked_for_as_text() {
    let mut deployment = plain(&[]);
    let carol = ["--phone", "+12025550105", "--pin", "0421"];
    deployment.run(
        &[
            &["user", "add", "--name", "Carol", "--number", NUMBER][..],
            &carol,
        ]
        .concat(),
    );
    deployment.ring("c-number", STRANGER);
    for (nth, pin) in [json!(421), json!(7305), json!(7305.0)].into_iter().enumerate() {
        let said = deployment.tool(
            "c-number",
            &format!("t-{nth}"),
            "verify_pin",
            json!({ "pin": pin }),
        );
        assert!(
            said.contains("not tried") && said.contains("as text"),
            "{pin}: {said}"
        );
    }
    let right = deployment.tool("c-number", "t-text", "verify_pin", json!({"pin": "0421"}));
    assert!(right.contains("verified: ") && right.contains("Carol"), "{right}");
    assert_eq!(tried(&deployment, 1).await, ["right"]);
}

#[tokio::test]
async fn where_keypad_entries_are_no_pins_the_tool_takes_digits_still() {
    let mut deployment = plain(&[("VOXLINE_VAPI_KEYPAD_PINS", "never")]);
    deployment.ring("c-never", STRANGER);
    deployment.send(typed("c-never", 10, &["9999", "9998", "9997"]));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let right = deployment.tool("c-never", "t-1", "verify_pin", json!({"pin": ROBERT.1}));
    assert!(right.contains("verified: "), "{right}");
    assert_eq!(tried(&deployment, 1).await, ["right"]);
}

#[tokio::test]
async fn a_keypad_entry_is_tried_once_however_often_it_is_told() {
    let mut deployment = plain(&[]);
    deployment.ring("c-again", STRANGER);
    for (nth, pin) in ["9999", "9998", "9997"].iter().enumerate() {
        deployment.tool("c-again", &format!("t-{nth}"), "verify_pin", json!({"pin": pin}));
    }
    // Locked: what is typed now is tried, and not with each update anew.
    for at in 10..16 {
        deployment.send(typed("c-again", at, &[ROBERT.1]));
    }
    deployment.send(typed("c-again", 20, &[ROBERT.1, ROBERT.1]));
    tried(&deployment, 5).await;
    // For whatever would be tried too often.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let tried = tried(&deployment, 5).await;
    assert_eq!(tried, ["locked", "locked", "wrong, locked now", "wrong", "wrong"]);
}

#[tokio::test]
async fn digits_that_a_carrier_and_vapi_bring_are_one_guess() {
    let settings = [
        ("VOXLINE_BANDWIDTH_USERNAME", "voxline"),
        ("VOXLINE_BANDWIDTH_PASSWORD", "bandwidth-test"),
    ];
    let mut deployment = plain(&settings);
    let mut webhooks = vec![json!({"eventType": "initiate", "from": STRANGER, "to": NUMBER})];
    webhooks.extend(["9"; 4].map(|digit| json!({"eventType": "dtmf", "digit": digit})));
    for mut webhook in webhooks {
        webhook["callId"] = json!("c-carrier");
        let url = format!("{}/carriers/bandwidth/voice", deployment.base);
        let request = support::http().post(url).json(&webhook);
        let request = request.basic_auth("voxline", Some("bandwidth-test"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!(tried(&deployment, 1).await, ["wrong"]);
    deployment.ring("c-vapi", STRANGER);
    for (pin, left) in [("9999", "2 attempts are left"), ("9998", "1 attempts are left")] {
        let said = deployment.tool("c-vapi", pin, "verify_pin", json!({"pin": pin}));
        assert!(said.contains(left), "{said}");
    }
}
