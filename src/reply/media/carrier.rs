//! A carrier's stream: who is let in, whose call it is, and the loop from its first message to its last.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::Instrument;

use crate::carriers::Carrier;
use crate::carriers::signature::Signed;
use crate::carriers::stream::{Message, Numbered, Order, Reader, Start, StreamFault, Transcoder};
use crate::evidence::dialed;
use crate::store::Scope;
use crate::switchboard::CallStart;
use crate::units::{CallId, DialedNumber};

use super::super::app_state::{AppState, in_words};
use super::super::auth::{self, Visitor};
use super::super::problem::{Kind, Problem};
use super::super::websocket::{CloseReason, Handshake, Incoming, WebSocketSession};
use super::session::Session;

/// How somebody came to open a carrier's stream.
pub(in super::super) enum Entry {
    /// By the carrier's own proof, or an API key.
    Known(Visitor),
    /// With nothing yet: the first message must bring the token of a call that is waited for.
    ByToken,
}

/// A carrier as a type, for [`Admitted`].
pub(in super::super) trait OfCarrier: Send {
    /// Which.
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

/// Leave to open a stream of the carrier `C`.
pub(in super::super) struct Admitted<C>(pub Leave, PhantomData<C>);

/// Leave to open a stream.
pub(in super::super) struct Leave {
    entry: Entry,
    /// What the address of the WebSocket says, as it came.
    query: String,
}

impl<C: OfCarrier> FromRequestParts<Arc<AppState>> for Admitted<C> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let entry = entry(C::CARRIER, parts, app).await?;
        let query = parts.uri.query().unwrap_or("").to_owned();
        Ok(Self(Leave { entry, query }, PhantomData))
    }
}

async fn entry(carrier: Carrier, parts: &Parts, app: &AppState) -> Result<Entry, Problem> {
    let by_key = brings_key(carrier, &parts.headers);
    if !by_key {
        let request = Signed {
            method: "GET",
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            header: &|name| parts.headers.get(name)?.to_str().ok(),
            body: &[],
            now: OffsetDateTime::now_utc().unix_timestamp(),
        };
        let proven = app.carriers.proofs.handshake(carrier, &request);
        if proven.map_err(|refusal| Problem::new(Kind::Unauthorized, refusal.to_string()))? {
            return Ok(Entry::Known(Visitor::without_key(Scope::Identify)));
        }
        if !app.insecure_dev && app.tokens.expects(carrier) {
            return Ok(Entry::ByToken);
        }
    }
    let visitor = auth::admit(parts, app, Scope::Identify).await?;
    Ok(Entry::Known(visitor))
}

/// Whether a handshake brings an API key. Vonage, Bandwidth and the exchanges prove themselves in the header that a
/// key comes in, so there only what looks like a key is one.
fn brings_key(carrier: Carrier, headers: &HeaderMap) -> bool {
    let own_header = matches!(
        carrier,
        Carrier::Vonage | Carrier::Bandwidth | Carrier::Asterisk | Carrier::Jambonz
    );
    match headers
        .get("authorization")
        .map(|value| value.to_str().unwrap_or(""))
    {
        Some(value) if own_header => value
            .split_once(' ')
            .is_some_and(|(_, token)| token.trim_start().starts_with("vx_")),
        _ => auth::brings_key(headers),
    }
}

/// Answers the handshake and listens.
pub(super) fn serve(carrier: Carrier, leave: Leave, app: Arc<AppState>, handshake: Handshake) -> Response {
    handshake.serve(app, move |app, websocket| follow(carrier, leave, app, websocket))
}

async fn follow(carrier: Carrier, leave: Leave, app: Arc<AppState>, mut websocket: WebSocketSession) {
    websocket.speaks(false);
    if let Entry::Known(visitor) = &leave.entry {
        websocket.ends_with(visitor, &app);
    }
    let patience = app.timeouts.idle;
    let opened = timeout(patience, open(carrier, &leave, &app, &mut websocket)).await;
    let opened = opened.unwrap_or_else(|_| {
        let detail = format!("no message `start` came within {}", in_words(patience));
        Err(CloseReason::Problem(Problem::new(Kind::TooSlow, detail)))
    });
    let mut carrier_stream = match opened {
        Ok(carrier_stream) => carrier_stream,
        Err(ending) => return websocket.close(ending).await,
    };
    let span = carrier_stream.session.span();
    let ending = carrier_stream
        .listen(&mut websocket)
        .instrument(span.clone())
        .await;
    carrier_stream
        .session
        .finish(ending, websocket)
        .instrument(span)
        .await;
}

/// Reads up to the message `start` and opens its call.
async fn open(
    carrier: Carrier,
    leave: &Leave,
    app: &Arc<AppState>,
    websocket: &mut WebSocketSession,
) -> Result<CarrierStream, CloseReason> {
    let entry = &leave.entry;
    let reader = Reader::of(carrier);
    let start = loop {
        match next(reader, websocket).await?.message {
            Message::Start(start) => break start.with_query(carrier, &leave.query),
            Message::Audio(_) => return Err(refused("audio came before the message `start`")),
            Message::Stop => return Err(CloseReason::Stopped),
            Message::Digit(_) | Message::Other => {}
        }
    };
    websocket.speaks(start.updates);
    let claim = whose(carrier, entry, app, &start).map_err(CloseReason::Problem)?;
    let l16 = match carrier {
        Carrier::Plivo => app.carriers.plivo_l16,
        _ => app.carriers.telnyx_l16,
    };
    let transcoder = Transcoder::new(start.sound, l16);
    let per_second = u64::from(transcoder.rate().0) * transcoder.encoding().bytes_per_sample() as u64;
    let listen = screening(carrier, app, claim.by_token);
    let patience = listen.map(|listen| (listen.as_secs_f64() * per_second as f64) as u64);
    // Of a call that a webhook has announced, all that is said here was said there.
    let facts = start.facts.filter(|_| !claim.by_token);
    let start = CallStart {
        call_id: claim.call,
        number: claim.number,
        encoding: transcoder.encoding(),
        rate: transcoder.rate(),
        channels: start.channels,
        caller_channel: (start.channels == 2).then_some(0),
    };
    let visitor = match entry {
        Entry::Known(visitor) => visitor.clone(),
        Entry::ByToken => Visitor::without_key(Scope::Identify),
    };
    let session = Session::open(app, start, &visitor)
        .await
        .map_err(CloseReason::Problem)?;
    if let Some(mut facts) = facts {
        // Nobody unknown comes so far without a token.
        facts.trusted = true;
        session.learn(&facts).await;
    }
    Ok(CarrierStream {
        session,
        reader,
        transcoder,
        patience,
    })
}

/// How long a caller is heard who waits for us: heard long enough, or named, they are handed on.
fn screening(carrier: Carrier, app: &AppState, by_token: bool) -> Option<Duration> {
    match carrier {
        Carrier::Vonage if by_token => {
            let screening = app.carriers.vonage_screening.as_ref();
            screening.map(|screening| screening.listen)
        }
        Carrier::Asterisk => app.carriers.asterisk_listen,
        _ => None,
    }
}

/// Whose stream it is.
struct Claim {
    call: CallId,
    number: DialedNumber,
    by_token: bool,
}

/// Whose stream it is: that of the call its token was made for; without a good token, and only for who is let
/// in without one, that of the call it names, to the number it names.
fn whose(carrier: Carrier, entry: &Entry, app: &AppState, start: &Start) -> Result<Claim, Problem> {
    let token = start.token.as_deref();
    if let Some((call, number)) = token.and_then(|token| app.tokens.redeem(token, carrier, &start.ids)) {
        return Ok(Claim {
            call,
            number,
            by_token: true,
        });
    }
    if matches!(entry, Entry::ByToken) {
        let detail =
            "the stream brings no call token that is waited for: it may be used, too old or another call's";
        return Err(Problem::new(Kind::Unauthorized, detail));
    }
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    let number = start.number.as_deref().ok_or_else(|| {
        let detail = "the dialed number is missing: give the stream a parameter `number`, as in +12025550102";
        invalid(detail.to_owned())
    })?;
    let call = match start.ids.first() {
        Some(id) => id
            .parse()
            .map_err(|fault| invalid(format!("the call's id: {fault}")))?,
        None => CallId::fresh(),
    };
    let number = dialed(number).map_err(|fault| invalid(format!("the parameter `number`: {fault}")))?;
    Ok(Claim {
        call,
        number,
        by_token: false,
    })
}

/// A call that is listened to.
struct CarrierStream {
    session: Session,
    reader: Reader,
    transcoder: Transcoder,
    /// Bytes that are still to be heard before the caller is handed on.
    patience: Option<u64>,
}

impl CarrierStream {
    /// Listens to the stream's end, however it comes: carriers close as often as they say `stop`.
    async fn listen(&mut self, websocket: &mut WebSocketSession) -> CloseReason {
        let mut order = Order::default();
        let ending = loop {
            let numbered = match next(self.reader, websocket).await {
                Ok(numbered) => numbered,
                Err(ending) => break ending,
            };
            let before = order.restarts();
            let messages = order.push(numbered);
            if order.restarts() > before {
                restarted(self.reader.carrier(), before == 0);
            }
            let heard = self.take_all(messages, websocket).await;
            if let Err(ending) = heard {
                break ending;
            }
        };
        let mut heard = self.take_all(order.finish(), websocket).await;
        if heard.is_ok() {
            let rest = self.transcoder.finish();
            heard = self.hear(&rest, websocket).await;
        }
        heard.err().unwrap_or(ending)
    }

    async fn hear(&mut self, audio: &[u8], websocket: &mut WebSocketSession) -> Result<(), CloseReason> {
        self.session.hear(audio, websocket).await?;
        self.hand_on(audio.len())
    }

    /// Ends the stream of a caller who waits for us, once they were named or heard long enough.
    fn hand_on(&mut self, heard: usize) -> Result<(), CloseReason> {
        let Some(patience) = &mut self.patience else {
            return Ok(());
        };
        *patience = patience.saturating_sub(heard as u64);
        if *patience == 0 || self.session.is_named() {
            return Err(CloseReason::Stopped);
        }
        Ok(())
    }

    async fn take_all(
        &mut self,
        messages: Vec<Message>,
        websocket: &mut WebSocketSession,
    ) -> Result<(), CloseReason> {
        for message in messages {
            match message {
                Message::Audio(payload) => {
                    let audio = self.transcoder.push(payload);
                    self.hear(&audio, websocket).await?;
                }
                Message::Digit(key) => self.session.press(key).await,
                Message::Stop => return Err(CloseReason::Stopped),
                Message::Start(_) => return Err(refused("a second message `start` came")),
                Message::Other => {}
            }
        }
        Ok(())
    }
}

/// Counts a stream whose numbers began anew, and says so the first time.
fn restarted(carrier: Carrier, first: bool) {
    metrics::counter!("voxline_stream_restarts_total", "carrier" => carrier.name()).increment(1);
    if first {
        tracing::warn!(
            %carrier,
            "the numbers of a stream of {carrier} fell back or stand still: its audio is taken in the order it comes"
        );
    }
}

/// The next message, or how the stream ends.
async fn next(reader: Reader, websocket: &mut WebSocketSession) -> Result<Numbered, CloseReason> {
    let read = match websocket.next().await {
        Incoming::Text(text) => reader.text(&text),
        Incoming::Audio(bytes) => reader.binary(&bytes),
        Incoming::End(ending) => return Err(ending),
    };
    read.map_err(|fault| CloseReason::Problem(of_stream(&fault)))
}

fn of_stream(fault: &StreamFault) -> Problem {
    let kind = if fault.is_of_audio() {
        Kind::UnsupportedMedia
    } else {
        Kind::BadRequest
    };
    Problem::new(kind, fault.to_string())
}

fn refused(detail: &str) -> CloseReason {
    CloseReason::Problem(Problem::new(Kind::BadRequest, detail))
}
