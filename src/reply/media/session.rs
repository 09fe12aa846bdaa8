//! A call on a wire: opened, listened to, finished, whichever way it ends.

use std::sync::Arc;

use crate::switchboard::{CallStart, CallUpdate, LiveCall};

use super::super::auth::Visitor;
use super::super::desk::{Desk, Seat};
use super::super::problem::Problem;
use super::super::telemetry;
use super::super::wire::{Ending, Wire};

/// A live call with the place it takes and whether its scores may be shown.
pub(super) struct Session {
    call: LiveCall,
    scores: bool,
    _seat: Seat,
}

impl Session {
    /// Opens a call: a seat first, so that no id is used twice, then a permit.
    pub(super) async fn open(desk: &Arc<Desk>, start: CallStart, visitor: &Visitor) -> Result<Self, Problem> {
        let seat = desk.seat(&start.call_id).await?;
        Ok(Self {
            call: desk.board.open_call(start).await?,
            scores: visitor.sees_scores(),
            _seat: seat,
        })
    }

    /// Listens to some audio and says what is new. The next frame is read only when this is done.
    ///
    /// # Errors
    /// How the call ends, when it cannot go on.
    pub(super) async fn hear(&mut self, audio: &[u8], wire: &mut Wire) -> Result<(), Ending> {
        let updates = self
            .call
            .push(audio)
            .await
            .map_err(|fault| Ending::Problem(fault.into()))?;
        for update in updates {
            if !wire.say(&self.shown(update)).await {
                return Err(Ending::Gone);
            }
        }
        Ok(())
    }

    /// Takes a key that the caller pressed.
    pub(super) async fn press(&mut self, _key: char) {}

    /// Ends the call: the final verdict is recorded first, and told to whoever is still there.
    pub(super) async fn finish(self, ending: Ending, mut wire: Wire) {
        let scores = self.scores;
        let last = self.call.finish().await;
        telemetry::answered(&last.identification);
        if !matches!(ending, Ending::Gone) {
            let shown = if scores { last } else { last.without_scores() };
            wire.say(&shown).await;
        }
        wire.close(ending).await;
    }

    fn shown(&self, update: CallUpdate) -> CallUpdate {
        if self.scores {
            update
        } else {
            update.without_scores()
        }
    }
}
