//! `/v1/users`: who is on which number.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::store::{self, Person, Pin, PinChange, Receipt, User};
use crate::units::{DialedNumber, PhoneNumber, UserId};

use super::app_state::AppState;
use super::auth::{Administer, Allowed, Enrol};
use super::problem::Problem;
use super::reading::{InPath, InQuery, Json};

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// The name to show: 1 to 200 visible characters, kept composed (NFC) and with single spaces.
    #[schema(example = "Alice")]
    name: String,
    /// The dialed number whose roster the user is put on.
    #[schema(value_type = String, example = "+12025550102")]
    number: DialedNumber,
    /// The user's own phones, at most 20.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["+12025550143"]))]
    phones: Vec<PhoneNumber>,
    /// 4 to 8 digits, unique on the number. Never shown again.
    #[serde(default, deserialize_with = "read_pin")]
    #[schema(value_type = Option<String>, write_only)]
    pin: Option<Pin>,
    /// Whether the number is to be this user's alone.
    #[serde(default)]
    exclusive: bool,
}

/// What to change of a user; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserPatch {
    /// A new name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    name: Option<String>,
    /// All phones the user is to have.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>)]
    phones: Option<Vec<PhoneNumber>>,
    /// All numbers the user is to be on, at least one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>)]
    numbers: Option<Vec<DialedNumber>>,
    /// A new PIN, or null for none.
    #[serde(default, deserialize_with = "read_pin_change")]
    #[schema(value_type = Option<String>, write_only)]
    pin: PinChange,
    /// Whether no call is to be compared with their voice: then it leaves the gallery at once, on every node, and stays
    /// kept until they are erased or this is taken back.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    opted_out: Option<bool>,
}

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
    let new = store::NewUser {
        name: new.name,
        number: new.number,
        phones: new.phones,
        pin: new.pin,
        exclusive: new.exclusive,
    };
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
    let patch = store::UserPatch {
        name: patch.name,
        phones: patch.phones,
        numbers: patch.numbers,
        pin: patch.pin,
        opted_out: patch.opted_out,
    };
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

/// A value that may be left out but not be null: null would look like a wish to remove it.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn read_pin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pin>, D::Error> {
    let text = Option::<String>::deserialize(from)?.map(zeroize::Zeroizing::new);
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

fn read_pin_change<'de, D: Deserializer<'de>>(from: D) -> Result<PinChange, D::Error> {
    Ok(read_pin(from)?.map_or(PinChange::Clear, PinChange::Set))
}

#[cfg(test)]
mod tests {
    use super::*;

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
