//! What is answered to a message where the customer has a backend: by it, by us, or by both.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::carriers::signature::same;
use crate::units::CallId;

use super::message::{Message, News};
use super::pass::{BACKEND_HEADER, add_backend_mark, backend_mark};
use super::relay::{
    Answer, Answered, DELIVERY_HEADER, NO_ANSWER, Original, Relay, Theirs, Upstream, Way, way_of,
    without_ours,
};
use super::service::{Overloaded, Vapi};
use super::tool_call::{ToolCall, is_ours};
use super::view::CallView;

impl Vapi {
    /// Takes a message that came as `original` and gives what it is answered, by us and by the customer's backend.
    ///
    /// # Errors
    /// [`Overloaded`] when too much is going on; a ringing call never is too much.
    pub async fn take(
        self: &Arc<Self>,
        message: Message,
        original: impl FnOnce() -> Original,
    ) -> Result<Answer, Overloaded> {
        let Some(relay) = self.relay.clone() else {
            return self.receive(message).await.map(Answer::Json);
        };
        let original = original();
        if original.headers.iter().any(|(name, _)| name == DELIVERY_HEADER) {
            // It was relayed already: a backend's address leads back here.
            tracing::error!("a relayed message came back: vapi.upstream leads to this service itself");
            return self.receive(message).await.map(Answer::Json);
        }
        match way_of(&message) {
            Way::Ring => Ok(self.ring_with(&relay, message, original).await),
            Way::Tools => self.tools_with(&relay, message, original).await,
            Way::Question => self.question_for(&relay, message, original).await,
            Way::News => {
                self.pass_on(&relay, &message, original).await;
                self.receive(message).await.map(Answer::Json)
            }
        }
    }

    /// The backend that the answer to the ring of a call named for it, here or at another node or before a restart.
    fn own_upstream_of(&self, relay: &Relay, call: &CallId, original: &Original) -> Option<Arc<Upstream>> {
        let vapi_call = self.vapi_call(call);
        if let Some(own) = vapi_call.state().upstream.clone() {
            return Some(own);
        }
        let mut brought = original.headers.iter();
        let (_, mark) = brought.find(|(name, _)| name == BACKEND_HEADER)?;
        let is_own = |upstream: &&Arc<Upstream>| {
            let own = backend_mark(&self.markers, call, upstream.url());
            same(own.as_bytes(), mark.as_bytes())
        };
        let own = relay.upstreams.all().iter().find(is_own).cloned();
        vapi_call.state().upstream.clone_from(&own);
        own
    }

    /// The backend a message goes to: that of this call's answer, of its assistant, of its number, or of all.
    async fn upstream_of(
        &self,
        relay: &Relay,
        view: &CallView,
        original: &Original,
        ringing: bool,
    ) -> Option<Arc<Upstream>> {
        let id = view.id.as_ref().filter(|_| !ringing);
        if let Some(own) = id.and_then(|id| self.own_upstream_of(relay, id, original)) {
            return Some(own);
        }
        let vapi_call = id.map(|id| self.vapi_call(id));
        let assistant = view.assistant_id.as_deref().filter(|_| !ringing);
        if relay.upstreams.of(assistant, None).is_none() || relay.upstreams.differ_by_number() {
            let known = vapi_call.as_ref().and_then(|vapi_call| {
                vapi_call
                    .call_session()
                    .map(|call_session| call_session.number().clone())
            });
            let number = match known {
                Some(number) => Some(number),
                None => self.dialed(view).await,
            };
            return relay.upstreams.of(assistant, number.as_ref()).cloned();
        }
        relay.upstreams.of(assistant, None).cloned()
    }

    /// A ringing call: theirs and ours are found out at the same time.
    async fn ring_with(self: &Arc<Self>, relay: &Arc<Relay>, message: Message, original: Original) -> Answer {
        let began = Instant::now();
        let view = message.call.clone();
        let theirs = async {
            let upstream = self.upstream_of(relay, &view, &original, true).await?;
            let budget = relay.ring_budget;
            let reply = relay
                .ask(&upstream, &original, None, budget, "assistant-request")
                .await;
            reply.map(|reply| (upstream, reply))
        };
        let theirs = timeout(relay.ring_budget, theirs);
        let (rung, theirs) = tokio::join!(self.rung(message), theirs);
        let Some((upstream, reply)) = theirs.unwrap_or_default().filter(|(_, reply)| reply.is_success())
        else {
            return Answer::Json(self.alone(&rung));
        };
        let patience = relay.ring_budget.saturating_sub(began.elapsed());
        let merged = match serde_json::from_slice(&reply.body) {
            Ok(theirs) => self.merged(relay, theirs, &rung, patience).await,
            Err(_) => None,
        };
        let Some(mut merged) = merged else {
            upstream.complain(
                "assistant-request",
                &"what it answered names nobody who takes the call",
            );
            return Answer::Json(self.alone(&rung));
        };
        if merged.leaves {
            upstream.complain(
                "assistant-request",
                &"it names a server that is none of vapi.upstream.*: this call's messages go there, and the caller is \
                  not heard",
            );
        }
        let named = merged.server.as_deref().and_then(|url| relay.upstreams.at(url));
        if let (Some(id), Some(own)) = (&view.id, named) {
            add_backend_mark(&mut merged.answer, &backend_mark(&self.markers, id, own.url()));
            self.vapi_call(id).state().upstream = Some(Arc::clone(own));
        }
        Answer::Json(merged.answer)
    }

    /// Tool calls, of which some may be ours.
    async fn tools_with(
        self: &Arc<Self>,
        relay: &Arc<Relay>,
        mut message: Message,
        original: Original,
    ) -> Result<Answer, Overloaded> {
        let News::ToolCalls { calls, legacy } = &mut message.news else {
            return self.receive(message).await.map(Answer::Json);
        };
        let (all, legacy): (Vec<ToolCall>, bool) = (calls.clone(), *legacy);
        let Some(theirs) = Theirs::of(&all) else {
            return self.receive(message).await.map(Answer::Json);
        };
        calls.retain(|call| is_ours(&call.name));
        let view = message.call.clone();
        let changed = theirs.mixed.then(|| without_ours(&original.body)).flatten();
        let asked = async {
            let upstream = self.upstream_of(relay, &view, &original, false).await?;
            let budget = relay.request_budget;
            relay
                .ask(&upstream, &original, changed, budget, "tool-calls")
                .await
        };
        let asked = timeout(relay.request_budget, asked);
        if !theirs.mixed {
            return Ok(match asked.await.unwrap_or_default() {
                Some(reply) if reply.is_success() => reply.into(),
                _ if legacy => Answer::Json(json!({ "result": NO_ANSWER })),
                reply => Answer::Json(Answered::of(&theirs, reply.as_ref()).joined(&all, &Value::Null)),
            });
        }
        let (ours, reply) = tokio::join!(self.receive(message), asked);
        let answered = Answered::of(&theirs, reply.unwrap_or_default().as_ref());
        Ok(Answer::Json(answered.joined(&all, &ours.unwrap_or_default())))
    }

    /// A question that is theirs to answer.
    async fn question_for(
        self: &Arc<Self>,
        relay: &Arc<Relay>,
        message: Message,
        original: Original,
    ) -> Result<Answer, Overloaded> {
        let asked = async {
            let upstream = self.upstream_of(relay, &message.call, &original, false).await?;
            let budget = relay.request_budget;
            relay.ask(&upstream, &original, None, budget, "question").await
        };
        let reply = timeout(relay.request_budget, asked).await;
        let kind = message.kind.clone();
        match reply.unwrap_or_default() {
            // What the message says of the call is ours to know all the same.
            Some(reply) => {
                let _ = self.receive(message).await;
                Ok(reply.into())
            }
            None if known_question(&kind) => {
                let _ = self.receive(message).await;
                Ok(unanswered(&kind))
            }
            None => {
                self.pass_on(relay, &message, original).await;
                self.receive(message).await.map(Answer::Json)
            }
        }
    }

    /// Hands on what nobody waits for. Whoever brought it may go: it is kept all the same.
    async fn pass_on(self: &Arc<Self>, relay: &Arc<Relay>, message: &Message, original: Original) {
        let Some(upstream) = self.upstream_of(relay, &message.call, &original, false).await else {
            return;
        };
        relay.hand_on(&upstream, message, original).await;
    }
}

/// Questions whose backend gave no answer, where a bare acknowledgement would be taken for one.
fn known_question(kind: &str) -> bool {
    matches!(
        kind,
        "transfer-destination-request"
            | "handoff-destination-request"
            | "knowledge-base-request"
            | "voice-request"
            | "call.endpointing.request"
            | "campaign-predial"
    )
}

/// What is answered for a backend that gave no answer: what lets the call go on, where Vapi's schema has such a thing.
fn unanswered(kind: &str) -> Answer {
    match kind {
        "transfer-destination-request" | "handoff-destination-request" => {
            Answer::Json(json!({"error": "The call cannot be passed on at the moment."}))
        }
        "knowledge-base-request" => Answer::Json(json!({"documents": []})),
        _ => Answer::Failed,
    }
}
