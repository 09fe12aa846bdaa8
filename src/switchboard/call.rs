//! A live call: audio in as the carrier sends it, identifications out as speech accumulates.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::bytes::{Encoding, RawStream};
use crate::decision::{Reason, SequentialDecision};
use crate::engine::{Asker, Permit};
use crate::units::{CallId, DialedNumber, Hertz, KeyId};
use crate::verdict::{CHECKPOINTS, Checkpoint, Identification, Identity, StreamSession};

use super::active_model::ActiveModel;
use super::call_state::CallState;
use super::error::BoardError;
use super::open::Switchboard;

/// Audio is analysed in pieces of at least this much: fewer, larger jobs cost less than many small ones,
/// and the speech detector takes the windows of a piece together.
const PIECE_MILLISECONDS: u32 = 80;

/// When the next of a call's pieces should have been heard, and when its last.
const NEXT_WITHIN: Duration = Duration::from_millis(100);
const LAST_WITHIN: Duration = Duration::from_millis(200);

/// How a call's audio arrives.
#[derive(Debug, Clone)]
pub struct CallStart {
    /// The carrier's id of the call.
    pub call_id: CallId,
    /// The dialed number.
    pub number: DialedNumber,
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples a second.
    pub rate: Hertz,
    /// One or two.
    pub channels: u16,
    /// Which of two channels holds the caller.
    pub caller_channel: Option<u16>,
}

/// A new version of what is said of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallUpdate {
    /// The call.
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// 1, 2, 3 and so on: a higher version replaces a lower one.
    pub version: u64,
    /// What is said now.
    #[serde(flatten)]
    pub identification: Identification,
    /// Whose line, whose voice.
    #[serde(flatten)]
    pub identity: Identity,
}

/// A call being listened to. It holds its permit until it ends.
pub struct LiveCall {
    board: Arc<Switchboard>,
    admitted: Permit,
    start: CallStart,
    call_state: Arc<CallState>,
    raw: RawStream,
    waiting: Vec<f32>,
    piece: usize,
    session: Option<Box<StreamSession>>,
    said: Option<Identification>,
    sequential: SequentialDecision,
}

impl Switchboard {
    /// Begins to listen to a call, one that others already know of or a new one: what is heard goes to its
    /// [`CallState`]. `key` is whose stream it is, where a key opened it.
    ///
    /// # Errors
    /// [`BoardError`] when the number is not ours, the call is over or was to another one, the audio has a shape that cannot be listened to, or
    /// no permit is free.
    pub async fn open_call(
        self: &Arc<Self>,
        start: CallStart,
        key: Option<KeyId>,
    ) -> Result<LiveCall, BoardError> {
        let admitted = self.admit(Asker::live(key).to(&start.number))?;
        self.known_number(&start.number).await?;
        let session = StreamSession::new(start.rate, start.channels, start.caller_channel, CHECKPOINTS)
            .map_err(|fault| BoardError::listening("the stream", fault))?;
        let call_state = self.call_state(&start.call_id, &start.number).await?;
        let piece = (start.rate.0 * PIECE_MILLISECONDS / 1000) as usize * usize::from(start.channels);
        tracing::info!(call.id = %start.call_id, number = ?start.number, "call {} opened", start.call_id);
        Ok(LiveCall {
            board: Arc::clone(self),
            admitted,
            raw: RawStream::new(start.encoding, start.channels),
            start,
            call_state,
            waiting: Vec::new(),
            piece,
            session: Some(Box::new(session)),
            said: None,
            sequential: SequentialDecision::default(),
        })
    }
}

impl LiveCall {
    /// The call's id.
    pub fn id(&self) -> &CallId {
        &self.start.call_id
    }

    /// The call state this call is part of.
    pub fn call_state(&self) -> &Arc<CallState> {
        &self.call_state
    }

    /// Takes the next bytes of audio, in pieces of any size, and gives what is newly said, if anything.
    ///
    /// # Errors
    /// [`BoardError::CallTooLong`] when the call outlasts the limit. A fault of the analysis is no
    /// error: the call goes on as `inconclusive` (`unavailable`).
    pub async fn push(&mut self, bytes: &[u8]) -> Result<Vec<CallUpdate>, BoardError> {
        self.raw.push(bytes, &mut self.waiting);
        if self.waiting.len() < self.piece {
            return Ok(Vec::new());
        }
        let longest = self.board.longest_call;
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.heard() > longest)
        {
            return Err(BoardError::CallTooLong {
                minutes: longest.get() / 60.0,
            });
        }
        let heard_before = self.session.is_some();
        // A session hears what it keeps again by another model, so a call can change models between checkpoints.
        let active_model = self.board.active_model();
        let checkpoints = self.listen(&active_model, false).await;
        let mut updates = Vec::with_capacity(checkpoints.len());
        for checkpoint in &checkpoints {
            updates.extend(self.say(&active_model, checkpoint).await);
        }
        if heard_before && self.session.is_none() {
            // Said at once: an earlier word must not stand as if somebody were still listening.
            updates.push(self.unavailable(false).await);
        }
        Ok(updates)
    }

    /// Ends the call and gives the final word on it, which is kept in the store.
    pub async fn finish(mut self) -> CallUpdate {
        let active_model = self.board.active_model();
        let checkpoints = self.listen(&active_model, true).await;
        let Some((last, before)) = checkpoints.split_last() else {
            return self.unavailable(true).await;
        };
        // What was passed on the last stretch counts as on any other.
        for checkpoint in before {
            self.say(&active_model, checkpoint).await;
        }
        let last = self.answer(&active_model, last, true).await;
        self.publish(last).await
    }

    /// Runs the waiting samples through the session. Empty when there is nothing new or it failed.
    async fn listen(&mut self, active_model: &ActiveModel, end: bool) -> Vec<Checkpoint> {
        let samples = std::mem::take(&mut self.waiting);
        let Some(mut session) = self.session.take() else {
            return Vec::new();
        };
        // Whoever still speaks is waited for; the last word has a little longer.
        let within = if end { LAST_WITHIN } else { NEXT_WITHIN };
        let heard = active_model
            .engine
            .run_within(within, &self.admitted, move |analyst| {
                let mut checkpoints = session.push(analyst, &samples)?;
                if end {
                    checkpoints.push(session.finish(analyst)?);
                }
                Ok::<_, crate::verdict::ListenError>((session, checkpoints))
            });
        let fault = match heard.await {
            Ok(Ok((session, checkpoints))) => {
                self.session = Some(session);
                return checkpoints;
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(fault) => fault.to_string(),
        };
        let id = &self.start.call_id;
        tracing::error!(call.id = %id, %fault, "call {id} can no longer be listened to: {fault}");
        metrics::counter!("voxline_identification_faults_total").increment(1);
        Vec::new()
    }

    /// Says what a checkpoint came to; nothing after a window check that changes nothing.
    async fn say(&mut self, active_model: &ActiveModel, checkpoint: &Checkpoint) -> Option<CallUpdate> {
        let said = self.answer(active_model, checkpoint, false).await;
        let is_old = |before: &Identification| before.says_as_much_as(&said);
        if checkpoint.is_window_check && self.said.as_ref().is_some_and(is_old) {
            return None;
        }
        Some(self.publish(said).await)
    }

    async fn answer(
        &mut self,
        active_model: &ActiveModel,
        checkpoint: &Checkpoint,
        is_final: bool,
    ) -> Identification {
        let said = active_model.answer(&self.start.number, checkpoint, &mut self.sequential, is_final);
        said.await
    }

    /// Nobody listens any more: what was measured so far stays, the word on it does not.
    async fn unavailable(&mut self, is_final: bool) -> CallUpdate {
        let active_model = self.board.active_model();
        let mut said = Identification::inconclusive(
            self.start.number.clone(),
            active_model.card.id().clone(),
            active_model.calibration.id.clone(),
            Reason::Unavailable,
        );
        if let Some(before) = &self.said {
            said.net_speech_seconds = before.net_speech_seconds;
            said.quality = before.quality;
        }
        said.is_final = is_final;
        self.publish(said).await
    }

    /// Gives what is said to the call's state, which makes the next version of it.
    async fn publish(&mut self, said: Identification) -> CallUpdate {
        self.said = Some(said.clone());
        self.call_state.heard(said).await
    }
}

impl CallUpdate {
    /// The same without any score.
    #[must_use]
    pub fn without_scores(mut self) -> Self {
        self.identification = self.identification.without_scores();
        self.identity = self.identity.without_scores();
        self
    }
}
