//! The part of Vapi's API that Voxline uses: shelves of things by id, and recordings.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

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

pub(super) async fn shelf(
    Path(shelf): Path<String>,
    State(world): State<Shared>,
    headers: HeaderMap,
    method: Method,
    body: Bytes,
) -> Response {
    if !let_in(&headers, PRIVATE_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut world = world.lock().unwrap();
    if method == Method::POST {
        world.made += 1;
        let mut made: Value = serde_json::from_slice(&body).unwrap_or_default();
        made["id"] = json!(format!("{shelf}-{}", world.made));
        world.shelves.entry(shelf).or_default().push(made.clone());
        return (StatusCode::CREATED, Json(made)).into_response();
    }
    Json(without_secrets(&json!(
        world.shelves.get(&shelf).cloned().unwrap_or_default()
    )))
    .into_response()
}

pub(super) async fn entry(
    Path((shelf, id)): Path<(String, String)>,
    State(world): State<Shared>,
    headers: HeaderMap,
    method: Method,
    body: Bytes,
) -> Response {
    if !let_in(&headers, PRIVATE_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut world = world.lock().unwrap();
    let entries = world.shelves.entry(shelf).or_default();
    let Some(found) = entries.iter_mut().find(|entry| entry["id"] == id.as_str()) else {
        return (StatusCode::NOT_FOUND, Json(json!({"message": "not found"}))).into_response();
    };
    if method == Method::PATCH
        && let Ok(Value::Object(change)) = serde_json::from_slice(&body)
    {
        for (name, value) in change {
            found[name] = value;
        }
    }
    Json(without_secrets(found)).into_response()
}

/// Secrets can be written and not read.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !["secret", "secretKey", "token"].contains(&name.as_str()));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), without_secrets(value)))
                    .collect(),
            )
        }
        Value::Array(entries) => Value::Array(entries.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}
