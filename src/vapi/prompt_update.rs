//! Telling the model, as long as the call goes on: each verdict that is news, once, and until it has arrived.

use std::sync::Arc;
use std::time::Duration;

use crate::switchboard::CallSession;

use super::control::{Sent, send, silent_message};
use super::prompt_words::sentence;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// How long a verdict may be followed by another before it is told: one message for what comes together.
const SETTLE: Duration = Duration::from_millis(150);
/// The pauses before what did not arrive is told again, and the one after these, which goes on.
const AGAIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Vapi {
    /// Tells each change of the verdict until the call is over. What does not arrive is told again, whatever the address
    /// answers meanwhile: a name that was taken back must not stay with the model.
    pub(super) async fn tell(self: Arc<Self>, vapi_call: Arc<VapiCall>, call_session: Arc<CallSession>) {
        let mut verdicts = call_session.watch();
        let mut failures = 0;
        while !self.is_over(&vapi_call) {
            let said = sentence(&verdicts.borrow_and_update().identity, &vapi_call.marker);
            let sent = self.tell_once(&vapi_call, said).await;
            let pause = match sent {
                Sent::Refused | Sent::Foreign => LONGEST_PAUSE,
                Sent::Yes | Sent::No | Sent::Missing => AGAIN.get(failures).copied().unwrap_or(LONGEST_PAUSE),
            };
            failures = if sent == Sent::Yes { 0 } else { failures + 1 };
            if failures == 1 && !self.is_over(&vapi_call) {
                say_untold(&vapi_call, sent);
            }
            let asks_at_once = matches!(sent, Sent::Yes | Sent::No);
            tokio::select! {
                biased;
                () = vapi_call.ended.cancelled() => return,
                () = self.leaving.cancelled() => return,
                // Of a call that may only just be coming up, or that does not let us in, nothing is asked twice in one moment.
                changed = verdicts.changed(), if asks_at_once => if changed.is_err() { return },
                () = tokio::time::sleep(pause), if failures > 0 => {}
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Tells one sentence, unless it was told last.
    async fn tell_once(&self, vapi_call: &VapiCall, said: String) -> Sent {
        let (url, before) = {
            let state = vapi_call.state();
            (state.control_url.clone(), state.told.clone())
        };
        let Some(url) = url else {
            return Sent::Yes;
        };
        let marker = &vapi_call.marker;
        // A model that was told nothing knows that nothing is known.
        let silence = before.is_none()
            && said.starts_with(&format!("[{marker}] unknown: "))
            && !said.contains("The line is");
        if silence || before.as_deref() == Some(said.as_str()) {
            return Sent::Yes;
        }
        let message = silent_message(&said);
        let sent = tokio::select! {
            biased;
            // Never after the end.
            () = vapi_call.ended.cancelled() => return Sent::Refused,
            sent = send(self, &url, &message) => sent,
        };
        // What failed may have arrived all the same: the model was told nobody knows what.
        vapi_call.state().told = Some(if sent == Sent::Yes { said } else { String::new() });
        sent
    }
}

/// Says in the log that the model was not told a verdict.
fn say_untold(vapi_call: &VapiCall, sent: Sent) {
    let id = &vapi_call.id;
    if sent == Sent::Foreign {
        tracing::warn!(
            call.id = %id,
            "the model of call {id} is told nothing: its control address is of a host that may not be asked; vapi.hosts \
             says which are"
        );
    } else {
        tracing::warn!(call.id = %id, "the model of call {id} was not told a verdict; it is tried again");
    }
}
