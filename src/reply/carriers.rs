//! `/carriers/{carrier}/voice`: what carriers say of a ringing call, answered in time with what to do with it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::carriers::Carrier;
use crate::carriers::answer::{Command, Document, Plan};
use crate::carriers::forward::Leg;
use crate::carriers::signature::Signed;
use crate::carriers::webhook::{self, Digits, Event, Manner, Received, Ring};
use crate::evidence::{Region, read_facts};
use crate::switchboard::BoardError;
use crate::units::{CallId, PhoneNumber};

use super::app_state::AppState;
use super::problem::{Kind, Problem};
use super::reading::raw_body;

/// The most bytes of a webhook; the largest known one, Telnyx's, has some kilobytes.
const LARGEST: usize = 64 * 1024;

/// A webhook that was proven to be its carrier's, as it arrived.
pub(super) struct Proven {
    carrier: Carrier,
    query: String,
    body: Bytes,
}

impl FromRequest<Arc<AppState>> for Proven {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<AppState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let carrier = Path::<Carrier>::from_request_parts(&mut parts, app).await;
        let Path(carrier) = carrier.map_err(|_| {
            let detail =
                "there is no such carrier: twilio, telnyx, vonage, bandwidth, plivo, asterisk or jambonz";
            Problem::new(Kind::UnknownRoute, detail)
        })?;
        let body = raw_body(app, &parts.headers, body, LARGEST).await?;
        let signed = Signed {
            method: parts.method.as_str(),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            header: &|name| parts.headers.get(name)?.to_str().ok(),
            body: &body,
            now: OffsetDateTime::now_utc().unix_timestamp(),
        };
        app.carriers
            .proofs
            .webhook(carrier, &signed)
            .map_err(|refusal| Problem::new(Kind::Unauthorized, refusal.to_string()))?;
        let query = parts.uri.query().unwrap_or("").to_owned();
        Ok(Self { carrier, query, body })
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
    request_body(content = String, content_type = "application/json", description = "As the carrier sends it"),
    responses(
        (status = 200, description = "What to do with the call", content_type = "application/xml", body = String),
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
        (status = 200, description = "What to do with the call", content_type = "application/xml", body = String),
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

async fn answer(app: &Arc<AppState>, proven: Proven) -> Result<Response, Problem> {
    let received = Received {
        query: &proven.query,
        body: &proven.body,
        trusted: true,
    };
    let event = webhook::read(proven.carrier, received)
        .map_err(|fault| Problem::new(Kind::Invalid, fault.to_string()))?;
    let document = match event {
        Event::Ringing(ring) => ringing(app, proven.carrier, *ring, None).await,
        Event::Typed { ring, digits } => typed(app, proven.carrier, *ring, &digits).await,
        Event::Digit { call, key } => {
            pressed(app, &call, key);
            Document::nothing(proven.carrier)
        }
        Event::Ended { call } => {
            ended(app, &call);
            Document::nothing(proven.carrier)
        }
        Event::Other => Document::nothing(proven.carrier),
    };
    let media_type = HeaderValue::from_static(document.media_type);
    Ok(([(header::CONTENT_TYPE, media_type)], document.text).into_response())
}

/// What is known of a call when it is answered.
#[derive(Default)]
struct Known {
    forwarded: Option<PhoneNumber>,
    token: Option<String>,
}

/// Learns what it can within the budget, and answers with as much as that came to; `remembered` is the forwarder that an
/// earlier webhook of the call named.
async fn ringing(
    app: &Arc<AppState>,
    carrier: Carrier,
    ring: Ring,
    remembered: Option<PhoneNumber>,
) -> Document {
    let known = timeout(app.carriers.budget, learn(app, carrier, &ring)).await;
    let known = match known {
        Ok(Ok(known)) => known,
        Ok(Err(fault)) => {
            tracing::error!(call.id = %ring.call, %carrier, %fault, "call {} is handed on unknown: {fault}", ring.call);
            Known::default()
        }
        Err(_) => {
            tracing::error!(call.id = %ring.call, %carrier, "call {} is handed on unknown: out of time", ring.call);
            Known::default()
        }
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let plan = Plan {
        settings: &app.carriers,
        leg: Leg {
            call: &ring.call,
            dialed: &ring.dialed,
            forwarded: known.forwarded.as_ref().or(remembered.as_ref()),
            now,
        },
        token: known.token.as_deref(),
        caller: ring.facts.caller_text.as_deref(),
    };
    match ring.manner {
        Manner::Document | Manner::DocumentAlone => return plan.document(carrier),
        Manner::CommandsAtRinging => command(app, &ring.call, plan.commands_at_ringing()),
        Manner::CommandsAtAnswer => command(app, &ring.call, plan.commands_at_answer()),
    }
    Document::nothing(carrier)
}

/// Takes the call's facts, and makes the token of its stream. The call's state is what both belong to, so where there
/// can be none there is no token.
async fn learn(app: &AppState, carrier: Carrier, ring: &Ring) -> Result<Known, BoardError> {
    let numbers = app.board.store().numbers().await?;
    let stated = numbers.iter().find(|known| known.number == ring.dialed);
    let region = Region::of(&ring.dialed, stated.and_then(|number| number.region.as_deref()));
    let ours: Vec<String> = numbers.iter().map(|known| known.number.line_key()).collect();
    let own = |number: &PhoneNumber| ours.contains(&number.line_key());
    let found = read_facts(&ring.facts, &ring.dialed, &own, region);
    let forwarded = found.forwarder().map(|best| best.number.clone());
    let call_state = app.board.call_state(&ring.call, &ring.dialed).await?;
    call_state.learn(&ring.facts).await;
    if app.board.fetches_certs() && ring.facts.identity.is_some() {
        // In its own time: the carrier waits for its answer.
        let (board, facts, now) = (
            Arc::clone(&app.board),
            ring.facts.clone(),
            OffsetDateTime::now_utc(),
        );
        let call_state = Arc::clone(&call_state);
        app.tasks
            .spawn(async move { board.fetch_certs(&call_state, &facts, now).await });
    }
    // One stream for each call. Telnyx's is told to come when the call is answered.
    let token = match ring.manner {
        Manner::CommandsAtRinging | Manner::DocumentAlone => None,
        _ => app.tokens.issue(carrier, &ring.call, &ring.dialed),
    };
    if token.is_some() && app.carriers.twilio_pin.is_some() && carrier == Carrier::Twilio {
        app.asked.ask(&ring.call, forwarded.as_ref());
    }
    Ok(Known { forwarded, token })
}

/// Takes what a caller typed who was asked for a PIN, and hands them on whatever it was. It is tried meanwhile: what it
/// comes to is said by the call's verdict, and never to the caller.
async fn typed(app: &Arc<AppState>, carrier: Carrier, ring: Ring, digits: &Digits) -> Document {
    let answered = app.asked.answer(&ring.call);
    let call = ring.call.clone();
    let document = ringing(app, carrier, ring, answered.forwarded).await;
    if let Some(call_state) = app.board.find_call_state(&call).filter(|_| answered.first) {
        let typed = call_state.typed(digits.as_str());
        app.tasks.spawn(async move { call_state.try_typed(typed).await });
    }
    document
}

/// Commands the call, after the webhook was answered: Telnyx takes commands as soon as it has been.
fn command(app: &Arc<AppState>, call: &CallId, commands: Vec<Command>) {
    let Some(commander) = app.commander.clone() else {
        tracing::error!(call.id = %call, "call {call} waits for commands: set telnyx.api_key, or use TeXML");
        return;
    };
    let (call, patience) = (call.clone(), app.carriers.budget);
    app.tasks.spawn(async move {
        for command in commands {
            let sent = commander.send(&call, &command);
            // A fork must not keep the caller from being put through.
            let sent = match command.optional {
                true => timeout(patience, sent).await,
                false => Ok(sent.await),
            };
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => {
                    tracing::error!(call.id = %call, %fault, "call {call} was not commanded: {fault}");
                }
                Err(_) => {
                    let name = command.name;
                    tracing::error!(call.id = %call, "`{name}` of call {call} took too long, and is not waited for");
                }
            }
        }
    });
}

/// Takes a key; what a PIN comes to is said by the call's verdict.
pub(super) fn pressed(app: &Arc<AppState>, call: &CallId, key: char) {
    let Some(call_state) = app.board.find_call_state(call) else {
        return;
    };
    if let Some(typed) = call_state.keypad(key) {
        app.tasks.spawn(async move { call_state.try_typed(typed).await });
    }
}

/// Ends a call that no stream is going to end.
pub(super) fn ended(app: &Arc<AppState>, call: &CallId) {
    if let Some(call_state) = app
        .board
        .find_call_state(call)
        .filter(|_| !app.has_call_slot(call))
    {
        app.tasks.spawn(async move { call_state.finish().await });
    }
}
