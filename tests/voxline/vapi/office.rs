//! The customer's own backend in a process of its own, and a deployment that relays to it.

use serde_json::{Value, json};

use super::harness::{PeerProcess, SECRET, TestDeployment};

/// Where the backend is, and how it is asked.
pub struct Office {
    process: PeerProcess,
    port: u16,
}

impl Office {
    pub fn open() -> Self {
        Self::at(0)
    }

    /// On this port, as one that was down and comes up again.
    pub fn at(port: u16) -> Self {
        let environment = [
            ("VOXLINE_TEST_VAPI_BACKEND", port.to_string()),
            ("VOXLINE_TEST_VAPI_SECRET", SECRET.to_owned()),
        ];
        let process = PeerProcess::start_as("vapi::backend_process", &environment);
        let port = process.address.rsplit(':').next().unwrap().parse().unwrap();
        Self { process, port }
    }

    /// Ends it; the port is nobody's then.
    pub fn close(self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("{}/vapi", self.process.address)
    }

    /// How messages of a type are answered from now on.
    pub fn answers(&mut self, kind: &str, how: Value) {
        let mut line = how;
        line["do"] = json!("answer");
        line["type"] = json!(kind);
        assert_eq!(self.process.ask(&line)["ok"], true);
    }

    /// Waits for so many messages of a type; all there were.
    pub fn got(&mut self, kind: &str, count: usize) -> Vec<Value> {
        let got = self
            .process
            .ask(&json!({"do": "got", "type": kind, "count": count, "within": 60}));
        assert_eq!(got["ok"], true, "{kind} did not come {count} times: {got}");
        got["got"].as_array().unwrap().clone()
    }

    /// What came of a type so far.
    pub fn got_so_far(&mut self, kind: &str) -> Vec<Value> {
        let got = self
            .process
            .ask(&json!({"do": "got", "type": kind, "count": 0, "within": 0}));
        got["got"].as_array().unwrap().clone()
    }
}

/// A deployment without voices that relays to `url`, with these settings besides.
pub fn relaying(url: &str, settings: &[(&str, &str)]) -> TestDeployment {
    let mut all = vec![("VOXLINE_VAPI_UPSTREAM_URL", url)];
    all.extend(settings);
    TestDeployment::open_with(&all, false)
}

/// The message in a relayed body.
pub fn message(got: &Value) -> Value {
    let body: Value = serde_json::from_str(got["body"].as_str().unwrap()).unwrap();
    body["message"].clone()
}
