//! What this node tells the others of a shared store at once, because one of them may be listening to the call: Vapi's messages come
//! to any node. The verdict goes its own way, by the call's record.

use std::time::Duration;

use tokio::time::timeout;

use crate::store::{CallNews, CallNewsKind};

use super::message_time::MessageTime;
use super::service::Vapi;
use super::vapi_call::VapiCall;

/// How long the store may take to be told or asked; the message is worked on all the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How much later than here word of who speaks may come by way of another node.
const TRAVELS: Duration = Duration::from_millis(400);

impl Vapi {
    /// Whether other nodes may listen to this node's calls.
    pub(super) fn has_other_nodes(&self) -> bool {
        self.settings.listen && self.board.store().is_shared()
    }

    /// How much longer audio waits for word of who speaks than where all messages come here.
    pub(super) fn word_travels(&self) -> Duration {
        if self.has_other_nodes() {
            TRAVELS
        } else {
            Duration::ZERO
        }
    }

    /// Tells the other nodes, where there may be any.
    pub(super) async fn tell_other_nodes(&self, vapi_call: &VapiCall, kind: CallNewsKind, time: MessageTime) {
        if !self.has_other_nodes() {
            return;
        }
        let news = CallNews {
            call: vapi_call.id.clone(),
            kind,
            made_ms: time.made_ms,
            turn: time.turn,
        };
        let told = self.board.store().tell_other_nodes(&self.node, &news);
        // A store that is out of order is told by readiness.
        match timeout(PATIENCE, told).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                let id = &vapi_call.id;
                tracing::debug!(call.id = %id, %fault, "other nodes were told nothing of call {id}: {fault}");
            }
            Err(_) => {
                let id = &vapi_call.id;
                tracing::debug!(call.id = %id, "other nodes were told nothing of call {id}: the store takes too long");
            }
        }
    }
}
