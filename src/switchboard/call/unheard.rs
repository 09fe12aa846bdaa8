//! Whether a live call is heard: what other nodes are told of it, and what is said once nobody hears it any more.

use std::time::Instant;

use super::LiveCall;
use crate::decision::Reason;
use crate::switchboard::call_verdict::CallVerdict;
use crate::switchboard::heard_streams::{SIGNED_AGAIN, SIGNED_LATE};
use crate::verdict::Identification;

impl LiveCall {
    /// Has other nodes know whether it is heard. Where it is not any more, and that was put aside for a stream that was, it is
    /// said once that one is not either.
    pub(super) async fn sign(&mut self) -> Option<CallVerdict> {
        let is_heard = self.session.is_some();
        let is_told = self.call_session.note_stream(self.stream, is_heard).await;
        self.sign_at = Instant::now() + if is_told { SIGNED_AGAIN } else { SIGNED_LATE };
        if is_heard {
            return None;
        }
        let (said, roster) = (self.nothing_heard(), self.call_session.roster().await);
        if roster.is_err() || self.call_session.says(&said) {
            return None;
        }
        self.call_session.checked_on(said, roster).await
    }

    /// Stops listening to a call that goes on, and says what was heard of it last.
    pub async fn leave(mut self) {
        let active_model = self.services.active_model();
        let checkpoints = self.listen(&active_model, true).await;
        for checkpoint in &checkpoints {
            self.say(&active_model, checkpoint).await;
        }
        self.call_session.note_stream(self.stream, false).await;
    }

    /// Nobody listens any more: what was measured so far stays, the word on it does not.
    pub(super) async fn unavailable(&mut self, is_final: bool) -> CallVerdict {
        let said = Identification {
            is_final,
            ..self.nothing_heard()
        };
        if is_final {
            self.last_pins().await;
        }
        let roster = self.call_session.roster().await;
        self.publish(said, roster).await
    }

    fn nothing_heard(&self) -> Identification {
        let active_model = self.services.active_model();
        let mut said = active_model.inconclusive(&self.start.number, Reason::Unavailable);
        if let Some(before) = &self.said {
            said.net_speech_seconds = before.net_speech_seconds;
            said.quality = before.quality;
        }
        said.stream = self.stream;
        said
    }
}
