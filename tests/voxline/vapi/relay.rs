//! The customer's own backend beside Voxline, three processes and real sockets: what it decides stays, and ours is added.

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, ROBERT, SECRET};
use super::office::{Office, message, relaying};

fn tool_calls(call: &str, calls: &[(&str, &str)]) -> Value {
    let list: Vec<Value> = calls
        .iter()
        .map(|(id, name)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": {}}}))
        .collect();
    json!({
        "type": "tool-calls", "timestamp": 3, "phoneNumber": {"number": NUMBER}, "call": {"id": call},
        "toolCallList": list,
    })
}

fn news(call: &str, kind: &str, at: i64) -> Value {
    json!({
        "type": kind, "timestamp": at, "status": "in-progress", "role": "user", "transcript": "hello",
        "phoneNumber": {"number": NUMBER}, "call": {"id": call},
    })
}

#[tokio::test]
async fn what_their_backend_answers_to_a_ring_is_kept_and_says_who_calls() {
    let mut office = Office::open();
    let secrets = "x-vapi-secret=theirs";
    let mut deployment = relaying(&office.url(), &[("VOXLINE_VAPI_UPSTREAM_HEADERS", secrets)]);
    let theirs = json!({
        "assistantId": "a-theirs", "surprise": 1,
        "assistantOverrides": {"firstMessage": "Hello!", "variableValues": {"tier": "gold", "speaker_name": "forged"}},
    });
    office.answers("assistant-request", json!({ "body": theirs }));
    let answer = deployment.ring("c-1", ALICE.0);
    assert_eq!(
        (&answer["assistantId"], &answer["surprise"]),
        (&json!("a-theirs"), &json!(1))
    );
    let overrides = &answer["assistantOverrides"];
    assert_eq!(overrides["firstMessage"], "Hello!");
    let variables = &overrides["variableValues"];
    assert_eq!(variables["tier"], "gold");
    assert_eq!(variables["line_owner_name"], "Alice", "{answer}");
    assert_ne!(variables["speaker_name"], "forged");
    assert_eq!(overrides["monitorPlan"]["listenEnabled"], true);
    assert_eq!(
        overrides["tools:append"][0]["function"]["name"],
        "identify_caller"
    );
    // Byte by byte as Vapi sent it: its signature is good where it arrives.
    let got = office.got("assistant-request", 1);
    assert_eq!(got[0]["signed"], true, "{got:?}");
    assert_eq!(got[0]["headers"]["x-vapi-secret"], "theirs");
    assert_eq!(message(&got[0])["customer"]["number"], ALICE.0);

    office.answers("assistant-request", json!({"body": {"squadId": "s-1"}}));
    let squad = deployment.ring("c-2", ALICE.0);
    assert_eq!(squad["squadId"], "s-1");
    assert_eq!(
        squad["squadOverrides"]["variableValues"]["line_owner_name"], "Alice",
        "{squad}"
    );
    let closed = json!({"error": "We are closed."});
    office.answers("assistant-request", json!({ "body": closed }));
    assert_eq!(deployment.ring("c-3", ALICE.0), closed);
    let elsewhere = json!({"destination": {"type": "number", "number": "+12025550177"}});
    office.answers("assistant-request", json!({ "body": elsewhere }));
    assert_eq!(deployment.ring("c-4", ALICE.0), elsewhere);
}

#[tokio::test]
async fn transfers_and_every_other_question_are_theirs_to_answer() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), &[]);
    deployment.ring("c-1", ALICE.0);
    let destination = json!({"destination": {"type": "number", "number": "+12025550177", "callerId": "{{customer.number}}"}});
    for kind in [
        "transfer-destination-request",
        "handoff-destination-request",
        "knowledge-base-request",
        "call.endpointing.request",
        "of-next-year",
    ] {
        office.answers(kind, json!({ "body": destination }));
        assert_eq!(deployment.send(news("c-1", kind, 5)), destination, "{kind}");
        assert_eq!(office.got(kind, 1)[0]["signed"], true);
    }
    // Their status and their words, whatever they are.
    let refused = json!({"status": 422, "text": "not now"});
    office.answers("transfer-destination-request", refused);
    let sent = deployment
        .peer
        .ask(&json!({"do": "post", "message": news("c-1", "transfer-destination-request", 6)}));
    assert_eq!(sent["status"], 422, "{sent}");
}

#[tokio::test]
async fn a_stored_assistant_with_our_tools_by_hand_gets_none_again() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), &[("VOXLINE_VAPI_UPSTREAM_SECONDS", "7")]);
    let named = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name}});
    for (shelf, entries) in [
        ("tool", [named("t-pin", "verify_pin"), named("t-book", "book")]),
        (
            "assistant",
            [
                json!({"id": "a-9", "model": {"toolIds": ["t-book", "t-pin"]}}),
                json!({"id": "a-8", "model": {"toolIds": ["t-book"]}}),
            ],
        ),
    ] {
        let shelved = json!({"do": "shelve", "shelf": shelf, "entries": entries});
        assert_eq!(deployment.peer.ask(&shelved)["ok"], true);
    }
    let members = ["a-1", "a-9", "a-8"].map(|id| json!({ "assistantId": id }));
    office.answers(
        "assistant-request",
        json!({"body": {"squad": {"members": members}}}),
    );
    let answer = deployment.ring("c-1", ALICE.0);
    let merged = answer["squad"]["members"].as_array().unwrap();
    assert_eq!(merged[..2], members[..2], "{answer}");
    let added = merged[2]["assistantOverrides"]["tools:append"].as_array();
    assert_eq!(added.map_or(0, Vec::len), 2, "{answer}");
    // Alone, too.
    office.answers("assistant-request", json!({ "body": members[1] }));
    let answer = deployment.ring("c-2", ALICE.0);
    assert_eq!(
        answer["assistantOverrides"]["tools:append"],
        Value::Null,
        "{answer}"
    );
}

#[tokio::test]
async fn each_owner_of_tools_answers_their_own_and_the_results_are_joined() {
    let mut office = Office::open();
    let settings = [("VOXLINE_VAPI_TOOL_SECONDS", "0")];
    let mut deployment = relaying(&office.url(), &settings);
    deployment.ring("c-1", ALICE.0);
    let asked = [
        ("t-1", "book_table"),
        ("t-2", "identify_caller"),
        ("t-3", "order"),
    ];
    let answer = deployment.send(tool_calls("c-1", &asked));
    let results = answer["results"].as_array().unwrap();
    let ids: Vec<&str> = results
        .iter()
        .map(|result| result["toolCallId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["t-1", "t-2", "t-3"]);
    assert_eq!(results[0]["result"], "theirs of \"t-1\"");
    assert_eq!(results[2]["result"], "theirs of \"t-3\"");
    let ours: Value = serde_json::from_str(results[1]["result"].as_str().unwrap()).unwrap();
    assert_eq!(ours["line_owner_id"], deployment.alice, "{ours}");
    assert!(ours["marker"].as_str().unwrap().starts_with("vx-"));
    assert!(ours["message"].as_str().unwrap().contains("that of Alice"));
    // They see their own calls alone, under a signature that is good.
    let got = office.got("tool-calls", 1);
    assert_eq!(got[0]["signed"], true, "{got:?}");
    assert!(!got[0]["body"].as_str().unwrap().contains("identify_caller"));
    // What is theirs alone goes there as it came, and what is ours alone does not go.
    let alone = deployment.send(tool_calls("c-1", &asked[..1]));
    assert_eq!(alone["results"][0]["result"], "theirs of \"t-1\"");
    deployment.tool("c-1", "t-9", "identify_caller", json!({}));
    assert_eq!(office.got_so_far("tool-calls").len(), 2);
}

#[tokio::test]
async fn what_nobody_waits_for_is_passed_on_once_and_in_order() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), &[]);
    deployment.ring("c-1", ALICE.0);
    for at in 0..20 {
        assert_eq!(deployment.send(news("c-1", "transcript", at)), json!({}));
    }
    // Vapi sends one again that it believes lost.
    deployment.send(news("c-1", "transcript", 7));
    deployment.end("c-1");
    office.got("end-of-call-report", 1);
    let got = office.got("transcript", 20);
    let order: Vec<i64> = got
        .iter()
        .map(|one| message(one)["timestamp"].as_i64().unwrap())
        .collect();
    assert_eq!(order, (0..20).collect::<Vec<_>>());
    assert!(got.iter().all(|one| one["signed"] == true), "{got:?}");
    let mut ids: Vec<&str> = got
        .iter()
        .map(|one| one["headers"]["x-voxline-delivery"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    deployment.last_word("c-1").await;
}

#[tokio::test]
async fn a_numbers_or_assistants_own_backend_takes_its_messages() {
    let (mut all, mut number, mut assistant) = (Office::open(), Office::open(), Office::open());
    let numbers = format!("{NUMBER}={}", number.url());
    let assistants = format!("a-7={}", assistant.url());
    let settings = [
        ("VOXLINE_VAPI_UPSTREAM_NUMBERS", numbers.as_str()),
        ("VOXLINE_VAPI_UPSTREAM_ASSISTANTS", assistants.as_str()),
    ];
    let mut deployment = relaying(&all.url(), &settings);
    deployment.ring("c-1", ALICE.0);
    assert_eq!(number.got("assistant-request", 1).len(), 1);
    let mut of_assistant = news("c-1", "status-update", 5);
    of_assistant["assistant"] = json!({"id": "a-7"});
    deployment.send(of_assistant);
    assistant.got("status-update", 1);
    deployment.send(
        json!({"type": "status-update", "status": "queued", "timestamp": 6, "call": {"id": "c-other"}}),
    );
    all.got("status-update", 1);
    let rings = all.got_so_far("assistant-request").len() + assistant.got_so_far("assistant-request").len();
    assert_eq!(rings + number.got_so_far("status-update").len(), 0);
}

#[tokio::test]
async fn the_backend_that_an_answer_named_for_its_call_has_it_after_a_restart() {
    let (mut all, mut own) = (Office::open(), Office::open());
    let assistants = format!("a-7={}", own.url());
    let settings = [("VOXLINE_VAPI_UPSTREAM_ASSISTANTS", assistants.as_str())];
    let mut deployment = relaying(&all.url(), &settings);
    let described = json!({"name": "Theirs", "server": {"url": own.url()}});
    all.answers("assistant-request", json!({"body": {"assistant": described}}));
    deployment.ring("c-1", ALICE.0);
    deployment.send(news("c-1", "status-update", 5));
    own.got("status-update", 1);
    // Whoever takes the messages from now on was not there when it rang, as another node is not.
    deployment.restart();
    deployment.send(news("c-1", "transcript", 6));
    let got = own.got("transcript", 1);
    assert_eq!(got[0]["headers"]["x-voxline-backend"], Value::Null, "{got:?}");
    let others = all.got_so_far("status-update").len() + all.got_so_far("transcript").len();
    assert_eq!(others, 0);
}

#[tokio::test]
async fn a_ring_that_names_neither_caller_nor_number_is_completed_by_the_api() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), &[]);
    deployment.peer.shelve(
        "call",
        json!({
            "id": "c-bare", "type": "inboundPhoneCall", "status": "ringing", "customer": {"number": ALICE.0},
            "phoneNumber": {"number": NUMBER},
        }),
    );
    let answer = deployment.send(json!({
        "type": "assistant-request", "timestamp": 1,
        "call": {"id": "c-bare", "type": "inboundPhoneCall", "status": "ringing", "transport": {"provider": "vapi.sip"}},
    }));
    let variables = &answer["assistantOverrides"]["variableValues"];
    assert_eq!(variables["line_owner_name"], "Alice", "{answer}");
    assert_eq!(office.got("assistant-request", 1).len(), 1);
}

#[tokio::test]
async fn in_number_mode_assistants_keep_their_server() {
    let mut deployment = super::harness::TestDeployment::open_with(&[("VOXLINE_VAPI_MODE", "number")], true);
    let play = json!({
        "do": "play", "call": "c-1", "speed": 3.0, "script": super::harness::script(&[("user", "alice-1")]),
    });
    let played = deployment.peer.ask(&play);
    deployment.peer.shelve(
        "call",
        json!({
            "id": "c-1", "type": "inboundPhoneCall", "status": "in-progress", "monitor": played["monitor"],
        }),
    );
    let answer = deployment.ring("c-1", ALICE.0);
    for theirs in ["server", "monitorPlan", "keypadInputPlan"] {
        assert_eq!(answer["assistantOverrides"][theirs], Value::Null, "{answer}");
    }
    let told = deployment.told("c-1", "] identified: ");
    assert!(told.last().unwrap().contains("Alice"), "{told:?}");
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "call", "id": "c-1", "at": "/status", "to": "ended"}));
    let last = deployment.last_word("c-1").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
}

#[tokio::test]
async fn in_number_mode_a_mix_that_hears_nobody_is_said_to() {
    let settings = [("VOXLINE_VAPI_MODE", "number")];
    let mut deployment = super::harness::TestDeployment::open_with(&settings, false);
    // Nobody speaks by any message that comes here: they go to the assistant's server.
    let play = json!({"do": "play", "call": "c-mix", "channels": 1, "script": []});
    let played = deployment.peer.ask(&play);
    deployment.peer.shelve(
        "call",
        json!({
            "id": "c-mix", "type": "inboundPhoneCall", "status": "in-progress", "monitor": played["monitor"],
        }),
    );
    deployment.ring("c-mix", ALICE.0);
    deployment.logged("the stream is a mix of both sides").await;
}

#[tokio::test]
async fn in_number_mode_a_call_that_never_rang_here_is_heard_from_its_first_tool_call_on() {
    let mut deployment = super::harness::TestDeployment::open_with(
        &[("VOXLINE_VAPI_MODE", "number"), ("VOXLINE_VAPI_BACKFILL", "true")],
        true,
    );
    let play = json!({
        "do": "play", "call": "c-squad", "speed": 3.0, "script": super::harness::script(&[("user", "alice-1")]),
    });
    let played = deployment.peer.ask(&play);
    let call = json!({
        "id": "c-squad", "type": "inboundPhoneCall", "status": "in-progress", "monitor": played["monitor"],
        "phoneCallProviderDetails": {"sip": {"headers": {"Diversion": format!("<sip:{}@h>", ROBERT.0)}}},
    });
    deployment.peer.shelve("call", call.clone());
    deployment.send(json!({
        "type": "tool-calls", "timestamp": 3, "phoneNumber": {"number": NUMBER}, "call": call,
        "toolCallList": [{"id": "t-1", "type": "function", "function": {"name": "identify_caller", "arguments": {}}}],
    }));
    let told = deployment.told("c-squad", "] identified: ");
    assert!(told.last().unwrap().contains("Alice"), "{told:?}");
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "call", "id": "c-squad", "at": "/status", "to": "ended"}));
    let last = deployment.last_word("c-squad").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    // What the INVITE said came with the tool call alone.
    let forwarded = &last["verdict"]["evidence"][0];
    let forwarded = (&forwarded["kind"], &forwarded["user_id"]);
    assert_eq!(
        forwarded,
        (&json!("diversion"), &json!(deployment.robert)),
        "{last}"
    );
}

#[tokio::test]
async fn a_person_who_is_erased_is_erased_from_what_waits_too() {
    let office = Office::open();
    let url = office.url();
    office.close();
    let mut deployment = relaying(&url, &[]);
    deployment.ring("c-1", ALICE.0);
    let mut said = news("c-1", "transcript", 5);
    said["transcript"] = json!("an unmistakable sentence of hers");
    deployment.send(said);
    let holds = |deployment: &super::harness::TestDeployment| {
        let files = ["voxline.db", "voxline.db-wal"].map(|name| deployment.data.path().join(name));
        let bytes = files.map(|path| std::fs::read(path).unwrap_or_default()).concat();
        crate::support::holds(&bytes, "an unmistakable sentence of hers")
    };
    assert!(holds(&deployment), "it waits for the backend");
    let alice = deployment.alice.clone();
    deployment.run(&["user", "remove", &alice]);
    if holds(&deployment) {
        // Somebody read meanwhile, and the log could not be emptied: it is with the next erasure.
        let robert = deployment.robert.clone();
        deployment.run(&["user", "remove", &robert]);
    }
    assert!(!holds(&deployment));
    let metrics = deployment.metrics().await;
    assert!(metrics.contains("voxline_vapi_relay_waiting"), "{metrics}");
    assert!(!metrics.contains(SECRET));
}

#[tokio::test]
async fn no_proxy_gets_what_is_for_this_machine() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut office = Office::open();
    let settings = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, address.as_str()));
    let mut deployment = relaying(&office.url(), &settings);
    let answer = deployment.ring("c-1", ALICE.0);
    assert_eq!(office.got("assistant-request", 1).len(), 1, "{answer}");
    deployment.send(news("c-1", "transcript", 2));
    office.got("transcript", 1);
    assert!(proxy.accept().is_err(), "the proxy was asked");
}
