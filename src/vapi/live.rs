//! A call from when it can be listened to until its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::store::CallNewsKind;
use crate::switchboard::CallSession;
use crate::units::DialedNumber;

use super::listen_socket;
use super::message::Ending;
use super::message_time::MessageTime;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// How long the last word by voice may take.
const LAST_WORD: Duration = Duration::from_secs(20);
/// How long another node, which may hear the call, has for it, before this one says it.
const ELSEWHERE: Duration = Duration::from_secs(15);

impl Vapi {
    /// Begins to listen and to tell, as soon as it is known where; to listen again, where a stream was given up.
    pub(super) fn go_on(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        call_session: &Arc<CallSession>,
        number: &DialedNumber,
    ) {
        if self.is_over(vapi_call) {
            return;
        }
        let (heard_out, tell) = {
            let now = vapi_call.clock();
            let mut state = vapi_call.state();
            let listen = self.settings.listen && state.listen_url.is_some() && state.may_listen(now);
            let tell = state.control_url.is_some() && !state.telling;
            let heard_out = listen.then(CancellationToken::new);
            if heard_out.is_some() {
                state.heard_out.clone_from(&heard_out);
            }
            state.telling |= tell;
            (heard_out, tell)
        };
        if let Some(heard_out) = heard_out {
            let listen_socket =
                listen_socket::listen(Arc::clone(self), Arc::clone(vapi_call), number.clone());
            self.tasks.spawn(async move {
                // However it ends, whoever waits for the last word by voice waits no longer.
                let _heard_out = heard_out.drop_guard();
                listen_socket.await;
            });
        }
        if tell {
            self.tasks
                .spawn(Arc::clone(self).tell(Arc::clone(vapi_call), Arc::clone(call_session)));
        }
        // The end may be told to another node alone.
        if self.has_other_nodes() && !std::mem::replace(&mut vapi_call.state().end_watched, true) {
            let (vapi, vapi_call) = (Arc::clone(self), Arc::clone(vapi_call));
            let call_session = Arc::clone(call_session);
            self.tasks
                .spawn(async move { vapi.watch_for_the_end(&vapi_call, &call_session).await });
        }
    }

    /// Ends what this node does on a call once its last word was said, at whichever node.
    async fn watch_for_the_end(&self, vapi_call: &VapiCall, call_session: &CallSession) {
        let mut verdicts = call_session.watch();
        tokio::select! {
            _ = verdicts.wait_for(|verdict| verdict.ended) => vapi_call.ended.cancel(),
            () = vapi_call.ended.cancelled() => {}
            () = self.leaving.cancelled() => {}
        }
    }

    /// The call is over: what was heard is finished, then the call session; audio is wiped.
    pub(super) async fn end(&self, vapi_call: &VapiCall, report: Option<&Ending>) {
        self.take_over(vapi_call).await;
        let is_heard_here = vapi_call.state().is_listened_to();
        vapi_call.ended.cancel();
        if let Some(reason) = report.and_then(|report| report.reason.as_deref()) {
            tracing::info!(call.id = %vapi_call.id, reason, "call {} ended", vapi_call.id);
        }
        if !is_heard_here {
            self.tell_other_nodes(vapi_call, CallNewsKind::Ended, MessageTime::default())
                .await;
        }
        // With a backfill to come, the report decides when all has been heard.
        let waits = self.settings.backfill && report.is_none() && !Self::was_heard(vapi_call);
        if waits {
            return;
        }
        if !is_heard_here {
            self.wait_for_other_nodes(vapi_call).await;
        }
        if let Some(report) = report {
            self.backfill(vapi_call, report).await;
        }
        self.finish(vapi_call).await;
    }

    /// Waits until the node that hears the call has said its last word, which this one would cut off.
    async fn wait_for_other_nodes(&self, vapi_call: &VapiCall) {
        let Some(call_session) = vapi_call.call_session().filter(|_| self.has_other_nodes()) else {
            return;
        };
        let mut verdicts = call_session.watch();
        tokio::select! {
            _ = verdicts.wait_for(|verdict| verdict.ended) => {}
            () = sleep(ELSEWHERE) => {}
            () = self.leaving.cancelled() => {}
        }
    }

    /// Finishes a call, once however often it is asked.
    pub(super) async fn finish(&self, vapi_call: &VapiCall) {
        vapi_call.ended.cancel();
        last_word(vapi_call).await;
        if let Some(call_session) = vapi_call.call_session() {
            call_session.finish().await;
        }
        vapi_call.forget_audio();
    }

    /// The service leaves: a call whose end was told is finished; one that goes on is not over by that, and the next process or
    /// another node takes it up.
    pub(super) async fn leave(&self, vapi_call: &VapiCall) {
        if vapi_call.is_over() {
            return self.finish(vapi_call).await;
        }
        last_word(vapi_call).await;
        vapi_call.forget_audio();
    }
}

/// Waits until what was heard is said.
async fn last_word(vapi_call: &VapiCall) {
    if timeout(LAST_WORD, vapi_call.heard_out()).await.is_err() {
        tracing::warn!(call.id = %vapi_call.id, "the last word by voice on call {} is missing", vapi_call.id);
    }
}
