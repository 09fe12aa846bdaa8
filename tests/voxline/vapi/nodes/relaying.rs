//! A customer's backend behind two nodes, of which one alone was told of it.

use serde_json::{Value, json};

use super::super::harness::{NUMBER, run};
use super::super::office::Office;
use super::TwoNodes;

fn transcript(at: i64) -> Value {
    json!({
        "type": "transcript", "timestamp": at, "role": "user", "transcript": "hello",
        "phoneNumber": {"number": NUMBER}, "call": {"id": "c-1"},
    })
}

/// Has the first node know the backend as `voxline vapi apply --take-over` leaves it where it was run, and both nodes begin anew.
fn apply(nodes: &mut TwoNodes, office: &Office) {
    let noted = json!({"format": 1, "api_url": nodes.deployment.peer.address, "entries": [{
        "shelf": "phone-number", "id": "pn-1", "what": format!("number {NUMBER}"), "made": false,
        "before": {"server": {"url": office.url()}},
        "after": {"server": {"url": "https://id.example.com/vapi/events"}},
    }]});
    let file = nodes.deployment.data.path().join("vapi-undo.json");
    std::fs::write(file, noted.to_string()).unwrap();
    for node in [0, 1] {
        nodes.restart(node);
    }
}

/// What the backend is asked from now on, and what it answers.
fn question(office: &mut Office) -> (Value, Value) {
    let destination = json!({"destination": {"type": "number", "number": "+12025550177"}});
    office.answers("transfer-destination-request", json!({ "body": destination }));
    let asked = json!({
        "type": "transfer-destination-request", "timestamp": 1, "phoneNumber": {"number": NUMBER},
        "call": {"id": "c-1"},
    });
    (asked, destination)
}

#[tokio::test]
async fn a_backend_noted_at_one_node_has_all_nodes_messages_and_its_queue() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    let mut office = Office::open();
    apply(&mut nodes, &office);
    let (asked, destination) = question(&mut office);
    for node in [0, 1] {
        assert_eq!(nodes.at(node).send(asked.clone()), destination, "at {node}");
    }
    let port = office.close();
    for at in 0..3 {
        nodes.at(1).send(transcript(at));
    }
    nodes.restart(1);
    let mut office = Office::at(port);
    office.got("transcript", 3);
}

#[tokio::test]
async fn an_undo_where_nothing_was_applied_takes_no_backend_from_others() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    let mut office = Office::open();
    apply(&mut nodes, &office);
    let (asked, destination) = question(&mut office);
    let settings = nodes.deployment.settings.clone();
    let undone = run(nodes.data.path(), &settings, &["vapi", "undo"]);
    assert_eq!(undone[0]["what"], "nothing to undo", "{undone}");
    nodes.restart(1);
    assert_eq!(nodes.at(1).send(asked.clone()), destination);
    let undone = nodes.deployment.run(&["vapi", "undo"]);
    assert_eq!(undone[0]["what"], format!("number {NUMBER}"), "{undone}");
    nodes.restart(1);
    assert_ne!(nodes.at(1).send(asked), destination);
}

#[tokio::test]
async fn a_node_without_backends_leaves_what_waits_for_those_of_others() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    let office = Office::open();
    let url = office.url();
    let port = office.close();
    let settings = nodes.deployment.settings.clone();
    let own = ("VOXLINE_VAPI_UPSTREAM_URL".to_owned(), url);
    nodes.deployment.settings.push(own);
    nodes.restart(0);
    for at in 0..3 {
        nodes.at(0).send(transcript(at));
    }
    let with_backend = std::mem::replace(&mut nodes.deployment.settings, settings);
    nodes.restart(1);
    nodes.deployment.settings = with_backend;
    nodes.restart(0);
    let mut office = Office::at(port);
    office.got("transcript", 3);
}
