//! What the service hears while somebody speaks: net speech and quality as they come, and at the end what the gate
//! would say. Nothing of it is kept.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::bytes::Encoding;
use crate::switchboard::{Agreement, EnrolmentReport, EnrolmentStart};
use crate::units::Hertz;

use super::super::app_state::AppState;
use super::super::problem::Problem;
use super::super::recording::{concluded, heard_out, problem, started};
use super::super::websocket::{CloseReason, Handshake, WebSocketSession};
use super::link::Guest;
use super::send::language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    language: String,
    consent_sha256: String,
    encoding: Encoding,
    sample_rate: Hertz,
}

/// The WebSocket of the page: a frame `start` with the consent that was agreed to, one channel of PCM, a frame
/// `stop`; down come frames `progress` and at last `report`, `accepted` when the recording could be enrolled.
pub(super) async fn stream(
    State(app): State<Arc<AppState>>,
    guest: Guest,
    handshake: Handshake,
) -> Result<Response, Problem> {
    let trying = app.tries.of(guest.invite.id)?;
    Ok(handshake.serve(app, move |app, mut websocket| async move {
        let report = listen(&app, &mut websocket, &guest).await;
        drop(trying);
        concluded(websocket, report).await;
    }))
}

async fn listen(
    app: &Arc<AppState>,
    websocket: &mut WebSocketSession,
    guest: &Guest,
) -> Result<EnrolmentReport, CloseReason> {
    let start: Start = started(websocket).await?;
    let language = language(&start.language).map_err(problem)?;
    let consent = guest
        .agreed(app, language, &start.consent_sha256)
        .map_err(problem)?;
    let start = EnrolmentStart {
        user: guest.invite.user_id,
        agreement: Agreement {
            version: Some(consent.version.clone()),
            invite: Some(guest.invite.id),
            ..Agreement::from(&consent.agreed(false))
        },
        encoding: start.encoding,
        rate: start.sample_rate,
        channels: 1,
        channel: None,
    };
    let recording = app.view(&guest.access).open_enrolment(start).await;
    let recording = recording.map_err(problem)?;
    let recording = heard_out::<Start>(websocket, recording).await?;
    recording.judge().await.map_err(problem)
}
