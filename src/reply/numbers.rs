//! `/v1/numbers`: the dialed numbers of the deployment.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::store::{Number, NumberPatch};
use crate::units::DialedNumber;

use super::app_state::AppState;
use super::auth::{Administer, Allowed, Enrol};
use super::problem::Problem;
use super::reading::{InPath, Json};

/// A number to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNumber {
    /// The number in E.164.
    #[schema(value_type = String, example = "+12025550102")]
    number: DialedNumber,
    /// The country or region it is for (ISO 3166-1 alpha-2).
    #[schema(example = "US")]
    region: Option<String>,
    /// What you call it.
    name: Option<String>,
}

/// Adds a dialed number
#[utoipa::path(
    post, path = "/v1/numbers", operation_id = "addNumber", tag = "numbers", request_body = NewNumber,
    responses(
        (status = 201, description = "The number was added", body = Number),
        (status = 403, description = "The key is not the operator's: an `admin` key of the default tenant, for all numbers"),
        (status = 409, description = "The number is already here"),
        (status = 422, description = "It is not a number anybody can be assigned"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn add(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    Json(new): Json<NewNumber>,
) -> Result<(StatusCode, axum::Json<Number>), Problem> {
    let added = allowed
        .view(&app)
        .add_number(&new.number, new.region.as_deref(), new.name.as_deref())
        .await?;
    Ok((StatusCode::CREATED, axum::Json(added)))
}

/// Lists the dialed numbers
#[utoipa::path(
    get, path = "/v1/numbers", operation_id = "listNumbers", tag = "numbers",
    responses((status = 200, description = "All numbers, in order", body = [Number])),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn list(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Vec<Number>>, Problem> {
    Ok(axum::Json(allowed.view(&app).numbers().await?))
}

/// Shows a dialed number
#[utoipa::path(
    get, path = "/v1/numbers/{number}", operation_id = "showNumber", tag = "numbers",
    params(("number" = String, Path, description = "The dialed number, its + written as %2B")),
    responses(
        (status = 200, description = "The number", body = Number),
        (status = 404, description = "There is no such number"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn show(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(number): InPath<DialedNumber>,
) -> Result<axum::Json<Number>, Problem> {
    Ok(axum::Json(allowed.view(&app).number(&number).await?))
}

/// Changes what is promised of a number's calls, and whose number their caller's is
#[utoipa::path(
    patch, path = "/v1/numbers/{number}", operation_id = "updateNumber", tag = "numbers",
    params(("number" = String, Path, description = "The dialed number, its + written as %2B")),
    request_body = NumberPatch,
    responses(
        (status = 200, description = "The number as it is now", body = Number),
        (status = 404, description = "There is no such number"),
        (status = 422, description = "It cannot be promised: a share out of range, or nobody could ever be named"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn update(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    InPath(number): InPath<DialedNumber>,
    Json(patch): Json<NumberPatch>,
) -> Result<axum::Json<Number>, Problem> {
    Ok(axum::Json(
        allowed.view(&app).update_number(&number, &patch).await?,
    ))
}
