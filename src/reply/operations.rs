//! What those who run the service ask it. Open to all, so nothing here tells of users or calls.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use super::app_state::AppState;
use super::problem::{Kind, Problem};
use super::telemetry;

/// The media type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// That the process is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    alive: bool,
    /// The release that answers.
    version: &'static str,
}

/// Whether the process is alive
#[utoipa::path(
    get, path = "/healthz", operation_id = "health", tag = "operations",
    responses((status = 200, description = "It is", body = Alive)),
)]
pub(super) async fn health() -> axum::Json<Alive> {
    axum::Json(Alive {
        alive: true,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// That a call would be served now.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    ready: bool,
    /// The speaker model in use.
    model: String,
    /// The calibration in use.
    calibration: String,
}

/// Whether a call would be served now
#[utoipa::path(
    get, path = "/readyz", operation_id = "readiness", tag = "operations",
    responses(
        (status = 200, description = "Store, gallery and models are in order", body = Ready),
        (status = 503, description = "One is not; `reasons` says which"),
    ),
)]
pub(super) async fn readiness(State(app): State<Arc<AppState>>) -> Result<axum::Json<Ready>, Problem> {
    if app.leaving.is_cancelled() {
        return Err(Problem::new(Kind::Leaving, "the service is shutting down"));
    }
    let faults = app.out_of_order().await;
    if !faults.is_empty() {
        let reasons = faults
            .iter()
            .map(|(part, _)| format!("{part} is out of order"))
            .collect();
        let inside: Vec<String> = faults
            .iter()
            .map(|(part, fault)| format!("{part}: {fault}"))
            .collect();
        let detail = "calls cannot be served as they should; the service's log says more";
        return Err(Problem::new(Kind::Unavailable, detail)
            .reasons(reasons)
            .inside(inside.join("; ")));
    }
    let (model, calibration) = app.in_use();
    Ok(axum::Json(Ready {
        ready: true,
        model,
        calibration,
    }))
}

/// What is counted and timed
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")),
)]
pub(super) async fn metrics(State(app): State<Arc<AppState>>) -> impl IntoResponse {
    let text = telemetry::render(&app.metrics, &app.engine());
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text)
}

/// The OpenAPI document as it is sent.
#[derive(Clone)]
pub(super) struct Described(Bytes);

impl Described {
    pub(super) fn new(document: &OpenApi) -> Self {
        Self(serde_json::to_vec(document).unwrap_or_default().into())
    }
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "operations",
    responses((status = 200, description = "OpenAPI", body = Object, content_type = "application/json")),
)]
pub(super) async fn describe(Extension(Described(document)): Extension<Described>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document)
}
