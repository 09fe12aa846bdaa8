//! `/v1/users/{id}/enrollments/stream`: enrolment while the user speaks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::bytes::Encoding;
use crate::switchboard::{Agreement, EnrolmentReport, EnrolmentStart};
use crate::units::{Hertz, UserId};

use super::app_state::AppState;
use super::auth::{Allowed, Enrol, Visitor};
use super::enrolments::accepted;
use super::reading::InPath;
use super::recording::{concluded, heard_out, problem, started};
use super::websocket::{CloseReason, Handshake, WebSocketSession};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    consent: String,
    #[serde(default)]
    keep_audio: bool,
    #[serde(default)]
    allow_duplicate: bool,
    #[serde(default)]
    allow_other_voice: bool,
    encoding: Encoding,
    sample_rate: Hertz,
    #[serde(default = "one")]
    channels: u16,
    channel: Option<u16>,
}

const fn one() -> u16 {
    1
}

/// Enrols a user's voice while they speak
///
/// First a text frame `{"event":"start","consent":"…","encoding":"pcm_s16le|mulaw|alaw",
/// "sample_rate":48000,"channels":1}` (of two channels, `channel` names the user's; `"keep_audio":true` when the consent allows keeping the recording,
/// `"allow_duplicate":true` when the voice may be another user's of the same number, `"allow_other_voice":true` with an
/// `admin` key when it may be another than before), then binary audio in
/// frames of any size up to 1 MiB, at most three minutes of it, then `{"event":"stop"}`. Down come
/// `{"event":"progress","net_speech_seconds","needed_seconds","quality","issues"}` about twice a second of audio and,
/// at the end, the report with `"event":"report"` for an accepted enrolment; or
/// `{"event":"error","problem":{…}}`, which for a refused one has the report in it. A connection that
/// is cut before `stop` leaves nothing behind.
#[utoipa::path(
    get, path = "/v1/users/{id}/enrollments/stream", operation_id = "enrollLive", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn stream(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
    handshake: Handshake,
) -> Response {
    handshake.serve(app, move |app, websocket| {
        follow(app, websocket, user, allowed.visitor)
    })
}

async fn follow(app: Arc<AppState>, mut websocket: WebSocketSession, user: UserId, visitor: Visitor) {
    websocket.ends_with(&visitor, &app);
    let report = record(&app, &mut websocket, user, &visitor).await;
    concluded(websocket, report).await;
}

/// The whole conversation: an accepted enrolment's report, or how else it ended.
async fn record(
    app: &Arc<AppState>,
    websocket: &mut WebSocketSession,
    user: UserId,
    visitor: &Visitor,
) -> Result<EnrolmentReport, CloseReason> {
    let start: Start = started(websocket).await?;
    let start = EnrolmentStart {
        user,
        agreement: Agreement {
            text: start.consent,
            keep_audio: start.keep_audio,
            allow_duplicate: start.allow_duplicate,
            allow_other_voice: start.allow_other_voice,
            version: None,
            invite: None,
        },
        encoding: start.encoding,
        rate: start.sample_rate,
        channels: start.channels,
        channel: start.channel,
    };
    let enrolment = app
        .view(visitor.access())
        .open_enrolment(start)
        .await
        .map_err(problem)?;
    let report = heard_out::<Start>(websocket, enrolment).await?.finish().await;
    accepted(report.map_err(problem)?).map_err(CloseReason::Problem)
}
