//! The service as a child process, and its HTTP side, for the examples that start one.
#![allow(dead_code, reason = "each example does some of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

#[path = "alone.rs"]
mod alone;

use alone::program_alone;

pub struct Service {
    child: Child,
    started: Instant,
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Service {
    /// Creates the first key and starts `voxline serve` on a free port.
    pub fn start(program: &Path, data: &Path) -> anyhow::Result<Self> {
        let alone = || program_alone(program, data, std::env::vars_os());
        let created = alone()
            .args(["keys", "create", "--scope", "admin", "--name", "demo", "--json"])
            .output()?;
        anyhow::ensure!(
            created.status.success(),
            "no key: {}",
            String::from_utf8_lossy(&created.stderr)
        );
        let created: Value = serde_json::from_slice(&created.stdout)?;
        let key = created["key"]
            .as_str()
            .context("the key is not in the answer")?
            .to_owned();
        let (http, started) = (http()?, Instant::now());
        let mut child = alone()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "warn")
            // Its address is read of a line of text.
            .env("LOG_FORMAT", "text")
            .stderr(Stdio::piped())
            .spawn()?;
        let base = address(&mut child);
        // From here on a service that does not come up is ended with us.
        let mut service = Self {
            child,
            started,
            base: String::new(),
            key,
            http,
        };
        service.base = base?;
        Ok(service)
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// The address of a WebSocket of the service.
    pub fn socket(&self, path: &str) -> String {
        format!("{}{path}", self.base.replacen("http", "ws", 1))
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub async fn add_number(&self, number: &str, name: &str) -> anyhow::Result<()> {
        self.post("/v1/numbers", &json!({ "number": number, "name": name }))
            .await?;
        Ok(())
    }

    pub async fn add_user(&self, name: &str, number: &str) -> anyhow::Result<String> {
        let user = self
            .post("/v1/users", &json!({ "name": name, "number": number }))
            .await?;
        Ok(user["id"].as_str().context("the user has no id")?.to_owned())
    }

    pub async fn enrol(&self, user: &str, consent: &str, clips: &[PathBuf]) -> anyhow::Result<Value> {
        let mut form = Form::new().text("consent", consent.to_owned());
        for clip in clips {
            let name = clip
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            form = form.part("audio", Part::bytes(std::fs::read(clip)?).file_name(name));
        }
        self.upload(&format!("/v1/users/{user}/enrollments"), form).await
    }

    /// Posts a form and gives the answer, whatever it is.
    pub async fn upload(&self, path: &str, form: Form) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let answer = self
            .http
            .post(url)
            .header("authorization", self.bearer())
            .multipart(form)
            .send()
            .await?;
        Ok(answer.json().await?)
    }

    /// Asks the service to end (SIGTERM, as an operator's supervisor would) and waits for it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.child.id().to_string()).status()?;
        anyhow::ensure!(told.success(), "the service could not be told to end");
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the service ended with {status}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the service did not end within 20 s")
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let answer = self
            .http
            .post(url)
            .header("authorization", self.bearer())
            .json(body)
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{path} answered {status}: {body}");
        Ok(body)
    }
}

/// A demo that fails leaves no service behind.
impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the line that names the address; what else the service says goes to our stderr.
fn address(child: &mut Child) -> anyhow::Result<String> {
    let stderr = child.stderr.take().context("the service has no stderr")?;
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
    wait.recv_timeout(Duration::from_secs(60))
        .context("the service did not listen within 60 s")
}

/// An HTTP client, without the proxy that the environment may name: the service is on this machine. TLS's cryptography is
/// the process's choice, and the program's own is ring.
fn http() -> anyhow::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
