//! `/v1/numbers`: the dialed numbers of the deployment.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::store::Number;
use crate::units::DialedNumber;

use super::auth::{Administer, Allowed, Enrol};
use super::desk::Desk;
use super::problem::Problem;
use super::reading::Json;

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
        (status = 409, description = "The number is already here"),
        (status = 422, description = "It is not a number anybody can be assigned"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn add(
    _: Allowed<Administer>,
    State(desk): State<Arc<Desk>>,
    Json(new): Json<NewNumber>,
) -> Result<(StatusCode, axum::Json<Number>), Problem> {
    let store = desk.board.store();
    let added = store
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
    _: Allowed<Enrol>,
    State(desk): State<Arc<Desk>>,
) -> Result<axum::Json<Vec<Number>>, Problem> {
    Ok(axum::Json(desk.board.store().numbers().await?))
}
