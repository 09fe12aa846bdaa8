//! `/carriers/{carrier}/voice`: what carriers say of a ringing call, answered in time with what to do with it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;

use crate::carriers::Carrier;
use crate::carriers::signature::{Refusal, Signed};
use crate::carriers::webhook::Received;
use crate::store::{Actor, Provenance};

use super::app_state::AppState;
use super::problem::{Kind, LOGIN, Problem};
use super::reading::raw_body;

/// The most bytes of a webhook; the largest known one, Telnyx's, has some kilobytes.
const LARGEST: usize = 64 * 1024;

/// A webhook that was proven to be its carrier's, as it arrived.
pub(super) struct Proven {
    carrier: Carrier,
    query: String,
    body: Bytes,
    is_signalwires: bool,
}

impl FromRequest<Arc<AppState>> for Proven {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<AppState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let carrier = Path::<Carrier>::from_request_parts(&mut parts, app).await;
        let Path(carrier) = carrier.map_err(|_| {
            let known = Carrier::ALL.map(Carrier::name).join(", ");
            Problem::new(
                Kind::UnknownRoute,
                format!("there is no such carrier; there are {known}"),
            )
        })?;
        let body = raw_body(app, &parts.headers, body, LARGEST).await?;
        let signed = Signed {
            method: parts.method.as_str(),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            header: &|name| parts.headers.get(name)?.to_str().ok(),
            body: &body,
            now: OffsetDateTime::now_utc().unix_timestamp(),
        };
        let proofs = app.carriers.proofs();
        let proven = proofs.webhook(carrier, &signed);
        proven.map_err(|refusal| unproven(refusal, proofs.by_login(carrier)))?;
        Provenance::recognise(Actor::Carrier(carrier.name()));
        let is_signalwires = signed.is_signalwires();
        let query = parts.uri.query().unwrap_or("").to_owned();
        Ok(Self {
            carrier,
            query,
            body,
            is_signalwires,
        })
    }
}

/// A refusal as a problem: who is known by a login is asked for it.
pub(super) fn unproven(refusal: Refusal, by_login: bool) -> Problem {
    let problem = Problem::new(Kind::Unauthorized, refusal.to_string());
    if by_login {
        problem.challenge(LOGIN)
    } else {
        problem
    }
}

/// Answers a ringing call
///
/// For the voice webhook of each carrier: forwarding evidence and attestation are taken from it, and it is
/// answered, within `carriers.answer_seconds` whatever happens here, with the carrier's own document: fork the
/// caller's audio to `/media/{carrier}` with a one-time call token, and hand the call on to
/// `carriers.forward_to` with `X-Forwarded-From`. When the number is not one of ours, or anything fails, the
/// document hands on alone. Telnyx's Call Control is commanded over its API instead (`telnyx.api_key`).
/// Requests are known by the carrier's own signature over the raw body. SignalWire comes in as `twilio`, whose dialect
/// it speaks. An Asterisk's dialplan posts a form (`dialed`, `caller`, `call`, SIP headers by name) under the login
/// `asterisk.username` and is answered with another: `token`, a UUID for its AudioSocket or WebSocket, `forward_to`, and
/// the headers of the call to it.
#[utoipa::path(
    post, path = "/carriers/{carrier}/voice", operation_id = "answerCarrier", tag = "carriers",
    params(("carrier" = String, Path, description = "twilio, telnyx, vonage, bandwidth, plivo, asterisk or jambonz")),
    request_body(
        content((String = "application/json"), (String = "application/x-www-form-urlencoded")),
        description = "As the carrier sends it",
    ),
    responses(
        (
            status = 200, description = "What to do with the call, in the carrier's own form",
            content(
                (String = "application/xml"), (String = "application/json"), (String = "application/x-www-form-urlencoded"),
            ),
        ),
        (status = 401, description = "Not signed by the carrier"),
        (status = 422, description = "Signed, and no webhook of that carrier"),
    ),
)]
pub(super) async fn voice(State(app): State<Arc<AppState>>, proven: Proven) -> Result<Response, Problem> {
    answer(&app, proven).await
}

/// Answers a ringing call, asked with GET
///
/// The same for carriers that are set to fetch their documents with GET; the fields stand in the query.
#[utoipa::path(
    get, path = "/carriers/{carrier}/voice", operation_id = "answerCarrierByGet", tag = "carriers",
    params(("carrier" = String, Path, description = "twilio, telnyx, vonage, bandwidth, plivo, asterisk or jambonz")),
    responses(
        (
            status = 200, description = "What to do with the call, in the carrier's own form",
            content(
                (String = "application/xml"), (String = "application/json"), (String = "application/x-www-form-urlencoded"),
            ),
        ),
        (status = 401, description = "Not signed by the carrier"),
        (status = 422, description = "Signed, and no webhook of that carrier"),
    ),
)]
pub(super) async fn voice_by_get(
    State(app): State<Arc<AppState>>,
    proven: Proven,
) -> Result<Response, Problem> {
    answer(&app, proven).await
}

async fn answer(app: &AppState, proven: Proven) -> Result<Response, Problem> {
    let received = Received {
        query: &proven.query,
        body: &proven.body,
        trusted: true,
    };
    let answered = app
        .carriers
        .answer(proven.carrier, received, proven.is_signalwires)
        .await;
    let document = answered.map_err(|fault| Problem::new(Kind::Invalid, fault.to_string()))?;
    let media_type = HeaderValue::from_static(document.media_type);
    Ok(([(header::CONTENT_TYPE, media_type)], document.text).into_response())
}
