//! Playing recordings as live calls.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::manifest::{Call, Manifest};
use super::report::Played;
use super::service::Service;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Bytes of mu-law in 20 ms.
const FRAME: usize = 160;

/// How many times faster than life the calls are played; `DEMO_SPEED=1` plays them as they are.
fn speed() -> f64 {
    let asked = std::env::var("DEMO_SPEED")
        .ok()
        .and_then(|text| text.parse().ok());
    asked.filter(|speed: &f64| *speed > 0.0).unwrap_or(8.0)
}

/// Plays a call into `/media/pcm`.
pub async fn play_pcm(service: &Service, manifest: &Manifest, call: &Call) -> anyhow::Result<Played> {
    let start = json!({
        "event": "start", "call_id": format!("demo-{}", stem(call)), "number": call.number,
        "encoding": "mulaw", "sample_rate": 8000, "channels": 1, "caller_channel": 0,
    });
    let mut socket = open(service, "/media/pcm").await?;
    socket.send(Message::text(start.to_string())).await?;
    let frames = mulaw(manifest, call)?;
    let frames = frames.chunks(FRAME).map(|frame| Message::binary(frame.to_vec()));
    let stop = Message::text(json!({ "event": "stop" }).to_string());
    play(socket, frames.chain([stop]), manifest, call).await
}

/// Plays a call into `/media/twilio`, in Twilio's own messages. Twilio is never sent anything; the demo
/// asks for updates by a custom parameter.
pub async fn play_twilio(service: &Service, manifest: &Manifest, call: &Call) -> anyhow::Result<Played> {
    let mut socket = open(service, "/media/twilio").await?;
    let stream = "MZdemo";
    let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
    let start = json!({
        "event": "start", "sequenceNumber": "1", "streamSid": stream,
        "start": {
            "accountSid": "ACdemo", "streamSid": stream, "callSid": "CAdemo", "tracks": ["inbound"],
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
            "customParameters": { "number": call.number, "updates": "true" },
        },
    });
    for message in [connected, start] {
        socket.send(Message::text(message.to_string())).await?;
    }
    let frames = mulaw(manifest, call)?;
    let media = frames.chunks(FRAME).enumerate().map(|(at, frame)| {
        let payload = base64::engine::general_purpose::STANDARD.encode(frame);
        let media = json!({
            "event": "media", "sequenceNumber": (at + 2).to_string(), "streamSid": stream,
            "media": {
                "track": "inbound", "chunk": (at + 1).to_string(), "timestamp": (at * 20).to_string(),
                "payload": payload,
            },
        });
        Message::text(media.to_string())
    });
    let stop = json!({
        "event": "stop", "sequenceNumber": "99999", "streamSid": stream,
        "stop": { "accountSid": "ACdemo", "callSid": "CAdemo" },
    });
    play(
        socket,
        media.chain([Message::text(stop.to_string())]),
        manifest,
        call,
    )
    .await
}

/// What an update says, in a word or two: `identified Alice`, `inconclusive too_little_speech`.
pub fn word(update: &Value) -> String {
    let part = |key: &str| update[key].as_str().unwrap_or_default();
    let detail = match part("outcome") {
        "identified" => part("user_name"),
        "inconclusive" => part("reason"),
        _ => "",
    };
    format!("{} {detail}", part("outcome")).trim().to_owned()
}

async fn open(service: &Service, path: &str) -> anyhow::Result<Socket> {
    let mut request = service.socket(path).into_client_request()?;
    request
        .headers_mut()
        .insert("authorization", service.bearer().parse()?);
    let (socket, _) = connect_async(request)
        .await
        .with_context(|| format!("{path} could not be opened"))?;
    Ok(socket)
}

/// Sends the messages at a telephone's pace and collects what comes back, until the final update.
async fn play(
    socket: Socket,
    messages: impl Iterator<Item = Message>,
    manifest: &Manifest,
    call: &Call,
) -> anyhow::Result<Played> {
    let (mut up, mut down) = socket.split();
    let expected = manifest.expected(call);
    println!("\n  {} to {}{}", stem(call), call.number, note(call));
    let listening = tokio::spawn(async move {
        let mut updates: Vec<Value> = Vec::new();
        while let Some(message) = down.next().await {
            let Message::Text(text) = message? else { continue };
            let update: Value = serde_json::from_str(&text)?;
            anyhow::ensure!(
                update["event"] != "error",
                "the service refused the call: {update}"
            );
            let last = update["final"] == true;
            if updates.last().is_none_or(|before| word(before) != word(&update)) || last {
                let net = update["net_speech_seconds"].as_f64().unwrap_or_default();
                println!(
                    "    {net:4.1} s of speech: {}{}",
                    word(&update),
                    if last { "  (final)" } else { "" }
                );
            }
            updates.push(update);
            if last {
                break;
            }
        }
        anyhow::Ok(updates)
    });
    let frame_time = Duration::from_secs_f64(0.020 / speed());
    let mut pace = tokio::time::interval(frame_time);
    for message in messages {
        pace.tick().await;
        up.send(message).await?;
    }
    let waited = tokio::time::timeout(Duration::from_secs(30), listening);
    let updates = waited.await.context("no final word within 30 s")???;
    let played = Played::new(stem(call), expected, &updates)?;
    println!("    {}", if played.right() { "right" } else { "WRONG" });
    Ok(played)
}

fn stem(call: &Call) -> String {
    let name = call.file.rsplit('/').next().unwrap_or(&call.file);
    name.trim_end_matches(".wav").to_owned()
}

fn note(call: &Call) -> String {
    call.note
        .as_ref()
        .map(|note| format!(": {note}"))
        .unwrap_or_default()
}

/// The mu-law bytes of a call's WAV file: what the carrier would have sent.
fn mulaw(manifest: &Manifest, call: &Call) -> anyhow::Result<Vec<u8>> {
    let path = manifest.path(&call.file);
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let size = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
    };
    // RIFF: 12 bytes, then chunks of a name, a size and that many bytes, padded to even.
    let mut at = 12;
    while let Some(length) = size(at + 4) {
        let body = at + 8..(at + 8 + length as usize).min(bytes.len());
        if bytes[at..].starts_with(b"data") {
            return Ok(bytes[body].to_vec());
        }
        at = body.end + body.len() % 2;
    }
    anyhow::bail!("{} has no data chunk", path.display())
}
