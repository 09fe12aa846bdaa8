//! The real program as a service: started, told to end, beside other processes on its store.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support;

pub const NUMBER: &str = "+12025550101";
/// The text with which a voice is enrolled.
pub const CONSENT: (&str, &str) = ("consent", "I agree.");
/// The same where the recordings are kept.
pub const KEPT: [(&str, &str); 2] = [CONSENT, ("keep_audio", "true")];

/// `voxline serve` on a free port, with an admin key.
pub struct Service {
    child: Child,
    pub base: String,
    /// Where AudioSockets come in, where they do.
    pub audiosocket: Option<String>,
    pub key: String,
    pub http: reqwest::Client,
}

/// The program, with this data folder and nothing from the environment but one thread of inference: each loads the models
/// for itself, a third of what a start takes.
pub fn program(data: &Path) -> Command {
    let mut command = Command::new(crate::support::binary());
    command.env_clear().env("VOXLINE_INFERENCE_THREADS", "1");
    command.arg("--data-dir").arg(data);
    command
}

/// Opens the stream of a call to `number`, of mu-law, at the service at `base`, up to its first frame.
pub async fn pcm_stream(
    base: &str,
    key: &str,
    number: &str,
    id: &str,
) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let mut request = format!("{}/media/pcm", base.replacen("http", "ws", 1))
        .into_client_request()
        .unwrap();
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let start = json!({
        "event": "start", "call_id": id, "number": number,
        "encoding": "mulaw", "sample_rate": 8000, "channels": 1,
    });
    socket.send(Message::text(start.to_string())).await.unwrap();
    socket
}

/// The form that enrols a sample voice, with these texts before its recordings.
pub fn signup(voice: &str, texts: &[(&'static str, &'static str)]) -> Form {
    let texts = texts.iter();
    let mut form = texts.fold(Form::new(), |form, (name, text)| form.text(*name, *text));
    for clip in 1..=3 {
        let bytes = support::read(&format!("enrollment_samples/signup/{voice}/{clip}.flac"));
        form = form.part("audio", Part::bytes(bytes).file_name(format!("{clip}.flac")));
    }
    form
}

impl Service {
    /// Opens a call's stream of mu-law, up to its first frame.
    pub async fn pcm_stream(&self, id: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        pcm_stream(&self.base, &self.key, NUMBER, id).await
    }

    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with these variables in its environment.
    pub fn start_with(data: &Path, settings: &[(&str, String)]) -> Self {
        let created = program(data)
            .envs(settings.iter().cloned())
            .args(["keys", "create", "--scope", "admin", "--json"])
            .output();
        let created: Value = serde_json::from_slice(&created.unwrap().stdout).unwrap();
        let mut serve = program(data);
        serve
            .envs(settings.iter().cloned())
            .args(["serve", "--listen", "127.0.0.1:0"]);
        Self::listening(serve, created["key"].as_str().unwrap())
    }

    /// What `serve` starts, once it listens; `key` is of its store.
    pub fn listening(mut serve: Command, key: &str) -> Self {
        let mut child = serve.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (found, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let mut audiosocket = None;
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("serve: {line}");
                if let Some((_, address)) = line.split_once("AudioSockets come in at ") {
                    audiosocket = Some(address.trim().to_owned());
                }
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _ = found.send((address.trim().to_owned(), audiosocket.take()));
                }
            }
        });
        let listening = wait.recv_timeout(Duration::from_secs(60));
        let (base, audiosocket) = listening.expect("the service did not listen within 60 s");
        Self {
            child,
            base,
            audiosocket,
            key: key.to_owned(),
            http: support::http(),
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        let answer = request.bearer_auth(&self.key).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(&self.key).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or(Value::Null),
        )
    }

    pub async fn upload(&self, path: &str, form: Form) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.base)).multipart(form);
        let answer = request.bearer_auth(&self.key).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Adds the number and Alice, and enrols her; gives her id.
    pub async fn enrol_alice(&self) -> String {
        self.post("/v1/numbers", &json!({ "number": NUMBER })).await;
        let alice = json!({ "name": "Alice", "number": NUMBER });
        self.enrol(&alice, "alice", &KEPT).await
    }

    /// Adds a user and enrols a sample voice for them, with these texts; gives their id.
    pub async fn enrol(&self, user: &Value, voice: &str, texts: &[(&'static str, &'static str)]) -> String {
        let added = self.post("/v1/users", user).await;
        let id = added["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/users/{id}/enrollments");
        let (status, report) = self.upload(&path, signup(voice, texts)).await;
        assert_eq!((status, &report["accepted"]), (201, &json!(true)), "{report}");
        id
    }

    /// Enrols Alice's recordings for the user with this id; the status it was answered with.
    pub async fn enrol_alice_again(&self, id: &str) -> u16 {
        let form = signup("alice", &KEPT);
        self.upload(&format!("/v1/users/{id}/enrollments"), form).await.0
    }

    pub async fn identify_alice(&self) -> Value {
        let call = support::read("enrollment_samples/calls/alice-2.wav");
        let form = Form::new()
            .text("number", NUMBER)
            .part("audio", Part::bytes(call).file_name("call.wav"));
        let (status, said) = self.upload("/v1/identify", form).await;
        assert_eq!(status, 200, "{said}");
        said
    }

    /// The process itself, to be waited for or killed.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn tell(&self, signal: &str) {
        let told = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(told.unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `voxline serve` on a free port that writes all there is to write into a log.
pub struct Logged {
    child: Child,
    pub base: String,
    log: PathBuf,
}

impl Logged {
    /// Started with these variables in its environment; listening.
    pub async fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        let log = data.join("log");
        let child = program(data)
            .env("RUST_LOG", "trace")
            .envs(settings.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut logged = Self {
            child,
            base: String::new(),
            log,
        };
        let patience = Instant::now() + Duration::from_secs(60);
        while logged.base.is_empty() {
            let written = logged.written();
            assert!(Instant::now() < patience, "{written}");
            let mut lines = written.lines();
            if let Some((_, address)) = lines.find_map(|line| line.split_once("listening on ")) {
                // In JSON a quotation mark ends it.
                logged.base = address.split('"').next().unwrap().trim().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        logged
    }

    pub fn written(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends the service, and gives what it wrote.
    pub fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.written()
    }
}

#[tokio::test]
async fn what_another_process_removes_is_not_found_by_the_running_service() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    let alice = service.enrol_alice().await;
    assert_eq!(service.identify_alice().await["outcome"], "identified");

    let removed = program(data.path()).args(["user", "remove", &alice]).status();
    assert!(removed.unwrap().success());
    let said = service.identify_alice().await;
    assert_eq!(
        (&said["outcome"], &said["reason"]),
        (&json!("inconclusive"), &json!("empty_roster"))
    );
}

#[tokio::test]
async fn a_running_service_answers_throughout_a_switch_of_models() {
    let folder = tempfile::tempdir().unwrap();
    let models = crate::cli::two_models_in(folder.path());
    let settings = [
        ("VOXLINE_MODELS_DIR", models.display().to_string()),
        ("VOXLINE_ENROLLMENT_RETAIN_AUDIO", "true".to_owned()),
    ];
    let service = Service::start_with(&folder.path().join("data"), &settings);
    let alice = service.enrol_alice().await;
    let before = service.identify_alice().await["model"].clone();
    let mut switch = program(&folder.path().join("data"));
    switch.envs(settings).args(["models", "switch", "second"]);
    let mut switch = switch.stdout(Stdio::null()).spawn().unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(120);
    loop {
        let said = service.identify_alice().await;
        assert_eq!(
            (&said["outcome"], &said["user_id"]),
            (&json!("identified"), &json!(alice)),
            "{said}"
        );
        if said["model"] == "second" {
            break;
        }
        assert_eq!(said["model"], before);
        assert!(
            std::time::Instant::now() < patience,
            "the service never took it up"
        );
    }
    assert!(switch.wait().unwrap().success());
    assert_eq!(service.get("/readyz").await.1["model"], "second");
}

#[tokio::test]
async fn a_service_told_to_end_finishes_its_live_calls_and_records_them() {
    let data = tempfile::tempdir().unwrap();
    let mut service = Service::start(data.path());
    service.enrol_alice().await;
    let mut socket = service.pcm_stream("cut-short").await;
    let call = support::read("enrollment_samples/calls/alice-2.wav");
    // Header and all: a few dozen bytes of noise before the voice change nothing.
    socket.send(Message::binary(call)).await.unwrap();
    // The first update says that the audio has arrived.
    let first = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
    first.unwrap().unwrap().unwrap();
    service.tell("-TERM");

    let last = tokio::time::timeout(Duration::from_secs(30), async {
        let mut last = Value::Null;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                last = serde_json::from_str(&text).unwrap();
            }
        }
        last
    });
    let last = last.await.unwrap();
    assert_eq!(last["final"], true, "{last}");
    assert!(service.child.wait().unwrap().success());

    let service = Service::start(data.path());
    let (status, call) = service.get("/v1/calls/cut-short").await;
    assert_eq!((status, &call["final"]), (200, &json!(true)), "{call}");
    assert_eq!(call["verdict"]["outcome"], "identified", "{call}");
}

#[tokio::test]
async fn the_token_of_a_link_is_in_no_log_however_much_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| -> Value {
        let output = program(data.path()).args(args).arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    said(&["number", "add", NUMBER]);
    let alice = said(&["user", "add", "--name", "Alice", "--number", NUMBER]);
    let made = said(&["invite", "create", "--user", alice["id"].as_str().unwrap()]);
    let (_, token) = made["url"].as_str().unwrap().rsplit_once('/').unwrap();
    let logged = Logged::start(data.path(), &[]).await;
    let http = support::http();
    let path = format!("{}/enroll/{token}", logged.base);
    let page = http.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let sent = http.post(&path).multipart(Form::new().text("language", "en"));
    assert_eq!(sent.send().await.unwrap().status(), 400);
    let address = format!("{}/check", path.replacen("http", "ws", 1));
    let (mut socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
    socket.send(Message::text("{\"event\":\"start\"}")).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    let _ = http.get(format!("{path}/nothing")).send().await.unwrap();
    let log = logged.end();
    assert!(log.contains("/enroll/{token}"), "the requests are in the log");
    assert!(!log.contains(token), "the token is in the log");
}
