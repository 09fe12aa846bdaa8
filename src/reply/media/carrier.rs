//! A carrier's stream: who is let in, whose call it is, and the loop from its first message to its last.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::bytes::Encoding;
use crate::carriers::Carrier;
use crate::carriers::signature::Signed;
use crate::carriers::stream::{
    Message, Numbered, Order, Reader, SoundName, Start, Straightener, StreamFault,
};
use crate::evidence::dialed;
use crate::store::Scope;
use crate::switchboard::CallStart;
use crate::units::{CallId, DialedNumber};

use super::super::auth::{self, Visitor};
use super::super::desk::{Desk, in_words};
use super::super::problem::{Kind, Problem};
use super::super::wire::{Ending, Handshake, Incoming, Wire};
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
carriers!(Twilio Telnyx Vonage Bandwidth Plivo);

/// Leave to open a stream of the carrier `C`.
pub(in super::super) struct Admitted<C>(pub Entry, PhantomData<C>);

impl<C: OfCarrier> FromRequestParts<Arc<Desk>> for Admitted<C> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        entry(C::CARRIER, parts, desk)
            .await
            .map(|entry| Self(entry, PhantomData))
    }
}

async fn entry(carrier: Carrier, parts: &Parts, desk: &Desk) -> Result<Entry, Problem> {
    let by_key = brings_key(carrier, &parts.headers);
    if !by_key {
        let request = Signed {
            method: "GET",
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            header: &|name| parts.headers.get(name)?.to_str().ok(),
            body: &[],
            now: OffsetDateTime::now_utc().unix_timestamp(),
        };
        let proven = desk.carriers.proofs.handshake(carrier, &request);
        if proven.map_err(|refusal| Problem::new(Kind::Unauthorized, refusal.to_string()))? {
            return Ok(Entry::Known(Visitor::without_key(Scope::Identify)));
        }
        if !desk.insecure_dev && desk.tokens.expects(carrier) {
            return Ok(Entry::ByToken);
        }
    }
    let visitor = auth::admit(parts, desk, Scope::Identify).await?;
    Ok(Entry::Known(visitor))
}

/// Whether a handshake brings an API key. Vonage and Bandwidth prove themselves in the header that a key
/// comes in, so there only what looks like a key is one.
fn brings_key(carrier: Carrier, headers: &HeaderMap) -> bool {
    let own_header = matches!(carrier, Carrier::Vonage | Carrier::Bandwidth);
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
pub(super) fn serve(carrier: Carrier, entry: Entry, desk: Arc<Desk>, handshake: Handshake) -> Response {
    handshake.serve(desk, move |desk, wire| follow(carrier, entry, desk, wire))
}

async fn follow(carrier: Carrier, entry: Entry, desk: Arc<Desk>, mut wire: Wire) {
    wire.speaks(false);
    let patience = desk.timeouts.idle;
    let opened = timeout(patience, open(carrier, &entry, &desk, &mut wire)).await;
    let opened = opened.unwrap_or_else(|_| {
        let detail = format!("no message `start` came within {}", in_words(patience));
        Err(Ending::Problem(Problem::new(Kind::TooSlow, detail)))
    });
    let mut ear = match opened {
        Ok(ear) => ear,
        Err(ending) => return wire.close(ending).await,
    };
    let ending = ear.listen(&mut wire).await;
    ear.session.finish(ending, wire).await;
}

/// Reads up to the message `start` and opens its call.
async fn open(carrier: Carrier, entry: &Entry, desk: &Arc<Desk>, wire: &mut Wire) -> Result<Ear, Ending> {
    let reader = Reader::of(carrier);
    let start = loop {
        match next(reader, wire).await?.message {
            Message::Start(start) => break start,
            Message::Audio(_) => return Err(refused("audio came before the message `start`")),
            Message::Stop => return Err(Ending::Stopped),
            Message::Digit(_) | Message::Other => {}
        }
    };
    wire.speaks(start.updates);
    let claim = whose(carrier, entry, desk, &start).map_err(Ending::Problem)?;
    let l16 = match carrier {
        Carrier::Plivo => desk.carriers.plivo_l16,
        _ => desk.carriers.telnyx_l16,
    };
    let (encoding, straight) = match start.sound.name {
        SoundName::Mulaw => (Encoding::Mulaw, None),
        SoundName::Alaw => (Encoding::Alaw, None),
        SoundName::PcmS16le => (Encoding::PcmS16le, None),
        SoundName::L16 => (Encoding::PcmS16le, Some(Straightener::new(l16))),
    };
    // A Vonage caller whom we were told to screen waits for us: heard long enough, they are handed on.
    let screening = desk.carriers.vonage_screening.as_ref();
    let screening = screening.filter(|_| carrier == Carrier::Vonage && claim.by_token);
    let per_second = u64::from(start.sound.rate.0) * encoding.bytes_per_sample() as u64;
    let patience = screening.map(|screening| (screening.listen.as_secs_f64() * per_second as f64) as u64);
    let start = CallStart {
        call_id: claim.call,
        number: claim.number,
        encoding,
        rate: start.sound.rate,
        channels: 1,
        caller_channel: None,
    };
    let visitor = match entry {
        Entry::Known(visitor) => visitor.clone(),
        Entry::ByToken => Visitor::without_key(Scope::Identify),
    };
    let session = Session::open(desk, start, &visitor)
        .await
        .map_err(Ending::Problem)?;
    Ok(Ear {
        session,
        reader,
        straight,
        patience,
    })
}

/// Whose stream it is.
struct Claim {
    call: CallId,
    number: DialedNumber,
    by_token: bool,
}

/// Whose stream it is: that of the call its token was made for; without a good token, and only for who is let
/// in without one, that of the call it names, to the number it names.
fn whose(carrier: Carrier, entry: &Entry, desk: &Desk, start: &Start) -> Result<Claim, Problem> {
    let token = start.token.as_deref();
    if let Some((call, number)) = token.and_then(|token| desk.tokens.redeem(token, carrier, &start.ids)) {
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
struct Ear {
    session: Session,
    reader: Reader,
    straight: Option<Straightener>,
    /// Bytes that are still to be heard before the caller is handed on.
    patience: Option<u64>,
}

impl Ear {
    /// Listens to the stream's end, however it comes: carriers close as often as they say `stop`.
    async fn listen(&mut self, wire: &mut Wire) -> Ending {
        let mut order = Order::default();
        let ending = loop {
            let numbered = match next(self.reader, wire).await {
                Ok(numbered) => numbered,
                Err(ending) => break ending,
            };
            let before = order.restarts();
            let messages = order.push(numbered);
            if order.restarts() > before {
                restarted(self.reader.carrier(), before == 0);
            }
            let heard = self.take_all(messages, wire).await;
            if let Err(ending) = heard {
                break ending;
            }
        };
        let mut late = order.finish();
        late.extend(
            self.straight
                .as_mut()
                .map(|straight| Message::Audio(straight.finish())),
        );
        self.straight = None;
        match self.take_all(late, wire).await {
            Ok(()) => ending,
            Err(worse) => worse,
        }
    }

    /// Ends the stream of a caller who waits for us, once they were named or heard long enough.
    fn hand_on(&mut self, heard: usize) -> Result<(), Ending> {
        let Some(patience) = &mut self.patience else {
            return Ok(());
        };
        *patience = patience.saturating_sub(heard as u64);
        if *patience == 0 || self.session.is_named() {
            return Err(Ending::Stopped);
        }
        Ok(())
    }

    async fn take_all(&mut self, messages: Vec<Message>, wire: &mut Wire) -> Result<(), Ending> {
        for message in messages {
            match message {
                Message::Audio(audio) => {
                    let audio = match &mut self.straight {
                        Some(straight) => straight.push(audio),
                        None => audio,
                    };
                    self.session.hear(&audio, wire).await?;
                    self.hand_on(audio.len())?;
                }
                Message::Digit(key) => self.session.press(key).await,
                Message::Stop => return Err(Ending::Stopped),
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
async fn next(reader: Reader, wire: &mut Wire) -> Result<Numbered, Ending> {
    let read = match wire.next().await {
        Incoming::Text(text) => reader.text(&text),
        Incoming::Audio(bytes) => reader.binary(&bytes),
        Incoming::End(ending) => return Err(ending),
    };
    read.map_err(|fault| Ending::Problem(of_stream(&fault)))
}

fn of_stream(fault: &StreamFault) -> Problem {
    let kind = if fault.is_of_audio() {
        Kind::UnsupportedMedia
    } else {
        Kind::BadRequest
    };
    Problem::new(kind, fault.to_string())
}

fn refused(detail: &str) -> Ending {
    Ending::Problem(Problem::new(Kind::BadRequest, detail))
}
