//! What the service hears while somebody speaks: net speech and quality as they come, and at the end what the gate
//! would say. Nothing of it is kept.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::bytes::Encoding;
use crate::switchboard::{Agreement, EnrolmentReport, EnrolmentStart};
use crate::units::Hertz;

use super::super::desk::Desk;
use super::super::problem::Problem;
use super::super::recording::{concluded, heard_out, problem, started};
use super::super::wire::{Ending, Handshake, Wire};
use super::link::{Guest, Try};
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
    State(desk): State<Arc<Desk>>,
    guest: Guest,
    handshake: Handshake,
) -> Result<Response, Problem> {
    let trying = Try::begin(&desk, guest.invite.id)?;
    Ok(handshake.serve(desk, move |desk, mut wire| async move {
        let report = listen(&desk, &mut wire, &guest).await;
        drop(trying);
        concluded(wire, report).await;
    }))
}

async fn listen(desk: &Arc<Desk>, wire: &mut Wire, guest: &Guest) -> Result<EnrolmentReport, Ending> {
    let start: Start = started(wire).await?;
    let language = language(&start.language).map_err(problem)?;
    let consent = guest
        .agreed(desk, language, &start.consent_sha256)
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
    let recording = desk.board.open_enrolment(start, None).await.map_err(problem)?;
    let recording = heard_out::<Start>(wire, recording).await?;
    recording.judge().await.map_err(problem)
}
