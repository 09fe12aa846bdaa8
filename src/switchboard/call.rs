//! A live call: audio in as the carrier sends it, identifications out as speech accumulates.

mod unheard;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;

use crate::bytes::RawStream;
use crate::decision::SequentialDecision;
use crate::engine::Permit;
use crate::units::{CallId, Seconds};
use crate::verdict::{Checkpoint, Identification, OutcomeName, StreamSession};
use crate::voiceprint::ModelId;

use super::active_model::ActiveModel;
use super::arrivals::Arrivals;
use super::call_session::{AudioSlot, CallSession};
use super::call_start::CallStart;
use super::call_verdict::CallVerdict;
use super::error::BoardError;
use super::heard_streams::SIGNED_AGAIN;
use super::replays::{ReplayWatch, keep_call};
use super::roster::RosterNow;
use super::services::Services;
use super::slices::{samples_of_a_job, slices};

/// Audio is analysed in pieces of at least this much: fewer, larger jobs cost less than many small ones,
/// and the speech detector takes the windows of a piece together.
const PIECE_MILLISECONDS: u32 = 80;

/// When the next of a call's pieces should have been heard, and when its last.
const NEXT_WITHIN: Duration = Duration::from_millis(100);
const LAST_WITHIN: Duration = Duration::from_millis(200);

/// A call being listened to, by whoever feeds the [`CallSession`] its audio; it has a permit until it ends or is paused.
pub struct LiveCall {
    services: Arc<Services>,
    /// None while it is paused.
    place: Option<(Permit, AudioSlot)>,
    /// Audio came while it was paused and there was no place: not before then is one looked for anew.
    pub(super) again_at: Option<Instant>,
    start: CallStart,
    call_session: Arc<CallSession>,
    raw: RawStream,
    waiting: Vec<f32>,
    piece: usize,
    longest_job: usize,
    session: Option<Box<StreamSession>>,
    said: Option<Identification>,
    sequential: SequentialDecision,
    /// By which model what stands was heard.
    heard_by: Option<ModelId>,
    /// Which of the call's streams it is.
    stream: u64,
    /// When other nodes are next told whether it is heard.
    sign_at: Instant,
    replays: ReplayWatch,
    named: bool,
    span: Span,
    arrivals: Arrivals,
    /// Whether the next audio had to be waited for.
    waited: bool,
}

impl LiveCall {
    /// Begins to listen to a call that nobody else listens to. `stream` is the number of the call's stream that begins with it.
    ///
    /// # Errors
    /// [`BoardError::CallTaken`] when somebody does.
    pub(super) fn begin(
        services: Arc<Services>,
        admitted: Permit,
        start: CallStart,
        session: StreamSession,
        call_session: Arc<CallSession>,
        stream: u64,
    ) -> Result<Self, BoardError> {
        let slot = slot_of(&call_session)?;
        let is_known = call_session.verdict().version > 0;
        let piece = (start.rate.0 * PIECE_MILLISECONDS / 1000) as usize * usize::from(start.channels);
        tracing::info!(call.id = %start.call_id, number = ?start.number, "call {} opened", start.call_id);
        Ok(Self {
            services,
            place: Some((admitted, slot)),
            again_at: None,
            span: tracing::info_span!("call", call.id = %start.call_id),
            raw: RawStream::new(start.encoding, start.channels),
            longest_job: samples_of_a_job(start.rate, start.channels),
            start,
            // At once where something was said before: whoever cannot hear the call has to know of this stream.
            sign_at: Instant::now() + if is_known { Duration::ZERO } else { SIGNED_AGAIN },
            call_session,
            waiting: Vec::new(),
            piece,
            session: Some(Box::new(session)),
            said: None,
            sequential: SequentialDecision::default(),
            heard_by: None,
            stream,
            replays: ReplayWatch::begin(),
            named: false,
            arrivals: Arrivals::default(),
            waited: true,
        })
    }

    /// The call's id.
    pub fn id(&self) -> &CallId {
        &self.start.call_id
    }

    /// What the log's lines about this call stand in.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Whether the voice has been named by now.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The call as everybody who brings news of it has it.
    pub fn call_session(&self) -> &Arc<CallSession> {
        &self.call_session
    }

    /// Which of the call's streams it is.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// How much speech its present stream has brought.
    pub fn net_speech(&self) -> Seconds {
        self.session
            .as_ref()
            .map_or(Seconds::ZERO, |session| session.net_speech())
    }

    /// Gives its place to others until it goes on, as while its caller is on hold. What was heard so far stays.
    pub fn pause(&mut self) {
        if self.place.take().is_some() {
            self.arrivals.pause();
            let id = self.id();
            tracing::info!(call.id = %id, "call {id} is silent: its place is free until it goes on");
        }
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.place.is_none()
    }

    /// Listens again to a call that was paused. Where audio came meanwhile and there was no place for it, what comes is the
    /// beginning of a stream: who spoke while nobody heard may be somebody else.
    ///
    /// # Errors
    /// [`BoardError::CallTaken`] when another stream of it is listened to by now.
    pub(super) fn go_on(&mut self, admitted: Permit) -> Result<(), BoardError> {
        self.place = Some((admitted, slot_of(&self.call_session)?));
        if self.again_at.take().is_some() {
            self.session = Some(Box::new(self.start.stream_session()?));
            self.raw = RawStream::new(self.start.encoding, self.start.channels);
            self.waiting.clear();
            (self.said, self.heard_by) = (None, None);
            self.replays.begin_anew();
            self.arrivals = Arrivals::default();
            self.stream = self.call_session.begin_stream();
        } else if self.call_session.has_later_stream_than(self.stream) {
            // It is the one that is heard last, again.
            self.stream = self.call_session.begin_stream();
        }
        Ok(())
    }

    /// Says whether the audio that is pushed next had to be waited for, or was there already when it was asked for:
    /// by that it is known when it arrived. Who says nothing pushes audio as it arrives.
    pub fn waited(&mut self, waited: bool) {
        self.waited = waited;
    }

    fn note_arrival(&mut self, bytes: usize) {
        let seconds = self.start.seconds_of(bytes);
        self.arrivals.note(Instant::now(), seconds, self.waited);
        self.waited = true;
    }

    /// Takes the next bytes of audio, in pieces of any size, and gives what is newly said, if anything. Those of a call that
    /// is paused are not heard.
    ///
    /// # Errors
    /// [`BoardError::CallTooLong`] when the call outlasts the limit. A fault of the analysis is no
    /// error: the call goes on as `inconclusive` (`unavailable`).
    pub async fn push(&mut self, bytes: &[u8]) -> Result<Vec<CallVerdict>, BoardError> {
        if self.is_paused() {
            return Ok(Vec::new());
        }
        self.note_arrival(bytes.len());
        self.raw.push(bytes, &mut self.waiting);
        if self.waiting.len() < self.piece {
            return Ok(Vec::new());
        }
        let longest = self.services.longest_call;
        let heard_before = self.session.as_ref().map(|session| session.heard());
        if heard_before.is_some_and(|heard| heard > longest) {
            return Err(BoardError::CallTooLong {
                minutes: longest.get() / 60.0,
            });
        }
        // A session hears the latest of its speech again by another model, so a call can change models between checkpoints.
        let active_model = self.services.active_model();
        let checkpoints = self.listen(&active_model, false).await;
        let mut updates = Vec::with_capacity(checkpoints.len());
        for checkpoint in &checkpoints {
            if let Some(update) = self.say(&active_model, checkpoint).await {
                self.arrivals.said(checkpoint.heard);
                updates.push(update);
            }
        }
        if heard_before.is_some() && self.session.is_none() {
            // Said at once: an earlier word must not stand as if somebody were still listening.
            updates.push(self.unavailable(false).await);
            self.sign_at = Instant::now();
        }
        if Instant::now() >= self.sign_at {
            updates.extend(self.sign().await);
        }
        Ok(updates)
    }

    /// Ends the call and gives the final word on it, which is kept in the store. One that may be paused is ended by
    /// [`Switchboard::finish_call`](super::Switchboard::finish_call).
    pub async fn finish(mut self) -> CallVerdict {
        let active_model = self.services.active_model();
        let checkpoints = self.listen(&active_model, true).await;
        let Some((last, before)) = checkpoints.split_last() else {
            return self.unavailable(true).await;
        };
        // What was passed on the last stretch counts as on any other.
        for checkpoint in before {
            self.say(&active_model, checkpoint).await;
        }
        self.last_pins().await;
        let roster = self.call_session.roster().await;
        let said = self.answer(&active_model, &roster, last, true).await;
        let heard = said.user_id;
        let verdict = self.publish(said, roster).await;
        // Another stream's word is not of this speech.
        if verdict.identification.user_id == heard {
            let call = &self.start.call_id;
            keep_call(&self.services, call, &verdict.identification, &last.fingerprint).await;
        }
        verdict
    }

    /// Waits for PINs that are being tried, where this is the end of the call too: they count for the last word.
    async fn last_pins(&self) {
        if self.call_session.ends_with_its_audio() {
            self.call_session.pins_tried().await;
        }
    }

    /// Runs the waiting samples through the session. Empty when there is nothing new or it failed.
    async fn listen(&mut self, active_model: &ActiveModel, end: bool) -> Vec<Checkpoint> {
        if self.is_paused() {
            return Vec::new();
        }
        let samples = std::mem::take(&mut self.waiting);
        let mut checkpoints = Vec::new();
        for (slice, is_last) in slices(&samples, self.longest_job) {
            let Some(heard) = self.hear(active_model, slice, end && is_last).await else {
                return Vec::new();
            };
            checkpoints.extend(heard);
        }
        checkpoints
    }

    /// Runs samples through the session in one job; between two of them others have their turn. `None` when it failed.
    async fn hear(
        &mut self,
        active_model: &ActiveModel,
        samples: Vec<f32>,
        end: bool,
    ) -> Option<Vec<Checkpoint>> {
        let (admitted, _) = self.place.as_ref()?;
        let mut session = self.session.take()?;
        session.set_named(self.sequential.names());
        // Whoever still speaks is waited for; the last word has a little longer.
        let within = if end { LAST_WITHIN } else { NEXT_WITHIN };
        let heard = active_model.engine.run_within(within, admitted, move |analyst| {
            let mut checkpoints = session.push(analyst, &samples)?;
            if end {
                checkpoints.push(session.finish(analyst)?);
            }
            Ok::<_, crate::verdict::ListenError>((session, checkpoints))
        });
        let fault = match heard.await {
            Ok(Ok((session, checkpoints))) => {
                self.session = Some(session);
                return Some(checkpoints);
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(fault) => fault.to_string(),
        };
        let id = &self.start.call_id;
        tracing::error!(call.id = %id, %fault, "call {id} can no longer be listened to: {fault}");
        metrics::counter!("voxline_identification_faults_total").increment(1);
        None
    }

    /// Says what a checkpoint came to, searched and weighed on one roster; nothing after a window check that changes
    /// nothing, or nothing for whoever sees no scores: between two checkpoints they would see that there was something.
    async fn say(&mut self, active_model: &ActiveModel, checkpoint: &Checkpoint) -> Option<CallVerdict> {
        let roster = self.call_session.roster().await;
        let said = self.answer(active_model, &roster, checkpoint, false).await;
        if !checkpoint.is_window_check {
            return Some(self.publish(said, roster).await);
        }
        if self.call_session.says(&said) {
            return None;
        }
        self.note(&said);
        self.call_session.checked_on(said, roster).await
    }

    async fn answer(
        &mut self,
        active_model: &ActiveModel,
        roster: &RosterNow,
        checkpoint: &Checkpoint,
        is_final: bool,
    ) -> Identification {
        let model = active_model.card.id();
        if self.heard_by.as_ref() != Some(model) {
            // A word stands by what one model heard of one stream.
            self.heard_by = Some(model.clone());
            self.sequential = SequentialDecision::default();
        }
        let number = &self.start.number;
        let said = active_model.answer(
            number,
            roster.as_deref(),
            checkpoint,
            &mut self.sequential,
            is_final,
        );
        let mut said = said.await;
        said.stream = self.stream;
        self.replays.look(&self.services, checkpoint, &mut said).await;
        said
    }

    /// Gives what is said to the call, which makes the next version of it.
    async fn publish(&mut self, said: Identification, roster: RosterNow) -> CallVerdict {
        self.note(&said);
        self.call_session.heard_on(said, roster).await
    }

    fn note(&mut self, said: &Identification) {
        self.named |= said.outcome == OutcomeName::Identified;
        self.said = Some(said.clone());
    }
}

/// The one place at which a call's audio comes in.
fn slot_of(call_session: &Arc<CallSession>) -> Result<AudioSlot, BoardError> {
    let taken = || BoardError::CallTaken(call_session.id().clone());
    call_session.audio_slot().ok_or_else(taken)
}
