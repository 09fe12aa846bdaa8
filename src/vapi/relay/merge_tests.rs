//! Laws of the answer of two.

use serde_json::{Value, json};

use super::{Merged, Ours, merge, stored};

const OURS: &str = "https://id.example.com/vapi/events";
const THEIRS: &str = "https://backend.example/vapi";

fn overrides() -> Value {
    json!({
        "variableValues": {"speaker_id": "u-1", "identity_status": "claimed", "identity_marker": "vx-1"},
        "monitorPlan": {"listenEnabled": true, "controlEnabled": true, "listenAuthenticationEnabled": true},
        "keypadInputPlan": {"enabled": true, "timeoutSeconds": 3, "delimiters": "#"},
        "metadata": {"voxline_call": "c-1"},
        "server": {"url": OURS, "timeoutSeconds": 20, "credentialId": "cr-1", "headers": {"x-voxline-call": "p"}},
    })
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

fn merged(theirs: Value, assistant: Option<&str>) -> Option<Merged> {
    let ours = Ours {
        assistant,
        overrides: &overrides(),
        tools: &[tool("identify_caller"), tool("verify_pin")],
        has_tools: &|id: &str| match id {
            "a-1" | "a-by-hand" => Some(true),
            "a-9" => Some(false),
            _ => None,
        },
        is_relayed: &|url| [OURS, THEIRS].contains(&url),
    };
    merge(theirs, &ours)
}

fn answer(theirs: Value) -> Value {
    merged(theirs, Some("a-1")).unwrap().answer
}

#[test]
fn everything_theirs_stays_and_ours_stands_beside_it() {
    let theirs = json!({
        "assistantId": "a-1", "surprise": [1],
        "assistantOverrides": {
            "firstMessage": "Hello", "variableValues": {"tier": "gold", "speaker_id": "forged"},
            "metadata": {"order": 7}, "monitorPlan": {"monitorIds": ["m"], "listenEnabled": false},
            "keypadInputPlan": {"delimiters": "*"},
        },
    });
    let answer = answer(theirs);
    assert_eq!(answer["assistantId"], "a-1");
    assert_eq!(answer["surprise"], json!([1]));
    let overrides = &answer["assistantOverrides"];
    assert_eq!(overrides["firstMessage"], "Hello");
    assert_eq!(
        overrides["variableValues"],
        json!({"tier": "gold", "speaker_id": "u-1", "identity_status": "claimed", "identity_marker": "vx-1"})
    );
    assert_eq!(overrides["metadata"], json!({"order": 7, "voxline_call": "c-1"}));
    assert_eq!(
        overrides["monitorPlan"],
        json!({"monitorIds": ["m"], "listenEnabled": true, "controlEnabled": true, "listenAuthenticationEnabled": true})
    );
    assert_eq!(
        overrides["keypadInputPlan"],
        json!({"delimiters": "*", "enabled": true, "timeoutSeconds": 3})
    );
    assert_eq!(overrides["server"]["url"], OURS);
    assert_eq!(overrides["tools:append"], Value::Null, "a-1 has our tools");
}

#[test]
fn an_error_or_a_destination_goes_on_as_it_is() {
    for theirs in [
        json!({"error": "We are closed."}),
        json!({"destination": {"type": "number", "number": "+12025550177"}, "assistantId": "a-1"}),
        json!({"messageResponse": {"error": "We are closed."}}),
    ] {
        assert_eq!(answer(theirs.clone()), theirs);
    }
}

#[test]
fn a_squad_is_told_by_overrides_and_a_workflow_by_variables_alone() {
    for squad in [
        json!({"squadId": "s-1"}),
        json!({"squad": {"members": [{"assistantId": "a-9"}]}}),
        json!({"messageResponse": {"squadId": "s-1"}}),
    ] {
        let answer = answer(squad);
        let answer = answer.get("messageResponse").unwrap_or(&answer);
        assert_eq!(answer["squadOverrides"]["variableValues"]["speaker_id"], "u-1");
        assert_eq!(answer["squadOverrides"]["monitorPlan"]["listenEnabled"], true);
        assert_eq!(
            (&answer["assistantOverrides"], &answer["assistantId"]),
            (&Value::Null, &Value::Null)
        );
    }
    let workflow = answer(json!({"workflowId": "w-1", "workflowOverrides": {"variableValues": {"a": "b"}}}));
    assert_eq!(workflow["workflowOverrides"]["variableValues"]["a"], "b");
    assert_eq!(workflow["workflowOverrides"].as_object().unwrap().len(), 1);
    assert_eq!(workflow["assistantOverrides"], Value::Null);
}

#[test]
fn whoever_may_be_without_our_tools_gets_them_and_nobody_gets_one_twice() {
    let names = |theirs: Value, place: &str| -> Vec<String> {
        let answer = answer(theirs);
        let tools = answer[place]["tools:append"].as_array().cloned();
        let names = tools.into_iter().flatten();
        names
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let transient = json!({"assistant": {"model": {"tools": [tool("verify_pin")]}},
        "assistantOverrides": {"tools:append": [tool("book")]}});
    assert_eq!(
        names(transient, "assistantOverrides"),
        ["book", "identify_caller"]
    );
    let both = ["identify_caller", "verify_pin"];
    assert_eq!(names(json!({"assistantId": "a-9"}), "assistantOverrides"), both);
    assert!(names(json!({"squadId": "s-1"}), "squadOverrides").is_empty());
}

#[test]
fn members_of_a_squad_get_our_tools_each_and_nobody_gets_one_twice() {
    let described =
        json!({"assistant": {"name": "x", "model": {"tools": [tool("verify_pin"), tool("book")]}}});
    let known = json!({"assistantId": "a-1", "assistantDestinations": []});
    let unknown = json!({"assistantId": "a-9", "assistantOverrides": {"firstMessage": "Hello", "tools:append": [tool("pay")]}});
    let named = json!({"assistant": {}, "assistantOverrides": {"model": {"tools": [tool("identify_caller"), tool("verify_pin")]}}});
    let members = json!([known, described, unknown, named, "none"]);
    let squad = answer(json!({ "squad": { "members": members } }));
    assert_eq!(
        squad["squadOverrides"]["tools:append"],
        Value::Null,
        "a-1 has them"
    );
    let merged = &squad["squad"]["members"];
    let names = |nth: usize| -> Vec<&str> {
        let tools = merged[nth]["assistantOverrides"]["tools:append"].as_array();
        let names = tools.into_iter().flatten();
        names
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(names(1), ["identify_caller"]);
    assert_eq!(names(2), ["pay", "identify_caller", "verify_pin"]);
    assert_eq!(merged[2]["assistantOverrides"]["firstMessage"], "Hello");
    // Whatever needs nothing stays as it is, and so does all else of them.
    for nth in [0, 3, 4] {
        assert_eq!(merged[nth], members[nth]);
    }
    assert_eq!(merged[1]["assistant"], members[1]["assistant"]);
    // What the answer gives to all of them they have.
    for place in ["/squadOverrides", "/squad/membersOverrides"] {
        let mut theirs =
            json!({"squad": {"members": [unknown], "membersOverrides": {}}, "squadOverrides": {}});
        *theirs.pointer_mut(place).unwrap() = json!({"tools:append": [tool("verify_pin")]});
        let overrides = &answer(theirs)["squad"]["members"][0]["assistantOverrides"];
        assert_eq!(
            overrides["tools:append"],
            json!([tool("pay"), tool("identify_caller")]),
            "{place}"
        );
    }
}

#[test]
fn stored_assistants_that_have_our_tools_by_hand_get_none_again() {
    let member = |id: &str| json!({ "assistantId": id });
    let tools = |holder: &Value| {
        let tools = holder["assistantOverrides"]["tools:append"].as_array();
        tools.map_or(0, Vec::len)
    };
    let added = |members: Value| -> Vec<usize> {
        let answer = answer(json!({ "squad": { "members": members } }));
        let members = answer["squad"]["members"].as_array().unwrap();
        members.iter().map(tools).collect()
    };
    let transient = json!({ "assistant": {} });
    let (by_hand, without, unknown) = (member("a-by-hand"), member("a-9"), member("a-dark"));
    assert_eq!(added(json!([by_hand, without, unknown, transient])), [0, 2, 0, 2]);
    assert_eq!(added(json!([without, unknown, transient])), [2, 2, 2]);
    assert_eq!(
        [by_hand, without, unknown].map(|one| tools(&answer(one))),
        [0, 2, 2]
    );
}

#[test]
fn stored_assistants_of_an_answer_are_found_wherever_they_stand() {
    let squad = json!({"squad": {"members": [{"assistantId": "a-2"}, {"assistant": {}}, {"assistantId": "a-1"}, {"assistantId": "a-2"}]}});
    for theirs in [squad.clone(), json!({ "messageResponse": squad })] {
        assert_eq!(Vec::from_iter(stored(&theirs)), ["a-1", "a-2"]);
    }
    let alone = json!({"assistantId": "a-9", "assistantOverrides": {}});
    assert_eq!(Vec::from_iter(stored(&alone)), ["a-9"]);
    for theirs in [
        json!(null),
        json!([]),
        json!({"squadId": "s-1", "assistantId": null}),
    ] {
        assert!(stored(&theirs).is_empty());
    }
}

#[test]
fn a_server_that_is_relayed_to_is_ours_on_the_way_and_any_other_stays() {
    let described = |server: Value| json!({"assistant": {"server": server, "name": "x"}});
    let known = merged(
        described(json!({"url": THEIRS, "headers": {"x-tenant": "7"}})),
        None,
    )
    .unwrap();
    let server = &known.answer["assistantOverrides"]["server"];
    assert_eq!((&server["url"], known.leaves), (&json!(OURS), false));
    assert_eq!(server["headers"], json!({"x-tenant": "7", "x-voxline-call": "p"}));
    assert_eq!(known.server.as_deref(), Some(THEIRS));
    let other = merged(described(json!({"url": "https://elsewhere.example/x"})), None).unwrap();
    assert!(other.leaves);
    assert_eq!(other.answer["assistantOverrides"]["server"], Value::Null);
    let old = merged(
        json!({"assistant": {"serverUrl": "https://elsewhere.example/x"}}),
        None,
    )
    .unwrap();
    assert!(old.leaves);
}

#[test]
fn plans_of_an_assistant_that_is_described_are_kept_in_the_overrides() {
    let answer = answer(json!({"assistant": {"monitorPlan": {"monitorIds": ["m"]}}}));
    assert_eq!(
        answer["assistantOverrides"]["monitorPlan"]["monitorIds"],
        json!(["m"])
    );
}

#[test]
fn an_answer_without_assistant_leaves_the_choice_and_no_answer_is_none() {
    assert_eq!(answer(json!({}))["assistantId"], "a-1");
    assert_eq!(merged(json!({}), None), None);
    for garbage in [json!(null), json!("<html>"), json!([]), json!(5)] {
        assert_eq!(merged(garbage, Some("a-1")), None);
    }
}
