//! `voxline vapi apply` and `check` on large accounts, accounts with versions, and SIP numbers.

use serde_json::json;

use super::account::{Deployment, GUIDED, OURS};
use super::harness::NUMBER;

#[test]
fn lists_of_any_length_are_read_and_early_requests_repeated() {
    let mut deployment = Deployment::open(&[]);
    deployment.shelve("assistant", json!({"id": "a-1"}));
    deployment.with_number();
    let crowd = |deployment: &mut Deployment, from: u32| {
        for shelf in ["assistant", "phone-number", "tool", "credential"] {
            let entries: Vec<_> = (from..from + 250)
                .map(|nth| json!({"id": format!("{shelf}-other-{nth}"), "provider": "vapi", "name": format!("other {nth}"),
                    "number": format!("+1202556{nth:04}"), "function": {"name": format!("other_{nth}")}}))
                .collect();
            deployment
                .peer
                .ask(&json!({"do": "shelve", "shelf": shelf, "entries": entries}));
        }
    };
    crowd(&mut deployment, 0);
    deployment.peer.ask(&json!({"do": "busy", "times": 3}));
    let applied = deployment.run(&["vapi", "apply"]);
    assert!(applied.in_state("missing").is_empty(), "{}", applied.said);
    assert_eq!(applied.of(&format!("number {NUMBER}"))["state"], "updated");
    assert_eq!(applied.of("tool `identify_caller`")["state"], "created");
    let writes = deployment.writes().len();
    crowd(&mut deployment, 300);
    let again = deployment.run(&["vapi", "apply"]);
    assert!(
        again.in_state("missing").is_empty() && again.in_state("created").is_empty(),
        "{}",
        again.said
    );
    assert_eq!(deployment.writes().len(), writes);
}

#[test]
fn a_waiting_draft_is_to_be_published_and_a_pinned_tool_is_named() {
    let mut deployment = Deployment::open(&[]);
    let prompt = json!([{"role": "system", "content": GUIDED}]);
    deployment.shelve(
        "assistant",
        json!({"id": "a-1", "latestVersion": "v3", "model": {"messages": prompt}}),
    );
    deployment.with_number();
    deployment.peer.ask(&json!({"do": "versions", "mode": "draft"}));
    let waits = "published version of assistant a-1";
    for command in ["apply", "check", "apply"] {
        let said = deployment.run(&["vapi", command]);
        assert_eq!(said.code, 1, "{}", said.said);
        let remedy = said.of(waits)["remedy"].as_str().unwrap();
        assert!(remedy.contains("publish") && remedy.contains("v3"), "{remedy}");
    }
    deployment
        .peer
        .ask(&json!({"do": "publish", "shelf": "assistant", "id": "a-1"}));
    assert_eq!(deployment.run(&["vapi", "check"]).code, 0);
    // An account where a change over the API publishes at once has nothing to wait for.
    deployment
        .peer
        .ask(&json!({"do": "versions", "mode": "published"}));
    let tool = deployment.dump()["tool"][0].clone();
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "assistant", "id": "a-1", "at": "/monitorPlan", "to": {}}));
    let pins = json!({"messages": prompt, "toolRefs": [{"toolId": tool["id"], "version": "v0"}]});
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "assistant", "id": "a-1", "at": "/model", "to": pins}));
    let applied = deployment.run(&["vapi", "apply"]);
    assert_eq!(applied.in_state("updated"), ["assistant a-1"]);
    assert_eq!(
        applied.in_state("differs"),
        ["tool `identify_caller` of assistant a-1"],
        "{}",
        applied.said
    );
    let model = deployment.thing("assistant", "a-1")["model"].clone();
    assert!(
        !model["toolIds"].as_array().unwrap().contains(&tool["id"]),
        "{model}"
    );
    let writes = deployment.writes().len();
    deployment.run(&["vapi", "apply"]);
    assert_eq!(deployment.writes().len(), writes);
}

/// A number behind a trunk that lets nobody in, a SIP address by name, and one in another region.
fn with_sip_numbers(deployment: &mut Deployment) {
    deployment.shelve("assistant", json!({"id": "a-1"}));
    deployment.shelve(
        "credential",
        json!({"id": "c-trunk", "provider": "byo-sip-trunk",
        "gateways": [{"ip": "sip.example.com", "inboundEnabled": false}]}),
    );
    deployment.shelve(
        "phone-number",
        json!({"id": "pn-1", "provider": "byo-phone-number", "number": &NUMBER[1..],
        "numberE164CheckEnabled": false, "credentialId": "c-trunk"}),
    );
    deployment.shelve(
        "phone-number",
        json!({"id": "pn-2", "provider": "vapi", "sipUri": "sip:office@sip.eu.vapi.ai"}),
    );
    deployment.shelve(
        "phone-number",
        json!({"id": "pn-3", "provider": "vapi", "sipUri": "sip:+12025550108@sip.vapi.ai"}),
    );
    for number in ["+12025550107", "+12025550108"] {
        deployment.run(&["number", "add", number]);
    }
}

#[test]
fn sip_numbers_are_found_by_their_address_and_trunks_by_their_credential() {
    let mut deployment = Deployment::open(&[
        ("VOXLINE_VAPI_REGION", "eu"),
        (
            "VOXLINE_VAPI_SIP_NUMBERS",
            "+12025550107=sip:office@sip.eu.vapi.ai",
        ),
        ("VOXLINE_TWILIO_AUTH_TOKEN", "hunter2"),
        (
            "VOXLINE_CARRIERS_FORWARD_TO",
            "sip:{number}@c-trunk.sip.eu.vapi.ai",
        ),
    ]);
    with_sip_numbers(&mut deployment);
    let applied = deployment.run(&["vapi", "apply"]);
    assert!(applied.in_state("missing").is_empty(), "{}", applied.said);
    for id in ["pn-1", "pn-2", "pn-3"] {
        assert_eq!(
            deployment.thing("phone-number", id)["server"]["url"],
            OURS,
            "{id}"
        );
    }
    assert_eq!(
        deployment.thing("phone-number", "pn-1")["credentialId"],
        "c-trunk",
        "the trunk's, not ours"
    );
    let checked = deployment.run(&["vapi", "check"]);
    let trunk = format!("SIP trunk of number {NUMBER}");
    assert!(
        checked.in_state("differs").contains(&trunk.as_str()),
        "{}",
        checked.said
    );
    // Written without its plus there, and handed on with it.
    let remedy = checked.of(&format!("SIP address of number {NUMBER}"))["remedy"]
        .as_str()
        .unwrap();
    let trunk = format!("sip:{}@c-trunk.sip.eu.vapi.ai", &NUMBER[1..]);
    assert!(
        remedy.contains(&trunk) && remedy.contains("vapi.sip_numbers"),
        "{remedy}"
    );
    checked.of("SIP address of number +12025550107: sip:office@sip.eu.vapi.ai");
    let remedy = checked.of("region eu")["remedy"].as_str().unwrap();
    assert!(remedy.contains("sip:+12025550108@sip.vapi.ai"), "{remedy}");
    let both = format!("+12025550107=sip:office@sip.eu.vapi.ai, {NUMBER}={trunk}");
    deployment.set("VOXLINE_VAPI_SIP_NUMBERS", &both);
    deployment
        .run(&["vapi", "check"])
        .of(&format!("SIP address of number {NUMBER}: {trunk}"));
}
