//! One call: opened, played at the pace of speech, hung up, and what was said of it meanwhile.
//!
//! A frame is due 20 ms after the one before it, whatever the server does: a server that reads late finds the delay in
//! its figures, and one that makes the sender wait does too.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::bytes::SOCKET_READ;

use super::track::{FRAME_MS, Track};

/// How long the last verdict of a call is waited for.
const LAST_WORD: Duration = Duration::from_secs(120);
/// Frames later than this (ms) count as this late.
const LATEST_MS: usize = 1_000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How audio is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Binary frames of 16-bit PCM on `/media/pcm`.
    Pcm,
    /// Twilio's messages with mu-law on `/media/twilio`.
    Twilio,
}

/// A call to be made.
#[derive(Clone)]
pub(super) struct Planned {
    pub kind: Kind,
    /// The address of the WebSocket.
    pub address: String,
    pub key: String,
    pub id: String,
    pub number: String,
    pub track: Arc<Track>,
    /// Whose name would be right; `None` for nobody's.
    pub expected: Option<String>,
    pub frames: usize,
}

/// How the last word on a call compares with who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// The caller's name, or none for somebody who is not on the roster.
    Right,
    /// Another's name, or one for somebody who is not on the roster.
    Wrong,
    /// No name for somebody who is on the roster.
    Missed,
    /// It could not be said.
    Undecided,
    /// The service had no room to listen.
    Unavailable,
}

/// What became of a call.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The last word; `None` when there was none.
    pub name: Option<Name>,
    /// Whether the service had no place for it.
    pub refused: bool,
    /// Why it failed otherwise.
    pub fault: Option<String>,
    /// Milliseconds from the last frame an update needed to its coming, for each update but the last.
    pub lags_ms: Vec<f64>,
    /// Updates that say more speech than was sent: they cannot be placed.
    pub unplaced: usize,
    /// Milliseconds from hanging up to the last word.
    pub hang_up_ms: Option<f64>,
    /// Seconds from the first frame to the first name, or to the first time that it is nobody's.
    pub first_verdict_s: Option<f64>,
    /// Frames that were sent.
    pub frames: usize,
    /// How many of them were sent so many milliseconds after they were due.
    pub late_ms: Vec<u32>,
}

#[derive(Deserialize)]
struct Update {
    event: Option<String>,
    problem: Option<Problem>,
    outcome: Option<String>,
    reason: Option<String>,
    user_id: Option<String>,
    #[serde(default)]
    net_speech_seconds: f64,
    #[serde(default, rename = "final")]
    is_final: bool,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Planned {
    /// Makes the call.
    pub async fn make(self) -> Made {
        let mut made = Made::default();
        let socket = match self.open().await {
            Ok(socket) => socket,
            Err(Error::Http(answer)) if answer.status().as_u16() == 503 => {
                made.refused = true;
                return made;
            }
            Err(fault) => {
                made.fault = Some(format!("the stream was not opened: {fault}"));
                return made;
            }
        };
        let (mut sink, mut updates) = socket.split();
        let began = Instant::now();
        let hung_up = began + frames_after(self.frames);
        let mut talked = Talked::default();
        let mut heard = CallUpdates {
            call: &self,
            began,
            hung_up,
            made,
        };
        // Both at once: an update is timed when it comes, also while the server takes no more audio.
        let talking = async {
            self.talk(&mut sink, began, &mut talked).await;
            std::future::pending::<()>().await;
        };
        let patience = (hung_up - began) + LAST_WORD;
        tokio::select! {
            in_time = timeout(patience, heard.listen(&mut updates)) => {
                if in_time.is_err() {
                    heard.made.fault = Some("the last word did not come in two minutes".to_owned());
                }
            }
            () = talking => {}
        }
        made = heard.made;
        (made.frames, made.late_ms) = (talked.frames, talked.late_ms);
        made
    }

    async fn open(&self) -> Result<Socket, Error> {
        let mut request = self.address.as_str().into_client_request()?;
        if !self.key.is_empty() {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", self.key));
            let bearer = bearer.map_err(|fault| Error::HttpFormat(fault.into()))?;
            request.headers_mut().insert("authorization", bearer);
        }
        let reading = WebSocketConfig::default().read_buffer_size(SOCKET_READ);
        let (socket, _) = connect_async_with_config(request, Some(reading), true).await?;
        Ok(socket)
    }

    /// Says the start, each frame when it is due, and the end.
    async fn talk(&self, sink: &mut SplitSink<Socket, Message>, began: Instant, talked: &mut Talked) {
        if sink.send(Message::text(self.start())).await.is_err() {
            return;
        }
        for frame in 0..self.frames {
            let due = began + frames_after(frame);
            sleep_until(due).await;
            let message = match self.kind {
                Kind::Pcm => Message::Binary(self.track.pcm(frame)),
                Kind::Twilio => Message::text(self.media(frame)),
            };
            if sink.send(message).await.is_err() {
                // Why is told by what came down.
                return;
            }
            let late = Instant::now().saturating_duration_since(due).as_millis();
            let late = usize::try_from(late).unwrap_or(LATEST_MS).min(LATEST_MS);
            talked.late_ms[late] += 1;
            talked.frames = frame + 1;
        }
        sleep_until(began + frames_after(self.frames)).await;
        // A server that has gone says no last word, which is counted.
        let _ = sink.send(Message::text(r#"{"event":"stop"}"#)).await;
    }

    fn start(&self) -> String {
        match self.kind {
            Kind::Pcm => json!({
                "event": "start", "call_id": self.id, "number": self.number,
                "encoding": "pcm_s16le", "sample_rate": 8000, "channels": 1,
            }),
            Kind::Twilio => json!({
                "event": "start", "sequenceNumber": "1", "streamSid": "MZload", "start": {
                    "accountSid": "ACload", "streamSid": "MZload", "callSid": self.id, "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": {"number": self.number, "updates": "true"},
                },
            }),
        }
        .to_string()
    }

    fn media(&self, frame: usize) -> String {
        format!(
            r#"{{"event":"media","sequenceNumber":"{}","streamSid":"MZload","media":{{"track":"inbound","chunk":"{}","timestamp":"{}","payload":"{}"}}}}"#,
            frame + 2,
            frame + 1,
            frame as u64 * FRAME_MS,
            self.track.payload(frame)
        )
    }
}

/// What was sent of a call.
struct Talked {
    frames: usize,
    late_ms: Vec<u32>,
}

impl Default for Talked {
    fn default() -> Self {
        Self {
            frames: 0,
            late_ms: vec![0; LATEST_MS + 1],
        }
    }
}

/// What has come down of a call.
struct CallUpdates<'a> {
    call: &'a Planned,
    began: Instant,
    hung_up: Instant,
    made: Made,
}

impl CallUpdates<'_> {
    /// Takes what comes down until the last word, or the end of the stream.
    async fn listen(&mut self, updates: &mut SplitStream<Socket>) {
        while let Some(message) = updates.next().await {
            let now = Instant::now();
            let text = match message {
                Ok(Message::Text(text)) => text,
                Ok(_) => continue,
                Err(fault) => {
                    self.made.fault = Some(format!("the stream was cut: {fault}"));
                    return;
                }
            };
            match serde_json::from_str::<Update>(&text) {
                Ok(update) if self.take(&update, now) => return,
                Ok(_) => {}
                Err(fault) => {
                    self.made.fault = Some(format!("an update cannot be read: {fault}"));
                    return;
                }
            }
        }
        self.made.fault = Some("the stream ended without a last word".to_owned());
    }

    /// Notes an update; whether it is the last.
    fn take(&mut self, update: &Update, now: Instant) -> bool {
        if update.event.as_deref() == Some("error") {
            let problem = update.problem.as_ref();
            self.made.refused = problem.is_some_and(|problem| problem.code == "busy");
            if !self.made.refused {
                self.made.fault = Some(problem.map_or_else(String::new, |problem| problem.detail.clone()));
            }
            return true;
        }
        let outcome = update.outcome.as_deref().unwrap_or_default();
        if outcome != "inconclusive" && self.made.first_verdict_s.is_none() {
            self.made.first_verdict_s = Some((now - self.began).as_secs_f64());
        }
        if update.is_final {
            self.made.name = Some(name(update, self.call.expected.as_deref()));
            self.made.hang_up_ms = Some(milliseconds(now, self.hung_up));
            return true;
        }
        match self.call.track.net_speech.needed_frame(update.net_speech_seconds) {
            Some(frame) => {
                let due = self.began + frames_after(frame);
                self.made.lags_ms.push(milliseconds(now, due));
            }
            None => self.made.unplaced += 1,
        }
        false
    }
}

fn name(update: &Update, expected: Option<&str>) -> Name {
    match (update.outcome.as_deref(), update.reason.as_deref()) {
        (Some("identified"), _) if update.user_id.as_deref() == expected => Name::Right,
        (Some("identified"), _) => Name::Wrong,
        (Some("unknown"), _) if expected.is_none() => Name::Right,
        (Some("unknown"), _) => Name::Missed,
        (_, Some("unavailable")) => Name::Unavailable,
        _ => Name::Undecided,
    }
}

fn frames_after(frames: usize) -> Duration {
    Duration::from_millis(frames as u64 * FRAME_MS)
}

fn milliseconds(now: Instant, since: Instant) -> f64 {
    now.saturating_duration_since(since).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(json: serde_json::Value) -> Update {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_name_is_right_only_where_it_is_the_callers() {
        for (said, expected, comes_to) in [
            (
                json!({"outcome": "identified", "user_id": "a"}),
                Some("a"),
                Name::Right,
            ),
            (
                json!({"outcome": "identified", "user_id": "a"}),
                Some("b"),
                Name::Wrong,
            ),
            (
                json!({"outcome": "identified", "user_id": "a"}),
                None,
                Name::Wrong,
            ),
            (json!({"outcome": "unknown"}), None, Name::Right),
            (json!({"outcome": "unknown"}), Some("a"), Name::Missed),
            (
                json!({"outcome": "inconclusive", "reason": "too_close"}),
                Some("a"),
                Name::Undecided,
            ),
            (
                json!({"outcome": "inconclusive", "reason": "unavailable"}),
                None,
                Name::Unavailable,
            ),
        ] {
            assert_eq!(name(&update(said.clone()), expected), comes_to, "{said}");
        }
    }
}
