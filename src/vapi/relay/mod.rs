//! The relay: Vapi has one server for its messages, and the customer's own backend was it. What comes is handed on to
//! that backend, byte by byte, and what it answers is Vapi's answer, with ours added.
//!
//! | message | what becomes of it |
//! |---|---|
//! | `assistant-request` | their answer, within its budget, with what is known of the caller ([`mod@merge`]) |
//! | `tool-calls` | each owner is asked for their own, the results are joined ([`split`]) |
//! | any other question | their answer, status and body |
//! | the rest | kept in the store until they have taken it ([`Outbox`]) |
//!
//! Architecture invariants: a backend that is dead, slow or answers nonsense costs its own answers and never ours; no
//! answer waits longer than its budget; nothing is sent to an address that a message brought.

mod headers;
mod merge;
mod saved;
mod upstream;
mod outbox;
mod split;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::outward::{Unfetched, steady_client};
use crate::store::{NewRelay, RelayBounds, Store};
use crate::vapi::settings::VapiSettings;

use super::message::{Message, News};

pub(super) use headers::DELIVERY_HEADER;
use headers::{HeaderRules, Outgoing};
pub(super) use merge::{Merged, Ours, merge, stored};
use outbox::Outbox;
pub(super) use saved::Saved;
pub use saved::{AppliedHere, forget_backends, note_backends};
pub(super) use split::{Answered, NO_ANSWER, Theirs, without_ours};
pub(super) use upstream::Upstream;
use upstream::{RelayFault, Reply, Upstreams};

/// A request as it came.
pub struct Original {
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, byte by byte.
    pub body: Vec<u8>,
}

/// What Vapi is answered.
#[derive(Debug)]
pub enum Answer {
    /// This, as JSON.
    Json(Value),
    /// What the customer's backend answered, as it answered it.
    Theirs {
        /// The HTTP status.
        status: u16,
        /// What the body is.
        content_type: Option<String>,
        /// The body, byte by byte.
        body: Vec<u8>,
    },
    /// Nothing that could be answered for the customer's backend, which gave none.
    Failed,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Theirs {
            status: reply.status,
            content_type: reply.content_type,
            body: reply.body,
        }
    }
}

/// The customer's backends and what is on its way to them.
pub(super) struct Relay {
    pub(super) upstreams: Upstreams,
    http: Client,
    rules: Arc<HeaderRules>,
    outbox: Arc<Outbox>,
    pub(super) ring_budget: Duration,
    pub(super) request_budget: Duration,
}

/// How a message is relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Ring,
    Tools,
    /// An answer is waited for.
    Question,
    /// News of a call, whose answer nobody waits for.
    News,
}

/// Messages that nobody answers (Vapi's schema of server messages). Whatever is not among them may be a question.
pub(super) const NEWS: &[&str] = &[
    "assistant.started",
    "assistant.speechStarted",
    "call.artifact.upload",
    "call.delete.failed",
    "call.deleted",
    "chat.created",
    "chat.deleted",
    "conversation-update",
    "end-of-call-report",
    "hang",
    "language-change-detected",
    "language-changed",
    "model-output",
    "phone-call-control",
    "session.created",
    "session.deleted",
    "session.updated",
    "speech-update",
    "status-update",
    "transcript",
    "transfer-update",
    "user-interrupted",
    "voice-input",
];

pub(super) fn way_of(message: &Message) -> Way {
    let bare = message.kind.split('[').next().unwrap_or_default();
    match &message.news {
        News::AssistantRequest => Way::Ring,
        News::ToolCalls { .. } => Way::Tools,
        _ if NEWS.contains(&bare) => Way::News,
        _ => Way::Question,
    }
}

impl Relay {
    /// Opens the relay; `None` when there is no backend. `saved` is what this node knows of backends that were there before. What waits
    /// for backends that are none any more is removed.
    pub(super) async fn open(
        store: &Store,
        settings: &VapiSettings,
        saved: &Saved,
    ) -> Result<Option<Self>, Unfetched> {
        let upstream = &settings.upstream;
        let bounds = RelayBounds {
            messages: upstream.queue_messages,
            bytes: upstream.queue_bytes,
            keep: upstream.keep,
        };
        let saved = match saved.clone().with_other_nodes(store, upstream).await {
            Ok(all) => all,
            Err(fault) => {
                tracing::error!(%fault, "backends that other nodes noted are not known here: {fault}");
                saved.clone()
            }
        };
        let upstreams = Upstreams::new(upstream, &saved);
        drop_what_nobody_wants(store, &upstreams, bounds).await;
        if upstreams.all().is_empty() {
            return Ok(None);
        }
        if settings.assistant.is_none() && settings.fallback.is_none() {
            tracing::warn!(
                "a backend is configured and neither vapi.assistant_id nor vapi.fallback_assistant_id: calls to numbers that \
                 vapi.assistants does not name are refused while the backend fails"
            );
        }
        let http = steady_client(upstream.ring_budget.max(upstream.request_budget) + Duration::from_secs(1))?;
        let rules = HeaderRules::new(&settings.auth, &upstream.headers, upstream.signing.as_ref());
        let rules = Arc::new(rules);
        Ok(Some(Self {
            outbox: Outbox::open(store, &http, &rules, bounds, upstreams.all()),
            upstreams,
            http,
            rules,
            ring_budget: upstream.ring_budget,
            request_budget: upstream.request_budget,
        }))
    }

    /// Whether messages that go to a server at `url` are relayed there.
    pub(super) fn knows(&self, url: &str) -> bool {
        self.upstreams.at(url).is_some()
    }

    /// Ends: what waits stays in the store.
    pub(super) async fn close(&self) {
        self.outbox.close().await;
    }

    /// Sends a backend a message and waits for its answer.
    pub(super) async fn ask(
        &self,
        upstream: &Upstream,
        original: &Original,
        changed: Option<Vec<u8>>,
        budget: Duration,
        what: &str,
    ) -> Option<Reply> {
        let is_changed = changed.is_some();
        let body = changed.unwrap_or_else(|| original.body.clone());
        let outgoing = Outgoing {
            url: upstream.url(),
            body: &body,
            id: &Uuid::now_v7().to_string(),
            changed: is_changed,
        };
        let kept = self.rules.to_keep(&original.headers);
        let headers = self.rules.to_send(&kept, &outgoing, OffsetDateTime::now_utc());
        let asked = upstream.ask(&self.http, headers, body, budget).await;
        let outcome = match &asked {
            Ok(reply) if reply.is_success() => "answered",
            Ok(_) => "refused",
            Err(RelayFault::Late(_)) => "late",
            Err(_) => "failed",
        };
        metrics::counter!("voxline_vapi_relay_asked_total", "outcome" => outcome).increment(1);
        match asked {
            Ok(reply) => {
                if !reply.is_success() {
                    upstream.complain(what, &format_args!("it answered with {}", reply.status));
                }
                Some(reply)
            }
            Err(fault) => {
                upstream.complain(what, &fault);
                None
            }
        }
    }

    /// Takes a message that nobody waits for.
    pub(super) async fn hand_on(&self, upstream: &Upstream, message: &Message, original: Original) {
        let kept = self.rules.to_keep(&original.headers);
        let Ok(headers) = serde_json::to_string(&kept) else {
            return;
        };
        let relay = NewRelay {
            id: delivery_id(message, &original.body),
            upstream: upstream.url().to_string(),
            call: message.call.id.as_ref().map(|id| id.as_str().to_owned()),
            headers,
            body: original.body,
        };
        self.outbox.put(relay).await;
    }
}

/// Removes what waits for backends that are none any more. On a shared store other nodes may have backends that this one does not:
/// there only what has waited too long goes.
async fn drop_what_nobody_wants(store: &Store, upstreams: &Upstreams, bounds: RelayBounds) {
    let dropped = if store.is_shared() {
        let done = store.write_relays(&[], &[], bounds).await;
        done.map(|tally| tally.expired)
    } else {
        let addresses = upstreams.all().iter().map(|one| one.url().to_string());
        store.drop_other_relays(&addresses.collect::<Vec<_>>()).await
    };
    match dropped {
        Ok(0) => {}
        Ok(count) => tracing::warn!(
            count,
            "{count} messages were dropped that waited for a backend which is configured no more, or for too long"
        ),
        Err(fault) => {
            tracing::warn!(%fault, "messages of earlier backends could not be removed: {fault}");
        }
    }
}

/// By which a delivery is known: the same where Vapi sends the same message again, another for every message that
/// cannot be told from others.
fn delivery_id(message: &Message, body: &[u8]) -> String {
    let Some(fingerprint) = message.fingerprint() else {
        return Uuid::now_v7().to_string();
    };
    let mut hash = Sha256::new();
    hash.update(fingerprint.as_bytes());
    if matches!(message.news, News::Other | News::Transfer { .. }) {
        // Nothing in its fingerprint tells two of one moment apart.
        hash.update(body);
    }
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &hash.finalize()).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: Value) -> Message {
        Message::read(json!({ "message": message }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn only_what_is_known_to_need_no_answer_is_not_waited_for() {
        for (kind, way) in [
            ("assistant-request", Way::Ring),
            ("tool-calls", Way::Tools),
            ("function-call", Way::Tools),
            ("transfer-destination-request", Way::Question),
            ("handoff-destination-request", Way::Question),
            ("call.endpointing.request", Way::Question),
            ("of-next-year", Way::Question),
            ("status-update", Way::News),
            ("transcript[transcriptType=\"final\"]", Way::News),
            ("end-of-call-report", Way::News),
        ] {
            assert_eq!(way_of(&read(json!({"type": kind}))), way, "{kind}");
        }
    }

    #[test]
    fn the_same_message_is_one_delivery_and_unmarked_ones_are_many() {
        let id = |message: Value| {
            let body = message.to_string();
            delivery_id(&read(message), body.as_bytes())
        };
        let status = |at: i64| json!({"type": "status-update", "status": "ended", "timestamp": at, "call": {"id": "c"}});
        assert_eq!(id(status(1)), id(status(1)));
        assert_ne!(id(status(1)), id(status(2)));
        let partial =
            |text: &str| json!({"type": "model-output", "output": text, "timestamp": 1, "call": {"id": "c"}});
        assert_eq!(id(partial("a")), id(partial("a")));
        assert_ne!(id(partial("a")), id(partial("b")));
        let bare = || json!({"type": "hang"});
        assert_ne!(id(bare()), id(bare()));
    }
}
