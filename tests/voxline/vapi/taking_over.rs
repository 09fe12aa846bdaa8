//! `voxline vapi apply` on an account that somebody else's backend has: what is refused, kept, and said.

use serde_json::json;

use super::account::{Deployment, GUIDED, OURS, THEIRS};
use super::harness::NUMBER;

#[test]
fn anothers_server_is_not_taken_unasked_and_nothing_is_changed() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    let before = deployment.dump();
    let refused = deployment.run(&["vapi", "apply"]);
    assert_eq!(refused.code, 1);
    for what in ["assistant a-1", &format!("number {NUMBER}")] {
        let step = refused.of(what);
        assert_eq!(step["state"], "foreign", "{step}");
        assert_eq!(step["was"]["server"]["url"], THEIRS.replace("hunter2", "***"));
        let remedy = step["remedy"].as_str().unwrap();
        for part in ["crm.example.com", "--take-over", "vapi.upstream", "vapi.mode"] {
            assert!(remedy.contains(part), "{remedy} says nothing of {part}");
        }
    }
    assert_eq!(deployment.dump(), before);
    assert!(deployment.writes().is_empty());
    assert!(!deployment.data.path().join("vapi-undo.json").exists());
    let checked = deployment.run(&["vapi", "check"]);
    assert_eq!(checked.code, 1);
    assert_eq!(checked.of("assistant a-1")["state"], "foreign");
    let messages = checked.of(&format!("messages of calls to number {NUMBER}"));
    assert_eq!(messages["state"], "differs");
    assert!(
        messages["remedy"].as_str().unwrap().contains("its own server"),
        "{messages}"
    );
}

#[test]
fn taking_over_keeps_every_nested_field_that_is_not_ours() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    let taken = deployment.run(&["vapi", "apply", "--take-over"]);
    assert_eq!(taken.code, 0, "{}", taken.said);
    assert_eq!(
        taken.of("assistant a-1")["was"]["server"]["headers"]["X-Shop"],
        "***"
    );
    let credential = deployment.dump()["credential"][1].clone();
    let assistant = deployment.thing("assistant", "a-1");
    let server = json!({
        "url": OURS, "credentialId": credential["id"], "timeoutSeconds": 45, "staticIpAddressesEnabled": true,
        "headers": {"X-Shop": "hunter2"}, "backoffPlan": {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 2},
    });
    assert_eq!(assistant["server"], server);
    assert_eq!(assistant["monitorPlan"]["monitorIds"], json!(["m-1"]));
    assert_eq!(assistant["monitorPlan"]["listenEnabled"], true);
    assert_eq!(
        assistant["keypadInputPlan"],
        json!({"enabled": true, "delimiters": "*", "timeoutSeconds": 3})
    );
    assert_eq!(assistant["model"]["temperature"], 0.7);
    assert_eq!(assistant["model"]["toolIds"].as_array().unwrap().len(), 3);
    let messages = assistant["serverMessages"].as_array().unwrap();
    for message in [
        "transfer-destination-request",
        "handoff-destination-request",
        "tool-calls",
        "transfer-update",
    ] {
        assert!(messages.contains(&json!(message)), "{message} is sent no more");
    }
    let number = deployment.thing("phone-number", "pn-1");
    assert_eq!(number["server"]["headers"]["X-Line"], "hunter2");
    assert_eq!(number["fallbackDestination"]["number"], "+12025550199");
    assert_eq!(number.get("assistantId"), None);
    assert_eq!(
        deployment.thing("assistant", "a-2")["server"]["url"],
        THEIRS,
        "not in use here"
    );
    let everywhere =
        json!({"assistant": "a-1", "phone-number": "pn-1", "tool": deployment.dump()["tool"][1]["id"]});
    assert_eq!(deployment.first_url(&everywhere), OURS);

    let (held, writes) = (deployment.dump(), deployment.writes().len());
    let again = deployment.run(&["vapi", "apply"]);
    assert_eq!(
        (again.code, again.in_state("updated").len()),
        (0, 0),
        "{}",
        again.said
    );
    assert_eq!(deployment.writes().len(), writes, "a second time writes nothing");
    assert_eq!(deployment.dump(), held);
    assert_eq!(deployment.run(&["vapi", "check"]).code, 0);
}

#[test]
fn in_the_mode_of_numbers_assistants_keep_their_server_and_get_our_tools() {
    let mut deployment = Deployment::open(&[("VOXLINE_VAPI_MODE", "number")]);
    deployment.with_backend();
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "phone-number", "id": "pn-1", "at": "/server", "to": null}));
    let before = deployment.thing("assistant", "a-1");
    let applied = deployment.run(&["vapi", "apply"]);
    assert_eq!(applied.code, 0, "{}", applied.said);
    assert_eq!(applied.of("server of assistant a-1")["state"], "kept");
    let mut after = deployment.thing("assistant", "a-1");
    assert_eq!(after["model"]["toolIds"].as_array().unwrap().len(), 3);
    after["model"]["toolIds"] = before["model"]["toolIds"].clone();
    after["updatedAt"] = before["updatedAt"].clone();
    assert_eq!(after, before, "nothing else of it is touched");
    let tool = deployment.dump()["tool"][1]["id"].clone();
    let (call, number) = (
        json!({"assistant": "a-1", "phone-number": "pn-1"}),
        json!({"phone-number": "pn-1"}),
    );
    assert_eq!(deployment.first_url(&call), THEIRS);
    assert_eq!(deployment.first_url(&number), OURS);
    assert_eq!(
        deployment.first_url(&json!({"tool": tool, "assistant": "a-1"})),
        OURS
    );
    let checked = deployment.run(&["vapi", "check"]);
    assert_eq!(checked.code, 0, "{}", checked.said);
    assert_eq!(
        checked.of(&format!("messages of calls to number {NUMBER}"))["state"],
        "kept"
    );
}

#[test]
fn what_was_set_before_the_mode_changed_is_told_of() {
    let mut deployment = Deployment::open(&[]);
    deployment.shelve("assistant", json!({"id": "a-1"}));
    deployment.with_number();
    deployment.run(&["vapi", "apply"]);
    deployment.set("VOXLINE_VAPI_MODE", "number");
    let checked = deployment.run(&["vapi", "check"]);
    let server = checked.of("server of assistant a-1");
    assert_eq!(server["state"], "differs");
    assert!(
        server["remedy"].as_str().unwrap().contains("vapi undo"),
        "{server}"
    );
}

#[test]
fn a_squad_stays_and_is_told_of() {
    let mut deployment = Deployment::open(&[]);
    deployment.shelve(
        "squad",
        json!({"id": "s-1", "members": [{"assistantId": "a-1"}, {"assistantId": "a-2"}]}),
    );
    let prompt = json!({"messages": [{"role": "system", "content": GUIDED}]});
    deployment.shelve("assistant", json!({"id": "a-1", "model": prompt}));
    deployment.shelve("assistant", json!({"id": "a-2", "server": {"url": THEIRS}}));
    deployment.shelve(
        "phone-number",
        json!({"id": "pn-1", "provider": "vapi", "number": NUMBER, "squadId": "s-1"}),
    );
    let applied = deployment.run(&["vapi", "apply"]);
    assert_eq!(applied.code, 0, "{}", applied.said);
    assert_eq!(applied.of(&format!("squad of number {NUMBER}"))["state"], "kept");
    assert_eq!(deployment.thing("phone-number", "pn-1")["squadId"], "s-1");
    let checked = deployment.run(&["vapi", "check"]);
    let messages = checked.of(&format!("messages of calls to number {NUMBER}"));
    assert_eq!(messages["state"], "kept");
    let remedy = messages["remedy"].as_str().unwrap();
    assert!(remedy.contains("a-2") && !remedy.contains("a-1"), "{remedy}");
}

#[test]
fn calls_are_not_given_to_another_assistant_unasked() {
    let mut deployment = Deployment::open(&[]);
    deployment.shelve("assistant", json!({"id": "a-1"}));
    deployment.shelve("assistant", json!({"id": "a-9"}));
    deployment.shelve(
        "phone-number",
        json!({"id": "pn-1", "provider": "vapi", "number": NUMBER, "assistantId": "a-9"}),
    );
    let refused = deployment.run(&["vapi", "apply"]);
    assert_eq!(refused.code, 1);
    assert_eq!(refused.in_state("foreign"), [format!("calls to number {NUMBER}")]);
    assert!(deployment.writes().is_empty());
    deployment.set("VOXLINE_VAPI_ASSISTANTS", &format!("{NUMBER}=a-9"));
    let applied = deployment.run(&["vapi", "apply"]);
    assert!(applied.in_state("foreign").is_empty(), "{}", applied.said);
    assert_eq!(deployment.thing("phone-number", "pn-1").get("assistantId"), None);
}

#[test]
fn a_header_that_would_hide_our_signature_is_refused_whoever_takes_over() {
    let mut deployment = Deployment::open(&[("VOXLINE_VAPI_AUTH", "bearer")]);
    let server = json!({"url": THEIRS, "headers": {"Authorization": "Bearer hunter2"}});
    deployment.shelve("assistant", json!({"id": "a-1", "server": server}));
    deployment.with_number();
    let refused = deployment.run(&["vapi", "apply", "--take-over"]);
    assert_eq!(refused.code, 1);
    assert_eq!(refused.in_state("foreign"), ["headers of assistant a-1"]);
    assert!(deployment.writes().is_empty());
}

#[test]
fn every_way_of_authentication_makes_a_credential_that_vapi_takes() {
    for (mode, plan) in [
        (
            "secret",
            json!({"type": "bearer", "headerName": "X-Vapi-Secret", "bearerPrefixEnabled": false}),
        ),
        (
            "bearer",
            json!({"type": "bearer", "headerName": "authorization", "bearerPrefixEnabled": true}),
        ),
        ("hmac", json!({"type": "hmac", "signatureHeader": "x-signature"})),
        ("oauth2", json!({"type": "oauth2", "clientId": "voxline"})),
    ] {
        let mut deployment = Deployment::open(&[("VOXLINE_VAPI_AUTH", mode)]);
        deployment.shelve("assistant", json!({"id": "a-1"}));
        deployment.with_number();
        deployment.run(&["vapi", "apply"]);
        let writes = deployment.writes().len();
        let credential = deployment.dump()["credential"][0].clone();
        assert_eq!(credential["provider"], "custom-credential");
        for (name, value) in plan.as_object().unwrap() {
            assert_eq!(&credential["authenticationPlan"][name], value, "{mode}: {name}");
        }
        for (shelf, id) in [("assistant", "a-1"), ("phone-number", "pn-1")] {
            let server = deployment.thing(shelf, id)["server"].clone();
            assert_eq!(server["credentialId"], credential["id"], "{mode}");
        }
        deployment.run(&["vapi", "apply"]);
        assert_eq!(
            deployment.writes().len(),
            writes,
            "{mode}: a second time writes nothing"
        );
        // Another secret is written.
        deployment.set("VOXLINE_VAPI_SECRET", "another-vapi-test-secret");
        deployment.run(&["vapi", "apply"]);
        assert_eq!(deployment.writes().len(), writes + 1, "{mode}");
    }
}
