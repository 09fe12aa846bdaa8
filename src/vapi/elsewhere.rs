//! What other nodes of a shared store were told of the calls that this one listens to: who speaks, and that a call ended. Asked a few
//! times a second, as long as there is such a call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::store::{CallNewsKind, ToldNews};
use crate::units::CallId;

use super::message_time::MessageTime;
use super::other_nodes::PATIENCE;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// How often is asked. With the way through the store it is well below what audio waits for.
const LOOK: Duration = Duration::from_millis(200);
/// How far back is asked of a call that is newly listened to: as long as the assistant is taken to speak.
const AT_FIRST: Duration = Duration::from_secs(90);
/// How far back is asked from then on: news of two moments may be seen in either order.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// How often old news are forgotten.
const FORGET: Duration = Duration::from_secs(60);

impl Vapi {
    /// Takes in what other nodes were told, until the service leaves.
    pub(super) async fn follow_other_nodes(self: Arc<Self>) {
        if !self.has_other_nodes() {
            return;
        }
        let mut ticks = interval(LOOK);
        // A store that hung is not asked at once for every tick that was missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut forgotten = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.leaving.cancelled() => return,
            }
            let mut listened = self.vapi_calls.all();
            listened.retain(|vapi_call| vapi_call.state().is_listened_to());
            let (known, new): (Vec<_>, Vec<_>) = listened
                .into_iter()
                .partition(|vapi_call| vapi_call.state().asked_others);
            for (calls, within) in [(new, AT_FIRST), (known, AFTERWARDS)] {
                take_in(&self, &calls, within).await;
            }
            if forgotten.elapsed() >= FORGET {
                forgotten = Instant::now();
                // Readiness tells of a store that is out of order.
                let _ = timeout(PATIENCE, self.board.store().forget_call_news()).await;
            }
        }
    }
}

/// Takes in what was told of these calls `within` the last moments.
async fn take_in(vapi: &Arc<Vapi>, calls: &[Arc<VapiCall>], within: Duration) {
    if calls.is_empty() {
        return;
    }
    let ids: Vec<CallId> = calls.iter().map(|vapi_call| vapi_call.id.clone()).collect();
    let asked = vapi.board.store().news_of_other_nodes(&vapi.node, &ids, within);
    let Ok(Ok(told)) = timeout(PATIENCE, asked).await else {
        return;
    };
    let by_id: HashMap<&CallId, &Arc<VapiCall>> =
        calls.iter().map(|vapi_call| (&vapi_call.id, vapi_call)).collect();
    for vapi_call in calls {
        vapi_call.state().asked_others = true;
    }
    for one in &told {
        if let Some(vapi_call) = by_id.get(&one.news.call) {
            take_one(vapi, vapi_call, one);
        }
    }
}

fn take_one(vapi: &Arc<Vapi>, vapi_call: &Arc<VapiCall>, told: &ToldNews) {
    let news = &told.news;
    let at = vapi_call.clock().saturating_sub(told.age);
    let time = MessageTime {
        made_ms: news.made_ms,
        turn: news.turn,
    };
    {
        let mut state = vapi_call.state();
        if !state.is_news(told.seq) {
            return;
        }
        state.hear_of(news.kind, at, time);
    }
    if news.kind == CallNewsKind::Ended && !vapi_call.is_over() {
        let (ending, vapi_call) = (Arc::clone(vapi), Arc::clone(vapi_call));
        // In its own time: the last word is waited for.
        vapi.tasks
            .spawn(async move { ending.end(&vapi_call, None).await });
    }
}
