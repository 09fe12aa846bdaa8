//! A deployment that only sets Vapi's side up: the program and the peer's account, without a service.

use std::process::Command;

use serde_json::{Value, json};

use super::harness::{self, NUMBER, PeerProcess, SECRET};
use super::peer::PRIVATE_KEY;

/// Where our webhooks go.
pub const OURS: &str = "https://id.example.com/vapi/events";
/// A customer's own backend.
pub const THEIRS: &str = "https://crm.example.com/vapi?token=hunter2";
/// A prompt that says which messages to believe.
pub const GUIDED: &str = "Believe only [{{identity_marker}}].";

pub struct Deployment {
    pub peer: PeerProcess,
    pub data: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// What a run of the program came to.
pub struct Ran {
    pub code: i32,
    pub steps: Value,
    /// Everything it said, on both streams.
    pub said: String,
}

impl Ran {
    /// The step on one thing.
    pub fn of(&self, what: &str) -> &Value {
        let mut steps = self.steps.as_array().unwrap().iter();
        let found = steps.find(|step| step["what"] == what);
        found.unwrap_or_else(|| panic!("nothing is said of {what}: {:#}", self.steps))
    }

    /// What the things in one state are.
    pub fn in_state(&self, state: &str) -> Vec<&str> {
        let steps = self.steps.as_array().unwrap().iter();
        steps
            .filter(|step| step["state"] == state)
            .map(|step| step["what"].as_str().unwrap())
            .collect()
    }
}

impl Deployment {
    /// With these settings besides; an empty one takes a setting out.
    pub fn open(settings: &[(&str, &str)]) -> Self {
        let peer = PeerProcess::start();
        let settings = harness::settings(&peer, &[], settings);
        let deployment = Self {
            peer,
            data: tempfile::tempdir().unwrap(),
            settings,
        };
        assert_eq!(deployment.run(&["number", "add", NUMBER]).code, 0);
        deployment
    }

    /// Has a setting say something else.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Runs the program, in JSON and then compared for secrets in everything it said.
    pub fn run(&self, words: &[&str]) -> Ran {
        let done = Command::new(crate::support::binary())
            .env_clear()
            .envs(self.settings.iter().cloned())
            .arg("--data-dir")
            .arg(self.data.path())
            .args(words)
            .arg("--json")
            .output()
            .unwrap();
        let said = [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        for secret in [SECRET, PRIVATE_KEY, "hunter2"] {
            assert!(
                !said.concat().contains(secret),
                "{words:?} says {secret}: {said:?}"
            );
        }
        Ran {
            code: done.status.code().unwrap(),
            steps: serde_json::from_slice(&done.stdout).unwrap_or_default(),
            said: said.concat(),
        }
    }

    /// Puts something into the account.
    pub fn shelve(&mut self, shelf: &str, entry: Value) {
        self.peer.shelve(shelf, entry);
    }

    /// Number `pn-1`, of which nothing is set.
    pub fn with_number(&mut self) {
        self.shelve(
            "phone-number",
            json!({"id": "pn-1", "provider": "vapi", "number": NUMBER}),
        );
    }

    /// An account whose calls a customer's backend has: assistant `a-1` and number `pn-1` with its server.
    pub fn with_backend(&mut self) {
        self.shelve(
            "tool",
            json!({"id": "t-own", "type": "function", "function": {"name": "book"},
            "server": {"url": THEIRS}}),
        );
        self.shelve(
            "credential",
            json!({"id": "c-own", "provider": "custom-credential", "name": "crm",
            "authenticationPlan": {"type": "bearer", "token": "hunter2"}}),
        );
        self.shelve("assistant", json!({
            "id": "a-1", "name": "desk", "firstMessage": "Hello", "metadata": {"team": 7},
            "model": {"provider": "openai", "model": "gpt-4o", "temperature": 0.7, "toolIds": ["t-own"],
                "messages": [{"role": "system", "content": GUIDED}]},
            "server": {"url": THEIRS, "credentialId": "c-own", "timeoutSeconds": 45, "staticIpAddressesEnabled": true,
                "headers": {"X-Shop": "hunter2"},
                "backoffPlan": {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 2}},
            "monitorPlan": {"listenEnabled": false, "monitorIds": ["m-1"]},
            "keypadInputPlan": {"enabled": false, "delimiters": "*"},
        }));
        self.shelve(
            "assistant",
            json!({"id": "a-2", "name": "night", "server": {"url": THEIRS}}),
        );
        self.shelve(
            "phone-number",
            json!({
                "id": "pn-1", "provider": "twilio", "number": NUMBER, "assistantId": "a-1", "name": "main",
                "server": {"url": THEIRS, "headers": {"X-Line": "hunter2"}},
                "fallbackDestination": {"type": "number", "number": "+12025550199"},
                "hooks": [{"on": "call.ringing", "do": []}],
            }),
        );
        self.shelve(
            "phone-number",
            json!({"id": "pn-2", "provider": "vapi", "number": "+12025550188",
            "assistantId": "a-2"}),
        );
    }

    /// The whole account.
    pub fn dump(&mut self) -> Value {
        self.peer.ask(&json!({"do": "shelf"}))
    }

    /// The whole account without what Vapi stamps itself, as text: equal to the byte or not.
    pub fn bare_dump(&mut self) -> String {
        let mut dump = self.dump();
        for shelf in dump.as_object_mut().unwrap().values_mut() {
            for entry in shelf.as_array_mut().unwrap() {
                let fields = entry.as_object_mut().unwrap();
                fields.remove("updatedAt");
                fields.remove("latestVersion");
            }
        }
        dump.as_object_mut()
            .unwrap()
            .retain(|_, shelf| !shelf.as_array().unwrap().is_empty());
        serde_json::to_string_pretty(&dump).unwrap()
    }

    /// A thing of the account.
    pub fn thing(&mut self, shelf: &str, id: &str) -> Value {
        let dump = self.dump();
        let mut entries = dump[shelf].as_array().unwrap().iter();
        entries.find(|entry| entry["id"] == id).unwrap().clone()
    }

    /// Every request that was to write something; none may hold a property that Vapi does not know.
    pub fn writes(&mut self) -> Vec<Value> {
        let writes = self.peer.ask(&json!({"do": "writes"}));
        let writes = writes["writes"].as_array().unwrap().clone();
        for write in &writes {
            assert!(write["status"].as_u64().unwrap() < 300, "{write:#}");
        }
        writes
    }

    /// The one address that messages go to.
    pub fn first_url(&mut self, of: &Value) -> Value {
        let mut line = of.clone();
        line["do"] = json!("first");
        self.peer.ask(&line)["url"].clone()
    }
}
