//! What a call brought while the store could not be read, brought in once it can.
//!
//! A ringing call is answered without it, and webhooks are acknowledged without it; neither comes again. What they
//! said of the call's origin is kept on its line, and tried again until it is weighed or the call is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::store::Provenance;
use crate::units::DialedNumber;

use super::origin::NoCallSession;
use super::service::Vapi;
use super::vapi_call::{State, VapiCall};
use super::view::CallView;

/// The pause between two attempts.
const AGAIN: Duration = Duration::from_secs(2);

impl Vapi {
    /// Keeps what `view` says for later. One task a call tries again, whatever comes meanwhile.
    pub(super) fn fall_behind(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        number: &DialedNumber,
        view: &CallView,
    ) {
        let first = {
            let mut state = vapi_call.state();
            state.put_off(view.clone());
            !std::mem::replace(&mut state.catching_up, true)
        };
        if first {
            let (vapi, vapi_call, number) = (Arc::clone(self), Arc::clone(vapi_call), number.clone());
            self.tasks.spawn(Provenance::carried(async move {
                vapi.catch_up(&vapi_call, &number).await;
            }));
        }
    }

    async fn catch_up(self: &Arc<Self>, vapi_call: &Arc<VapiCall>, number: &DialedNumber) {
        loop {
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = vapi_call.ended.cancelled() => return,
                () = self.leaving.cancelled() => return,
            }
            let call_session = match self.call_session(vapi_call, number).await {
                Ok(call_session) => Some(call_session),
                Err(NoCallSession::Failed) => continue,
                // Now it is known that there is nothing to look into.
                Err(NoCallSession::NotOurs | NoCallSession::Never) => None,
            };
            let view = {
                let mut state = vapi_call.state();
                let view = state.behind.take();
                if call_session.is_none() || view.is_none() {
                    state.catching_up = false;
                }
                view
            };
            let (Some(call_session), Some(view)) = (call_session, view) else {
                return;
            };
            self.learn(vapi_call, &call_session, &view, number).await;
            if call_session.is_in_the_dark() {
                vapi_call.state().put_off_older(view);
            } else {
                self.go_on(vapi_call, &call_session, number);
            }
        }
    }
}

impl State {
    /// Keeps news for later; what they leave out was said before.
    fn put_off(&mut self, view: CallView) {
        self.behind = Some(match self.behind.take() {
            Some(older) => view.with(older),
            None => view,
        });
    }

    /// Keeps what was tried in vain; what has come since is newer.
    fn put_off_older(&mut self, view: CallView) {
        self.behind = Some(match self.behind.take() {
            Some(newer) => newer.with(view),
            None => view,
        });
    }
}
