//! The carriers and exchanges, as far as a call needs them, against the real program.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use ring::signature::KeyPair;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use voxline::carriers::Carrier;

pub use super::calls::{Call, call, direct, token_in};
use super::frames::{key, media, start, stop};
use super::proofs::{TOKEN, media_type, path, percent, proof, telnyx_key};
use crate::process::{CONSENT, Service, program};
pub use crate::support::mulaw;

pub const NUMBER: &str = "+12025550102";
/// Alice's own phone, which forwards to the number.
pub const ALICE: &str = "+12025550103";
/// Somebody who calls her.
pub const CALLER: &str = "+12025550101";
pub const PIN: &str = "48213579";
pub const PUBLIC: &str = "https://id.example.com";
pub const FORWARD_SECRET: &str = "fwd-test";
/// SignalWire's key, which is not Twilio's.
pub const SIGNING_KEY: &str = "sw-test";

/// The program with all of them configured, and Alice and Robert enrolled.
pub struct Deployment {
    pub service: Service,
    pub alice: String,
    commands: mpsc::UnboundedReceiver<(String, Value)>,
    settings: Vec<(&'static str, String)>,
    data: TempDir,
}

impl Deployment {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with these settings beside the usual ones.
    pub async fn start_with(more: &[(&'static str, &str)]) -> Self {
        let mut deployment = Self::empty_with(more).await;
        deployment
            .service
            .post("/v1/numbers", &json!({"number": NUMBER}))
            .await;
        let alice = json!({"name": "Alice", "number": NUMBER, "phones": [ALICE], "pin": PIN});
        deployment.alice = deployment.service.enrol(&alice, "alice", &[CONSENT]).await;
        let robert = json!({"name": "Robert", "number": NUMBER});
        deployment.service.enrol(&robert, "robert", &[CONSENT]).await;
        deployment
    }

    /// The same with nobody and no number.
    pub async fn empty() -> Self {
        Self::empty_with(&[]).await
    }

    async fn empty_with(more: &[(&'static str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (api, commands) = telnyx_api().await;
        let mut settings = vec![
            ("VOXLINE_PUBLIC_URL", PUBLIC.to_owned()),
            ("VOXLINE_TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
            (
                "VOXLINE_TELNYX_PUBLIC_KEY",
                STANDARD.encode(telnyx_key().public_key()),
            ),
            ("VOXLINE_TELNYX_API_KEY", "KEY-test".to_owned()),
            ("VOXLINE_TELNYX_API_URL", api),
            ("VOXLINE_VONAGE_SIGNATURE_SECRET", TOKEN.to_owned()),
            ("VOXLINE_BANDWIDTH_USERNAME", "voxline".to_owned()),
            ("VOXLINE_BANDWIDTH_PASSWORD", TOKEN.to_owned()),
            ("VOXLINE_PLIVO_AUTH_TOKEN", TOKEN.to_owned()),
            ("VOXLINE_SIGNALWIRE_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("VOXLINE_ASTERISK_USERNAME", "voxline".to_owned()),
            ("VOXLINE_ASTERISK_PASSWORD", TOKEN.to_owned()),
            ("VOXLINE_ASTERISK_AUDIOSOCKET", "127.0.0.1:0".to_owned()),
            ("VOXLINE_JAMBONZ_WEBHOOK_SECRET", TOKEN.to_owned()),
            ("VOXLINE_JAMBONZ_USERNAME", "voxline".to_owned()),
            ("VOXLINE_JAMBONZ_PASSWORD", TOKEN.to_owned()),
            ("VOXLINE_VAPI_FORWARD_SECRET", FORWARD_SECRET.to_owned()),
            ("VOXLINE_VONAGE_LISTEN_SECONDS", "30".to_owned()),
            // A slow machine is no dead database.
            ("VOXLINE_CARRIERS_ANSWER_SECONDS", "10".to_owned()),
            ("VOXLINE_INFERENCE_THREADS", "1".to_owned()),
            ("VOXLINE_IDENTITY_PIN_LENGTH", PIN.len().to_string()),
            // These are tests of the carriers, not of the model: whoever is likelier than not is named.
            ("VOXLINE_DECISION_ACCEPT", "0.5".to_owned()),
            ("VOXLINE_DECISION_UNKNOWN_SHARE", "0.01".to_owned()),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self {
            service: Service::start_with(data.path(), &settings),
            alice: String::new(),
            commands,
            settings,
            data,
        }
    }

    /// Ends the service at once, and starts it again on the same store.
    pub fn restart(&mut self) {
        self.service.child().kill().unwrap();
        self.service.child().wait().unwrap();
        let mut serve = program(self.data.path());
        serve.envs(self.settings.iter().cloned());
        serve.args(["serve", "--listen", "127.0.0.1:0"]);
        self.service = Service::listening(serve, &self.service.key);
    }

    /// Another node of the same store, where that is one for several.
    pub fn another_node(&self) -> (Service, TempDir) {
        let data = tempfile::tempdir().unwrap();
        let mut serve = program(data.path());
        serve.envs(self.settings.iter().cloned());
        serve.args(["serve", "--listen", "127.0.0.1:0"]);
        (Service::listening(serve, &self.service.key), data)
    }

    /// What Telnyx was commanded next: the path and the body.
    pub async fn commanded(&mut self) -> (String, Value) {
        self.commands.recv().await.unwrap()
    }

    /// The verdict on a call, once it is final.
    pub async fn verdict(&self, call: &str) -> Value {
        let path = format!("/v1/calls/{}", percent(call));
        for _ in 0..1_200 {
            let (status, found) = self.service.get(&path).await;
            if status == 200 && found["final"] == true {
                return found["verdict"].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = self.service.get(&path).await;
        panic!("no last word on {call}: {found:?}");
    }

    /// Waits until something was heard of a call.
    pub async fn is_heard(&self, call: &str) {
        let is_heard = |verdict: &Value| verdict["net_speech_seconds"].as_f64() > Some(0.0);
        self.until(call, is_heard).await;
    }

    /// Waits until this holds of the verdict on a call.
    pub async fn until(&self, call: &str, holds: impl Fn(&Value) -> bool) {
        let path = format!("/v1/calls/{}", percent(call));
        for _ in 0..1_200 {
            let (_, found) = self.service.get(&path).await;
            if holds(&found["verdict"]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("what is waited for never came of {call}");
    }

    /// Waits until a call is on the list, which shows what is recorded.
    pub async fn recorded(&self) {
        for _ in 0..1_200 {
            if self.service.get("/v1/calls").await.1 != json!([]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no call was recorded");
    }

    /// Takes the table of calls away, or brings it back.
    pub async fn rename_calls(&self, from: &str, to: &str) {
        let file = self.data.path().join("voxline.db");
        let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
            .await
            .unwrap();
        let statement = AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
        sqlx::query(statement).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Rings: the webhook of `call`, and the status and text it is answered with.
    pub async fn ring(&self, carrier: Carrier, call: &Call) -> (u16, String) {
        self.send(carrier, &call.webhook(carrier)).await
    }

    /// Sends a signed webhook.
    pub async fn send(&self, carrier: Carrier, body: &str) -> (u16, String) {
        self.send_with(carrier, body, &proof(carrier, body)).await
    }

    /// Sends a webhook with these headers.
    pub async fn send_with(
        &self,
        carrier: Carrier,
        body: &str,
        headers: &[(&'static str, String)],
    ) -> (u16, String) {
        self.send_to(carrier, &path(carrier), body, headers).await
    }

    /// The same to this path.
    pub async fn send_to(
        &self,
        carrier: Carrier,
        path: &str,
        body: &str,
        headers: &[(&'static str, String)],
    ) -> (u16, String) {
        let url = format!("{}{path}", self.service.base);
        let mut request = self.service.http.post(url).body(body.to_owned());
        request = request.header("content-type", media_type(carrier));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Opens the carrier's stream; the status when it is refused.
    pub async fn open(&self, carrier: Carrier, headers: &[(&'static str, String)]) -> Result<Stream, u16> {
        let opened = self.open_at(&format!("/media/{carrier}"), headers).await;
        opened.map(|(stream, _)| stream)
    }

    /// Opens a stream at an address, and gives the subprotocol that was agreed to with it.
    pub async fn open_at(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<(Stream, Option<String>), u16> {
        let url = format!("{}{path}", self.service.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, response)) => {
                let agreed = response.headers().get("sec-websocket-protocol");
                let agreed = agreed.map(|name| name.to_str().unwrap().to_owned());
                Ok((Stream(socket), agreed))
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(fault) => panic!("{fault}"),
        }
    }

    /// Plays a recording to the end of the call's stream, with `keys` in the middle; the last word on it.
    pub async fn hear(&self, carrier: Carrier, id: &str, token: &str, recording: &str, keys: &str) -> Value {
        let mut stream = self.open(carrier, &[]).await.unwrap();
        stream.play(carrier, id, token, &mulaw(recording), keys).await;
        stream.close_code().await;
        self.verdict(id).await
    }

    /// The call token that the carrier was given for its stream.
    pub async fn token(&mut self, carrier: Carrier, call: &Call) -> String {
        let (status, answer) = self.ring(carrier, call).await;
        assert_eq!(status, 200, "{answer}");
        let answer = match carrier {
            Carrier::Telnyx => {
                assert_eq!(self.commanded().await.0, format!("{}/answer", call.id));
                self.send(Carrier::Telnyx, &call.telnyx("call.answered")).await;
                let (path, fork) = self.commanded().await;
                assert_eq!(path, format!("{}/streaming_start", call.id));
                assert_eq!(self.commanded().await.0, format!("{}/transfer", call.id));
                fork.to_string()
            }
            _ => answer,
        };
        token_in(carrier, &answer)
    }
}

/// An open stream.
pub struct Stream(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Stream {
    /// Plays a call: its start with `token`, its audio, `keys` in the middle, and the end.
    pub async fn play(&mut self, carrier: Carrier, call: &str, token: &str, audio: &[u8], keys: &str) {
        self.send(start(carrier, call, token)).await;
        let packets: Vec<&[u8]> = audio.chunks(160).collect();
        let mut frames: Vec<Message> = Vec::new();
        let mut place = 2;
        for (at, packet) in packets.iter().enumerate() {
            if at == packets.len() / 2 {
                for digit in keys.chars() {
                    frames.extend(key(carrier, digit, place));
                    place += 1;
                }
            }
            frames.push(media(carrier, packet, at, place));
            place += 1;
        }
        // Telnyx's packets change places on the way; its keys do not say which place they have.
        if carrier == Carrier::Telnyx && keys.is_empty() {
            for pair in frames[1..].chunks_mut(2) {
                pair.reverse();
            }
        }
        for frame in frames {
            // The service may have heard enough.
            if self.0.send(frame).await.is_err() {
                return;
            }
        }
        match stop(carrier) {
            Some(stop) => drop(self.0.send(stop).await),
            None => drop(self.0.close(None).await),
        }
    }

    pub async fn send(&mut self, frame: Message) {
        self.0.send(frame).await.unwrap();
    }

    /// Ends the stream as who has nothing more to say.
    pub async fn close(&mut self) {
        let _ = self.0.close(None).await;
    }

    /// Sends what may come too late to be taken.
    pub async fn try_send(&mut self, frame: Message) -> bool {
        self.0.send(frame).await.is_ok()
    }

    /// The code that the service closes with.
    pub async fn close_code(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = self.0.next().await {
            match message {
                Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                Message::Text(text) => panic!("a one-way stream was sent {text}"),
                _ => {}
            }
        }
        code
    }
}

/// The evidence of this tier in a verdict.
pub fn of_tier<'a>(said: &'a Value, tier: &str) -> Vec<&'a Value> {
    let evidence = said["evidence"].as_array().unwrap().iter();
    evidence.filter(|found| found["tier"] == tier).collect()
}

/// A local Telnyx API: its address, and what it is commanded. It transfers no call whose id says so, and others not within
/// half a second of when they are first asked for.
async fn telnyx_api() -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    type Sender = mpsc::UnboundedSender<(String, Value)>;
    async fn take(
        State((sender, began)): State<(Sender, Arc<OnceLock<Instant>>)>,
        Path((call, action)): Path<(String, String)>,
        body: String,
    ) -> (StatusCode, &'static str) {
        let _ = sender.send((format!("{call}/{action}"), serde_json::from_str(&body).unwrap()));
        if action == "transfer" && call.contains("refused") {
            return (StatusCode::UNPROCESSABLE_ENTITY, "{}");
        }
        if call.contains("too-soon") && began.get_or_init(Instant::now).elapsed() < Duration::from_millis(500)
        {
            return (StatusCode::TOO_MANY_REQUESTS, "{}");
        }
        (StatusCode::OK, "{}")
    }
    let (sender, commands) = mpsc::unbounded_channel();
    let routes = Router::new()
        .route("/v2/calls/{call}/actions/{action}", post(take))
        .with_state((sender, Arc::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}/v2"), commands)
}
