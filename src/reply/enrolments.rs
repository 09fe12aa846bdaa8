//! `/v1/users/{id}/enrollments`: users' voices.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::ToSchema;

use crate::store::{Enrolment, Receipt};
use crate::switchboard::{Agreement, ClipBytes, EnrolmentReport, IssueCode};
use crate::units::{EnrolmentId, UserId};

use super::app_state::AppState;
use super::auth::{Allowed, Enrol};
use super::problem::{Kind, Problem};
use super::reading::{Form, InPath};
use super::upload_room::TakenRoom;

/// An enrolment: recordings and the consent to them.
#[derive(ToSchema)]
pub(super) struct EnrolmentForm {
    /// A recording of the user alone; the part can come several times, up to 16 recordings. Raw G.722, mu-law or
    /// A-law says nothing of itself: the part's `Content-Type` does, as `audio/G722`, `audio/PCMU` or `audio/PCMA`.
    #[schema(value_type = Vec<String>, format = Binary)]
    audio: Vec<ClipBytes>,
    /// The words the user agreed to.
    consent: String,
    /// `true` when those words also allow keeping the recordings, sealed, so that another model can hear them
    /// one day. They are kept only where the deployment keeps any, and erased with the enrolment.
    keep_audio: Option<bool>,
    /// `true` when the voice may be that of another user of the same number: one person with two users.
    /// Without it such an enrolment is refused (`duplicate_identity`).
    allow_duplicate: Option<bool>,
    /// `true` when the voice is not to be held against the one this user enrolled before. Only a key with the scope
    /// `admin` may say so; with any other such an enrolment is refused (`not_the_voice_before`).
    allow_other_voice: Option<bool>,
    /// Which of two channels holds the user, in recordings whose channels differ.
    #[schema(minimum = 0, maximum = 1)]
    channel: Option<u16>,
}

impl EnrolmentForm {
    async fn read(form: Form, app: &AppState, room: &TakenRoom) -> Result<Self, Problem> {
        let mut filled = form
            .read(
                app,
                &[
                    "consent",
                    "keep_audio",
                    "allow_duplicate",
                    "allow_other_voice",
                    "channel",
                ],
                room,
            )
            .await?;
        Ok(Self {
            consent: filled.needed("consent")?,
            keep_audio: filled.yes_or_no("keep_audio")?,
            allow_duplicate: filled.yes_or_no("allow_duplicate")?,
            allow_other_voice: filled.yes_or_no("allow_other_voice")?,
            channel: filled.channel()?,
            audio: filled.audio,
        })
    }
}

/// Enrols a user's voice
#[utoipa::path(
    post, path = "/v1/users/{id}/enrollments", operation_id = "enroll", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    request_body(content = EnrolmentForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Accepted: the next call finds the voice", body = EnrolmentReport),
        (status = 404, description = "There is no such user"),
        (status = 409, description = "A recording was used before, and `report` says which; or the user has opted out"),
        (status = 413, description = "Too many bytes or minutes"),
        (status = 415, description = "A recording is of a kind that is not read here"),
        (status = 422, description = "The recordings are not good enough; `report` says why"),
        (status = 503, description = "As much is going on as the service can bear"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn add(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
    form: Form,
) -> Result<(StatusCode, axum::Json<EnrolmentReport>), Problem> {
    let admitted = allowed.view(&app).admit_recording()?;
    let room = form.room(&app)?;
    let form = EnrolmentForm::read(form, &app, &room).await?;
    let agreement = Agreement {
        text: form.consent,
        keep_audio: form.keep_audio.unwrap_or(false),
        allow_duplicate: form.allow_duplicate.unwrap_or(false),
        allow_other_voice: form.allow_other_voice.unwrap_or(false),
        version: None,
        invite: None,
    };
    let clips = form.audio;
    let report = allowed
        .view(&app)
        .enrol(&admitted, user, agreement, clips, form.channel)
        .await?;
    accepted(report).map(|report| (StatusCode::CREATED, axum::Json(report)))
}

/// The report of an accepted enrolment, or what a refused one is answered with.
pub(super) fn accepted(report: EnrolmentReport) -> Result<EnrolmentReport, Problem> {
    if report.accepted {
        return Ok(report);
    }
    let twice = report
        .issues
        .iter()
        .any(|issue| issue.code == IssueCode::DuplicateClip);
    let kind = if twice {
        Kind::DuplicateRecording
    } else {
        Kind::EnrolmentRefused
    };
    let words: Vec<&str> = report.issues.iter().map(|issue| issue.message.as_str()).collect();
    Err(Problem::new(kind, words.join("; ")).report(report))
}

/// Lists a user's enrolments
#[utoipa::path(
    get, path = "/v1/users/{id}/enrollments", operation_id = "listEnrollments", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "The user's enrolments, oldest first", body = [Enrolment]),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn list(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
) -> Result<axum::Json<Vec<Enrolment>>, Problem> {
    Ok(axum::Json(allowed.view(&app).enrolments_of(user).await?))
}

/// Erases all of a user's enrolments
#[utoipa::path(
    delete, path = "/v1/users/{id}/enrollments", operation_id = "removeEnrollments", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "What was erased", body = Receipt),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn remove_all(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
) -> Result<axum::Json<Receipt>, Problem> {
    Ok(axum::Json(allowed.view(&app).remove_enrolments(user).await?))
}

/// Erases one enrolment
#[utoipa::path(
    delete, path = "/v1/users/{id}/enrollments/{enrollment_id}", operation_id = "removeEnrollment",
    tag = "enrolments",
    params(
        ("id" = String, Path, format = "uuid", description = "The user"),
        ("enrollment_id" = String, Path, format = "uuid", description = "The enrolment"),
    ),
    responses(
        (status = 200, description = "What was erased", body = Receipt),
        (status = 404, description = "There is no such user or enrolment"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn remove(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath((user, enrolment)): InPath<(UserId, EnrolmentId)>,
) -> Result<axum::Json<Receipt>, Problem> {
    Ok(axum::Json(
        allowed.view(&app).remove_enrolment(user, enrolment).await?,
    ))
}
