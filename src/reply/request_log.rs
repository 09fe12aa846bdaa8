//! The log around every request: an id, a span, a line in the log, a count, and the headers that
//! every answer has. Faults of ours are written down here and nowhere else.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

use super::app_state::AppState;
use super::drain_body::lend;
use super::problem::{Kind, Problem};
use super::telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const INSECURE: HeaderName = HeaderName::from_static("x-voxline-insecure-dev");

/// What a path that is no route is called in the log and the metrics: its text is the client's.
const NO_ROUTE: &str = "none";

/// Wraps the whole service.
pub(super) async fn keep(State(app): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = telemetry::method_name(request.method());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", %id, method, route);
    let (parts, body) = request.into_parts();
    let (body, rest) = lend(body);
    let request = Request::from_parts(parts, body);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        span.in_scope(|| write_down(&problem));
        app.tasks.spawn(rest.discard());
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.answer(Some(&id));
        if let Some(methods) = allow {
            response.headers_mut().insert(header::ALLOW, methods);
        }
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    span.in_scope(|| {
        tracing::info!(
            status,
            ms = took.as_secs_f64() * 1e3,
            "{method} {route}: {status}"
        );
    });
    telemetry::request(method, &route, status, took);
    stamp(response.headers_mut(), &id, app.insecure_dev);
    response
}

/// Writes a problem down: what is ours as an error, the rest for whoever looks closely.
pub(super) fn write_down(problem: &Problem) {
    let code = problem.code();
    if problem.kind() == Kind::Busy {
        telemetry::refused();
    }
    match problem.for_the_log() {
        Some(inside) => tracing::error!(code, "{inside}"),
        None => tracing::debug!(code, "refused: {code}"),
    }
}

/// The id a proxy gave the request, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable =
        given.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    usable.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn stamp(headers: &mut HeaderMap, id: &str, insecure_dev: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // What is said of people and calls is for whoever asked, not for a cache.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if insecure_dev {
        headers.insert(INSECURE, HeaderValue::from_static("true"));
    }
}
