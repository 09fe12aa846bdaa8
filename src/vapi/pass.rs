//! The pass of a call: by it messages are known that Vapi sends without a credential.
//!
//! Vapi attaches a credential to the server of a *saved* assistant, number or tool. A server that is named for one call
//! alone, in a transient assistant or in overrides, is called without any: no signature, no token (Vapi's documentation
//! of server authentication, September 2026). The answer to a ring names such a server, and so what follows on that call
//! may come unsigned. But the headers that are named with a server are sent to it, and so ours brings a token that is
//! good for that call's messages alone.

use super::marker::Markers;
use super::message::{Message, News};
use crate::carriers::signature::same;
use crate::units::{CallId, hex};

/// The header of a pass, in lower case.
pub const PASS_HEADER: &str = "x-voxline-call";

/// How a message is known to be Vapi's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// By what is configured (`vapi.auth`).
    Configured,
    /// By the pass of this call.
    Pass(CallId),
}

impl Proof {
    /// Whether it is a proof of this message. A pass is one of its own call's, once that rings: it opens no other, and
    /// makes none ring.
    pub fn covers(&self, message: &Message) -> bool {
        match self {
            Self::Configured => true,
            Self::Pass(call) => {
                message.call.id.as_ref() == Some(call) && !matches!(message.news, News::AssistantRequest)
            }
        }
    }
}

/// The pass of a call, as its header has it.
pub(super) fn pass(markers: &Markers, call: &CallId) -> String {
    format!("{}.{}", call.as_str(), tag(markers, call))
}

/// The call whose pass this is.
pub(super) fn read(markers: &Markers, pass: &str) -> Option<CallId> {
    let (call, claimed) = pass.trim().rsplit_once('.')?;
    let call: CallId = call.parse().ok()?;
    same(tag(markers, &call).as_bytes(), claimed.as_bytes()).then_some(call)
}

fn tag(markers: &Markers, call: &CallId) -> String {
    hex(&markers.tag(b"pass", call.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(text: &str) -> CallId {
        text.parse().unwrap()
    }

    #[test]
    fn a_pass_names_its_call_and_no_other_text_does() {
        let markers = Markers::new(b"key");
        let good = pass(&markers, &call("c-1.5"));
        assert_eq!(read(&markers, &good), Some(call("c-1.5")));
        assert_eq!(read(&Markers::new(b"other"), &good), None);
        for bad in [
            good.replace("c-1", "c-2"),
            good[..good.len() - 1].to_owned(),
            good.to_uppercase(),
            markers.of(&call("c-1.5")),
            "c-1.5.".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&markers, &bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pass_covers_what_follows_on_its_call_alone() {
        let message = |kind: &str, call: Option<&str>| {
            let body = json!({"message": {"type": kind, "call": {"id": call}}});
            Message::read(body.to_string().as_bytes()).unwrap()
        };
        let pass = Proof::Pass(call("c-1"));
        for (kind, call, covered) in [
            ("status-update", Some("c-1"), true),
            ("tool-calls", Some("c-1"), true),
            ("status-update", Some("c-2"), false),
            ("status-update", None, false),
            ("assistant-request", Some("c-1"), false),
        ] {
            assert_eq!(pass.covers(&message(kind, call)), covered, "{kind} {call:?}");
            assert!(Proof::Configured.covers(&message(kind, call)));
        }
    }
}
