//! A carrier's stream as a call: opened by its first message, fed with those that follow, ended by its last.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use super::service::Carriers;
use super::stream::{Message, Numbered, Order, Start, StreamFault, Transcoder};
use super::{ByteOrder, Carrier};
use crate::bytes::Encoding;
use crate::evidence::dialed;
use crate::store::Access;
use crate::switchboard::{BoardError, CallStart, CallVerdict, LiveCall};
use crate::units::{CallId, DialedNumber, Hertz};

/// Frames of one stream that are passed over because they cannot be read: two seconds of audio. Whose every frame is so is
/// not heard, and is told.
const MOST_UNREAD: u32 = 100;

/// By what a stream may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// By the carrier's own proof: the dialed number says whose call it is.
    Proven,
    /// By an API key, for the numbers that it sees.
    ByKey(&'a Access),
    /// With nothing but the token of a call that is waited for.
    ByToken,
}

/// Why a stream was not opened.
#[derive(Debug, Error)]
pub enum Unopened {
    /// It needs a token and brings none that is good.
    #[error("the stream brings no call token that is waited for: it may be used, too old or another call's")]
    NotWaitedFor,
    /// Nothing says which number was dialed.
    #[error("the dialed number is missing: give the stream a parameter `number`, as in +12025550102")]
    NoNumber,
    /// What it says of the call cannot be used.
    #[error("{what}: {why}")]
    Invalid {
        /// What of the stream's start cannot be read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The switchboard does not listen to it.
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// How a stream ends that does not just stop coming.
#[derive(Debug, Error)]
pub enum StreamEnd {
    /// The carrier says so, or the caller was heard long enough and is handed on.
    #[error("the stream was stopped")]
    Stopped,
    /// It begins a second time.
    #[error("a second message `start` came")]
    SecondStart,
    /// The switchboard listens no longer.
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// A carrier's stream whose call is listened to.
pub struct CarrierStream {
    call: LiveCall,
    /// Whether it stays open while nothing comes.
    may_pause: bool,
    carrier: Carrier,
    order: Order,
    transcoder: Transcoder,
    screening_time: ScreeningTime,
    /// Frames that could not be read.
    unread: u32,
}

/// How long a caller is heard who waits for us: named, or heard long enough, they are handed on.
pub struct ScreeningTime(Option<u64>);

impl ScreeningTime {
    /// As many bytes as `listen` lasts; without it the caller is heard to the end.
    pub fn new(listen: Option<Duration>, bytes_per_second: u64) -> Self {
        Self(listen.map(|listen| (listen.as_secs_f64() * bytes_per_second as f64) as u64))
    }

    /// Whether somebody waits for it to be over.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Takes what was heard; whether that is enough.
    pub fn is_over(&mut self, heard: usize, call: &LiveCall) -> bool {
        let Some(left) = &mut self.0 else {
            return false;
        };
        *left = left.saturating_sub(heard as u64);
        *left == 0 || call.is_named()
    }
}

/// Whose stream it is.
struct ClaimedCall {
    call: CallId,
    number: DialedNumber,
    /// Whether it brought a token that is good.
    by_token: bool,
}

impl Carriers {
    /// Listens to the call of a token that was redeemed.
    ///
    /// # Errors
    /// [`BoardError`] as of [`crate::switchboard::Switchboard::open_call`].
    pub async fn open_redeemed(&self, start: CallStart) -> Result<LiveCall, BoardError> {
        self.board.open_call(start, None).await
    }

    /// Listens again to a call that goes on, if it is paused.
    ///
    /// # Errors
    /// [`BoardError`] as of [`crate::switchboard::Switchboard::resume`].
    pub async fn resume(&self, call: &mut LiveCall) -> Result<(), BoardError> {
        self.board.resume(call).await
    }

    /// Ends a call, paused or not, and gives the final word on it.
    pub async fn finish(&self, call: LiveCall) -> CallVerdict {
        self.board.finish_call(call).await
    }

    /// Opens the call of a stream that begins with `start`.
    ///
    /// # Errors
    /// [`Unopened`].
    pub async fn open_stream(
        &self,
        carrier: Carrier,
        entry: Entry<'_>,
        start: Start,
    ) -> Result<CarrierStream, Unopened> {
        let claim = self.claim(carrier, entry, &start).await?;
        let l16 = match carrier {
            Carrier::Plivo => self.settings.plivo_l16,
            Carrier::Telnyx => self.settings.telnyx_l16,
            // These send none, or say its order.
            Carrier::Twilio | Carrier::Vonage | Carrier::Bandwidth | Carrier::Asterisk | Carrier::Jambonz => {
                ByteOrder::Auto
            }
        };
        let transcoder = Transcoder::new(start.sound, l16);
        let per_second = u64::from(transcoder.rate().0) * transcoder.encoding().bytes_per_sample() as u64;
        let screening_time = ScreeningTime::new(self.screening(carrier, start.token.is_some()), per_second);
        // Of a call that a webhook has announced, all that is said here was said there.
        let mut facts = start.facts.filter(|_| !claim.by_token);
        if let Some(facts) = &mut facts {
            // Nobody unknown comes so far without a token.
            facts.trusted = true;
            let now = OffsetDateTime::now_utc().unix_timestamp();
            let forward = &self.settings.forward;
            forward.leave_out_unsigned(facts, &claim.number, now);
        }
        let start = CallStart {
            call_id: claim.call,
            number: claim.number,
            encoding: transcoder.encoding(),
            rate: transcoder.rate(),
            channels: start.channels,
            caller_channel: (start.channels == 2).then_some(0),
        };
        let call = match entry {
            Entry::ByKey(access) => self.board.view(access).open_call(start).await?,
            Entry::Proven | Entry::ByToken => self.board.open_call(start, None).await?,
        };
        // A caller who is screened waits for us: where nothing comes of them they are handed on.
        let may_pause = !matches!(entry, Entry::ByKey(_)) && !screening_time.is_limited();
        if let Some(facts) = facts {
            call.call_session().learn(&facts).await;
        }
        Ok(CarrierStream {
            call,
            may_pause,
            carrier,
            order: Order::default(),
            transcoder,
            screening_time,
            unread: 0,
        })
    }

    /// How long the caller of an AudioSocket is heard whose samples come at this rate.
    pub fn asterisk_patience(&self, rate: Hertz) -> ScreeningTime {
        let per_second = u64::from(rate.0) * Encoding::PcmS16le.bytes_per_sample() as u64;
        ScreeningTime::new(self.settings.asterisk_listen, per_second)
    }

    /// How long a caller is heard who waits for us. Of Vonage it is who comes by our document, which alone has a token in it:
    /// good or not, what follows in that document begins when we close the stream.
    fn screening(&self, carrier: Carrier, brings_token: bool) -> Option<Duration> {
        match carrier {
            Carrier::Vonage if brings_token => {
                let screening = self.settings.vonage_screening.as_ref();
                Some(screening.map_or(Duration::ZERO, |screening| screening.listen))
            }
            Carrier::Asterisk => self.settings.asterisk_listen,
            Carrier::Vonage
            | Carrier::Twilio
            | Carrier::Telnyx
            | Carrier::Bandwidth
            | Carrier::Plivo
            | Carrier::Jambonz => None,
        }
    }

    /// Whose stream it is: that of the call its token was made for; without a good token, and only for who is let
    /// in without one, that of the call it names, to the number it names.
    async fn claim(
        &self,
        carrier: Carrier,
        entry: Entry<'_>,
        start: &Start,
    ) -> Result<ClaimedCall, Unopened> {
        let redeemed = match &start.token {
            Some(token) => self.redeem(token, carrier, &start.ids).await,
            None => Ok(None),
        };
        match redeemed {
            Ok(Some((call, number))) => {
                return Ok(ClaimedCall {
                    call,
                    number,
                    by_token: true,
                });
            }
            Ok(None) if entry == Entry::ByToken => return Err(Unopened::NotWaitedFor),
            Err(fault) if entry == Entry::ByToken => return Err(BoardError::from(fault).into()),
            Ok(None) | Err(_) => {}
        }
        let number = start.number.as_deref().ok_or(Unopened::NoNumber)?;
        let call = match start.ids.first() {
            Some(id) => id.parse().map_err(|fault| invalid("the call's id", &fault))?,
            None => CallId::fresh(),
        };
        let number = dialed(number).map_err(|fault| invalid("the parameter `number`", &fault))?;
        Ok(ClaimedCall {
            call,
            number,
            by_token: false,
        })
    }
}

impl CarrierStream {
    /// Takes the next message and adds to `said` what is newly said.
    ///
    /// # Errors
    /// [`StreamEnd`] when it was the last, or nothing more can be taken. What was said before is said all the same.
    pub async fn take(&mut self, numbered: Numbered, said: &mut Vec<CallVerdict>) -> Result<(), StreamEnd> {
        let before = self.order.restarts();
        let messages = self.order.push(numbered);
        if self.order.restarts() > before {
            restarted(self.carrier, before == 0);
        }
        self.take_all(messages, said).await
    }

    /// Passes over a frame that cannot be read: it is counted, and said once. `false` once there were too many.
    pub fn passes_over(&mut self, fault: &StreamFault) -> bool {
        self.unread += 1;
        let carrier = self.carrier;
        metrics::counter!("voxline_stream_frames_unread_total", "carrier" => carrier.name()).increment(1);
        if self.unread == 1 {
            let why = fault.what();
            tracing::warn!(%carrier, "a frame of a stream of {carrier} cannot be read and is passed over: {why}");
        }
        self.unread <= MOST_UNREAD
    }

    /// Takes what still waits for its turn when nothing more comes.
    ///
    /// # Errors
    /// As [`CarrierStream::take`].
    pub async fn take_rest(&mut self, said: &mut Vec<CallVerdict>) -> Result<(), StreamEnd> {
        let messages = self.order.finish();
        self.take_all(messages, said).await?;
        let rest = self.transcoder.finish();
        self.hear(&rest, said).await
    }

    /// Whether it stays open while nothing comes: it was let in by its carrier, and nobody waits for its end.
    pub fn may_pause(&self) -> bool {
        self.may_pause
    }

    /// The call that is listened to.
    pub fn call(&mut self) -> &mut LiveCall {
        &mut self.call
    }

    /// The call, to be ended.
    pub fn into_call(self) -> LiveCall {
        self.call
    }

    async fn take_all(
        &mut self,
        messages: Vec<Message>,
        said: &mut Vec<CallVerdict>,
    ) -> Result<(), StreamEnd> {
        for message in messages {
            match message {
                Message::Audio(payload) => {
                    let audio = self.transcoder.push(payload);
                    self.hear(&audio, said).await?;
                }
                // When it completes a PIN the next message is taken once that has been tried.
                Message::Digit(key) => self.call.call_session().press(key).await,
                Message::Stop => return Err(StreamEnd::Stopped),
                Message::Start(_) => return Err(StreamEnd::SecondStart),
                Message::Other => {}
            }
        }
        Ok(())
    }

    async fn hear(&mut self, audio: &[u8], said: &mut Vec<CallVerdict>) -> Result<(), StreamEnd> {
        said.extend(self.call.push(audio).await?);
        if self.screening_time.is_over(audio.len(), &self.call) {
            return Err(StreamEnd::Stopped);
        }
        Ok(())
    }
}

fn invalid(what: &'static str, why: &dyn std::fmt::Display) -> Unopened {
    Unopened::Invalid {
        what,
        why: why.to_string(),
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
