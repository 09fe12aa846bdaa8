//! A call whose messages go elsewhere (`vapi.mode = "number"`): what becomes of it is asked of Vapi's API.
//!
//! Its ring came here, and our tools' calls will; that it was answered, where it can be listened to, and that it ended is
//! told to the assistant's own server alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::switchboard::CallSession;
use crate::units::DialedNumber;

use super::api::Api;
use super::message::Ending;
use super::origin::note_addresses;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// The pause between two questions while the call rings.
const RINGING: Duration = Duration::from_secs(1);
/// How long a call may ring.
const LONGEST_RING: Duration = Duration::from_secs(120);
/// The pause between two questions once it was answered.
const ANSWERED: Duration = Duration::from_secs(15);

impl Vapi {
    /// Follows a call to its end, once however often it rings. Without a key for the API nobody can be asked.
    pub(super) fn follow(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        call_session: &Arc<CallSession>,
        number: &DialedNumber,
    ) {
        if self.api.is_none() || std::mem::replace(&mut vapi_call.state().followed, true) {
            return;
        }
        let (vapi, vapi_call, call_session, number) = (
            Arc::clone(self),
            Arc::clone(vapi_call),
            Arc::clone(call_session),
            number.clone(),
        );
        self.tasks.spawn(async move {
            if let Some(api) = &vapi.api {
                vapi.follow_by(api, &vapi_call, &call_session, &number).await;
            }
        });
    }

    async fn follow_by(
        self: &Arc<Self>,
        api: &Api,
        vapi_call: &Arc<VapiCall>,
        call_session: &Arc<CallSession>,
        number: &DialedNumber,
    ) {
        let began = Instant::now();
        let (mut listened, mut over) = (false, false);
        loop {
            let pause = if listened { ANSWERED } else { RINGING };
            tokio::select! {
                () = sleep(pause) => {}
                // Nobody is heard any more: it may have ended.
                () = vapi_call.heard_out(), if listened && !over => {
                    over = true;
                    sleep(RINGING).await;
                }
                () = vapi_call.ended.cancelled() => return,
                () = self.leaving.cancelled() => return,
            }
            let Some(view) = self.asked(api, &vapi_call.id).await else {
                if !listened && began.elapsed() > LONGEST_RING {
                    return;
                }
                continue;
            };
            note_addresses(vapi_call, &view);
            self.learn(vapi_call, call_session, &view, number).await;
            match view.status.as_deref() {
                Some("ended") => {
                    // No report of it comes here.
                    let ending = Ending {
                        is_missing: true,
                        ..Ending::default()
                    };
                    return self.end(vapi_call, Some(&ending)).await;
                }
                Some("in-progress" | "forwarding") if view.listen_url.is_some() => {
                    self.go_on(vapi_call, call_session, number);
                    listened = true;
                }
                _ if !listened && began.elapsed() > LONGEST_RING => return,
                _ => {}
            }
        }
    }
}
