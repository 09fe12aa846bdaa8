//! A deployment with its Vapi: the program on a free port, the peer in a process of its own, two users.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

pub use super::driven::PeerProcess;
use super::peer::{PRIVATE_KEY, PUBLIC_KEY};
use crate::support;

/// The dialed number.
pub const NUMBER: &str = "+12025550102";
/// Alice's telephone and PIN. It is long, for a search after four digits finds them in other numbers too.
pub const ALICE: (&str, &str) = ("+12025550103", "48213579");
/// Robert's number and PIN.
pub const ROBERT: (&str, &str) = ("+12025550104", "7305");
/// A telephone that nobody is known by.
pub const STRANGER: &str = "+12025550199";
/// The HMAC key of the webhooks.
pub const SECRET: &str = "vapi-test-secret";

/// What the services have logged, by their data folders.
static LOGS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);

/// A service with a Vapi beside it.
pub struct TestDeployment {
    pub peer: PeerProcess,
    pub data: tempfile::TempDir,
    pub base: String,
    pub settings: Vec<(String, String)>,
    pub service: Child,
    key: String,
    pub alice: String,
    pub robert: String,
}

impl TestDeployment {
    /// With Alice and Robert on the number, both enrolled.
    pub fn open() -> Self {
        Self::open_with(&[], true)
    }

    /// With these settings besides; `enrolled` says whether their voices are known.
    pub fn open_with(settings: &[(&str, &str)], enrolled: bool) -> Self {
        let peer = PeerProcess::start();
        let data = tempfile::tempdir().unwrap();
        let usual = [
            ("VOXLINE_VAPI_FALLBACK_ASSISTANT_ID", "a-fallback"),
            // A slow machine is no broken one; the tests of what is broken set their own.
            ("VOXLINE_VAPI_ANSWER_BUDGET_SECONDS", "7"),
        ];
        let all = self::settings(&peer, &usual, settings);
        run(data.path(), &all, &["number", "add", NUMBER]);
        let user = |name: &str, (phone, pin): (&str, &str)| {
            let added = run(
                data.path(),
                &all,
                &[
                    "user", "add", "--name", name, "--number", NUMBER, "--phone", phone, "--pin", pin,
                ],
            );
            let id = added["id"].as_str().unwrap().to_owned();
            if enrolled {
                let clips: Vec<String> = (1..=3)
                    .map(|clip| format!("enrollment_samples/signup/{}/{clip}.flac", name.to_lowercase()))
                    .map(|path| support::project(&path).display().to_string())
                    .collect();
                let mut words = vec!["enroll", "--user", &id, "--consent", "I agree"];
                words.extend(clips.iter().map(String::as_str));
                assert_eq!(run(data.path(), &all, &words)["accepted"], true);
            }
            id
        };
        let (alice, robert) = (user("Alice", ALICE), user("Robert", ROBERT));
        let key = run(data.path(), &all, &["keys", "create", "--scope", "admin"]);
        let (service, base) = serve(data.path(), &all);
        let mut deployment = Self {
            peer,
            data,
            base,
            settings: all,
            service,
            key: key["key"].as_str().unwrap().to_owned(),
            alice,
            robert,
        };
        deployment.point_peer();
        deployment
    }

    /// Ends the service at once, and starts it again on the same store.
    pub fn restart(&mut self) {
        self.service.kill().unwrap();
        self.service.wait().unwrap();
        self.start();
    }

    /// Starts the service, which has ended, again on the same store.
    pub fn start(&mut self) {
        let (service, base) = serve(self.data.path(), &self.settings);
        (self.service, self.base) = (service, base);
        self.point_peer();
    }

    /// Has the peer send its messages to the service's address.
    pub fn point_peer(&mut self) {
        let url = format!("{}/vapi/events", self.base);
        self.peer
            .ask(&json!({"do": "events", "url": url, "secret": SECRET}));
    }

    /// Runs the program beside the service.
    pub fn run(&self, words: &[&str]) -> Value {
        run(self.data.path(), &self.settings, words)
    }

    /// Sends a message that is taken; what it was answered.
    pub fn send(&mut self, message: Value) -> Value {
        let sent = self.peer.ask(&json!({"do": "post", "message": message}));
        assert_eq!(sent["status"], 200, "{sent}");
        sent["answer"].clone()
    }

    /// A call rings, from this number; what Vapi is to do.
    pub fn ring(&mut self, call: &str, from: &str) -> Value {
        self.send(json!({
            "type": "assistant-request", "timestamp": 1,
            "phoneNumber": {"id": "pn-1", "provider": "vapi", "number": NUMBER},
            "customer": {"number": from},
            "call": {"id": call, "type": "inboundPhoneCall", "status": "ringing"},
        }))
    }

    /// The call is answered: its listen stream plays `script`, and Vapi says where. `headers` are those of the INVITE.
    pub fn answer(&mut self, call: &str, play: Value, headers: Value) {
        let mut line = play;
        line["do"] = json!("play");
        line["call"] = json!(call);
        let played = self.peer.ask(&line);
        let message = json!({
            "type": "status-update", "status": "in-progress", "timestamp": 2,
            "phoneNumber": {"number": NUMBER},
            "call": {"id": call, "monitor": played["monitor"], "phoneCallProviderDetails": {"sip": {"headers": headers}}},
        });
        assert_eq!(self.send(message), json!({}));
    }

    /// Calls a tool; its result.
    pub fn tool(&mut self, call: &str, id: &str, name: &str, arguments: Value) -> String {
        let answer = self.send(json!({
            "type": "tool-calls", "timestamp": 3, "phoneNumber": {"number": NUMBER}, "call": {"id": call},
            "toolCallList": [{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}],
        }));
        assert_eq!(answer["results"][0]["toolCallId"], id, "{answer}");
        let result = answer["results"][0]["result"].as_str().unwrap().to_owned();
        assert_eq!(result.lines().count(), 1, "{result}");
        result
    }

    /// The call ends.
    pub fn end(&mut self, call: &str) {
        self.send(json!({"type": "status-update", "status": "ended", "timestamp": 9, "call": {"id": call}}));
        self.send(json!({
            "type": "end-of-call-report", "timestamp": 10, "endedReason": "customer-ended-call", "call": {"id": call},
        }));
    }

    /// Waits until the model was told this; everything it was told.
    pub fn told(&mut self, call: &str, contains: &str) -> Vec<String> {
        let answer = self
            .peer
            .ask(&json!({"do": "told", "call": call, "contains": contains, "within": 60}));
        assert_eq!(answer["ok"], true, "{contains} was not told: {answer}");
        contents(&answer)
    }

    /// Everything the model was told so far.
    pub fn told_so_far(&mut self, call: &str) -> Vec<String> {
        let told = json!({"do": "told", "call": call, "contains": "", "within": 0});
        contents(&self.peer.ask(&told))
    }

    /// Waits until a call was played to its end.
    pub fn played(&mut self, call: &str) {
        let played = json!({"do": "played", "call": call, "within": 90});
        assert_eq!(self.peer.ask(&played)["ok"], true);
    }

    /// What the service says of a call now.
    pub async fn call(&self, call: &str) -> Value {
        self.get(&format!("/v1/calls/{call}")).await
    }

    /// Every call the service has recorded.
    pub async fn calls(&self) -> Vec<Value> {
        let calls = self.get("/v1/calls?limit=500").await;
        calls.as_array().unwrap().clone()
    }

    /// What the service's API answers.
    pub async fn get(&self, path: &str) -> Value {
        let request = support::http().get(format!("{}{path}", self.base));
        let request = request.bearer_auth(&self.key);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// What the service counts.
    pub async fn metrics(&self) -> String {
        let request = support::http().get(format!("{}/metrics", self.base));
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Has a recording identified by upload, as whoever has a key may.
    pub fn identify(&self, path: &str) -> impl Future<Output = Value> + Send + 'static {
        let part = Part::bytes(support::read(path)).file_name("call.wav");
        let form = Form::new().text("number", NUMBER).part("audio", part);
        let request = support::http().post(format!("{}/v1/identify", self.base));
        let request = request.bearer_auth(&self.key).multipart(form);
        async move { request.send().await.unwrap().json().await.unwrap() }
    }

    /// Tells the service to end, and waits until it has, in order.
    pub fn stop(&mut self) {
        let pid = self.service.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        for _ in 0..2_400 {
            if let Some(status) = self.service.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the service did not end");
    }

    /// Waits until the service has logged this.
    pub async fn logged(&self, wanted: &str) {
        for _ in 0..1_200 {
            let has = |log: &String| log.contains(wanted);
            if LOGS.lock().unwrap().get(self.data.path()).is_some_and(has) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{wanted} was not logged");
    }

    /// A key that may do everything.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Waits until what the service says of a call is as it should be.
    pub async fn until(&self, call: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_800 {
            let said = self.call(call).await;
            if holds(&said) {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not so in time: {}", self.call(call).await);
    }

    /// Waits for the last word on a call.
    pub async fn last_word(&self, call: &str) -> Value {
        self.until(call, |said| said["final"] == true).await
    }
}

impl Drop for TestDeployment {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn contents(answer: &Value) -> Vec<String> {
    let told = answer["told"].as_array().unwrap().iter();
    told.map(|message| {
        assert_eq!(
            (
                &message["type"],
                &message["message"]["role"],
                &message["triggerResponseEnabled"]
            ),
            (&json!("add-message"), &json!("system"), &json!(false))
        );
        message["message"]["content"].as_str().unwrap().to_owned()
    })
    .collect()
}

/// The settings of a deployment whose Vapi is `peer`: everybody's, with `usual` and then `more` besides; an empty one takes a
/// setting out.
pub fn settings(peer: &PeerProcess, usual: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("VOXLINE_VAPI_AUTH", "hmac"),
        ("VOXLINE_VAPI_SECRET", SECRET),
        ("VOXLINE_VAPI_ASSISTANT_ID", "a-1"),
        ("VOXLINE_VAPI_PLAIN_HOSTS", "127.0.0.1"),
        ("VOXLINE_VAPI_API_KEY", PRIVATE_KEY),
        ("VOXLINE_VAPI_PUBLIC_KEY", PUBLIC_KEY),
        ("VOXLINE_PUBLIC_URL", "https://id.example.com"),
        ("VOXLINE_VAPI_API_URL", peer.address.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    for (name, value) in usual.iter().chain(more) {
        all.retain(|(known, _)| known != name);
        if !value.is_empty() {
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    all
}

/// A script of recordings of this repository's calls: who, and which.
pub fn script(parts: &[(&str, &str)]) -> Value {
    let parts = parts
        .iter()
        .map(|(who, name)| match name.strip_prefix("silence ") {
            Some(seconds) => json!({"who": who, "silence": seconds.parse::<f64>().unwrap()}),
            None => {
                let path = support::project(&format!("enrollment_samples/calls/{name}.wav"));
                json!({"who": who, "audio": path.display().to_string()})
            }
        });
    Value::Array(parts.collect())
}

/// A stream that plays such a script at three times its speed.
pub fn fast(parts: &[(&str, &str)]) -> Value {
    json!({"script": script(parts), "speed": 3.0})
}

/// A stream of one second of silence.
pub fn silent() -> Value {
    json!({"script": script(&[("user", "silence 1")])})
}

fn program(data: &Path, settings: &[(String, String)]) -> Command {
    let mut command = crate::process::program(data);
    command.envs(settings.iter().cloned());
    command
}

/// Runs the program with this data folder; what it printed.
pub fn run(data: &Path, settings: &[(String, String)], words: &[&str]) -> Value {
    let done = program(data, settings)
        .args(words)
        .arg("--json")
        .output()
        .unwrap();
    let said = serde_json::from_slice(&done.stdout);
    said.unwrap_or_else(|fault| panic!("{words:?}: {fault}: {}", String::from_utf8_lossy(&done.stderr)))
}

/// `voxline serve` on a free port: the process and its address. What it says goes to this test's own stderr.
pub fn serve(data: &Path, settings: &[(String, String)]) -> (Child, String) {
    let mut child = program(data, settings)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (found, wait) = channel();
    let data = data.to_owned();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on ") {
                let _ = found.send(address.trim().to_owned());
            }
            eprintln!("{line}");
            let mut logs = LOGS.lock().unwrap();
            let log = logs.entry(data.clone()).or_default();
            log.push_str(&line);
            log.push('\n');
        }
    });
    let base = wait.recv_timeout(Duration::from_secs(120));
    (child, base.expect("the service did not listen"))
}
