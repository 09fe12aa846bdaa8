//! Two nodes of one deployment: two programs with folders of their own, one PostgreSQL, one Qdrant.

mod hearing;
mod relaying;

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::harness::{ALICE, NUMBER, ROBERT, SECRET, STRANGER, TestDeployment, serve};
use crate::process::{CONSENT, pcm_stream, signup};
use crate::{gallery::peer, postgres, support};

/// What Bandwidth brings.
const CARRIER_PASSWORD: &str = "bandwidth-test";

/// The first node is the deployment's own.
struct TwoNodes {
    deployment: TestDeployment,
    bases: [String; 2],
    second: Child,
    data: tempfile::TempDir,
}

impl TwoNodes {
    /// `None` where the tests against servers are switched off.
    /// With Alice and Robert on the number; `enrolled` says whether their voices are known.
    async fn open(enrolled: bool) -> Option<Self> {
        if postgres::skipped() {
            return None;
        }
        let gallery = peer::settings(&peer::shared_url());
        let (url, pepper) = (postgres::database().await, "5e".repeat(32));
        let settings = [
            ("VOXLINE_STORE_URL", url.as_str()),
            ("VOXLINE_STORE_PEPPER", &pepper),
            // Any 64 digits are a key.
            ("VOXLINE_STORE_MASTER_KEY", &pepper),
            ("VOXLINE_GALLERY_BACKEND", "qdrant"),
            ("VOXLINE_GALLERY_QDRANT_URL", &gallery.url),
            ("VOXLINE_GALLERY_QDRANT_COLLECTION", &gallery.collection),
            ("VOXLINE_GALLERY_QDRANT_TIMEOUT_SECONDS", "20"),
            ("VOXLINE_BANDWIDTH_USERNAME", "voxline"),
            ("VOXLINE_BANDWIDTH_PASSWORD", CARRIER_PASSWORD),
        ];
        let deployment = TestDeployment::open_with(&settings, enrolled);
        let data = tempfile::tempdir().unwrap();
        let (second, base) = serve(data.path(), &deployment.settings);
        Some(Self {
            bases: [deployment.base.clone(), base],
            deployment,
            second,
            data,
        })
    }

    /// What is sent from now on comes to this node.
    fn at(&mut self, node: usize) -> &mut TestDeployment {
        self.deployment.base.clone_from(&self.bases[node]);
        self.deployment.point_peer();
        &mut self.deployment
    }

    /// Ends a node at once, and starts it again.
    fn restart(&mut self, node: usize) {
        if node == 0 {
            self.deployment.restart();
            self.bases[0].clone_from(&self.deployment.base);
            return;
        }
        self.second.kill().unwrap();
        self.second.wait().unwrap();
        (self.second, self.bases[1]) = serve(self.data.path(), &self.deployment.settings);
    }

    /// What is sent from now on comes to the first node, and speech-updates of this status to the second.
    fn split_speech(&mut self, status: &str) {
        let url = |node: usize| format!("{}/vapi/events", self.bases[node]);
        let split = json!({"do": "events", "url": url(0), "secret": SECRET, "speech": {status: url(1)}});
        self.deployment.base.clone_from(&self.bases[0]);
        self.deployment.peer.ask(&split);
    }

    /// Enrols Alice by this node.
    async fn enrol_alice(&mut self, node: usize) {
        let form = signup("alice", &[CONSENT]);
        let path = format!(
            "{}/v1/users/{}/enrollments",
            self.bases[node], self.deployment.alice
        );
        let request = support::http().post(path).multipart(form);
        let answer = request.bearer_auth(self.deployment.key()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    /// Opens a call's stream of mu-law at this node.
    async fn stream(&self, node: usize, id: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        pcm_stream(&self.bases[node], self.deployment.key(), NUMBER, id).await
    }

    /// Sends a webhook of Bandwidth's to this node.
    async fn bandwidth(&self, node: usize, webhook: &Value) {
        let url = format!("{}/carriers/bandwidth/voice", self.bases[node]);
        let request = support::http().post(url).json(webhook);
        let request = request.basic_auth("voxline", Some(CARRIER_PASSWORD));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    async fn identify(&mut self, node: usize) -> Value {
        self.at(node)
            .identify("enrollment_samples/calls/alice-2.wav")
            .await
    }
}

impl Drop for TwoNodes {
    fn drop(&mut self) {
        let _ = self.second.kill();
        let _ = self.second.wait();
    }
}

#[tokio::test]
async fn who_is_enrolled_or_erased_on_one_node_is_so_on_the_other_at_once() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    for node in [0, 1] {
        let said = nodes.identify(node).await;
        assert_eq!(said["reason"], "empty_roster", "{said}");
    }
    nodes.enrol_alice(0).await;
    let acknowledged = Instant::now();
    // Asked by what waits for no model: the second node knows the voice when it is asked.
    let path = format!("/v1/users/{}", nodes.deployment.alice);
    let user = nodes.at(1).get(&path).await;
    assert_eq!(user["enrolled"], true, "{user}");
    assert!(acknowledged.elapsed() < Duration::from_secs(1));
    let said = nodes.identify(1).await;
    assert_eq!(
        (&said["outcome"], &said["user_id"]),
        (&json!("identified"), &json!(nodes.deployment.alice)),
        "{said}"
    );
    let path = format!("{}/v1/users/{}", nodes.bases[1], nodes.deployment.alice);
    let removed = support::http().delete(path).bearer_auth(nodes.deployment.key());
    assert_eq!(removed.send().await.unwrap().status(), 200);
    let said = nodes.identify(0).await;
    assert_eq!(said["reason"], "empty_roster", "{said}");
}

#[tokio::test]
async fn both_nodes_write_one_audit_log_with_one_entry_for_a_call() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    for call in ["c-one", "c-two"] {
        for node in [0, 1] {
            nodes.at(node).ring(call, STRANGER);
        }
    }
    nodes
        .at(1)
        .tool("c-two", "t-1", "verify_pin", json!({"pin": "0000"}));
    nodes.enrol_alice(1).await;
    let mut served = Value::Null;
    for _ in 0..50 {
        served = nodes.at(0).get("/v1/audit?act=call.serve").await;
        if served.as_array().unwrap().len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut calls: Vec<_> = served.as_array().unwrap().iter().collect();
    calls.sort_by_key(|entry| entry["object"].to_string());
    let told: Vec<_> = calls
        .iter()
        .map(|entry| {
            (
                entry["object"].as_str().unwrap(),
                entry["actor"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("c-one", "vapi"), ("c-two", "vapi")]);
    let tried = nodes.at(0).get("/v1/audit?act=pin.try").await;
    let tried = (&tried[0]["actor"], &tried[0]["outcome"]);
    assert_eq!(tried, (&json!("vapi"), &json!("wrong")));
    let verified = nodes.deployment.run(&["audit", "verify"]);
    assert_eq!(verified["fault"], Value::Null, "{verified}");
}

#[tokio::test]
async fn both_nodes_count_wrong_pins_together_and_one_does_a_tool_call() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    nodes.at(0).ring("c-pins", STRANGER);
    let wrong = json!({"pin": "0000"});
    let first = nodes.at(0).tool("c-pins", "t-1", "verify_pin", wrong.clone());
    assert!(first.contains("2 attempts are left"), "{first}");
    // The same call of the tool again, at the other node: answered as before, and not counted.
    let again = nodes.at(1).tool("c-pins", "t-1", "verify_pin", wrong.clone());
    assert!(again.contains("2 attempts are left"), "{again}");
    let second = nodes.at(1).tool("c-pins", "t-2", "verify_pin", wrong);
    assert!(second.contains("1 attempts are left"), "{second}");
    // Another one: the same PIN again on a call is no further guess.
    let third = nodes
        .at(0)
        .tool("c-pins", "t-3", "verify_pin", json!({"pin": "1111"}));
    assert!(third.contains("0 attempts are left"), "{third}");
    // The right one too, at either node.
    for (node, call) in [(0, "t-4"), (1, "t-5")] {
        let right = nodes
            .at(node)
            .tool("c-pins", call, "verify_pin", json!({"pin": ROBERT.1}));
        assert!(right.contains("locked"), "{right}");
    }
}

/// What is kept of a voice is the word it came to; the speech itself goes with the node.
#[tokio::test]
async fn the_end_of_a_call_is_its_end_at_a_node_that_never_saw_it() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    let first = nodes.at(0);
    first.ring("c-end", ALICE.0);
    first.send(json!({
        "type": "status-update", "status": "in-progress", "timestamp": 2, "phoneNumber": {"number": NUMBER},
        "call": {"id": "c-end"},
    }));
    let known = nodes.at(0).tool("c-end", "t-1", "identify_caller", json!({}));
    assert!(known.contains("Alice"), "{known}");
    nodes.at(1).end("c-end");
    for node in [1, 0] {
        let last = nodes.at(node).last_word("c-end").await;
        assert_eq!(last["verdict"]["line_owner"]["user_name"], "Alice", "{last}");
    }
    // What comes afterwards to the node that had it changes nothing.
    let before = nodes.at(0).call("c-end").await;
    nodes
        .at(0)
        .tool("c-end", "t-2", "verify_pin", json!({"pin": ROBERT.1}));
    assert_eq!(nodes.at(0).call("c-end").await["version"], before["version"]);
}

#[tokio::test]
async fn a_node_that_leaves_ends_no_call_that_the_other_has() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    for node in [0, 1] {
        nodes.at(node).ring("c-left", STRANGER);
    }
    nodes.deployment.stop();
    let right = json!({"pin": ROBERT.1});
    let said = nodes.at(1).tool("c-left", "t-1", "verify_pin", right);
    assert!(said.contains("verified: "), "{said}");
    assert_eq!(nodes.at(1).call("c-left").await["final"], json!(false));
}

#[tokio::test]
async fn the_end_told_at_another_node_ends_a_carriers_call_once() {
    let Some(mut nodes) = TwoNodes::open(false).await else {
        return;
    };
    let ring = json!({"eventType": "initiate", "callId": "c-carrier", "from": ALICE.0, "to": NUMBER});
    let end = json!({"eventType": "disconnect", "callId": "c-carrier"});
    for (node, webhook) in [(0, &ring), (1, &end), (1, &end)] {
        nodes.bandwidth(node, webhook).await;
    }
    for node in [1, 0] {
        let last = nodes.at(node).last_word("c-carrier").await;
        assert_eq!(last["verdict"]["line_owner"]["user_name"], "Alice", "{last}");
    }
    // What comes afterwards to either changes nothing.
    let before = nodes.deployment.call("c-carrier").await;
    for node in [1, 0] {
        nodes.bandwidth(node, &end).await;
    }
    assert_eq!(
        nodes.deployment.call("c-carrier").await["version"],
        before["version"]
    );
}
