//! `/vapi/events`: what Vapi sends; and the token endpoint beside it.
//!
//! The body is read within its bound, the request is known to be Vapi's by its raw bytes, and only then is anything
//! read in it. What it means is decided in [`crate::vapi`].

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::carriers::form;
use crate::store::{Actor, Provenance};
use crate::vapi::{Answer, Arrived, Message, NoMessage, NotVapi, Original, PASS_HEADER, Proof, Vapi};

use super::app_state::AppState;
use super::auth::refuse_other_sites;
use super::problem::{Kind, Problem};
use super::reading::whole_body;

/// The most bytes of a request for a token.
const LARGEST_TOKEN_REQUEST: usize = 8 * 1024;

/// Headers of an event whose lengths a capture keeps: enough to see how it is authenticated.
const TELLING_HEADERS: &[&str] = &[
    "signature",
    "timestamp",
    "authorization",
    "secret",
    "svix",
    "x-voxline-call",
    "content-type",
];

/// Takes what Vapi sends
///
/// The server URL of a deployment's numbers, assistants and tools. Requests are known by the configured
/// authentication (`vapi.auth`: `X-Vapi-Secret`, a bearer token, an HMAC signature over the raw body, or a token of
/// `/vapi/oauth/token`), not by an API key; what Vapi sends without a credential, by the header `X-Voxline-Call` that the
/// answer to its ring named. `assistant-request` is answered with an assistant within
/// `vapi.answer_budget_seconds`, `tool-calls` with results, everything else with `{}`.
#[utoipa::path(
    post, path = "/vapi/events", operation_id = "takeVapiEvent", tag = "vapi",
    request_body(content = Object, description = "A server message of Vapi", content_type = "application/json"),
    responses(
        (status = 200, description = "What Vapi is to do, or `{}`; where messages are relayed, what the backend answered", body = Object),
        (status = 400, description = "It is no server message"),
        (status = 401, description = "It is not known to be Vapi's"),
        (status = 413, description = "It is too large"),
        (status = 503, description = "Too much is going on, or the service has no Vapi side"),
    ),
)]
pub(super) async fn events(State(app): State<Arc<AppState>>, request: Request) -> Result<Response, Problem> {
    let vapi = side(&app)?;
    let headers = request.headers().clone();
    let body = whole_body(&app, request, vapi.largest_event()).await?;
    let authorization = headers.get("authorization");
    vapi.recognise(authorization.and_then(|value| value.to_str().ok()))
        .await;
    let proof = admit(&app, vapi, &headers, &body)?;
    Provenance::recognise(Actor::Vapi);
    vapi.captured(&body, || telling(&headers));
    let message = Message::read(&body).map_err(of_no_message)?;
    if !proof.covers(&message) {
        // A pass of another call.
        return Err(refuse(&NotVapi::Wrong(PASS_HEADER.to_owned())));
    }
    let answer = vapi.take(message, || original(&headers, &body)).await;
    let answer = answer.map_err(|full| Problem::new(Kind::Busy, full.to_string()).retry_after(1))?;
    answered(answer)
}

/// A request as it is relayed; headers that are no text are left out.
fn original(headers: &HeaderMap, body: &Bytes) -> Original {
    let texts = headers.iter();
    let texts =
        texts.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    Original {
        headers: texts.collect(),
        body: body.to_vec(),
    }
}

fn answered(answer: Answer) -> Result<Response, Problem> {
    match answer {
        Answer::Json(answer) => Ok(axum::Json(answer).into_response()),
        Answer::Theirs {
            status,
            content_type,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let mut response = (status, body).into_response();
            let content_type = content_type.unwrap_or_else(|| "application/json".to_owned());
            if let Ok(value) = header::HeaderValue::from_str(&content_type) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            Ok(response)
        }
        Answer::Failed => {
            let detail = "the backend whose answer this needs gave none: see the log, and vapi.upstream.*";
            Err(Problem::new(Kind::Unavailable, detail))
        }
    }
}

/// Gives a token for the events
///
/// OAuth 2.0 client credentials (RFC 6749 section 4.4), for Vapi's OAuth2 credential: the client is known by HTTP
/// Basic or by `client_id` and `client_secret` in the form.
#[utoipa::path(
    post, path = "/vapi/oauth/token", operation_id = "issueVapiToken", tag = "vapi",
    request_body(content = Object, description = "grant_type=client_credentials", content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = Object),
        // As OAuth has it (RFC 6749 section 5.2); what else is wrong is told as everywhere.
        (status = 400, description = "Another grant than client credentials", body = Object, content_type = "application/json"),
        (status = 401, description = "The client is not known", body = Object, content_type = "application/json"),
    ),
)]
pub(super) async fn token(State(app): State<Arc<AppState>>, request: Request) -> Result<Response, Problem> {
    let vapi = side(&app)?;
    let headers = request.headers().clone();
    let body = whole_body(&app, request, LARGEST_TOKEN_REQUEST).await?;
    let form = Form::read(&body);
    if form.value("grant_type").as_deref() != Some("client_credentials") {
        return Ok(refused(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
    }
    let client = basic(&headers).or_else(|| Some((form.value("client_id")?, form.value("client_secret")?)));
    let issued = match client {
        Some((id, secret)) => vapi.issue_token(&id, &secret).await,
        None => None,
    };
    let Some(issued) = issued else {
        return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_client"));
    };
    let seconds = (issued.expires_at - OffsetDateTime::now_utc())
        .whole_seconds()
        .max(0);
    let answer =
        json!({"access_token": issued.token.as_str(), "token_type": "Bearer", "expires_in": seconds});
    Ok(axum::Json(answer).into_response())
}

fn side(app: &AppState) -> Result<&Arc<Vapi>, Problem> {
    let none = || {
        Problem::new(
            Kind::Unavailable,
            "this service was started without its Vapi side",
        )
    };
    app.vapi.as_ref().ok_or_else(none)
}

/// An error unless the request is Vapi's. With `--insecure-dev` a service without any configured authentication
/// takes it from this machine's own programs.
fn admit(app: &AppState, vapi: &Vapi, headers: &HeaderMap, body: &Bytes) -> Result<Proof, Problem> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let arrived = Arrived {
        header: &header,
        body,
        url: vapi.events_url(),
        now: OffsetDateTime::now_utc(),
    };
    match vapi.authenticate(&arrived) {
        Ok(proof) => Ok(proof),
        Err(NotVapi::NoAuthentication) if app.insecure_dev => {
            refuse_other_sites(headers).map(|()| Proof::Configured)
        }
        Err(why) => Err(refuse(&why)),
    }
}

fn refuse(why: &NotVapi) -> Problem {
    metrics::counter!("voxline_vapi_refused_total").increment(1);
    tracing::warn!(%why, "a request to /vapi/events was refused: {why}");
    Problem::new(Kind::NotVapi, why.to_string())
}

fn of_no_message(fault: NoMessage) -> Problem {
    Problem::new(Kind::BadRequest, fault.to_string())
}

/// The names and lengths of the headers by which an event is known.
fn telling(headers: &HeaderMap) -> Vec<(String, usize)> {
    let named = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.len()));
    named
        .filter(|(name, _)| TELLING_HEADERS.iter().any(|part| name.contains(part)))
        .take(20)
        .collect()
}

/// RFC 6749 section 5.2.
fn refused(status: StatusCode, error: &'static str) -> Response {
    let mut response = (status, axum::Json(json!({ "error": error }))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let basic = header::HeaderValue::from_static("Basic realm=\"voxline\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
    }
    response
}

/// HTTP Basic (RFC 7617); the parts are form-encoded in OAuth (RFC 6749 section 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    Some((decoded(id), decoded(secret)))
}

/// A form (application/x-www-form-urlencoded) of few fields, or the same as a JSON object.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            let texts = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
            return Self(texts.collect());
        }
        Self(form::pairs(body))
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_and_json_is_taken_too() {
        let form = Form::read(b"grant_type=client_credentials&client_secret=a%2Bb+c%zz%");
        assert_eq!(form.value("grant_type").as_deref(), Some("client_credentials"));
        assert_eq!(form.value("client_secret").as_deref(), Some("a+b c%zz%"));
        let json = Form::read(br#"{"grant_type":"client_credentials","n":5}"#);
        assert_eq!(json.value("grant_type").as_deref(), Some("client_credentials"));
        assert!(Form::read(&[0xFF, b'=', 0xFE]).value("x").is_none());
    }

    #[test]
    fn basic_credentials_are_a_pair() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            "Basic dm94bGluZTpoJTI2dQ==".parse().unwrap(),
        );
        assert_eq!(basic(&headers), Some(("voxline".to_owned(), "h&u".to_owned())));
        headers.insert(header::AUTHORIZATION, "Bearer dm94".parse().unwrap());
        assert_eq!(basic(&headers), None);
    }
}
