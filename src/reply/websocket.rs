//! A WebSocket as the services on it see it: frames of bounded size, never waited for without end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::SinkExt;
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::bytes::SOCKET_READ;
use crate::store::Provenance;
use crate::switchboard::CallVerdict;
use crate::verdict::Shown;

use super::app_state::{AppState, in_words};
use super::auth::Visitor;
use super::guest::{Guest, unwelcome};
use super::problem::{Kind, Problem, ProblemDocument};
use super::request_log::write_down;

/// The most bytes of a frame: half a minute of 16 kHz PCM.
pub(super) const LARGEST_FRAME: usize = 1024 * 1024;

/// The most bytes that are taken off the network for one frame. Above [`LARGEST_FRAME`], so that who sends a little too much
/// reads why; of who sends far too much the rest is not read, and the connection may be cut over it.
const LARGEST_MESSAGE: usize = 4 * LARGEST_FRAME;

/// The fewest bytes that a stream brings in [`super::app_state::Timeouts::idle`] to go on: half a second of mu-law.
const LEAST: usize = 4_000;

/// How long a client has to say goodbye in turn.
const GOODBYE: Duration = Duration::from_secs(2);

/// The subprotocols that are agreed to: of browsers that bring their key beside it, of Asterisk's `chan_websocket`, and
/// of jambonz's `listen`.
const PROTOCOLS: [&str; 3] = ["voxline", "media", "audio.jambonz.org"];

/// The most bytes of a close frame's reason (RFC 6455 section 5.5: 125 with the code).
const LONGEST_REASON: usize = 123;

/// A WebSocket handshake that was asked for and not answered yet.
pub(super) struct Handshake(WebSocketUpgrade);

impl FromRequestParts<Arc<AppState>> for Handshake {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        if app.leaving.is_cancelled() {
            return Err(Problem::new(Kind::Leaving, "the service is shutting down").retry_after(5));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, app).await;
        upgrade.map(Self).map_err(|fault| {
            let detail = format!("open a WebSocket here (RFC 6455): {}", fault.body_text());
            Problem::new(Kind::UpgradeNeeded, detail)
        })
    }
}

impl Handshake {
    /// Answers the handshake and gives the WebSocket to `service`, which a shutdown waits for.
    pub(super) fn serve<S, F>(self, app: Arc<AppState>, service: S) -> Response
    where
        S: FnOnce(Arc<AppState>, WebSocketSession) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let span = tracing::Span::current();
        let upgrade = self
            .0
            .read_buffer_size(SOCKET_READ)
            .max_message_size(LARGEST_MESSAGE)
            .max_frame_size(LARGEST_MESSAGE);
        let by = Provenance::current();
        upgrade.protocols(PROTOCOLS).on_upgrade(move |socket| {
            let tasks = app.tasks.clone();
            let websocket = WebSocketSession {
                socket,
                leaving: app.leaving.clone(),
                guest: None,
                idle: app.timeouts.idle,
                brought_at: Instant::now(),
                brought: 0,
                is_silent: false,
                send: app.timeouts.send,
                ends_at: Instant::now() + app.longest_stream(),
                speaks: true,
                shows_scores: false,
                waited: true,
            };
            let served = by.scope(service(app, websocket));
            tasks.track_future(served).instrument(span)
        })
    }
}

/// What comes from the client.
pub(super) enum Incoming {
    /// A text frame.
    Text(Utf8Bytes),
    /// A binary frame.
    Audio(Bytes),
    /// The conversation is over.
    End(CloseReason),
}

/// How a conversation ended.
pub(super) enum CloseReason {
    /// The client said `stop`.
    Stopped,
    /// The client closed, or the connection was cut.
    Gone,
    /// The service shuts down.
    Leaving,
    /// It cannot go on.
    Problem(Problem),
}

/// An open WebSocket.
pub(super) struct WebSocketSession {
    socket: WebSocket,
    leaving: CancellationToken,
    /// Who opened it.
    guest: Option<Guest>,
    idle: Duration,
    /// When the last [`LEAST`] bytes were complete, and what came since.
    brought_at: Instant,
    brought: usize,
    /// Whether less came for as long as a stream may be silent, and has not come since.
    is_silent: bool,
    send: Duration,
    ends_at: Instant,
    speaks: bool,
    /// Whether whoever opened it may see scores.
    shows_scores: bool,
    /// Whether the last frame had to be waited for.
    waited: bool,
}

#[derive(Serialize)]
struct ErrorFrame {
    event: &'static str,
    problem: ProblemDocument,
}

impl WebSocketSession {
    /// Whether text frames are sent. Carriers' one-way streams take none.
    pub(super) fn speaks(&mut self, speaks: bool) {
        self.speaks = speaks;
    }

    /// Ends when `visitor`, who opened it, would no longer be let in.
    pub(super) fn ends_with(&mut self, visitor: &Visitor, app: &Arc<AppState>) {
        self.shows_scores = visitor.sees_scores();
        self.guest = Some(Guest::new(visitor.clone(), Arc::clone(app)));
    }

    /// Whether the last frame had to be waited for, or was there already when it was asked for.
    pub(super) fn waited(&self) -> bool {
        self.waited
    }

    /// The next frame. Nothing further is read from the network until this is asked again.
    pub(super) async fn next(&mut self) -> Incoming {
        let until = (self.brought_at + self.idle).min(self.ends_at);
        let received = self.receive(until).await;
        received.unwrap_or_else(|| Incoming::End(CloseReason::Problem(self.overdue())))
    }

    /// The same for a stream that may be silent for as long as calls last: `None` when a silence begins, once. While it lasts
    /// the client is pinged: no proxy takes the connection for unused, and TCP finds out when nobody is there.
    pub(super) async fn next_or_silence(&mut self) -> Option<Incoming> {
        let silent_at = self.brought_at + self.idle;
        if !self.is_silent && silent_at < self.ends_at {
            let received = self.receive(silent_at).await;
            self.is_silent |= received.is_none();
            return received;
        }
        loop {
            let until = (Instant::now() + self.idle).min(self.ends_at);
            if let Some(incoming) = self.receive(until).await {
                return Some(incoming);
            }
            if Instant::now() >= self.ends_at {
                return Some(Incoming::End(CloseReason::Problem(self.overdue())));
            }
            if !self.send(Message::Ping(Bytes::new())).await {
                return Some(Incoming::End(CloseReason::Gone));
            }
        }
    }

    /// Whether a silence goes on: what comes in it now and then is no audio.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// What comes next; `None` when that is nothing until then.
    async fn receive(&mut self, until: Instant) -> Option<Incoming> {
        loop {
            let received = {
                let mut polls = 0;
                let mut receive = pin!(self.socket.recv());
                let receive = poll_fn(|context| {
                    polls += 1;
                    receive.as_mut().poll(context)
                });
                let received = tokio::select! {
                    biased;
                    () = self.leaving.cancelled() => return Some(Incoming::End(CloseReason::Leaving)),
                    () = unwelcome(&mut self.guest) => {
                        return Some(Incoming::End(CloseReason::Problem(of_revoked_key())));
                    }
                    received = timeout_at(until, receive) => received,
                };
                self.waited = polls > 1;
                received
            };
            let message = match received {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(fault))) => return Some(Incoming::End(broken(fault))),
                Ok(None) => return Some(Incoming::End(CloseReason::Gone)),
                Err(_) => return None,
            };
            self.bring(&message);
            match message {
                Message::Text(text) if text.len() <= LARGEST_FRAME => return Some(Incoming::Text(text)),
                Message::Binary(bytes) if bytes.len() <= LARGEST_FRAME => {
                    return Some(Incoming::Audio(bytes));
                }
                Message::Text(_) | Message::Binary(_) => {
                    return Some(Incoming::End(CloseReason::Problem(frame_too_large())));
                }
                Message::Close(_) => {
                    // The answer to it waits below us, and goes out with this alone (RFC 6455 section 5.5.1).
                    let _ = timeout(self.send, self.socket.flush()).await;
                    return Some(Incoming::End(CloseReason::Gone));
                }
                // Answered below us; no sign that anybody is speaking.
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    /// Counts what came: a stream that brings a byte now and then takes a place as one that brings nothing.
    fn bring(&mut self, message: &Message) {
        self.brought += match message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        if self.brought >= LEAST {
            self.brought = 0;
            self.brought_at = Instant::now();
            self.is_silent = false;
        }
    }

    fn overdue(&self) -> Problem {
        let detail = if Instant::now() >= self.ends_at {
            "the stream has lasted as long as any may".to_owned()
        } else {
            format!(
                "not even {LEAST} bytes came in {}: a stream without audio is ended",
                in_words(self.idle)
            )
        };
        Problem::new(Kind::TooSlow, detail)
    }

    /// Sends a text frame. `false` when the client is gone or does not read.
    pub(super) async fn say<T: Serialize>(&mut self, document: &T) -> bool {
        if !self.speaks {
            return true;
        }
        let Ok(text) = serde_json::to_string(document) else {
            return false;
        };
        self.send(Message::Text(text.into())).await
    }

    /// Sends a verdict as whoever opened this may see it. `false` as for [`Self::say`].
    pub(super) async fn say_verdict(&mut self, verdict: CallVerdict) -> bool {
        self.say(&Shown::new(verdict, self.shows_scores)).await
    }

    /// Ends the conversation: with an error frame if there was a problem, and a close code in any case.
    pub(super) async fn close(mut self, ending: CloseReason) {
        let (code, reason) = match &ending {
            CloseReason::Gone => return,
            CloseReason::Stopped => (close_code::NORMAL, String::new()),
            CloseReason::Leaving => (close_code::AWAY, "shutting down".to_owned()),
            CloseReason::Problem(problem) => {
                write_down(problem);
                let frame = ErrorFrame {
                    event: "error",
                    problem: problem.document(None),
                };
                self.say(&frame).await;
                (close_code_of(problem), frame.problem.detail)
            }
        };
        let reason = shortened(reason).into();
        if self.send(Message::Close(Some(CloseFrame { code, reason }))).await {
            // The client's own close frame, so that what was sent is not lost with the connection.
            let _ = timeout(GOODBYE, async {
                while let Some(Ok(_)) = self.socket.recv().await {}
            })
            .await;
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(self.send, self.socket.send(message)).await, Ok(Ok(())))
    }
}

/// RFC 6455 section 7.4.1.
fn close_code_of(problem: &Problem) -> u16 {
    match problem.kind() {
        Kind::Busy | Kind::Unavailable => close_code::AGAIN,
        Kind::Leaving => close_code::AWAY,
        Kind::Internal => close_code::ERROR,
        Kind::BadRequest | Kind::UnsupportedMedia => close_code::UNSUPPORTED,
        Kind::TooLarge => close_code::SIZE,
        _ => close_code::POLICY,
    }
}

fn of_revoked_key() -> Problem {
    Problem::new(
        Kind::Unauthorized,
        "the API key that opened this stream was revoked",
    )
}

/// How a conversation ends whose next frame cannot be read.
fn broken(fault: axum::Error) -> CloseReason {
    match fault.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Utf8(_)) => CloseReason::Problem(Problem::new(
            Kind::BadRequest,
            "a text frame is not UTF-8: send audio in binary frames",
        )),
        Some(tungstenite::Error::Capacity(_)) => CloseReason::Problem(frame_too_large()),
        _ => CloseReason::Gone,
    }
}

fn frame_too_large() -> Problem {
    let detail = format!("a frame has more than {LARGEST_FRAME} bytes: send smaller ones, of any size");
    Problem::new(Kind::TooLarge, detail)
}

fn shortened(mut reason: String) -> String {
    let mut end = LONGEST_REASON.min(reason.len());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_reason_fits_its_frame_whatever_it_says() {
        let long = shortened("é".repeat(100));
        assert!(long.len() <= LONGEST_REASON && long.chars().all(|letter| letter == 'é'));
        assert_eq!(shortened("short".to_owned()), "short");
    }
}
