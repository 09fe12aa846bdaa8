//! What a call's listen stream plays, and how.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};

use super::{Shared, now_ms, send};

/// What comes next on a call.
#[derive(Clone)]
pub(super) struct Part {
    who: String,
    audio: Vec<i16>,
    /// A message that is sent before anything else goes on.
    post: Option<Value>,
}

/// One call's listen stream.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) script: Vec<Part>,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) announce: bool,
    pub(super) speed: f64,
    pub(super) cut_at: Option<f64>,
    /// How often it is refused, once it was cut.
    pub(super) refused: u64,
    /// Whether the user is on the right, and the assistant on the left.
    pub(super) turned: bool,
    /// Samples played so far, over all connections.
    pub(super) at: usize,
    pub(super) done: bool,
    /// When the user's first sample was sent.
    pub(super) spoke: Option<Instant>,
}

/// What a line asks to be played.
pub(super) fn play_of(asked: &Value) -> Play {
    let rate = asked["rate"].as_u64().unwrap_or(16_000) as u32;
    let script = asked["script"].as_array().into_iter().flatten().map(|part| {
        let audio = match part["audio"].as_str() {
            Some(path) => recording(path.into(), rate),
            None => vec![0; (part["silence"].as_f64().unwrap_or(0.0) * f64::from(rate)) as usize],
        };
        Part {
            who: part["who"].as_str().unwrap_or_default().to_owned(),
            audio,
            post: part.get("post").cloned(),
        }
    });
    Play {
        script: script.collect(),
        channels: asked["channels"].as_u64().unwrap_or(2) as u16,
        rate,
        announce: asked["announce"].as_bool().unwrap_or(true),
        speed: asked["speed"].as_f64().unwrap_or(1.0),
        cut_at: asked["cut_at"].as_f64(),
        refused: asked["refused"].as_u64().unwrap_or(0),
        turned: asked["turned"].as_bool().unwrap_or(false),
        at: 0,
        done: false,
        spoke: None,
    }
}

/// An HTTP client without the proxy that the environment may name: the service is on this machine.
pub(super) fn client() -> reqwest::Client {
    let built = reqwest::Client::builder().no_proxy().build();
    built.expect("an HTTP client")
}

/// Plays a call in frames of 20 ms at its pace, and tells by webhooks who begins and stops speaking.
pub(super) async fn stream(mut socket: WebSocket, world: Shared, call: String) {
    let Some(play) = world.lock().unwrap().plays.get(&call).cloned() else {
        return;
    };
    let http = client();
    if play.announce {
        let start = json!({"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": play.rate, "channels": play.channels});
        let start = Message::Text(start.to_string().into());
        if socket.send(start).await.is_err() {
            return;
        }
    }
    let frame = play.rate as usize / 50;
    let pace = Duration::from_secs_f64(0.02 / play.speed);
    let began = Instant::now();
    let (mut sent, mut position, mut turn) = (0_u32, 0, 0);
    for Part { who, audio, post } in &play.script {
        if let Some(message) = post.as_ref().filter(|_| position >= play.at) {
            post_of(&http, &world, &call, message).await;
        }
        if position + audio.len() <= play.at || audio.is_empty() {
            position += audio.len();
            turn += 1;
            continue;
        }
        let role = who.as_str();
        speech(&http, &world, &call, role, "started", turn);
        if role == "user"
            && let Some(own) = world.lock().unwrap().plays.get_mut(&call)
        {
            own.spoke.get_or_insert_with(Instant::now);
        }
        let skip = play.at.saturating_sub(position);
        for piece in audio[skip..].chunks(frame) {
            let bytes = framed(piece, play.channels, (role == "user") != play.turned);
            if socket.send(Message::Binary(bytes.into())).await.is_err() {
                return;
            }
            sent += 1;
            if !goes_on(&world, &call, play.at, piece.len()) {
                // Cut, as a network is: without a word.
                return;
            }
            let due = began + pace * sent;
            tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
        }
        position += audio.len();
        speech(&http, &world, &call, role, "stopped", turn);
        turn += 1;
    }
    if let Some(own) = world.lock().unwrap().plays.get_mut(&call) {
        own.done = true;
    }
    // A call's stream stays open and silent until it ends.
    let silence = framed(&vec![0; frame], play.channels, true);
    while socket.send(Message::Binary(silence.clone().into())).await.is_ok() {
        tokio::time::sleep(pace).await;
    }
}

/// Sends a message of a call, made now.
async fn post_of(http: &reqwest::Client, world: &Shared, call: &str, message: &Value) {
    let mut message = message.clone();
    message["timestamp"] = json!(now_ms() as u64);
    message["call"] = json!({ "id": call });
    let _ = send(http, world, &message, true).await;
}

/// Notes that so much was played; `false` where the stream is to be cut.
fn goes_on(world: &Shared, call: &str, from: usize, played: usize) -> bool {
    let mut known = world.lock().unwrap();
    let Some(own) = known.plays.get_mut(call) else {
        return false;
    };
    own.at = own.at.max(from) + played;
    let cut = own
        .cut_at
        .is_some_and(|at| own.at as f64 >= at * f64::from(own.rate));
    if cut {
        own.cut_at = None;
    }
    !cut
}

fn speech(http: &reqwest::Client, world: &Shared, call: &str, role: &str, status: &str, turn: usize) {
    if role == "other" {
        return;
    }
    let message = json!({
        "type": "speech-update", "status": status, "role": role, "turn": turn,
        "timestamp": now_ms() as u64, "call": {"id": call},
    });
    let (http, world) = (http.clone(), Arc::clone(world));
    tokio::spawn(async move { send(&http, &world, &message, true).await });
}

/// A recording at 16 kHz, or every second sample of it at 8 kHz (telephone recordings have nothing in between).
fn recording(path: PathBuf, rate: u32) -> Vec<i16> {
    let bytes = std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let clip = voxline::samples::load(bytes, None, &voxline::bytes::Limits::default());
    let samples = clip
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
        .samples;
    let step = (16_000 / rate) as usize;
    samples
        .iter()
        .step_by(step)
        .map(|sample| (sample * 32_767.0) as i16)
        .collect()
}

/// Samples as the bytes of a frame: on the left or on the right, or both mixed.
fn framed(piece: &[i16], channels: u16, left: bool) -> Vec<u8> {
    let both = |sample: &i16| if left { [*sample, 0] } else { [0, *sample] };
    match channels {
        2 => piece.iter().flat_map(both).flat_map(i16::to_le_bytes).collect(),
        _ => piece.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}
