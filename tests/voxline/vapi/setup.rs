//! `voxline vapi`: plan, apply, check, against the API of the peer.

use serde_json::{Value, json};

use super::harness::{NUMBER, SECRET, TestDeployment};

fn states(steps: &Value) -> Vec<(String, String)> {
    let text = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (text(step, "what"), text(step, "state")))
        .collect()
}

#[tokio::test]
async fn what_is_applied_once_is_as_planned_and_applied_twice_is_untouched() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_FALLBACK_ASSISTANT_ID", "")], false);
    let guided = "Believe only [{{identity_marker}}].";
    for (shelf, entry) in [
        (
            "assistant",
            json!({"id": "a-1", "name": "mine", "serverMessages": ["hang"], "model": {
            "provider": "openai", "messages": [{"role": "system", "content": guided}], "toolIds": ["own-tool"]}}),
        ),
        (
            "phone-number",
            json!({"id": "pn-1", "provider": "vapi", "number": NUMBER, "assistantId": "a-1"}),
        ),
    ] {
        deployment.peer.shelve(shelf, entry);
    }
    let plan = deployment.run(&["vapi", "plan"]);
    assert_eq!(plan["numbers"][0]["number"], NUMBER);
    assert!(!plan.to_string().contains(SECRET), "a plan shows no secret");
    let before = states(&deployment.run(&["vapi", "check"]));
    assert!(
        before
            .iter()
            .any(|(_, state)| state == "missing" || state == "differs"),
        "{before:?}"
    );

    let applied = states(&deployment.run(&["vapi", "apply"]));
    assert!(
        applied
            .iter()
            .any(|(what, state)| what.starts_with("tool") && state == "created"),
        "{applied:?}"
    );
    let shelves = deployment.peer.ask(&json!({"do": "shelf"}));
    assert_eq!(
        shelves["credential"][0]["authenticationPlan"]["secretKey"],
        SECRET
    );
    let assistant = &shelves["assistant"][0];
    assert_eq!(
        assistant["model"]["messages"][0]["content"], guided,
        "prompts are their owner's"
    );
    assert_eq!(assistant["model"]["toolIds"].as_array().unwrap().len(), 3);
    assert!(
        assistant["serverMessages"]
            .as_array()
            .unwrap()
            .contains(&json!("hang"))
    );
    assert_eq!(assistant["monitorPlan"]["controlAuthenticationEnabled"], true);
    let number = &shelves["phone-number"][0];
    assert_eq!(
        (&number["assistantId"], &number["server"]["url"]),
        (&Value::Null, &json!("https://id.example.com/vapi/events"))
    );
    assert_eq!(number["server"]["credentialId"], shelves["credential"][0]["id"]);

    let again = states(&deployment.run(&["vapi", "apply"]));
    assert!(again.iter().all(|(_, state)| state == "ok"), "{again:?}");
    let checked = states(&deployment.run(&["vapi", "check"]));
    assert!(checked.iter().all(|(_, state)| state == "ok"), "{checked:?}");
    assert_eq!(deployment.peer.ask(&json!({"do": "shelf"})), shelves);
}

#[tokio::test]
async fn an_applied_credential_is_named_in_answers_from_the_next_start() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let server = |answer: &Value| answer["assistantOverrides"]["server"].clone();
    let before = server(&deployment.ring("c-before", "+12025550199"));
    assert_eq!(before["credentialId"], Value::Null, "{before}");
    deployment.run(&["vapi", "apply"]);
    let shelves = deployment.peer.ask(&json!({"do": "shelf"}));
    let made = shelves["credential"][0]["id"].clone();
    assert!(made.is_string(), "{shelves}");
    deployment.restart();
    let after = server(&deployment.ring("c-after", "+12025550199"));
    assert_eq!(after["credentialId"], made, "{after}");
}

#[tokio::test]
async fn a_deployment_without_an_assistant_is_given_one() {
    let none = [
        ("VOXLINE_VAPI_ASSISTANT_ID", ""),
        ("VOXLINE_VAPI_FALLBACK_ASSISTANT_ID", ""),
    ];
    let mut deployment = TestDeployment::open_with(&none, false);
    let refused = deployment.ring("c-none", "+12025550199");
    assert!(
        refused["error"].as_str().is_some_and(|said| !said.is_empty()),
        "{refused}"
    );
    let steps = deployment.run(&["vapi", "apply"]);
    let told = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["what"] == "vapi.assistant_id")
        .unwrap();
    assert!(told["remedy"].as_str().unwrap().contains("assistant-"), "{told}");
    let shelves = deployment.peer.ask(&json!({"do": "shelf"}));
    let prompt = shelves["assistant"][0]["model"]["messages"][0]["content"]
        .as_str()
        .unwrap();
    assert!(prompt.contains("{{identity_marker}}"));
    deployment.run(&["vapi", "apply"]);
    let shelves = deployment.peer.ask(&json!({"do": "shelf"}));
    assert_eq!(shelves["assistant"].as_array().unwrap().len(), 1, "one is enough");
}
