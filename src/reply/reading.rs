//! Reading what a request brings: JSON, forms, paths and queries, each within limits of size and time,
//! and each refused in the same words everywhere.

use std::fmt::Display;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::bytes::Headerless;
use crate::switchboard::ClipBytes;

use super::app_state::{AppState, in_words};
use super::problem::{Kind, Problem};
use super::upload_room::TakenRoom;

/// The most bytes of a JSON body; the largest known one, a user with all phones, has some kilobytes.
const LARGEST_JSON: usize = 64 * 1024;

/// The most bytes of a text part; a consent may have 20 000 characters.
const LARGEST_TEXT: usize = 96 * 1024;

/// The most parts of a form.
const MOST_PARTS: usize = 32;

/// The most characters kept of a recording's file name, by which messages call it.
const LONGEST_NAME: usize = 100;

/// How many entries a page has: as many as are `wanted`, from 1 to `largest`, or else the `usual` number.
pub(super) fn page_size<T>(wanted: Option<T>, usual: T, largest: T) -> Result<T, Problem>
where
    T: Copy + PartialOrd + From<u8> + Display,
{
    let limit = wanted.unwrap_or(usual);
    if (T::from(1)..=largest).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("`limit` is 1 to {largest}, not {limit}");
    Err(Problem::new(Kind::BadRequest, detail))
}

/// A JSON body.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<AppState>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<AppState>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "send JSON, with `Content-Type: application/json`";
            return Err(Problem::new(Kind::UnsupportedMedia, detail));
        }
        let bytes = whole_body(app, request, LARGEST_JSON).await?;
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|fault| of_json(&fault))
    }
}

/// A body as it arrived, for what is signed over its bytes.
pub(super) async fn raw_body(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Bytes, Problem> {
    refuse_large(headers, limit as u64)?;
    in_time(app, read_pieces(body, limit)).await?
}

async fn read_pieces(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| {
            let detail = "the request's body ended early, or is not what its headers say";
            Problem::new(Kind::BadRequest, detail)
        })?;
        if whole.len() + piece.len() > limit {
            return Err(too_large(limit as u64));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    media_type
        .and_then(|text| text.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// What is wrong with JSON: its syntax, or what it says. People read the latter in the console, where a place in the JSON
/// tells nothing; serde's own words on a value (`invalid type`) name no field, so they keep it.
pub(super) fn of_json(fault: &serde_json::Error) -> Problem {
    let said = fault.to_string();
    if !fault.is_data() {
        return Problem::new(Kind::BadRequest, format!("the JSON cannot be used: {said}"));
    }
    let place = format!(" at line {} column {}", fault.line(), fault.column());
    let value = said
        .strip_suffix(place.as_str())
        .filter(|value| !value.starts_with("invalid "));
    Problem::new(Kind::Invalid, value.unwrap_or(&said))
}

/// A whole body of at most `most` bytes, byte by byte as it came.
pub(super) async fn whole_body(app: &AppState, request: Request, most: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    raw_body(app, &parts.headers, body, most).await
}

/// A part of the path.
pub(super) struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<AppState>> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, app).await;
        read.map(|Path(value)| Self(value)).map_err(|fault| {
            Problem::new(
                Kind::BadRequest,
                format!("the path cannot be used: {}", fault.body_text()),
            )
        })
    }
}

/// A request's query, read whole or refused with what is wrong.
pub(super) struct InQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<AppState>> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let read = Query::from_request_parts(parts, app).await;
        read.map(|Query(value)| Self(value)).map_err(|fault| {
            Problem::new(
                Kind::BadRequest,
                format!("the query cannot be used: {}", fault.body_text()),
            )
        })
    }
}

/// A multipart form that has not been read yet, so that admission can come first.
pub(super) struct Form {
    parts: Multipart,
    /// Bytes, as far as they are announced.
    announced: Option<u64>,
}

impl FromRequest<Arc<AppState>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &Arc<AppState>) -> Result<Self, Problem> {
        refuse_large(request.headers(), app.largest_upload())?;
        let announced = announced(request.headers());
        let form = Multipart::from_request(request, app).await;
        let form = form.map(|parts| Self { parts, announced });
        form.map_err(|_| {
            let detail = "send a form, with `Content-Type: multipart/form-data` and its boundary";
            Problem::new(Kind::UnsupportedMedia, detail)
        })
    }
}

/// What a form held.
pub(super) struct Filled {
    /// The parts called `audio`, in order.
    pub audio: Vec<ClipBytes>,
    texts: Vec<(&'static str, String)>,
}

impl Form {
    /// Room in memory for what is to be read; it is held for as long as the recordings are.
    ///
    /// # Errors
    /// A problem when others take it.
    pub(super) fn room(&self, app: &AppState) -> Result<TakenRoom, Problem> {
        app.upload_room.take(self.announced)
    }

    /// Reads the form: recordings in parts called `audio`, and each of `texts` at most once.
    pub(super) async fn read(
        self,
        app: &AppState,
        texts: &'static [&'static str],
        _room: &TakenRoom,
    ) -> Result<Filled, Problem> {
        let limit = app.largest_upload();
        in_time(app, read_parts(self.parts, texts, limit)).await?
    }
}

impl Filled {
    /// The text part called `name`, if it came.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.texts.iter().position(|(known, _)| *known == name)?;
        Some(self.texts.swap_remove(at).1)
    }

    /// The text part called `name`, if it came, as `true` or `false`.
    pub(super) fn yes_or_no(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|_| {
            let detail = format!("the part `{name}` must be `true` or `false`");
            Problem::new(Kind::Invalid, detail)
        })
    }

    /// The part `channel`, if it came: which of two channels to hear.
    pub(super) fn channel(&mut self) -> Result<Option<u16>, Problem> {
        let channel = self.text("channel").map(|text| match text.trim() {
            "0" => Ok(0),
            "1" => Ok(1),
            other => {
                let detail = format!("`channel` is 0 or 1, not {other:?}");
                Err(Problem::new(Kind::BadRequest, detail))
            }
        });
        channel.transpose()
    }

    /// The text part called `name`.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, Problem> {
        self.text(name)
            .ok_or_else(|| Problem::new(Kind::BadRequest, format!("the form has no part `{name}`")))
    }
}

async fn read_parts(
    mut form: Multipart,
    texts: &'static [&'static str],
    limit: u64,
) -> Result<Filled, Problem> {
    let mut filled = Filled {
        audio: Vec::new(),
        texts: Vec::new(),
    };
    let broken = |fault: MultipartError| of_form(&fault, limit);
    let mut parts = 0;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        parts += 1;
        if parts > MOST_PARTS {
            let detail = format!("the form has more than {MOST_PARTS} parts");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
        let name = part.name().unwrap_or("").to_owned();
        if name == "audio" {
            let name = clip_name(&part, filled.audio.len() + 1);
            let stated = part.content_type().and_then(Headerless::of_media_type);
            let bytes = part.bytes().await.map_err(broken)?.into();
            filled.audio.push(ClipBytes::new(name, bytes, stated));
            continue;
        }
        let Some(known) = texts.iter().find(|text| **text == name) else {
            let wanted = texts.join("`, `");
            let detail = format!("the form has a part {name:?}; its parts are `audio`, `{wanted}`");
            return Err(Problem::new(Kind::BadRequest, detail));
        };
        if filled.texts.iter().any(|(before, _)| before == known) {
            let detail = format!("the form has the part `{known}` twice");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
        filled.texts.push((known, read_text(part, known, limit).await?));
    }
    Ok(filled)
}

async fn read_text(mut part: Field<'_>, name: &str, limit: u64) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(|fault| of_form(&fault, limit))? {
        if bytes.len() + piece.len() > LARGEST_TEXT {
            let detail = format!("the part `{name}` has more than {LARGEST_TEXT} bytes");
            return Err(Problem::new(Kind::TooLarge, detail));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes)
        .map_err(|_| Problem::new(Kind::BadRequest, format!("the part `{name}` is not UTF-8 text")))
}

fn clip_name(part: &Field<'_>, position: usize) -> String {
    match part.file_name() {
        Some(name) if !name.is_empty() => name.chars().take(LONGEST_NAME).collect(),
        _ => format!("recording {position}"),
    }
}

fn of_form(fault: &MultipartError, limit: u64) -> Problem {
    if fault.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    Problem::new(
        Kind::BadRequest,
        format!("the form cannot be read: {}", fault.body_text()),
    )
}

/// Refuses a body that says it is too large before any of it is read.
fn refuse_large(headers: &HeaderMap, limit: u64) -> Result<(), Problem> {
    match announced(headers) {
        Some(bytes) if bytes > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: u64) -> Problem {
    let detail = format!("the request has more than {limit} bytes, which is the most that is taken here");
    Problem::new(Kind::TooLarge, detail)
}

/// What comes of `reading`, unless it takes longer than a body may.
async fn in_time<T>(app: &AppState, reading: impl Future<Output = T>) -> Result<T, Problem> {
    let patience = app.timeouts.body;
    timeout(patience, reading).await.map_err(|_| {
        let detail = format!("the request did not arrive within {}", in_words(patience));
        Problem::new(Kind::TooSlow, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::DialedNumber;

    #[test]
    fn a_value_is_refused_in_its_own_words_and_what_names_no_field_with_its_place() {
        let detail = |json: &str| {
            let fault = serde_json::from_str::<Vec<DialedNumber>>(json).unwrap_err();
            of_json(&fault).document(None).detail
        };
        assert_eq!(
            detail("[\"12\"]"),
            "a phone number starts with + and the country code, as in +12025550102"
        );
        for (json, start) in [("[12]", "invalid type"), ("[\"12", "the JSON cannot be used")] {
            let told = detail(json);
            assert!(
                told.starts_with(start) && told.contains("line 1 column"),
                "{told}"
            );
        }
    }
}
