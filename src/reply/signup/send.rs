//! The recording that is enrolled.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::switchboard::{Agreement, EnrolmentReport};
use crate::units::Language;

use super::super::app_state::AppState;
use super::super::enrolments::accepted;
use super::super::problem::{Kind, Problem};
use super::super::reading::Form;
use super::link::Guest;

/// The parts of the form beside the recordings.
const PARTS: &[&str] = &["language", "consent_sha256", "keep_audio", "channel"];

/// Enrols the guest's voice, as `POST /v1/users/{id}/enrollments` does, and uses the link up.
pub(super) async fn send(
    State(app): State<Arc<AppState>>,
    guest: Guest,
    form: Form,
) -> Result<(StatusCode, axum::Json<EnrolmentReport>), Problem> {
    let _try = app.tries.of(guest.invite.id)?;
    let admitted = app.view(&guest.access).admit_recording()?;
    let room = form.room(&app)?;
    let mut form = form.read(&app, PARTS, &room).await?;
    let language = language(&form.needed("language")?)?;
    let consent = guest.agreed(&app, language, &form.needed("consent_sha256")?)?;
    let keep_audio = app.settings.signup.may_keep && form.yes_or_no("keep_audio")?.unwrap_or(false);
    let agreement = Agreement {
        text: consent.agreed(keep_audio),
        keep_audio,
        allow_duplicate: false,
        allow_other_voice: false,
        version: Some(consent.version),
        invite: Some(guest.invite.id),
    };
    let channel = form.channel()?;
    let report = app
        .view(&guest.access)
        .enrol(&admitted, guest.invite.user_id, agreement, form.audio, channel)
        .await?;
    accepted(report).map(|report| (StatusCode::CREATED, axum::Json(report)))
}

pub(super) fn language(tag: &str) -> Result<Language, Problem> {
    tag.parse()
        .map_err(|_| Problem::new(Kind::Invalid, "`language` is one of en, es, fr, de and hi"))
}
