//! `/media/twilio`: Twilio Media Streams (`<Start><Stream>`), which must not be sent anything.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;

use crate::bytes::Encoding;
use crate::store::Scope;
use crate::switchboard::CallStart;
use crate::units::Hertz;

use super::super::auth::{self, Visitor};
use super::super::desk::Desk;
use super::super::problem::{Kind, Problem};
use super::super::twilio_signature::HEADER;
use super::super::wire::{Ending, Handshake, Incoming, Wire};
use super::reorder::Reorder;
use super::session::Session;
use super::twilio_frames::{Frame, Start, read};

/// Proof that whoever asks is Twilio, by its signature, or has a key to identify callers.
pub(in super::super) struct TwilioOrKey(Visitor);

impl FromRequestParts<Arc<Desk>> for TwilioOrKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let signature = parts
            .headers
            .get(HEADER)
            .filter(|_| !auth::brings_key(&parts.headers));
        let Some(signature) = signature else {
            return auth::admit(&parts.headers, desk, Scope::Identify).await.map(Self);
        };
        let refuse = |detail: &str| Problem::new(Kind::Unauthorized, detail);
        let check = desk.twilio.as_ref().ok_or_else(|| {
            refuse("Twilio's signatures cannot be checked here: set twilio.auth_token and public_url")
        })?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        if check.signed_handshake(path, signature.to_str().unwrap_or("")) {
            return Ok(Self(Visitor::without_key(Scope::Identify)));
        }
        Err(refuse(
            "this is not Twilio's signature of this address: check twilio.auth_token and public_url",
        ))
    }
}

/// Listens to a call that Twilio forks
///
/// Twilio Media Streams: the caller's track (`inbound_track`) as mu-law. The dialed number comes as a
/// `<Parameter name="number">` of the `<Stream>`, the call's id is its `CallSid`. Nothing is sent back, for
/// on `<Start><Stream>` that is an error: verdicts are at `/v1/calls/{id}` and `/v1/calls/events`. With a
/// parameter `updates` of `true`, for tests and demonstrations, they come down as on `/media/pcm`.
#[utoipa::path(
    get, path = "/media/twilio", operation_id = "streamTwilio", tag = "media",
    params(("X-Twilio-Signature" = Option<String>, Header, description = "Instead of an API key")),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn stream(
    TwilioOrKey(visitor): TwilioOrKey,
    State(desk): State<Arc<Desk>>,
    handshake: Handshake,
) -> Response {
    handshake.serve(desk, |desk, wire| follow(desk, wire, visitor))
}

async fn follow(desk: Arc<Desk>, mut wire: Wire, visitor: Visitor) {
    wire.speaks(false);
    let mut session = match open(&desk, &mut wire, &visitor).await {
        Ok(session) => session,
        Err(ending) => return wire.close(ending).await,
    };
    let ending = listen(&mut session, &mut wire).await;
    session.finish(ending, wire).await;
}

async fn open(desk: &Arc<Desk>, wire: &mut Wire, visitor: &Visitor) -> Result<Session, Ending> {
    loop {
        match next(wire).await? {
            Frame::Start(start) => {
                wire.speaks(start.parameter("updates") == Some("true"));
                let start = call_start(&start).map_err(Ending::Problem)?;
                return Session::open(desk, start, visitor).await.map_err(Ending::Problem);
            }
            Frame::Audio(..) => return Err(refused("audio came before the message `start`")),
            Frame::Stop => return Err(Ending::Stopped),
            Frame::Other(_) => {}
        }
    }
}

fn call_start(start: &Start) -> Result<CallStart, Problem> {
    start.check_format()?;
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    let number = start.parameter("number").ok_or_else(|| {
        invalid(
            "the dialed number is missing: add <Parameter name=\"number\" value=\"+1…\"/> to <Stream>"
                .to_owned(),
        )
    })?;
    Ok(CallStart {
        call_id: start
            .call_sid
            .parse()
            .map_err(|fault| invalid(format!("callSid: {fault}")))?,
        number: number
            .parse()
            .map_err(|fault| invalid(format!("the parameter `number`: {fault}")))?,
        encoding: Encoding::Mulaw,
        rate: Hertz(8_000),
        channels: 1,
        caller_channel: None,
    })
}

async fn listen(session: &mut Session, wire: &mut Wire) -> Ending {
    let mut order = Reorder::new();
    let ending = loop {
        let (number, audio) = match next(wire).await {
            Ok(Frame::Audio(number, audio)) => (number, audio),
            Ok(Frame::Other(number)) => (number, Vec::new()),
            Ok(Frame::Stop) => break Ending::Stopped,
            Ok(Frame::Start(_)) => break refused("a second message `start` came"),
            Err(ending) => break ending,
        };
        let due = match number {
            Some(number) => order.push(number, audio),
            None => vec![audio],
        };
        for audio in due {
            if let Err(ending) = session.hear(&audio, wire).await {
                return ending;
            }
        }
    };
    for audio in order.finish() {
        if let Err(ending) = session.hear(&audio, wire).await {
            return ending;
        }
    }
    ending
}

/// The next message, or how the stream ends.
async fn next(wire: &mut Wire) -> Result<Frame, Ending> {
    match wire.next().await {
        Incoming::Text(text) => read(&text).map_err(Ending::Problem),
        Incoming::Audio(_) => Err(refused("Twilio's streams have no binary frames")),
        Incoming::End(ending) => Err(ending),
    }
}

fn refused(detail: &str) -> Ending {
    Ending::Problem(Problem::new(Kind::BadRequest, detail))
}
