//! The part of Vapi's API that concerns calls: their recordings.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{PRIVATE_KEY, Shared, let_in};

/// The recording itself, under an address whose knowledge is enough, as a presigned one is.
pub(super) async fn recording(Path(call): Path<String>, State(world): State<Shared>) -> Response {
    let mut world = world.lock().unwrap();
    let Some(recording) = world.recordings.get_mut(&call) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    recording.fetched += 1;
    recording.audio.clone().into_response()
}

/// Where the API says the recording is.
pub(super) async fn recording_of(
    Path(call): Path<String>,
    State(world): State<Shared>,
    headers: HeaderMap,
) -> Response {
    if !let_in(&headers, PRIVATE_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !world.lock().unwrap().recordings.contains_key(&call) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let host = headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let location = format!("http://{host}/recordings/{call}");
    (StatusCode::FOUND, [("location", location)]).into_response()
}
