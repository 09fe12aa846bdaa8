//! Two nodes of one deployment: two programs with folders of their own, one PostgreSQL, one Qdrant.

use std::process::Child;
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::harness::{ROBERT, TestDeployment, serve};
use crate::{gallery::peer, postgres, support};

const STRANGER: &str = "+12025550199";

/// The first node is the deployment's own.
struct TwoNodes {
    deployment: TestDeployment,
    bases: [String; 2],
    second: Child,
    _data: tempfile::TempDir,
}

impl TwoNodes {
    /// `None` where the tests against servers are switched off.
    async fn open() -> Option<Self> {
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
        ];
        let deployment = TestDeployment::open_with(&settings, false);
        let data = tempfile::tempdir().unwrap();
        let (second, base) = serve(data.path(), &deployment.settings);
        Some(Self {
            bases: [deployment.base.clone(), base],
            deployment,
            second,
            _data: data,
        })
    }

    /// What is sent from now on comes to this node.
    fn at(&mut self, node: usize) -> &mut TestDeployment {
        self.deployment.base.clone_from(&self.bases[node]);
        self.deployment.point_peer();
        &mut self.deployment
    }

    /// Enrols Alice by this node.
    async fn enrol_alice(&mut self, node: usize) {
        let mut form = Form::new().text("consent", "I agree.");
        for clip in 1..=3 {
            let bytes = support::read(&format!("enrollment_samples/signup/alice/{clip}.flac"));
            form = form.part("audio", Part::bytes(bytes).file_name(format!("{clip}.flac")));
        }
        let path = format!(
            "{}/v1/users/{}/enrollments",
            self.bases[node], self.deployment.alice
        );
        let request = support::http().post(path).multipart(form);
        let answer = request.bearer_auth(self.deployment.key()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
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
    let Some(mut nodes) = TwoNodes::open().await else {
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
async fn both_nodes_count_wrong_pins_together_and_one_does_a_tool_call() {
    let Some(mut nodes) = TwoNodes::open().await else {
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
