//! `/v1/users`: who is on which number.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::store::{NewUser, Person, Receipt, User, UserPatch};
use crate::units::{DialedNumber, UserId};

use super::app_state::AppState;
use super::auth::{Administer, Allowed, Enrol};
use super::problem::Problem;
use super::reading::{InPath, InQuery, Json};

/// The dialed number whose users are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfNumber {
    /// The dialed number, its + written as %2B.
    #[param(value_type = String, example = "+12025550102")]
    number: DialedNumber,
}

/// Adds a user
#[utoipa::path(
    post, path = "/v1/users", operation_id = "addUser", tag = "users", request_body = NewUser,
    responses(
        (status = 201, description = "The user was added", body = User),
        (status = 404, description = "There is no such number"),
        (status = 409, description = "The number, a phone or the PIN is another user's"),
        (status = 422, description = "A value is not acceptable"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn add(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, axum::Json<User>), Problem> {
    let added = allowed.view(&app).add_user(new).await?;
    Ok((StatusCode::CREATED, axum::Json(added)))
}

/// Lists the users of a number
#[utoipa::path(
    get, path = "/v1/users", operation_id = "listUsers", tag = "users", params(OfNumber),
    responses(
        (status = 200, description = "The number's roster, oldest first", body = [User]),
        (status = 404, description = "There is no such number"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn list(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InQuery(of): InQuery<OfNumber>,
) -> Result<axum::Json<Vec<User>>, Problem> {
    Ok(axum::Json(allowed.view(&app).users_of(&of.number).await?))
}

/// Shows a user
#[utoipa::path(
    get, path = "/v1/users/{id}", operation_id = "getUser", tag = "users",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn show(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<UserId>,
) -> Result<axum::Json<User>, Problem> {
    Ok(axum::Json(allowed.view(&app).user(id).await?))
}

/// Changes a user
#[utoipa::path(
    patch, path = "/v1/users/{id}", operation_id = "changeUser", tag = "users", request_body = UserPatch,
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "The user as changed", body = User),
        (status = 404, description = "There is no such user or number"),
        (status = 409, description = "A number, a phone or the PIN is another user's"),
        (status = 422, description = "A value is not acceptable"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn change(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<UserId>,
    Json(patch): Json<UserPatch>,
) -> Result<axum::Json<User>, Problem> {
    Ok(axum::Json(allowed.view(&app).update_user(id, patch).await?))
}

/// Removes a user and erases their voice everywhere
#[utoipa::path(
    delete, path = "/v1/users/{id}", operation_id = "removeUser", tag = "users",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "What was erased", body = Receipt),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn remove(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<UserId>,
) -> Result<axum::Json<Receipt>, Problem> {
    Ok(axum::Json(allowed.view(&app).remove_user(id).await?))
}

/// Whether kept recordings are wanted too.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Whether kept recordings are in it, in base64.
    #[serde(default)]
    audio: bool,
}

/// Gives out everything that is kept on a user
///
/// Name, phones, consents with their words, enrolments, voiceprints (base64, with their model's name), kept recordings,
/// how many fingerprints of their speech there are, links, what calls say of them, and what the audit log says of them: one
/// JSON document to read and to take along.
#[utoipa::path(
    get, path = "/v1/users/{id}/export", operation_id = "exportUser", tag = "users",
    params(("id" = String, Path, format = "uuid", description = "The user"), Wanted),
    responses(
        (status = 200, description = "Everything that is kept on the user", body = Object),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn export(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<UserId>,
    InQuery(wanted): InQuery<Wanted>,
) -> Result<axum::Json<Person>, Problem> {
    Ok(axum::Json(
        allowed.view(&app).export_user(id, wanted.audio).await?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PinChange;

    #[test]
    fn a_pin_left_out_stays_and_a_null_one_goes() {
        let read = |text| serde_json::from_str::<UserPatch>(text).map(|patch| patch.pin);
        assert!(matches!(read("{}"), Ok(PinChange::Keep)));
        assert!(matches!(read(r#"{"pin": null}"#), Ok(PinChange::Clear)));
        assert!(matches!(read(r#"{"pin": "4821"}"#), Ok(PinChange::Set(_))));
        assert!(read(r#"{"pin": "48"}"#).is_err());
    }

    #[test]
    fn nothing_else_can_be_null_or_unknown() {
        for bad in [r#"{"name": null}"#, r#"{"numbers": null}"#, r#"{"phone": []}"#] {
            assert!(serde_json::from_str::<UserPatch>(bad).is_err(), "{bad} passed");
        }
    }
}
