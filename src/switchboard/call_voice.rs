//! A call's voice taken back: what was heard was not the caller, but the other side, or audio read in a wrong format.

use super::call_evidence::VoiceKnown;
use super::call_session::CallSession;
use super::call_verdict::Said;
use crate::decision::Reason;
use crate::verdict::Identification;

impl CallSession {
    /// What is known of the voice now, to be gone back to.
    pub async fn voice_known(&self) -> VoiceKnown {
        self.state.lock().await.evidence.voice_known()
    }

    /// Forgets what was heard of the voice since `before`, and says so. Nobody may listen meanwhile.
    pub async fn forget_voice_since(&self, before: VoiceKnown) {
        let mut state = self.state.lock().await;
        let known = before.said();
        if state.ended || !state.evidence.forget_voice_since(before) {
            return;
        }
        let said = known.unwrap_or_else(|| {
            let active_model = self.context.services.active_model();
            Identification::inconclusive(
                self.context.number.clone(),
                active_model.card.id().clone(),
                active_model.calibration.id.clone(),
                Reason::TooLittleSpeech,
            )
        });
        self.next(&mut state, Said::Voice(Box::new(said))).await;
    }
}
