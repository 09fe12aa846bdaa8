//! The server under load: one that runs already, or a child of ours on a store that is thrown away with it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Bytes;

use super::error::LoadFault;

/// API keys that calls share between them, as a deployment's callers would: one key alone may not take every place.
const KEYS: usize = 4;
/// How long the child may take to listen: its models are loaded first.
const START: Duration = Duration::from_secs(120);
/// How long a server may take to answer a small request.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which server is put under load.
#[derive(Debug, Clone)]
pub enum Target {
    /// A child of this program, on a fresh store.
    Child {
        /// The program to start: `voxline` itself.
        program: PathBuf,
        /// What it is given before the command.
        arguments: Vec<OsString>,
    },
    /// A server that runs already. What is added to it is removed again.
    Running {
        /// Its address, as in `http://127.0.0.1:8080`.
        base: String,
        /// API keys with the scope `admin`, for calls to share.
        keys: Vec<String>,
    },
}

/// What a server says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Process {
    /// Processor time used so far (s).
    pub cpu_seconds: Option<f64>,
    /// Memory in use now (bytes).
    pub resident_bytes: Option<f64>,
}

/// A server that answers.
pub(super) struct Server {
    base: String,
    keys: Vec<String>,
    http: Client,
    /// Ended and removed, in this order, when the test is over.
    child: Option<(Running, TempDir)>,
}

/// A child that does not outlive us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// The server to be tested, answering `/healthz`: one that runs, or a child that is started with a store of its own.
    ///
    /// # Errors
    /// [`LoadFault::Server`] when it cannot be started or does not answer.
    pub async fn reach(target: &Target) -> Result<Self, LoadFault> {
        // The choice is the process's; whoever made it first, it is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No proxy stands between: its streams know none either, and keys are not sent to one in the clear.
        let http = Client::builder()
            .no_proxy()
            .build()
            .map_err(|fault| LoadFault::Server(format!("no HTTP client can be made: {fault}")))?;
        let (base, keys, child) = match target {
            Target::Running { base, keys } => (base.trim_end_matches('/').to_owned(), keys.clone(), None),
            Target::Child { program, arguments } => {
                let (program, arguments) = (program.clone(), arguments.clone());
                let started = tokio::task::spawn_blocking(move || start(&program, &arguments)).await;
                let (base, keys, child, folder) = started.map_err(|_| stopped())??;
                (base, keys, Some((child, folder)))
            }
        };
        let server = Self {
            base,
            keys,
            http,
            child,
        };
        server.ask(Method::GET, "/healthz", None).await?;
        Ok(server)
    }

    /// Whether it is there after the test.
    pub fn stays(&self) -> bool {
        self.child.is_none()
    }

    /// The address of one of its WebSockets.
    pub fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.base.replacen("http", "ws", 1))
    }

    /// The key of the `nth` caller.
    pub fn key(&self, nth: usize) -> &str {
        self.keys
            .get(nth % self.keys.len().max(1))
            .map_or("", String::as_str)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth(self.key(0))
    }

    /// Asks with a document, or none, and gives the answer's.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, LoadFault> {
        let mut request = self.request(method, path).timeout(PATIENCE);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        read(path, request.send().await).await
    }

    /// Removes a user, who may be gone already.
    pub async fn remove_user(&self, id: &str) -> Result<(), LoadFault> {
        let path = format!("/v1/users/{id}");
        let sent = self.request(Method::DELETE, &path).timeout(PATIENCE).send().await;
        let is_gone = |answer: &Response| answer.status() == StatusCode::NOT_FOUND;
        if sent.as_ref().is_ok_and(is_gone) {
            return Ok(());
        }
        read(&path, sent).await.map(drop)
    }

    /// Sends a form of recordings.
    pub async fn upload(
        &self,
        path: &str,
        texts: &[(&'static str, String)],
        recordings: Vec<Vec<u8>>,
    ) -> Result<Value, LoadFault> {
        let mut form = Form::new();
        for (name, text) in texts {
            form = form.text(*name, text.clone());
        }
        for (nth, recording) in recordings.into_iter().enumerate() {
            form = form.part("audio", Part::bytes(recording).file_name(format!("{nth}.wav")));
        }
        read(
            path,
            self.request(Method::POST, path).multipart(form).send().await,
        )
        .await
    }

    /// Has a long recording identified. Its bytes are shared, however many send them at once.
    pub async fn identify(&self, number: &str, recording: Bytes) -> Result<Value, LoadFault> {
        let length = recording.len() as u64;
        let part = Part::stream_with_length(recording, length).file_name("recording.wav");
        let form = Form::new().text("number", number.to_owned()).part("audio", part);
        let path = "/v1/identify";
        read(
            path,
            self.request(Method::POST, path).multipart(form).send().await,
        )
        .await
    }

    /// What its process has used.
    pub async fn process(&self) -> Result<Process, LoadFault> {
        let path = "/metrics";
        let sent = self.request(Method::GET, path).timeout(PATIENCE).send().await;
        let answer = sent.map_err(|fault| unanswered(path, &fault))?;
        let text = answer.text().await.map_err(|fault| unanswered(path, &fault))?;
        let figure = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse::<f64>().ok())
        };
        Ok(Process {
            cpu_seconds: figure("process_cpu_seconds_total"),
            resident_bytes: figure("process_resident_memory_bytes"),
        })
    }
}

fn unanswered(path: &str, fault: &reqwest::Error) -> LoadFault {
    // Without the address, which may hold a password.
    LoadFault::Server(format!("the server did not answer {path}: {fault}"))
}

fn stopped() -> LoadFault {
    LoadFault::Server("the load test was stopped".to_owned())
}

async fn read(path: &str, sent: reqwest::Result<Response>) -> Result<Value, LoadFault> {
    let answer = sent.map_err(|fault| unanswered(path, &fault.without_url()))?;
    let status = answer.status();
    let text = answer
        .text()
        .await
        .map_err(|fault| unanswered(path, &fault.without_url()))?;
    if !status.is_success() {
        let detail: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = detail["detail"].as_str().unwrap_or("without a reason");
        return Err(LoadFault::Server(format!(
            "the server answered {path} with {status}: {detail}"
        )));
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

type Started = (String, Vec<String>, Running, TempDir);

/// Makes keys on a fresh store and starts `serve` there.
fn start(program: &PathBuf, arguments: &[OsString]) -> Result<Started, LoadFault> {
    let failed = |what: &str, cause: &dyn std::fmt::Display| LoadFault::Server(format!("{what}: {cause}"));
    let folder = TempDir::new().map_err(|cause| failed("no folder for a store can be made", &cause))?;
    let command = |words: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(folder.path())
            .args(words);
        command
    };
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        let made = command(&["keys", "create", "--scope", "admin", "--json"])
            .output()
            .map_err(|cause| failed("the program cannot be started", &cause))?;
        let document: Value = serde_json::from_slice(&made.stdout).unwrap_or_default();
        let key = document["key"].as_str();
        keys.push(
            key.ok_or_else(|| failed("no API key was made", &String::from_utf8_lossy(&made.stderr)))?
                .to_owned(),
        );
    }
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
    // Its address is read of a line of text.
    serve.env("LOG_FORMAT", "text");
    if std::env::var_os("RUST_LOG").is_none() {
        serve.env("RUST_LOG", "warn");
    }
    let spawned = serve.stderr(Stdio::piped()).spawn();
    let mut child = Running(spawned.map_err(|cause| failed("the program cannot be started", &cause))?);
    let base = address(&mut child.0)?;
    Ok((base, keys, child, folder))
}

/// Waits for the line that names the address; whatever else the child says is said on.
fn address(child: &mut Child) -> Result<String, LoadFault> {
    let silent = || LoadFault::Server("the server under load did not begin to listen".to_owned());
    let stderr = child.stderr.take().ok_or_else(silent)?;
    let (found, wait) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            match line.split_once("listening on ") {
                // Nobody waits any more after the first one.
                Some((_, address)) => drop(found.send(address.trim().to_owned())),
                None => eprintln!("{line}"),
            }
        }
    });
    wait.recv_timeout(START).map_err(|_| silent())
}
