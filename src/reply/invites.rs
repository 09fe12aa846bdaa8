//! `/v1/users/{id}/invites`: links by which a user enrols in a browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;

use crate::store::{self, Invite, Token};
use crate::units::{DialedNumber, InviteId, Language, UserId};

use super::app_state::AppState;
use super::auth::{Allowed, Enrol};
use super::problem::Problem;
use super::reading::{InPath, Json};

/// The address of the page on which the holder of `token` enrols; `service` is how people reach the service.
pub fn enrolment_url(service: &str, token: &Token) -> String {
    format!("{}/enroll/{}", service.trim_end_matches('/'), token.reveal())
}

/// A link to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvite {
    /// The number the user will be known on; needed where they are on several.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+12025550102")]
    number: Option<DialedNumber>,
    /// The language to begin in (`en`, `es`, `fr`, `de`, `hi`); the browser's without it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "es")]
    language: Option<Language>,
    /// Hours it is good for, up to a year; `signup.link_days` without it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 8760)]
    hours: Option<u32>,
}

/// A link at the one moment it can be seen.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedInvite {
    /// The page on which the user enrols, with the token in it. Never shown again.
    #[schema(example = "https://id.example.com/enroll/ve_…")]
    url: String,
    #[serde(flatten)]
    invite: Invite,
}

/// Makes a link by which a user enrols once
#[utoipa::path(
    post, path = "/v1/users/{id}/invites", operation_id = "invite", tag = "enrolments", request_body = NewInvite,
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 201, description = "The link, this once", body = CreatedInvite),
        (status = 404, description = "There is no such user"),
        (status = 409, description = "The user has opted out"),
        (status = 422, description = "A value is not acceptable, or the user has too many open links"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn add(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
    Json(new): Json<NewInvite>,
) -> Result<(StatusCode, axum::Json<CreatedInvite>), Problem> {
    let usual = Duration::seconds_f64(app.settings.signup.link_lifetime.get());
    let new = store::NewInvite {
        user,
        number: new.number,
        language: new.language,
        lifetime: new.hours.map_or(usual, |hours| Duration::hours(i64::from(hours))),
    };
    let (token, invite) = allowed.view(&app).create_invite(new).await?;
    let url = enrolment_url(&app.settings.address, &token);
    Ok((StatusCode::CREATED, axum::Json(CreatedInvite { url, invite })))
}

/// Lists a user's links, never the links themselves
#[utoipa::path(
    get, path = "/v1/users/{id}/invites", operation_id = "listInvites", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "The user's links, oldest first", body = [Invite]),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn list(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
) -> Result<axum::Json<Vec<Invite>>, Problem> {
    Ok(axum::Json(allowed.view(&app).invites_of(user).await?))
}

/// Takes a link back
#[utoipa::path(
    delete, path = "/v1/users/{id}/invites/{invite_id}", operation_id = "revokeInvite", tag = "enrolments",
    params(
        ("id" = String, Path, format = "uuid", description = "The user"),
        ("invite_id" = String, Path, format = "uuid", description = "The link, by its id"),
    ),
    responses(
        (status = 204, description = "It lets nobody in any more"),
        (status = 404, description = "There is no such link of this user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn revoke(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath((user, invite)): InPath<(UserId, InviteId)>,
) -> Result<StatusCode, Problem> {
    allowed.view(&app).revoke_invite(user, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}
