//! The signup page and the console in a real browser, against the real program: `tests/browser/signup.py` and
//! `console.py` go through them as a person would. Chromium's stand-in for a microphone plays recordings of ours.

mod console;
mod people;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::process::Service;
use crate::recovering::until_last;
use crate::support::{Rng, at_16k, at_rate, clip, mulaw, project, wav};

const NUMBER: &str = "+12025550101";

/// As `scripts/provision_peers.py` looks for it.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// A Chromium, and the Python that drives it.
struct Browser {
    program: PathBuf,
    python: PathBuf,
}

impl Browser {
    /// The machine's; `None`, with a word on why, where there is none. One that `VOXLINE_TEST_BROWSER` names must be
    /// there.
    fn find() -> Option<Self> {
        let named = std::env::var_os("VOXLINE_TEST_BROWSER").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = || {
            let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
            let all = BROWSERS
                .iter()
                .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
            all.into_iter().find(|program| program.is_file())
        };
        let Some(program) = named.or_else(found) else {
            eprintln!("skipped: there is no Chromium here (Debian: apt-get install chromium)");
            return None;
        };
        assert!(program.is_file(), "{} is not there", program.display());
        let python = project(".venv-browser/bin/python");
        assert!(
            python.is_file(),
            "{} is missing: `make test` provisions it, or `python3 scripts/provision_peers.py browser`",
            python.display()
        );
        Some(Self { program, python })
    }

    /// Goes a course of `tests/browser/signup.py`; gives what it measured. Meanwhile others go on, such as an HTTP
    /// client that learns that its connection has been closed.
    async fn course(&self, course: &str, link: &str, more: &[(&str, &Path)]) -> Value {
        let mut command = self.command("signup.py", course, link);
        for (flag, value) in more {
            command.arg(flag).arg(value);
        }
        Self::goes(course, command).await
    }

    fn command(&self, script: &str, course: &str, link: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg(project("tests/browser").join(script))
            .args([course, "--link", link, "--browser"])
            .arg(&self.program);
        command
    }

    async fn goes(course: &str, mut command: Command) -> Value {
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let measured = serde_json::from_slice(&output.stdout).unwrap();
        println!("{course}: {measured}");
        measured
    }
}

/// A service with the number of the tests, and a link for a new user of it.
struct TestDeployment {
    service: Service,
    folder: tempfile::TempDir,
}

impl TestDeployment {
    async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start_with(&folder.path().join("data"), &[]);
        let number = json!({ "number": NUMBER, "name": "Garden shop" });
        service.post("/v1/numbers", &number).await;
        Self { service, folder }
    }

    /// A new user, and their link on this machine.
    async fn invite(&self, name: &str) -> (String, String) {
        let user = json!({ "name": name, "number": NUMBER });
        let user = self.service.post("/v1/users", &user).await;
        let id = user["id"].as_str().unwrap().to_owned();
        let made = self
            .service
            .post(&format!("/v1/users/{id}/invites"), &json!({}))
            .await;
        let (_, token) = made["url"].as_str().unwrap().rsplit_once('/').unwrap();
        let link = format!("{}/enroll/{token}", self.service.base);
        (id, link)
    }

    /// What a microphone is to hear, as the WAV file that Chromium plays.
    fn microphone(&self, name: &str, samples: &[f32]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wav"));
        std::fs::write(&path, wav(48_000, 1, &at_rate(samples, 48_000))).unwrap();
        path
    }

    /// What a call of this recording comes to, streamed as a carrier would.
    async fn call(&self, call: &str) -> Value {
        self.call_paced(call, call, Duration::ZERO).await
    }

    /// The same, of the recording `call` under the id `id`, with `pace` between every fifth of a second of audio.
    async fn call_paced(&self, id: &str, call: &str, pace: Duration) -> Value {
        let mut socket = self.service.pcm_stream(id).await;
        for piece in mulaw(call).chunks(1_600) {
            socket.send(Message::binary(piece.to_vec())).await.unwrap();
            tokio::time::sleep(pace).await;
        }
        let stop = json!({ "event": "stop" });
        socket.send(Message::text(stop.to_string())).await.unwrap();
        until_last(&mut socket).await
    }
}

/// The signup recordings of a synthetic caller one after the other, at 16 kHz, with half a second between them.
fn voice(who: &str) -> Vec<f32> {
    let pause = Rng::new(7).noise(-75.0, at_16k(0.5));
    (1..=3)
        .flat_map(|nth| {
            let said = clip(&format!("enrollment_samples/signup/{who}/{nth}.flac"));
            said.into_iter().chain(pause.clone())
        })
        .collect()
}

#[tokio::test]
async fn who_signs_up_in_a_browser_is_known_on_the_next_streamed_call() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    let (alice, link) = deployment.invite("Alice").await;
    let microphone = deployment.microphone("alice", &voice("alice"));
    browser
        .course("sign-up", &link, &[("--microphone", &microphone)])
        .await;

    let (_, user) = deployment.service.get(&format!("/v1/users/{alice}")).await;
    assert_eq!(user["enrolled"], true, "{user}");
    let said = deployment.call("alice-1").await;
    assert_eq!(
        (&said["outcome"], &said["user_id"], &said["final"]),
        (&json!("identified"), &json!(alice), &json!(true)),
        "{said}"
    );
}

#[tokio::test]
async fn a_browser_that_only_records_files_signs_up_too() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    let (alice, link) = deployment.invite("Alice").await;
    let microphone = deployment.microphone("alice", &voice("alice"));
    browser
        .course("recorder", &link, &[("--microphone", &microphone)])
        .await;
    let (_, user) = deployment.service.get(&format!("/v1/users/{alice}")).await;
    assert_eq!(user["enrolled"], true, "{user}");
    let said = deployment.call("alice-1").await;
    assert_eq!(
        (&said["outcome"], &said["user_id"]),
        (&json!("identified"), &json!(alice)),
        "{said}"
    );
}

#[tokio::test]
async fn the_page_is_gone_through_by_the_keyboard_alone() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    let (_, link) = deployment.invite("Robert").await;
    let microphone = deployment.microphone("robert", &voice("robert"));
    browser
        .course("keyboard", &link, &[("--microphone", &microphone)])
        .await;
}

#[tokio::test]
async fn a_second_voice_is_heard_while_it_speaks_and_a_file_will_do_instead() {
    let Some(browser) = Browser::find() else { return };
    let deployment = TestDeployment::build().await;
    let (_, link) = deployment.invite("Alice").await;
    let (alice, walter) = (voice("alice"), voice("walter"));
    let both = [&alice[..at_16k(8.0)], &walter[..at_16k(10.0)]].concat();
    let microphone = deployment.microphone("both", &both);
    browser
        .course(
            "hints",
            &link,
            &[
                ("--microphone", &microphone),
                ("--expect", Path::new("several_voices")),
            ],
        )
        .await;
    browser.course("samples", &link, &[]).await;
    let recording = deployment.microphone("file", &alice);
    let bad = project("Cargo.toml");
    browser
        .course("upload", &link, &[("--file", &recording), ("--bad", &bad)])
        .await;
    let none = format!("{}/enroll/ve_none", deployment.service.base);
    browser.course("closed", &none, &[]).await;
}
