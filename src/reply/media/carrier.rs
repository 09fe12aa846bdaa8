//! A carrier's stream: who is let in, and its messages from the first to the last.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::Instrument;

use crate::carriers::signature::{Proofs, Refusal, Signed};
use crate::carriers::stream::{Message, Numbered, StreamFault, StreamReader};
use crate::carriers::{Carrier, CarrierStream, Entry, StreamEnd, Unopened};
use crate::store::{Actor, Provenance, Scope};
use crate::switchboard::CallVerdict;

use super::super::app_state::{AppState, in_words};
use super::super::auth::{self, Visitor};
use super::super::carriers::unproven;
use super::super::problem::{Kind, LOGIN, Problem};
use super::super::recording::misplaced;
use super::super::websocket::{CloseReason, Handshake, Incoming, WebSocketSession};
use super::session::{finish, say_all};

/// A carrier as a type, for [`Admitted`].
pub(in super::super) trait OfCarrier: Send {
    /// The carrier whose streams come this way.
    const CARRIER: Carrier;
}

macro_rules! carriers {
    ($($name:ident)*) => {$(
        #[doc = concat!("Streams of ", stringify!($name), ".")]
        pub(in super::super) struct $name;
        impl OfCarrier for $name {
            const CARRIER: Carrier = Carrier::$name;
        }
    )*};
}
carriers!(Twilio Telnyx Vonage Bandwidth Plivo Asterisk Jambonz);

/// Permission to open a stream of the carrier `C`.
pub(in super::super) struct Admitted<C>(pub StreamAccess, PhantomData<C>);

/// What a stream is let in by.
pub(in super::super) struct StreamAccess {
    /// By what it is let in.
    proof: Proof,
    /// What the address of the WebSocket says, as it came.
    query: String,
}

/// By what a stream is let in.
enum Proof {
    /// The carrier's own.
    Carrier,
    /// Somebody's API key.
    Key(Box<Visitor>),
    /// Nothing yet: the first message must bring the token of a call that is waited for.
    None,
}

impl<C: OfCarrier> FromRequestParts<Arc<AppState>> for Admitted<C> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let proof = proof(C::CARRIER, parts, app).await?;
        let query = parts.uri.query().unwrap_or("").to_owned();
        Ok(Self(StreamAccess { proof, query }, PhantomData))
    }
}

async fn proof(carrier: Carrier, parts: &Parts, app: &AppState) -> Result<Proof, Problem> {
    let by_key = brings_key(carrier, &parts.headers);
    let by_login = Proofs::stream_by_login(carrier);
    if !by_key {
        Provenance::recognise(Actor::Carrier(carrier.name()));
        if is_proven(carrier, parts, app).map_err(|refusal| unproven(refusal, by_login))? {
            return Ok(Proof::Carrier);
        }
        if !app.insecure_dev && app.carriers.expects(carrier).await {
            return Ok(Proof::None);
        }
    }
    match auth::admit(parts, app, Scope::Identify).await {
        Ok(visitor) => Ok(Proof::Key(Box::new(visitor))),
        // Bandwidth and others send their login only to who asks for it.
        Err(problem) if by_login && !by_key => Err(problem.challenge(LOGIN)),
        Err(problem) => Err(problem),
    }
}

/// Whether a handshake bears the carrier's own proof.
fn is_proven(carrier: Carrier, parts: &Parts, app: &AppState) -> Result<bool, Refusal> {
    let request = Signed {
        method: "GET",
        path: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
        header: &|name| parts.headers.get(name)?.to_str().ok(),
        body: &[],
        now: OffsetDateTime::now_utc().unix_timestamp(),
    };
    app.carriers.proofs().handshake(carrier, &request)
}

/// Whether a handshake brings an API key: in a header that is the carrier's own, only what looks like a key is one.
fn brings_key(carrier: Carrier, headers: &HeaderMap) -> bool {
    match headers
        .get("authorization")
        .map(|value| value.to_str().unwrap_or(""))
    {
        Some(value) if carrier.signs_in_authorization() => value
            .split_once(' ')
            .is_some_and(|(_, token)| token.trim_start().starts_with("vx_")),
        _ => auth::brings_key(headers),
    }
}

/// Answers the handshake and listens.
pub(super) fn serve(
    carrier: Carrier,
    access: StreamAccess,
    app: Arc<AppState>,
    handshake: Handshake,
) -> Response {
    handshake.serve(app, move |app, websocket| follow(carrier, access, app, websocket))
}

async fn follow(carrier: Carrier, access: StreamAccess, app: Arc<AppState>, mut websocket: WebSocketSession) {
    websocket.speaks(false);
    if let Proof::Key(visitor) = &access.proof {
        websocket.ends_with(visitor, &app);
    }
    // Carriers say `start` at once, and who says nothing has shown nothing yet.
    let patience = app.timeouts.head.min(app.timeouts.idle);
    let opened = timeout(patience, open(carrier, &access, &app, &mut websocket)).await;
    let opened = opened.unwrap_or_else(|_| {
        let detail = format!("no message `start` came within {}", in_words(patience));
        Err(CloseReason::Problem(Problem::new(Kind::TooSlow, detail)))
    });
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(reason) => return websocket.close(reason).await,
    };
    let span = stream.call().span();
    let reason = listen(&app, &mut stream, StreamReader::of(carrier), &mut websocket)
        .instrument(span.clone())
        .await;
    finish(
        Box::pin(app.carriers.finish(stream.into_call())),
        reason,
        websocket,
    )
    .instrument(span)
    .await;
}

/// Reads up to the message `start` and opens its call.
async fn open(
    carrier: Carrier,
    access: &StreamAccess,
    app: &AppState,
    websocket: &mut WebSocketSession,
) -> Result<CarrierStream, CloseReason> {
    let reader = StreamReader::of(carrier);
    let start = loop {
        match next(reader, websocket).await?.message {
            Message::Start(start) => break start.with_query(carrier, &access.query),
            Message::Audio(_) => return Err(misplaced("audio came before the message `start`")),
            Message::Stop => return Err(CloseReason::Stopped),
            Message::Digit(_) | Message::Other => {}
        }
    };
    websocket.speaks(start.updates);
    let entry = match &access.proof {
        Proof::Carrier => Entry::Proven,
        Proof::Key(visitor) => Entry::ByKey(visitor.access()),
        Proof::None => Entry::ByToken,
    };
    let opened = app.carriers.open_stream(carrier, entry, start).await;
    opened.map_err(|fault| CloseReason::Problem(of_unopened(fault)))
}

/// Listens to the stream's end, however it comes: carriers close as often as they say `stop`. A caller on hold is no end: the
/// call's place is free until its audio comes again.
async fn listen(
    app: &AppState,
    stream: &mut CarrierStream,
    reader: StreamReader,
    websocket: &mut WebSocketSession,
) -> CloseReason {
    let reason = loop {
        let incoming = if stream.may_pause() {
            websocket.next_or_silence().await
        } else {
            Some(websocket.next().await)
        };
        let Some(incoming) = incoming else {
            stream.call().pause();
            continue;
        };
        let numbered = match read(reader, incoming) {
            Ok(numbered) => numbered,
            // One frame that is odd ends no call: the fork would not be opened again.
            Err(Unread::Frame(fault)) if stream.passes_over(&fault) => continue,
            Err(unread) => break unread.into(),
        };
        if !websocket.is_silent()
            && let Err(fault) = app.carriers.resume(stream.call()).await
        {
            break CloseReason::Problem(fault.into());
        }
        let mut said = Vec::new();
        stream.call().waited(websocket.waited());
        let taken = stream.take(numbered, &mut said).await;
        if let Err(reason) = told(said, taken, websocket).await {
            break reason;
        }
    };
    let mut said = Vec::new();
    let taken = stream.take_rest(&mut said).await;
    told(said, taken, websocket).await.err().unwrap_or(reason)
}

async fn told(
    said: Vec<CallVerdict>,
    taken: Result<(), StreamEnd>,
    websocket: &mut WebSocketSession,
) -> Result<(), CloseReason> {
    say_all(said, websocket).await?;
    taken.map_err(|end| match end {
        StreamEnd::Stopped => CloseReason::Stopped,
        StreamEnd::SecondStart => misplaced(&end.to_string()),
        StreamEnd::Board(fault) => CloseReason::Problem(fault.into()),
    })
}

/// Why there is no next message.
enum Unread {
    /// The conversation is over.
    End(CloseReason),
    /// What came is none.
    Frame(StreamFault),
}

impl From<Unread> for CloseReason {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::End(reason) => reason,
            Unread::Frame(fault) => Self::Problem(of_stream(&fault)),
        }
    }
}

/// The next message, or how the stream ends.
async fn next(reader: StreamReader, websocket: &mut WebSocketSession) -> Result<Numbered, CloseReason> {
    read(reader, websocket.next().await).map_err(CloseReason::from)
}

fn read(reader: StreamReader, incoming: Incoming) -> Result<Numbered, Unread> {
    let read = match incoming {
        Incoming::Text(text) => reader.text(&text),
        Incoming::Audio(bytes) => reader.binary(&bytes),
        Incoming::End(reason) => return Err(Unread::End(reason)),
    };
    read.map_err(Unread::Frame)
}

fn of_stream(fault: &StreamFault) -> Problem {
    let kind = if fault.is_of_audio() {
        Kind::UnsupportedMedia
    } else {
        Kind::BadRequest
    };
    Problem::new(kind, fault.to_string())
}

fn of_unopened(fault: Unopened) -> Problem {
    let kind = match fault {
        Unopened::Board(fault) => return fault.into(),
        Unopened::NotWaitedFor => Kind::Unauthorized,
        Unopened::NoNumber | Unopened::Invalid { .. } => Kind::Invalid,
    };
    Problem::new(kind, fault.to_string())
}
