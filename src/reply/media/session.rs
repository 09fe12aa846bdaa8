//! A call on a WebSocket: opened, listened to, finished, whichever way it ends.

use std::sync::Arc;

use tracing::{Instrument, Span};

use crate::evidence::CallFacts;
use crate::switchboard::{CallStart, CallUpdate, LiveCall};
use crate::verdict::OutcomeName;

use super::super::app_state::{AppState, CallSlot};
use super::super::auth::Visitor;
use super::super::problem::Problem;
use super::super::telemetry;
use super::super::websocket::{CloseReason, WebSocketSession};

/// A live call with the place it takes and whether its scores may be shown.
pub(super) struct Session {
    call: LiveCall,
    scores: bool,
    named: bool,
    span: Span,
    _seat: CallSlot,
}

impl Session {
    /// Opens a call: its slot first, so that no id is used twice, then a permit.
    pub(super) async fn open(
        app: &Arc<AppState>,
        start: CallStart,
        visitor: &Visitor,
    ) -> Result<Self, Problem> {
        let span = tracing::info_span!("call", call.id = %start.call_id);
        let call_slot = app.call_slot(&start.call_id).await?;
        Ok(Self {
            call: app
                .board
                .open_call(start, visitor.key())
                .instrument(span.clone())
                .await?,
            scores: visitor.sees_scores(),
            span,
            named: false,
            _seat: call_slot,
        })
    }

    /// Listens to some audio and says what is new. The next frame is read only when this is done.
    ///
    /// # Errors
    /// How the call ends, when it cannot go on.
    pub(super) async fn hear(
        &mut self,
        audio: &[u8],
        websocket: &mut WebSocketSession,
    ) -> Result<(), CloseReason> {
        self.call.waited(websocket.waited());
        for update in self.take(audio).await? {
            if !websocket.say(&self.shown(update)).await {
                return Err(CloseReason::Gone);
            }
        }
        Ok(())
    }

    /// Listens to some audio on a line that nothing can be said to, and gives what is new.
    ///
    /// # Errors
    /// How the call ends, when it cannot go on.
    pub(super) async fn take(&mut self, audio: &[u8]) -> Result<Vec<CallUpdate>, CloseReason> {
        let updates = self
            .call
            .push(audio)
            .await
            .map_err(|fault| CloseReason::Problem(fault.into()))?;
        self.named |= updates
            .iter()
            .any(|update| update.identification.outcome == OutcomeName::Identified);
        Ok(updates)
    }

    /// Takes what the stream itself says of caller and forwarder.
    pub(super) async fn learn(&self, facts: &CallFacts) {
        self.call.call_state().learn(facts).await;
    }

    /// Takes a key that the caller pressed. When it completes a PIN the next frame is read once that has been
    /// tried; what it comes to is said by the call's verdict, never to whoever sends the stream.
    pub(super) async fn press(&mut self, key: char) {
        let call_state = self.call.call_state();
        if let Some(typed) = call_state.keypad(key) {
            call_state.try_typed(typed).await;
        }
    }

    /// What the log's lines about this call stand in.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Whether the voice has been named by now.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Ends the call: the final verdict is recorded first, and told to whoever is still there.
    pub(super) async fn finish(self, ending: CloseReason, mut websocket: WebSocketSession) {
        let scores = self.scores;
        let last = self.conclude().await;
        if !matches!(ending, CloseReason::Gone) {
            let shown = if scores { last } else { last.without_scores() };
            websocket.say(&shown).await;
        }
        websocket.close(ending).await;
    }

    /// Ends the call: the final verdict is recorded.
    pub(super) async fn conclude(self) -> CallUpdate {
        let last = self.call.finish().await;
        telemetry::answered(&last.identification);
        last
    }

    fn shown(&self, update: CallUpdate) -> CallUpdate {
        if self.scores {
            update
        } else {
            update.without_scores()
        }
    }
}
