//! A backend that is dead, slow, failing or talking nonsense: the caller is served in every case, and in time.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, TestDeployment};
use super::office::{Office, message, relaying};

/// The usual budget of a backend for rings (3 s). Ours is as long as a busy machine may need; Vapi waits for 7.5 s.
const USUAL: &[(&str, &str)] = &[
    ("VOXLINE_VAPI_ANSWER_BUDGET_SECONDS", "6"),
    ("VOXLINE_VAPI_TOOL_SECONDS", "0"),
    ("VOXLINE_VAPI_UPSTREAM_REQUEST_SECONDS", "2"),
];

fn mixed(call: &str) -> Value {
    let tool = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": {}}});
    json!({
        "type": "tool-calls", "timestamp": 3, "phoneNumber": {"number": NUMBER}, "call": {"id": call},
        "toolCallList": [tool("t-1", "book_table"), tool("t-2", "identify_caller")],
    })
}

fn question(call: &str) -> Value {
    json!({
        "type": "transfer-destination-request", "timestamp": 4, "phoneNumber": {"number": NUMBER}, "call": {"id": call},
    })
}

/// A call is answered without the backend: by our assistant, with what is known, and our tool works.
fn served(deployment: &mut TestDeployment, call: &str) {
    let began = Instant::now();
    let answer = deployment.ring(call, ALICE.0);
    let took = began.elapsed().as_secs_f64();
    assert!(took < 7.0, "a ringing call waited {took:.1} s");
    assert_eq!(answer["assistantId"], "a-1", "{answer}");
    let variables = &answer["assistantOverrides"]["variableValues"];
    assert_eq!(variables["line_owner_name"], "Alice", "{answer}");
    let began = Instant::now();
    let answer = deployment.send(mixed(call));
    let took = began.elapsed().as_secs_f64();
    assert!(took < 7.0, "a tool call waited {took:.1} s");
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "{answer}");
    assert!(
        results[0]["error"].as_str().unwrap().contains("no answer"),
        "{answer}"
    );
    assert!(
        results[1]["result"].as_str().unwrap().contains("Alice"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_dead_backend_costs_no_caller_and_later_gets_what_waited() {
    let office = Office::open();
    let url = office.url();
    let port = office.close();
    let mut deployment = relaying(&url, USUAL);
    served(&mut deployment, "c-1");
    assert!(deployment.send(question("c-1"))["error"].is_string());
    deployment.end("c-1");
    let mut office = Office::at(port);
    assert_eq!(office.got("end-of-call-report", 1).len(), 1);
    assert_eq!(office.got("status-update", 1).len(), 1);
}

#[tokio::test]
async fn a_slow_backend_costs_its_budget_and_no_more() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), USUAL);
    for kind in ["assistant-request", "tool-calls", "transfer-destination-request"] {
        office.answers(kind, json!({"delay": 6.0, "body": {"assistantId": "a-late"}}));
    }
    served(&mut deployment, "c-1");
    assert!(deployment.send(question("c-1"))["error"].is_string());
}

#[tokio::test]
async fn a_slow_tool_of_theirs_has_the_time_that_it_is_given() {
    let mut office = Office::open();
    let settings = [
        ("VOXLINE_VAPI_TOOL_SECONDS", "0"),
        ("VOXLINE_VAPI_UPSTREAM_REQUEST_SECONDS", "30"),
    ];
    let mut deployment = relaying(&office.url(), &settings);
    deployment.ring("c-1", ALICE.0);
    office.answers("tool-calls", json!({"delay": 6.0}));
    let answer = deployment.send(mixed("c-1"));
    assert_eq!(answer["results"][0]["result"], "theirs of \"t-1\"", "{answer}");
    assert!(answer["results"][1]["result"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_backend_that_fails_or_talks_nonsense_costs_the_caller_nothing() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), USUAL);
    let large = "x".repeat(2 * 1024 * 1024);
    let elsewhere = office.url().replace("/vapi", "/elsewhere");
    for (nth, answer) in [
        json!({"status": 500, "body": {"assistantId": "a-broken", "results": []}}),
        json!({"text": "<html>Welcome to nginx!</html>"}),
        json!({"body": [1, 2, 3]}),
        json!({"body": {"assistantId": "a-1", "assistantOverrides": "none", "results": "none"}}),
        json!({"text": format!("{{\"assistantId\": \"{large}\"}}")}),
        json!({"status": 307, "location": elsewhere, "body": {}}),
    ]
    .into_iter()
    .enumerate()
    {
        for kind in ["assistant-request", "tool-calls"] {
            office.answers(kind, answer.clone());
        }
        served(&mut deployment, &format!("c-{nth}"));
    }
    assert_eq!(
        office.got_so_far("assistant-request").len(),
        6,
        "a redirect was followed"
    );
}

#[tokio::test]
async fn what_waits_for_a_backend_survives_a_restart_and_is_delivered_once() {
    let office = Office::open();
    let url = office.url();
    let port = office.close();
    let mut deployment = relaying(&url, USUAL);
    deployment.ring("c-1", ALICE.0);
    for at in 0..5 {
        deployment.send(json!({
            "type": "transcript", "timestamp": at, "role": "user", "transcript": "hello",
            "phoneNumber": {"number": NUMBER}, "call": {"id": "c-1"},
        }));
    }
    // Killed at once: what was acknowledged is on disk.
    deployment.restart();
    let mut office = Office::at(port);
    let got = office.got("transcript", 5);
    let mut times: Vec<i64> = got
        .iter()
        .map(|one| message(one)["timestamp"].as_i64().unwrap())
        .collect();
    times.sort_unstable();
    assert_eq!(times, [0, 1, 2, 3, 4]);
    assert!(
        got.iter().all(|one| one["signed"] == true),
        "a stale signature: {got:?}"
    );
    // Also over a restart in between, nothing comes again; nor when Vapi sends it again.
    deployment.stop();
    deployment.restart();
    deployment.send(json!({
        "type": "transcript", "timestamp": 3, "role": "user", "transcript": "hello",
        "phoneNumber": {"number": NUMBER}, "call": {"id": "c-1"},
    }));
    deployment.end("c-1");
    office.got("end-of-call-report", 1);
    assert_eq!(office.got_so_far("transcript").len(), 5);
}

/// Starts the service, which is to end by itself; what it said.
async fn refused_start(deployment: &TestDeployment) -> String {
    let mut service = crate::process::program(deployment.data.path())
        .envs(deployment.settings.iter().cloned())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..2_400 {
        if service.try_wait().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = service.kill();
    let done = service.wait_with_output().unwrap();
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[tokio::test]
async fn noted_backends_that_cannot_be_read_stop_the_start_and_cost_no_message() {
    let office = Office::open();
    let url = office.url();
    let port = office.close();
    let mut deployment = TestDeployment::open_with(USUAL, false);
    let file = deployment.data.path().join("vapi-undo.json");
    let noted = json!({"format": 1, "api_url": deployment.peer.address, "entries": [{
        "shelf": "phone-number", "id": "pn-1", "what": format!("number {NUMBER}"), "made": false,
        "before": {"server": {"url": url}}, "after": {"server": {"url": "https://id.example.com/vapi/events"}},
    }]});
    std::fs::write(&file, noted.to_string()).unwrap();
    deployment.restart();
    for at in 0..3 {
        deployment.send(json!({
            "type": "transcript", "timestamp": at, "role": "user", "transcript": "hello",
            "phoneNumber": {"number": NUMBER}, "call": {"id": "c-1"},
        }));
    }
    deployment.stop();
    // Damaged, and of another account: no rights keep a test that root runs from reading.
    let mut elsewhere = noted.clone();
    elsewhere["api_url"] = json!("https://api.eu.vapi.ai");
    for unreadable in ["{".to_owned(), elsewhere.to_string()] {
        std::fs::write(&file, unreadable).unwrap();
        let said = refused_start(&deployment).await;
        for part in ["vapi-undo.json", "vapi.upstream.saved"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    std::fs::write(&file, noted.to_string()).unwrap();
    deployment.start();
    let mut office = Office::at(port);
    office.got("transcript", 3);
}

#[tokio::test]
async fn a_refused_message_is_not_sent_again_and_holds_up_nothing() {
    let mut office = Office::open();
    let mut deployment = relaying(&office.url(), USUAL);
    office.answers("transcript", json!({"status": 400, "body": {}}));
    office.answers("speech-update", json!({"status": 503, "body": {}}));
    for kind in ["transcript", "speech-update"] {
        deployment.send(json!({
            "type": kind, "timestamp": 1, "status": "started", "role": "user", "transcript": "hello", "call": {"id": "c-1"},
        }));
    }
    deployment.end("c-1");
    office.got("end-of-call-report", 1);
    // The one comes again until it is taken.
    office.got("speech-update", 3);
    office.answers("speech-update", json!({"body": {}}));
    let tried = office.got_so_far("speech-update").len();
    office.got("speech-update", tried + 1);
    assert_eq!(office.got_so_far("transcript").len(), 1);
}
