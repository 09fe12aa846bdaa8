//! A service of its own for each test, on a port of its own, with a store that is thrown away.

use std::path::Path;
use std::sync::Arc;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use voxline::config::Config;
use voxline::engine::Asker;
use voxline::reply::{ServeError, ServeSettings, serve};
use voxline::store::{NewUser, Scope};
use voxline::switchboard::{ClipBytes, Switchboard};
use voxline::units::UserId;

pub use crate::support::mulaw;

/// The number of the tests.
pub const NUMBER: &str = "+12025550101";
/// What users agree to in the tests.
pub const CONSENT: &str = "I agree.";

/// A running service.
pub struct Service {
    pub address: String,
    pub board: Arc<Switchboard>,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), ServeError>>,
    pub folder: TempDir,
}

impl Service {
    pub async fn start() -> Self {
        Self::open(&[], |_| {}).await
    }

    /// A service with these settings of its configuration instead of the usual ones.
    pub async fn with(flags: &[(&'static str, &'static str)]) -> Self {
        Self::open(flags, |_| {}).await
    }

    /// A service of the usual configuration whose settings of how it serves are changed by this.
    pub async fn changed(change: fn(&mut ServeSettings)) -> Self {
        Self::open(&[], change).await
    }

    async fn open(flags: &[(&'static str, &'static str)], change: fn(&mut ServeSettings)) -> Self {
        let folder = TempDir::new().unwrap();
        let config = config(folder.path(), flags);
        let board = Switchboard::open(&config.board).await;
        let board = board.unwrap_or_else(|fault| panic!("the switchboard did not open: {fault}"));
        let board = Arc::new(board);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut settings = ServeSettings::new(listener, config.reply, config.carriers);
        change(&mut settings);
        let (stop, stopped) = oneshot::channel();
        let served = serve(Arc::clone(&board), settings, async {
            let _ = stopped.await;
        });
        Self {
            address,
            board,
            client: crate::support::http(),
            stop: Some(stop),
            running: tokio::spawn(served),
            folder,
        }
    }

    /// Tells the service to stop and waits until it has.
    pub async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        (&mut self.running).await.unwrap().unwrap();
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request("GET", path)
    }

    /// What whoever has `key` is answered.
    pub async fn asked(&self, key: &str, path: &str) -> Response {
        self.get(path).bearer_auth(key).send().await.unwrap()
    }

    /// What is shown to whoever has `key`.
    pub async fn shown(&self, key: &str, path: &str) -> Value {
        json(self.asked(key, path).await, 200).await
    }

    /// The problem by which whoever has `key` is refused.
    pub async fn refuses(&self, key: &str, path: &str, status: u16, code: &str) -> Value {
        problem(self.asked(key, path).await, status, code).await
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request("POST", path)
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method.parse().unwrap(), url)
    }

    /// A key with these scopes.
    pub async fn key(&self, scopes: &[Scope]) -> String {
        let new = crate::support::new_key(scopes.iter().copied(), None);
        let (token, _) = self.board.store().create_key(new).await.unwrap();
        token.reveal().to_owned()
    }

    /// Adds the number of the tests.
    pub async fn number(&self) {
        let number = NUMBER.parse().unwrap();
        self.board.store().add_number(&number, None, None).await.unwrap();
    }

    /// Adds a user to the number of the tests.
    pub async fn user(&self, name: &str) -> UserId {
        let new = NewUser {
            name: name.to_owned(),
            number: NUMBER.parse().unwrap(),
            phones: Vec::new(),
            pin: None,
            exclusive: false,
        };
        self.board.store().add_user(new).await.unwrap().id
    }

    /// Adds the number with Alice and Robert on it, both enrolled; gives Alice.
    pub async fn enrolled(&self) -> UserId {
        self.number().await;
        let alice = self.user("Alice").await;
        let robert = self.user("Robert").await;
        for (user, folder) in [(alice, "alice"), (robert, "robert")] {
            let clips = signup(folder)
                .into_iter()
                .map(|(name, bytes)| ClipBytes { name, bytes });
            let admitted = self.board.admit(Asker::recording(None)).unwrap();
            let report = self
                .board
                .enrol(&admitted, user, CONSENT, clips.collect(), None)
                .await
                .unwrap();
            assert!(report.accepted, "{report:?}");
        }
        alice
    }
}

fn config(folder: &Path, flags: &[(&'static str, &'static str)]) -> Config {
    let usual = [
        ("data_dir", folder.to_str().unwrap()),
        ("inference.threads", "1"),
        // These are tests of the service, not of the model: whoever is likelier than not is named.
        ("decision.accept", "0.5"),
        ("decision.unknown_share", "0.01"),
    ];
    crate::support::config(&[&usual[..], flags].concat())
}

/// A synthetic voice's recording.
pub fn sample(path: &str) -> Vec<u8> {
    let path = crate::support::root().join("enrollment_samples").join(path);
    std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The signup recordings of a synthetic caller, with their names.
pub fn signup(who: &str) -> Vec<(String, Vec<u8>)> {
    let files = ["1.flac", "2.flac", "3.flac"];
    let read = |file: &str| (file.to_owned(), sample(&format!("signup/{who}/{file}")));
    files.into_iter().map(read).collect()
}

/// A form with `recordings` and text parts.
pub fn form(recordings: Vec<(String, Vec<u8>)>, texts: &[(&'static str, &str)]) -> Form {
    let with_texts = texts.iter().fold(Form::new(), |form, (name, text)| {
        form.text(*name, (*text).to_owned())
    });
    recordings.into_iter().fold(with_texts, |form, (name, bytes)| {
        form.part("audio", Part::bytes(bytes).file_name(name))
    })
}

/// A form to identify the caller of a recorded call.
pub fn call_form(call: &str) -> Form {
    let recording = (format!("{call}.wav"), sample(&format!("calls/{call}.wav")));
    form(vec![recording], &[("number", NUMBER)])
}

/// Checks that `response` is a problem of this status and code, in the form of RFC 9457, and gives it.
pub async fn problem(response: Response, status: u16, code: &str) -> Value {
    let (came, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(came, status, "{text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["code"], code, "{text}");
    assert_eq!(document["status"], status, "{text}");
    assert_eq!(document["type"], format!("urn:voxline:problem:{code}"));
    let request = headers["x-request-id"].to_str().unwrap();
    assert_eq!(document["instance"], format!("urn:voxline:request:{request}"));
    for member in ["title", "detail"] {
        assert!(
            document[member].as_str().is_some_and(|words| !words.is_empty()),
            "{text}"
        );
    }
    document
}

/// The JSON of a response of this status.
pub async fn json(response: Response, status: u16) -> Value {
    let came = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(came, status, "{text}");
    serde_json::from_str(&text).unwrap()
}
