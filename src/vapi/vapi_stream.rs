//! What is done with a listen stream's frames: format, muting of the assistant, and the live call that hears them.
//!
//! Frames come over a bounded channel with the time of their arrival, so that a busy machine hears late but never
//! mistakes whose words it hears.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Bytes;

use crate::switchboard::{BoardError, CallSession, CallStart, LiveCall, REFUSED, VoiceKnown};
use crate::units::DialedNumber;

use super::assistant_mute::AssistantMute;
use super::listen::{ListenReader, Piece};
use super::service::Vapi;
use super::settings::VapiMode;
use super::shape::Shape;
use super::sides::Sides;
use super::vapi_call::VapiCall;

/// How often audio that waited is passed on when nothing comes.
const TICK: Duration = Duration::from_millis(100);
/// How often a place to listen is looked for while there is none.
const AGAIN: Duration = Duration::from_secs(2);
/// How long no audio may come before the call counts as heard by nobody. A call's audio never pauses; silence is sent too.
const SILENT: Duration = Duration::from_secs(5);
/// How much of a mix may pass before it is said that nobody is heard in it.
const UNTOLD: Duration = Duration::from_secs(20);
/// Frames of a stream that a capture keeps the sizes of.
const CAPTURED_FRAMES: u32 = 3;

/// What a stream brings.
pub(super) enum Event {
    /// A text frame.
    Text(String),
    /// A binary frame, and when it arrived by the call's clock.
    Audio(Bytes, Duration),
    /// The stream was cut.
    Gap,
}

/// One listen stream of Vapi.
pub(super) struct VapiStream {
    vapi: Arc<Vapi>,
    vapi_call: Arc<VapiCall>,
    number: DialedNumber,
    reader: ListenReader,
    assistant_mute: Option<(AssistantMute, Shape)>,
    /// While the caller's channel is being found out.
    sides: Option<Sides>,
    /// Whether it is to be, still.
    finds_sides: bool,
    call: Option<LiveCall>,
    /// The number of the stream that was heard last; 0 before any was.
    stream: u64,
    /// When audio came last, by the call's clock; where somebody was named before this stream, from its beginning.
    heard_at: Option<Duration>,
    /// When a place to listen is looked for anew, by the call's clock.
    again_at: Option<Duration>,
    /// What was known of the voice before this stream.
    before: Option<VoiceKnown>,
    /// From when on it is said, once, that nobody is heard in a mix.
    deaf_at: Option<Duration>,
    frames: u32,
}

impl VapiStream {
    pub(super) fn new(vapi: Arc<Vapi>, vapi_call: Arc<VapiCall>, number: DialedNumber) -> Self {
        let is_named = |call: &&Arc<CallSession>| call.verdict().identification.user_id.is_some();
        let heard_at = vapi_call
            .call_session()
            .filter(is_named)
            .map(|_| vapi_call.clock());
        let found = vapi_call.state().caller_channel;
        let mut usual = vapi.settings.listen_shape;
        usual.caller_channel = found.unwrap_or(usual.caller_channel);
        Self {
            reader: ListenReader::new(usual),
            finds_sides: vapi.settings.finds_caller && found.is_none(),
            vapi,
            vapi_call,
            number,
            assistant_mute: None,
            sides: None,
            call: None,
            stream: 0,
            heard_at,
            again_at: None,
            before: None,
            deaf_at: None,
            frames: 0,
        }
    }

    /// Hears all that comes. When nothing more will, the last word by voice is said: for good if the call is over; a call
    /// that goes on without this process may still be decided otherwise, and one that goes on without its stream names nobody.
    pub(super) async fn follow(mut self, mut events: Receiver<Event>) {
        let mut ticks = interval(TICK);
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                _ = ticks.tick() => {
                    // What waits to be heard has come.
                    if events.is_empty() {
                        self.notice_silence().await;
                    }
                    self.pass_on(false).await;
                    continue;
                }
            };
            match event {
                Some(Event::Text(text)) => self.text(&text),
                Some(Event::Audio(bytes, at)) => {
                    self.capture("binary", None, bytes.len(), at);
                    if !self.is_nobodys() {
                        self.note_audio();
                    }
                    let pieces = self.reader.binary(&bytes, at);
                    self.take(pieces).await;
                    self.pass_on(false).await;
                }
                Some(Event::Gap) => self.reader.gap(),
                None => break,
            }
        }
        let rest = self.reader.end(self.vapi_call.clock());
        self.take(rest).await;
        self.pass_on(true).await;
        match self.call.take() {
            Some(call) if self.vapi_call.has_ended() => drop(call.finish().await),
            Some(call) if self.vapi.leaving.is_cancelled() => call.leave().await,
            given_up => {
                // Its place is given back first: whoever has that listens.
                drop(given_up);
                say_unheard(&self.vapi, &self.vapi_call, self.stream).await;
            }
        }
    }

    fn text(&mut self, text: &str) {
        let at = self.vapi_call.clock();
        self.capture("text", Some(text), text.len(), at);
        if self.reader.text(text) {
            let shape = self.reader.shape();
            let id = &self.vapi_call.id;
            tracing::debug!(call.id = %id, rate = shape.rate.0, channels = shape.channels, "format of {id} announced");
        }
    }

    async fn take(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Begin(shape) => {
                    // What was heard in a wrong format, or of the other side, was not the caller; of an earlier socket it was.
                    self.call = None;
                    if self.before.is_some() {
                        self.vapi_call.state().held = None;
                    }
                    self.forget_voice().await;
                    self.deaf_at = self.deaf_from(shape);
                    self.assistant_mute = Some((AssistantMute::new(shape), shape));
                    self.sides = (self.finds_sides && shape.channels == 2).then(|| Sides::new(shape));
                    self.begin(shape).await;
                }
                Piece::Audio { bytes, other, at } => {
                    let Some((assistant_mute, shape)) = &mut self.assistant_mute else {
                        continue;
                    };
                    assistant_mute.push(&bytes, at);
                    if let Some(sides) = &mut self.sides {
                        let by_place = match shape.caller_channel {
                            0 => [&bytes[..], &other[..]],
                            _ => [&other[..], &bytes[..]],
                        };
                        sides.push(by_place, at);
                    }
                }
            }
        }
    }

    /// Forgets what this stream brought to the call's voice so far.
    async fn forget_voice(&mut self) {
        let Some(call_session) = self.vapi_call.call_session() else {
            return;
        };
        match &self.before {
            None => self.before = Some(call_session.voice_known().await),
            Some(before) => call_session.forget_voice_since(before.clone()).await,
        }
    }

    /// Begins to listen, where there is a place; where not, it is tried again.
    async fn begin(&mut self, shape: Shape) {
        let is_first = self.again_at.take().is_none();
        let start = CallStart {
            call_id: self.vapi_call.id.clone(),
            number: self.number.clone(),
            encoding: shape.encoding,
            rate: shape.rate,
            channels: 1,
            caller_channel: None,
        };
        match self.vapi.board.open_call(start, None).await {
            Ok(call) => {
                self.stream = call.stream();
                self.call = Some(call);
            }
            Err(fault) => {
                if is_first && matches!(fault, BoardError::Busy(_)) {
                    metrics::counter!(REFUSED).increment(1);
                }
                if matches!(fault, BoardError::Busy(_) | BoardError::Store(_)) {
                    self.again_at = Some(self.vapi_call.clock() + AGAIN);
                }
                // Once of what passes, and of what lasts, for it is the last that is said.
                if is_first || self.again_at.is_none() {
                    let id = &self.vapi_call.id;
                    tracing::warn!(call.id = %id, %fault, "call {id} is not listened to: {fault}");
                }
            }
        }
    }

    /// Whether no audio has come for some seconds.
    fn is_silent(&self) -> bool {
        let now = self.vapi_call.clock();
        self.heard_at.is_some_and(|at| now.saturating_sub(at) >= SILENT)
    }

    /// Whether the stream is a mix in which nobody may be taken for the caller. Then it is as if no audio came.
    fn is_nobodys(&self) -> bool {
        let shape = self.assistant_mute.as_ref().map(|(_, shape)| shape);
        let is_mix = shape.is_some_and(|shape| shape.channels == 1);
        is_mix && self.vapi_call.state().assistant.mix.is_nobodys()
    }

    /// Notes that audio came. After a silence a place for it is looked for at once.
    fn note_audio(&mut self) {
        let now = self.vapi_call.clock();
        if self.is_silent() {
            self.again_at = self.again_at.map(|_| now);
        }
        self.heard_at = Some(now);
    }

    /// Gives the place back while no audio comes, and says that nobody hears the call: who speaks after that may be somebody else, so
    /// what comes then is another stream. It is said again and again, for another node may have heard the call until now.
    async fn notice_silence(&mut self) {
        let now = self.vapi_call.clock();
        let is_time = self.again_at.is_none_or(|at| now >= at);
        // Where it will not be listened to any more, that was said.
        let is_open = self.call.is_some() || self.again_at.is_some() || self.assistant_mute.is_none();
        if self.is_silent() && is_time && is_open {
            self.call = None;
            self.again_at = Some(now + AGAIN);
            say_unheard(&self.vapi, &self.vapi_call, self.stream).await;
        }
    }

    /// From when on nobody is heard in a stream of this shape, if nothing is told of who speaks: where no message of the
    /// assistant's comes here, from its beginning.
    fn deaf_from(&self, shape: Shape) -> Option<Duration> {
        let patience = match self.vapi.settings.mode {
            VapiMode::Number => Duration::ZERO,
            VapiMode::Assistant => UNTOLD,
        };
        (shape.channels == 1).then(|| self.vapi_call.clock() + patience)
    }

    /// Listens from now on where there was no place before, or no audio, unless this is the end.
    async fn look_for_a_place(&mut self, is_end: bool) {
        let is_time = self.again_at.is_some_and(|at| self.vapi_call.clock() >= at);
        let shape = self.assistant_mute.as_ref().map(|(_, shape)| *shape);
        if let Some(shape) = shape.filter(|_| is_time && !is_end && !self.is_silent()) {
            self.begin(shape).await;
        }
    }

    /// Says once that nothing of a mix is heard, where nothing was told of who speaks.
    fn warn_of_a_mix(&mut self) {
        let Some(from) = self.deaf_at else {
            return;
        };
        if self.vapi_call.state().assistant.is_told() {
            self.deaf_at = None;
        } else if self.vapi_call.clock() >= from {
            self.deaf_at = None;
            let id = &self.vapi_call.id;
            tracing::warn!(
                call.id = %id,
                "the caller of {id} is not heard: the stream is a mix of both sides, and no speech-update comes here to \
                 tell them apart; have the assistant's messages sent to Voxline (vapi.mode = \"assistant\", with \
                 vapi.upstream where a backend of yours has them)"
            );
        }
    }

    /// Finds out on which channel the caller is, and has the stream read anew where that is another than was thought.
    fn find_sides(&mut self) {
        let (Some(sides), Some((_, shape))) = (&mut self.sides, &self.assistant_mute) else {
            return;
        };
        let now = self.vapi_call.clock().saturating_sub(self.vapi.word_travels());
        let Some(caller) = sides.caller(now, &self.vapi_call.state().assistant) else {
            return;
        };
        (self.sides, self.finds_sides) = (None, false);
        self.vapi_call.state().caller_channel = Some(caller);
        let id = &self.vapi_call.id;
        if caller == shape.caller_channel {
            tracing::debug!(call.id = %id, caller, "the caller of {id} is on channel {caller}, as was thought");
        } else {
            tracing::info!(
                call.id = %id, caller,
                "the caller of {id} is on channel {caller}: with vapi.caller_channel = {caller} nothing of a call is \
                 lost before that is found out"
            );
            self.reader.turn_round();
        }
    }

    /// Gives what has waited long enough (or all of it) to the call.
    async fn pass_on(&mut self, all: bool) {
        self.find_sides();
        self.warn_of_a_mix();
        self.look_for_a_place(all).await;
        let is_nobodys = self.is_nobodys();
        let Some((assistant_mute, shape)) = &mut self.assistant_mute else {
            return;
        };
        let ready = {
            let state = self.vapi_call.state();
            if all {
                assistant_mute.rest(&state.assistant)
            } else {
                let now = self.vapi_call.clock().saturating_sub(self.vapi.word_travels());
                assistant_mute.ready(now, &state.assistant)
            }
        };
        let Some(call) = self.call.as_mut().filter(|_| !is_nobodys) else {
            return;
        };
        match call.push(&ready).await {
            Ok(_) => {
                let (speech, now) = (call.net_speech(), self.vapi_call.clock());
                let mut state = self.vapi_call.state();
                state.heard_anything |= !ready.is_empty();
                if self.vapi.settings.enrol_by_phone {
                    state.hold(*shape, &ready);
                }
                if shape.channels == 1 && state.assistant.mix.heard(speech, now) {
                    let id = &self.vapi_call.id;
                    tracing::info!(call.id = %id, "nobody is heard in the mix of {id} until it is told again who speaks");
                    // Nor was what came since that was last told.
                    self.heard_at = Some(now.saturating_sub(SILENT));
                }
                // By what was heard, or by a message that came meanwhile.
                state.drop_what_is_nobodys();
            }
            Err(fault) => {
                let id = &self.vapi_call.id;
                tracing::info!(call.id = %id, %fault, "call {id} is no longer listened to: {fault}");
                self.call = None;
                say_unheard(&self.vapi, &self.vapi_call, self.stream).await;
            }
        }
    }

    fn capture(&mut self, what: &str, text: Option<&str>, bytes: usize, at: Duration) {
        let Some(capture) = &self.vapi.capture else {
            return;
        };
        if self.frames < CAPTURED_FRAMES {
            self.frames += 1;
            capture.listen(what, text, bytes, at.as_millis());
        }
    }
}

/// Says that a stream of a call is not heard any more (0: that none could be), unless the call is over, or this process leaves and
/// another goes on with it.
async fn say_unheard(vapi: &Vapi, vapi_call: &VapiCall, stream: u64) {
    if vapi.is_over(vapi_call) {
        return;
    }
    if let Some(call_session) = vapi_call.call_session() {
        call_session.unheard(stream).await;
    }
}
