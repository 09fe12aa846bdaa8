//! A faithful stand-in for Vapi, as a process of its own: it signs and sends webhooks, plays calls on listen
//! WebSockets at their real pace, takes control messages, and has the part of the API that Voxline uses.
//!
//! It is driven by JSON lines on stdin and answers each with one on stdout:
//!
//! | line | does |
//! |---|---|
//! | `{"do":"events","url":…,"secret":…,"speech":{"stopped":…}}` | says where webhooks go, and by which HMAC key they are signed; speech-updates of a status may go elsewhere |
//! | `{"do":"post","message":{…},"sign":true}` | sends a webhook: `{"status","answer","ms"}`. On a call whose server the answer to its ring named it is not signed, and brings that server's headers |
//! | `{"do":"play","call":…,"script":[{"who":"user","audio":"f.wav"}…],"channels":2,"rate":16000,"announce":true,"speed":1.0,"cut_at":2.0,"refused":8,"turned":false}` | what a call's listen stream plays; speech-updates are sent as it does, but of `other`; `{"post":{…}}` in the script sends a message of the call. Once it is cut, it is refused so many times |
//! | `{"do":"told","call":…,"contains":…,"within":30}` | waits for a control message: all there were |
//! | `{"do":"played","call":…,"within":30}` | waits until a call was played to its end |
//! | `{"do":"record","call":…,"audio":"f.wav"}` | keeps a recording of the person on the line: `{"url"}`; there is none otherwise |
//! | `{"do":"fetched","call":…}` | how often that recording was fetched: `{"times"}` |
//! | `{"do":"shelve","shelf":"tool","entry":{…}}`, or `"entries":[…]` | puts things into the account |
//! | `{"do":"shelf"}` | what the account holds |
//! | `{"do":"edit","shelf":…,"id":…,"at":"/server/url","to":…}` | changes a thing as in the dashboard |
//! | `{"do":"writes"}` | every request that was to write something: `{"writes":[{"method","path","body","status"}…]}` |
//! | `{"do":"versions","mode":"draft"}` | changes wait in drafts; `published`: each makes a version; `none` |
//! | `{"do":"publish","shelf":…,"id":…}` | publishes a thing's draft |
//! | `{"do":"deaf","times":4,"status":503}` | so many control messages are turned away |
//! | `{"do":"busy","times":2}` | so many requests are turned away with 429 |
//! | `{"do":"break","path":"/tool/t-1"}` | what lies there cannot be written (500) until `path` is another |
//! | `{"do":"first","tool":…,"assistant":…,"phone-number":…}` | the one address that a message of these goes to |

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

#[path = "account.rs"]
mod account;
#[path = "api.rs"]
mod api;
#[path = "known.rs"]
mod known;
#[path = "play.rs"]
mod play;

use super::lines::{follow_stdin, say};
use account::{Account, entry, shelf};
use api::{recording, recording_of};
use play::{Play, play_of, stream};

/// Vapi's private key, as this peer knows it.
pub const PRIVATE_KEY: &str = "peer-private";
/// Vapi's public key.
pub const PUBLIC_KEY: &str = "peer-public";

#[derive(Default)]
struct World {
    events: String,
    /// Where speech-updates of a status go, where that is elsewhere.
    speech: HashMap<String, String>,
    secret: String,
    plays: HashMap<String, Play>,
    told: HashMap<String, Vec<(Instant, Value)>>,
    /// How many control messages are turned away, and with which status.
    deaf: Option<(usize, StatusCode)>,
    recordings: HashMap<String, Recording>,
    /// Headers of the servers that were named for a call alone: those are called without a credential.
    named: HashMap<String, Value>,
    account: Account,
}

/// A recording of the person on the line, and how often it was fetched.
struct Recording {
    audio: Vec<u8>,
    fetched: usize,
}

type Shared = Arc<Mutex<World>>;

/// The peer: its address, and a handle on what it knows.
pub struct Peer {
    /// As in `http://127.0.0.1:1234`.
    pub address: String,
    world: Shared,
    http: reqwest::Client,
}

impl Peer {
    /// Starts on a free port of this machine.
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world: Shared = Arc::default();
        let app = Router::new()
            .route("/live/{call}/listen", get(listen))
            .route("/live/{call}/control", post(control))
            .route("/recordings/{call}", get(recording))
            .route("/call/{call}/customer-recording", get(recording_of))
            .route("/{shelf}", any(shelf))
            .route("/{shelf}/{id}", any(entry))
            .with_state(Arc::clone(&world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            world,
            http: play::client(),
        }
    }

    /// Says where webhooks go.
    pub fn send_to(&self, url: &str, secret: &str) {
        let mut world = self.world.lock().unwrap();
        url.clone_into(&mut world.events);
        secret.clone_into(&mut world.secret);
    }

    /// The addresses under which a call is listened to and spoken to.
    pub fn monitor(&self, call: &str) -> Value {
        let socket = self.address.replace("http://", "ws://");
        json!({"listenUrl": format!("{socket}/live/{call}/listen"), "controlUrl": format!("{}/live/{call}/control", self.address)})
    }

    /// Sends a webhook, and how it was answered after how many milliseconds.
    pub async fn send(&self, message: &Value, sign: bool) -> Result<(u16, Value, f64), String> {
        send(&self.http, &self.world, message, sign).await
    }

    /// Says what a call's listen stream plays.
    pub fn play(&self, call: &str, asked: &Value) {
        let play = play_of(asked);
        self.world.lock().unwrap().plays.insert(call.to_owned(), play);
    }

    /// Control messages of a call so far.
    pub fn told(&self, call: &str) -> Vec<Value> {
        self.told_at(call)
            .into_iter()
            .map(|(_, message)| message)
            .collect()
    }

    /// The same with the moments they came.
    pub fn told_at(&self, call: &str) -> Vec<(Instant, Value)> {
        self.world
            .lock()
            .unwrap()
            .told
            .get(call)
            .cloned()
            .unwrap_or_default()
    }

    /// When the user of a call began to speak.
    #[allow(dead_code, reason = "only the bench asks")]
    pub fn spoke_at(&self, call: &str) -> Option<Instant> {
        self.world.lock().unwrap().plays.get(call)?.spoke
    }

    /// Whether a call was played to its end.
    pub fn done(&self, call: &str) -> bool {
        self.world
            .lock()
            .unwrap()
            .plays
            .get(call)
            .is_some_and(|play| play.done)
    }

    /// Does what one line asks.
    async fn act(&self, line: &Value) -> Value {
        let call = line["call"].as_str().unwrap_or_default();
        let within = Duration::from_secs_f64(line["within"].as_f64().unwrap_or(60.0));
        match line["do"].as_str().unwrap_or_default() {
            "events" => {
                self.send_to(
                    line["url"].as_str().unwrap(),
                    line["secret"].as_str().unwrap_or_default(),
                );
                let speech = serde_json::from_value(line["speech"].clone());
                self.world.lock().unwrap().speech = speech.unwrap_or_default();
                json!({"ok": true})
            }
            "post" => match self
                .send(&line["message"], line["sign"].as_bool().unwrap_or(true))
                .await
            {
                Ok((status, answer, ms)) => json!({"status": status, "answer": answer, "ms": ms}),
                Err(fault) => json!({"status": 0, "fault": fault}),
            },
            "play" => {
                self.play(call, line);
                json!({"ok": true, "monitor": self.monitor(call)})
            }
            "told" => {
                let wanted = line["contains"].as_str().unwrap_or_default();
                let found = || {
                    self.told(call)
                        .iter()
                        .any(|message| message.to_string().contains(wanted))
                };
                let came = until(within, found).await;
                json!({"ok": came, "told": self.told(call)})
            }
            "deaf" => {
                let times = line["times"].as_u64().unwrap_or(1) as usize;
                let status = line["status"].as_u64().unwrap_or(503) as u16;
                let status = StatusCode::from_u16(status).expect("a status");
                self.world.lock().unwrap().deaf = Some((times, status));
                json!({"ok": true})
            }
            "played" => json!({"ok": until(within, || self.done(call)).await}),
            "record" => {
                let path = line["audio"].as_str().unwrap();
                let audio = std::fs::read(path).unwrap_or_else(|fault| panic!("{path}: {fault}"));
                let recording = Recording { audio, fetched: 0 };
                self.world
                    .lock()
                    .unwrap()
                    .recordings
                    .insert(call.to_owned(), recording);
                json!({"url": format!("{}/recordings/{call}", self.address)})
            }
            "fetched" => {
                let world = self.world.lock().unwrap();
                json!({"times": world.recordings.get(call).map_or(0, |recording| recording.fetched)})
            }
            other => {
                let done = self.world.lock().unwrap().account.act(line);
                done.unwrap_or_else(|| json!({"fault": format!("no such command: {other}")}))
            }
        }
    }
}

/// Follows lines on stdin to their end.
#[allow(dead_code, reason = "the bench drives the peer without lines")]
pub async fn run() {
    let peer = Peer::start().await;
    say(&json!({"ready": true, "address": peer.address}));
    follow_stdin(async |line| peer.act(&line).await).await;
}

async fn until(within: Duration, holds: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holds()
}

async fn send(
    http: &reqwest::Client,
    world: &Shared,
    message: &Value,
    sign: bool,
) -> Result<(u16, Value, f64), String> {
    let call = message["call"]["id"].as_str().unwrap_or_default().to_owned();
    let rings = message["type"] == "assistant-request";
    let (url, secret, named) = {
        let world = world.lock().unwrap();
        let named = world.named.get(&call).filter(|_| !rings).cloned();
        let status = message["status"]
            .as_str()
            .filter(|_| message["type"] == "speech-update");
        let elsewhere = status.and_then(|status| world.speech.get(status));
        let url = elsewhere.unwrap_or(&world.events).clone();
        (url, world.secret.clone(), named)
    };
    let body = json!({ "message": message }).to_string();
    let timestamp = now_ms().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let signature: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut request = http.post(url).header("content-type", "application/json");
    request = match named.as_ref().and_then(Value::as_object) {
        _ if !sign => request,
        Some(headers) => headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value.as_str().unwrap_or_default())
        }),
        None => request
            .header("x-timestamp", timestamp)
            .header("x-signature", signature),
    };
    let began = Instant::now();
    let answer = request
        .body(body)
        .send()
        .await
        .map_err(|fault| fault.to_string())?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.map_err(|fault| fault.to_string())?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let server = ["/assistantOverrides/server", "/squadOverrides/server"]
        .iter()
        .find_map(|place| answer.pointer(place));
    // A message of no call is signed as ever.
    if let Some(server) = server.filter(|_| rings && !call.is_empty()) {
        let headers = server.get("headers").cloned().unwrap_or_else(|| json!({}));
        world.lock().unwrap().named.insert(call, headers);
    }
    Ok((status, answer, took))
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}

fn let_in(headers: &HeaderMap, key: &str) -> bool {
    let expected = format!("Bearer {key}");
    headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

async fn listen(
    Path(call): Path<String>,
    State(world): State<Shared>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !let_in(&headers, PUBLIC_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match world.lock().unwrap().plays.get_mut(&call) {
        None => return StatusCode::NOT_FOUND.into_response(),
        Some(play) if play.cut_at.is_none() && play.refused > 0 => {
            play.refused -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Some(_) => {}
    }
    upgrade.on_upgrade(move |socket| stream(socket, world, call))
}

async fn control(
    Path(call): Path<String>,
    State(world): State<Shared>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> StatusCode {
    if !let_in(&headers, PUBLIC_KEY) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut world = world.lock().unwrap();
    if let Some((times, status)) = world.deaf.filter(|(times, _)| *times > 0) {
        world.deaf = Some((times - 1, status));
        return status;
    }
    world
        .told
        .entry(call)
        .or_default()
        .push((Instant::now(), message));
    StatusCode::OK
}
