//! Enrolment by telephone: who may be enrolled, and what takes their consent back.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, STRANGER, TestDeployment, script};

/// Carol's number, which is hers alone, and her telephone.
const CAROL: (&str, &str) = ("+12025550110", "+12025550105");

fn open() -> TestDeployment {
    TestDeployment::open_with(&[("VOXLINE_VAPI_ENROLL_BY_PHONE", "true")], false)
}

#[tokio::test]
async fn a_call_that_came_through_somebodys_line_enrols_nobody_as_them() {
    let mut deployment = open();
    deployment.run(&["number", "add", CAROL.0]);
    let words = ["user", "add", "--name", "Carol", "--number", CAROL.0];
    deployment.run(&[&words[..], &["--phone", CAROL.1, "--exclusive"]].concat());
    let answer = deployment.send(json!({
        "type": "assistant-request", "timestamp": 1, "phoneNumber": {"provider": "twilio", "number": CAROL.0},
        "customer": {"number": STRANGER},
        "call": {
            "id": "c-through", "type": "inboundPhoneCall", "status": "ringing",
            "transport": {"provider": "twilio", "forwardedFrom": CAROL.1},
        },
    }));
    let variables = &answer["assistantOverrides"]["variableValues"];
    assert_eq!(variables["line_owner_name"], "Carol", "{answer}");
    let said = deployment.tool("c-through", "t-1", "enroll_voice", json!({}));
    assert!(said.contains("prove who they are"), "{said}");
}

/// Has the caller say this and calls `enroll_voice`, again and again until it says that: what was said is worked on after it
/// was acknowledged, and an answer only counts after the question.
async fn enrols_until(deployment: &mut TestDeployment, at: u32, words: &str, contains: &str) {
    let mut said = String::new();
    for attempt in 0..100 {
        deployment.send(transcript(at + attempt, "user", words));
        let step = at + attempt;
        said = deployment.tool("c-back", &format!("t-{step}"), "enroll_voice", json!({}));
        if said.contains(contains) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{contains} was not said: {said}");
}

fn transcript(at: u32, role: &str, words: &str) -> Value {
    json!({
        "type": "transcript", "timestamp": at, "role": role, "transcriptType": "final", "transcript": words,
        "call": {"id": "c-back"}, "phoneNumber": {"number": NUMBER},
    })
}

/// A call on which Alice's PIN was given and the question of consent is to be put: the question.
fn asked(deployment: &mut TestDeployment) -> String {
    deployment.ring("c-back", STRANGER);
    deployment.tool("c-back", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    let asked = deployment.tool("c-back", "t-2", "enroll_voice", json!({}));
    asked.split("\\\"").nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn speech_of_a_mix_that_is_nobodys_enrols_nobody() {
    let settings = [("VOXLINE_VAPI_ENROLL_BY_PHONE", "true")];
    let mut deployment = TestDeployment::open_with(&settings, true);
    let question = asked(&mut deployment);
    deployment.send(transcript(1_000, "assistant", &question));
    enrols_until(&mut deployment, 1_001, "Yes, I agree.", "More speech is needed").await;
    // Of who speaks then nothing is told, as after a handover of which no word came.
    let mut parts = vec![("assistant", "robert-1")];
    parts.extend([("other", "alice-1"), ("other", "alice-2")].repeat(3));
    let play = json!({"script": script(&parts), "channels": 1, "announce": false});
    deployment.answer("c-back", play, json!({}));
    deployment.played("c-back");
    deployment.logged("nobody is heard in the mix of c-back").await;
    let said = deployment.tool("c-back", "t-last", "enroll_voice", json!({}));
    assert!(said.contains("] More speech is needed"), "{said}");
}

#[tokio::test]
async fn consent_is_taken_back_until_the_voice_is_enrolled() {
    let mut deployment = open();
    let question = asked(&mut deployment);
    for (at, again) in [
        (1_000, "Actually no, I don't want that, please stop."),
        (2_000, "No."),
    ] {
        deployment.send(transcript(at, "assistant", &question));
        if at == 1_000 {
            enrols_until(&mut deployment, at + 1, "Yes, I agree.", "More speech is needed").await;
        }
        let next = if at == 1_000 {
            "may not want it"
        } else {
            "refused: "
        };
        deployment.send(transcript(at + 200, "user", again));
        enrols_until(&mut deployment, at + 201, "Well.", next).await;
    }
}
