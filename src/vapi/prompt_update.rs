//! Telling the model, as long as the call goes on: each verdict that is news, once.

use std::sync::Arc;
use std::time::Duration;

use crate::switchboard::CallSession;

use super::control::{Sent, send, silent_message};
use super::prompt_words::sentence;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// How long a verdict may be followed by another before it is told: one message for what comes together.
const SETTLE: Duration = Duration::from_millis(150);

impl Vapi {
    /// Tells each change of the verdict until the call is over.
    pub(super) async fn tell(self: Arc<Self>, vapi_call: Arc<VapiCall>, call_session: Arc<CallSession>) {
        let mut verdicts = call_session.watch();
        loop {
            let said = sentence(&verdicts.borrow_and_update().identity, &vapi_call.marker);
            if !self.tell_once(&vapi_call, said).await {
                return;
            }
            tokio::select! {
                biased;
                () = vapi_call.ended.cancelled() => return,
                () = self.leaving.cancelled() => return,
                changed = verdicts.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Tells one sentence, unless it was told last; `false` when no other will arrive.
    async fn tell_once(&self, vapi_call: &VapiCall, said: String) -> bool {
        let (url, before) = {
            let state = vapi_call.state();
            (state.control_url.clone(), state.told.clone())
        };
        let Some(url) = url else {
            return true;
        };
        let marker = &vapi_call.marker;
        // A model that was told nothing knows that nothing is known.
        let silence = before.is_none()
            && said.starts_with(&format!("[{marker}] unknown: "))
            && !said.contains("The line is");
        if silence || before.as_deref() == Some(said.as_str()) {
            return true;
        }
        let message = silent_message(&said);
        let sent = tokio::select! {
            biased;
            // Never after the end.
            () = vapi_call.ended.cancelled() => return false,
            sent = send(self, &url, &message) => sent,
        };
        match sent {
            Sent::Yes => vapi_call.state().told = Some(said),
            Sent::No => {
                tracing::warn!(call.id = %vapi_call.id, "the model of call {} was not told a verdict", vapi_call.id);
            }
            Sent::Never => return false,
        }
        true
    }
}
