//! Recordings that are listened to while somebody speaks: the conversation on a WebSocket that enrolment by an API key
//! and the signup page have in common; `/media/pcm` has its frames.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::switchboard::{EnrolmentProgress, EnrolmentReport, LiveEnrolment};

use super::problem::{Kind, Problem};
use super::reading::of_json;
use super::websocket::{CloseReason, Incoming, WebSocketSession};

/// What a client says in text frames.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Frame<S> {
    /// A conversation begins.
    Start(S),
    /// It is over.
    Stop {},
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Told {
    Progress(EnrolmentProgress),
    Report(EnrolmentReport),
}

/// The frame `start` with which a conversation begins.
pub(super) async fn started<S: DeserializeOwned>(websocket: &mut WebSocketSession) -> Result<S, CloseReason> {
    match websocket.next().await {
        Incoming::Text(text) => match read(&text)? {
            Frame::Start(start) => Ok(start),
            Frame::Stop {} => Err(CloseReason::Stopped),
        },
        Incoming::Audio(_) => Err(misplaced("audio came before the frame `start`")),
        Incoming::End(ending) => Err(ending),
    }
}

/// Listens until the frame `stop`, telling the client how far it is; `S` is what the frame `start` held.
pub(super) async fn heard_out<S: DeserializeOwned>(
    websocket: &mut WebSocketSession,
    mut recording: LiveEnrolment,
) -> Result<LiveEnrolment, CloseReason> {
    loop {
        match websocket.next().await {
            Incoming::Audio(bytes) => {
                let progress = recording.push(&bytes).await.map_err(problem)?;
                if let Some(progress) = progress
                    && !websocket.say(&Told::Progress(progress)).await
                {
                    return Err(CloseReason::Gone);
                }
            }
            Incoming::Text(text) => {
                let Frame::Stop {} = read::<S>(&text)? else {
                    return Err(misplaced("a second frame `start` came"));
                };
                return Ok(recording);
            }
            Incoming::End(ending) => return Err(ending),
        }
    }
}

/// Ends a conversation with a report, or however else it ended.
pub(super) async fn concluded(mut websocket: WebSocketSession, report: Result<EnrolmentReport, CloseReason>) {
    let ending = match report {
        Ok(report) => {
            websocket.say(&Told::Report(report)).await;
            CloseReason::Stopped
        }
        Err(ending) => ending,
    };
    websocket.close(ending).await;
}

/// A fault as the end of a conversation.
pub(super) fn problem(fault: impl Into<Problem>) -> CloseReason {
    CloseReason::Problem(fault.into())
}

/// Reads a text frame.
pub(super) fn read<S: DeserializeOwned>(text: &str) -> Result<Frame<S>, CloseReason> {
    serde_json::from_str(text).map_err(|fault| CloseReason::Problem(of_json(&fault)))
}

/// A message that cannot be understood where it came, as the end of a conversation.
pub(super) fn misplaced(detail: &str) -> CloseReason {
    CloseReason::Problem(Problem::new(Kind::BadRequest, detail))
}
