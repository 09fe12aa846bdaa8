//! `/media/pcm`: plain audio frames, for whoever can send bytes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Deserializer};
use tracing::Instrument;

use crate::bytes::Encoding;
use crate::evidence::dialed;
use crate::switchboard::{CallStart, LiveCall};
use crate::units::{CallId, DialedNumber, Hertz};

use super::super::app_state::AppState;
use super::super::auth::{Allowed, Identify, Visitor};
use super::super::recording::{Frame, misplaced, problem, read, started};
use super::super::websocket::{CloseReason, Handshake, Incoming, WebSocketSession};
use super::session::{finish, say_all};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    call_id: Option<CallId>,
    #[serde(deserialize_with = "of_any_spelling")]
    number: DialedNumber,
    encoding: Encoding,
    sample_rate: Hertz,
    #[serde(default = "one")]
    channels: u16,
    caller_channel: Option<u16>,
}

fn of_any_spelling<'de, D: Deserializer<'de>>(from: D) -> Result<DialedNumber, D::Error> {
    dialed(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

const fn one() -> u16 {
    1
}

impl From<Start> for CallStart {
    fn from(start: Start) -> Self {
        Self {
            call_id: start.call_id.unwrap_or_else(CallId::fresh),
            number: start.number,
            encoding: start.encoding,
            rate: start.sample_rate,
            channels: start.channels,
            caller_channel: start.caller_channel,
        }
    }
}

/// Listens to a call
///
/// First a text frame `{"event":"start","call_id":"…","number":"+1202…","encoding":"pcm_s16le|mulaw|alaw",
/// "sample_rate":8000,"channels":1,"caller_channel":0}` (without `call_id` one is made), then binary audio
/// in frames of any size up to 1 MiB, then `{"event":"stop"}`. Down come updates as text frames, the last
/// one with `"final":true`; or `{"event":"error","problem":{…}}` and a close code: 1003 for what cannot be
/// understood, 1008 for what is not accepted, 1009 for too much, 1013 for try again later.
#[utoipa::path(
    get, path = "/media/pcm", operation_id = "streamPcm", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn stream(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    handshake.serve(app, |app, websocket| follow(app, websocket, allowed.visitor))
}

async fn follow(app: Arc<AppState>, mut websocket: WebSocketSession, visitor: Visitor) {
    websocket.ends_with(&visitor, &app);
    let opened = match started::<Start>(&mut websocket).await {
        Ok(start) => open(&app, start, &visitor).await,
        Err(ending) => Err(ending),
    };
    let mut call = match opened {
        Ok(call) => call,
        Err(reason) => return websocket.close(reason).await,
    };
    let span = call.span();
    let reason = listen(&mut call, &mut websocket).instrument(span.clone()).await;
    finish(Box::pin(call.finish()), reason, websocket)
        .instrument(span)
        .await;
}

async fn open(app: &AppState, start: Start, visitor: &Visitor) -> Result<LiveCall, CloseReason> {
    let opened = app.view(visitor.access()).open_call(start.into()).await;
    opened.map_err(problem)
}

async fn listen(call: &mut LiveCall, websocket: &mut WebSocketSession) -> CloseReason {
    loop {
        let heard = match websocket.next().await {
            Incoming::Audio(bytes) => hear(call, &bytes, websocket).await,
            Incoming::Text(text) => Err(match read::<Start>(&text) {
                Ok(Frame::Stop {}) => CloseReason::Stopped,
                Ok(Frame::Start(_)) => misplaced("a second frame `start` came"),
                Err(reason) => reason,
            }),
            Incoming::End(reason) => Err(reason),
        };
        if let Err(reason) = heard {
            return reason;
        }
    }
}

/// Listens to some audio and says what is new. The next frame is read only when this is done.
async fn hear(
    call: &mut LiveCall,
    audio: &[u8],
    websocket: &mut WebSocketSession,
) -> Result<(), CloseReason> {
    call.waited(websocket.waited());
    let said = call.push(audio).await;
    say_all(said.map_err(problem)?, websocket).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for number in [
            "12025550102",
            " 12025550102",
            "sip:+12025550102@h",
            "tel:+1-202-555-0102",
        ] {
            let start =
                format!(r#"{{"event":"start","number":"{number}","encoding":"mulaw","sample_rate":8000}}"#);
            let Ok(Frame::Start(start)) = read::<Start>(&start) else {
                panic!("{number} was refused")
            };
            assert_eq!(start.number.as_e164(), "+12025550102");
        }
    }
}
