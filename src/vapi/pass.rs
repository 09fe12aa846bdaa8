//! The pass of a call: by it messages are known that Vapi sends without a credential.
//!
//! Vapi attaches a credential to the server of a *saved* assistant, number or tool. A server that is named for one call
//! alone, in a transient assistant or in overrides, is called without any: no signature, no token (Vapi's documentation
//! of server authentication, September 2026). The answer to a ring names such a server, and so what follows on that call
//! may come unsigned. But the headers that are named with a server are sent to it, and so ours brings a token that is
//! good for that call's messages alone.

use reqwest::Url;
use serde_json::{Value, json};

use super::marker::Markers;
use super::message::{Message, News};
use crate::carriers::signature::same;
use crate::units::{CallId, hex};

/// The header of a pass, in lower case.
pub const PASS_HEADER: &str = "x-voxline-call";

/// The header by which a call's messages bring back which of the customer's backends has them, in lower case: another node, or the
/// next process, was not there when the call rang.
pub(super) const BACKEND_HEADER: &str = "x-voxline-backend";

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

/// What stands for the address of a backend on one call.
pub(super) fn backend_mark(markers: &Markers, call: &CallId, url: &Url) -> String {
    let text = format!("{}\n{url}", call.as_str());
    hex(&markers.tag(b"backend", text.as_bytes()))
}

/// Has each server in an answer that brings a call's pass bring the mark of its backend too.
pub(super) fn add_backend_mark(answer: &mut Value, mark: &str) {
    match answer {
        Value::Object(fields) => {
            if fields.contains_key(PASS_HEADER) {
                fields.insert(BACKEND_HEADER.to_owned(), json!(mark));
            }
            fields
                .values_mut()
                .for_each(|value| add_backend_mark(value, mark));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| add_backend_mark(value, mark)),
        _ => {}
    }
}

fn tag(markers: &Markers, call: &CallId) -> String {
    hex(&markers.tag(b"pass", call.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
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
    fn a_backends_mark_is_of_one_call_and_stands_beside_each_pass() {
        let (markers, url) = (Markers::new(b"key"), Url::parse("https://b.example/v").unwrap());
        let mark = backend_mark(&markers, &call("c-1"), &url);
        assert_ne!(mark, backend_mark(&markers, &call("c-2"), &url));
        assert_ne!(mark, backend_mark(&Markers::new(b"other"), &call("c-1"), &url));
        let server = |headers: Value| json!({"url": "https://id.example.com", "headers": headers});
        let mut answer = json!({"messageResponse": {
            "assistantOverrides": {"server": server(json!({PASS_HEADER: "p"})), "tools:append": [
                {"server": server(json!({PASS_HEADER: "p", "x-own": "1"}))}, {"server": server(json!({"x-own": "1"}))},
            ]},
        }});
        add_backend_mark(&mut answer, &mark);
        let overrides = &answer["messageResponse"]["assistantOverrides"];
        let tool = |at: usize| &overrides["tools:append"][at]["server"]["headers"];
        assert_eq!(overrides["server"]["headers"][BACKEND_HEADER], mark);
        assert_eq!(tool(0)[BACKEND_HEADER], mark);
        assert_eq!(tool(1)[BACKEND_HEADER], Value::Null);
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
