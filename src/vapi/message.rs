//! Vapi's server messages, read as leniently as they vary: every field may be missing or of another kind,
//! and what is not understood is acknowledged, never refused.
//!
//! Fields are looked up in the JSON as it came rather than deserialised into a schema: one field of an
//! unforeseen kind then costs that field and nothing else. What is read is bounded, whatever was sent.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::units::CallId;

use super::tool_call::{ToolCall, text, tool_call, tool_calls};
use super::view::{CallView, texts};

/// Utterances that are read of one conversation, the latest.
const MOST_UTTERANCES: usize = 64;
/// Characters that are read of one utterance.
const LONGEST_UTTERANCE: usize = 2_000;
/// Characters of a message's type that are kept for the log.
const LONGEST_KIND: usize = 60;

/// A webhook that is no server message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoMessage {
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// There is no `message` in it, or no `type` in that.
    #[error("the JSON has no `message` with a `type`, as every server message of Vapi has")]
    NoType,
}

/// A server message.
#[derive(Debug)]
pub struct Message {
    /// Its type as it was sent, for the log.
    pub kind: String,
    /// When Vapi made it, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// What it says of the call.
    pub call: CallView,
    /// What it says besides.
    pub news: News,
}

/// What a server message says.
#[derive(Debug)]
pub enum News {
    /// A call rings, and Vapi asks which assistant takes it.
    AssistantRequest,
    /// The call's status changed, as to `in-progress` or `ended`.
    Status(String),
    /// The model calls tools; with `legacy` one, in the shape of the old `function-call`.
    ToolCalls {
        /// The calls of tools, in the order in which they are to be answered.
        calls: Vec<ToolCall>,
        /// Whether the old shape is answered.
        legacy: bool,
    },
    /// What was said so far.
    Conversation {
        /// The latest of it, oldest first.
        said: Vec<Utterance>,
        /// How much was said before that.
        earlier: usize,
    },
    /// Somebody began or stopped speaking.
    Speech {
        /// Who began or stopped speaking.
        role: Role,
        /// Began, or stopped.
        started: bool,
        /// Which turn of the call, where it is said.
        turn: Option<i64>,
    },
    /// Something said was written down.
    Transcript(Utterance),
    /// The call is over, and this is the report of it.
    EndOfCall(Ending),
    /// Vapi asks for a destination, which is not ours to choose.
    DestinationRequest,
    /// The call is handed on.
    Transfer {
        /// To a person, at a number or a SIP address; else to another assistant.
        to_person: bool,
    },
    /// Nothing that concerns us.
    Other,
}

/// The party that an utterance is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The assistant that Vapi runs.
    Assistant,
    /// The person on the line.
    User,
    /// The system, a tool, or anything else.
    Other,
}

/// Something that was said.
#[derive(Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Who said it.
    pub role: Role,
    /// The text of it.
    pub text: String,
}

/// What the report of a call says.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why it ended, in Vapi's words.
    pub reason: Option<String>,
    /// Where the recording of the person on the line lies, best first. Secret: knowing it is enough.
    pub recordings: Vec<String>,
    /// Whether there is no report: the end was found out, and the recording may still be made.
    pub is_missing: bool,
}

/// The length alone: the words are somebody's, and may hold a PIN.
impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.role, self.text.len())
    }
}

/// Without the addresses.
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// Reads a webhook's body.
    ///
    /// # Errors
    /// [`NoMessage`] when it is no server message at all.
    pub fn read(body: &[u8]) -> Result<Self, NoMessage> {
        let body: Value =
            serde_json::from_slice(body).map_err(|fault| NoMessage::NotJson(fault.to_string()))?;
        let message = body.get("message").ok_or(NoMessage::NoType)?;
        let kind = message
            .get("type")
            .and_then(Value::as_str)
            .ok_or(NoMessage::NoType)?;
        Ok(Self {
            news: news(kind, message),
            kind: kind.chars().take(LONGEST_KIND).collect(),
            timestamp: number(message, "timestamp"),
            call: CallView::read(message),
        })
    }

    /// What makes this message the same as one that was sent again: the call, the type, the time, and what
    /// tells two of one moment apart. `None` when there is too little to tell by. Presigned addresses change
    /// from one delivery to the next and are no part of it.
    pub fn fingerprint(&self) -> Option<String> {
        let call = self.call.id.as_ref().map(CallId::as_str)?;
        let detail = match &self.news {
            News::Status(status) => status.clone(),
            News::Speech { role, started, turn } => format!("{role:?} {started} {turn:?}"),
            News::ToolCalls { calls, .. } => {
                let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
                ids.join(" ")
            }
            // The report of a call comes once, whatever clock it bears.
            News::EndOfCall(_) => return Some(format!("{call}\n{}", self.kind)),
            News::AssistantRequest => return None,
            News::Conversation { said, earlier } => format!("{earlier} {}", said.len()),
            News::Transcript(said) => said.text.clone(),
            News::DestinationRequest | News::Transfer { .. } | News::Other => String::new(),
        };
        let timestamp = self.timestamp?;
        Some(format!("{call}\n{}\n{timestamp}\n{detail}", self.kind))
    }
}

fn news(kind: &str, message: &Value) -> News {
    // A subscribed name may carry a filter: transcript[transcriptType="final"].
    match kind.split('[').next().unwrap_or(kind) {
        "assistant-request" => News::AssistantRequest,
        "status-update" => News::Status(text(message, "status").unwrap_or_default().to_owned()),
        "tool-calls" => News::ToolCalls {
            calls: tool_calls(message),
            legacy: false,
        },
        "function-call" => News::ToolCalls {
            calls: message
                .get("functionCall")
                .and_then(tool_call)
                .into_iter()
                .collect(),
            legacy: true,
        },
        "conversation-update" => conversation(message),
        "speech-update" => match text(message, "status") {
            Some(status @ ("started" | "stopped")) => News::Speech {
                role: role(text(message, "role")),
                started: status == "started",
                turn: number(message, "turn"),
            },
            _ => News::Other,
        },
        // `assistant.speechStarted` says how far a speech has come, several times and after its end too: it begins none.
        "transcript" if text(message, "transcriptType") != Some("partial") => News::Transcript(Utterance {
            role: role(text(message, "role")),
            text: shortened(text(message, "transcript").unwrap_or_default()),
        }),
        "end-of-call-report" => News::EndOfCall(ending(message)),
        "transfer-destination-request" | "handoff-destination-request" => News::DestinationRequest,
        "transfer-update" => {
            let destination = texts(message, &["/destination/type"]).next();
            News::Transfer {
                to_person: matches!(destination, Some("number" | "sip")),
            }
        }
        _ => News::Other,
    }
}

/// The latest of what was said, by whichever of the two lists is there.
fn conversation(message: &Value) -> News {
    let lists = ["messages", "messagesOpenAIFormatted"].iter();
    let found = lists
        .filter_map(|name| message.get(name)?.as_array())
        .find(|list| !list.is_empty());
    let entries = found.map(Vec::as_slice).unwrap_or_default();
    let (before, latest) = entries.split_at(entries.len().saturating_sub(MOST_UTTERANCES));
    News::Conversation {
        said: latest.iter().filter_map(utterance).collect(),
        earlier: before.iter().filter_map(utterance).count(),
    }
}

fn utterance(entry: &Value) -> Option<Utterance> {
    let words = ["message", "content"].iter().find_map(|key| text(entry, key))?;
    Some(Utterance {
        role: role(text(entry, "role")),
        text: shortened(words),
    })
}

fn ending(message: &Value) -> Ending {
    const PLACES: &[&str] = &[
        "/artifact/presignedCustomerUrl",
        "/artifact/recording/mono/customerUrl",
        "/call/artifact/recording/mono/customerUrl",
    ];
    Ending {
        reason: text(message, "endedReason").map(|reason| reason.chars().take(100).collect()),
        recordings: texts(message, PLACES).map(str::to_owned).collect(),
        is_missing: false,
    }
}

fn role(word: Option<&str>) -> Role {
    match word {
        Some("assistant" | "bot") => Role::Assistant,
        // Some clients of Vapi's expect `customer` here; the schema says `user`.
        Some("user" | "customer") => Role::User,
        _ => Role::Other,
    }
}

/// A whole number, which may be written as text or with a fraction.
fn number(value: &Value, key: &str) -> Option<i64> {
    match value.get(key)? {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|value| value as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_UTTERANCE).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: Value) -> Message {
        Message::read(json!({ "message": message }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn speech_is_somebodys_beginning_or_end_and_nothing_else() {
        let speech = |status: &str, role: &str| {
            read(json!({"type": "speech-update", "status": status, "role": role, "turn": 3})).news
        };
        for user in ["user", "customer"] {
            assert!(matches!(
                speech("started", user),
                News::Speech {
                    role: Role::User,
                    started: true,
                    turn: Some(3)
                }
            ));
        }
        assert!(matches!(
            speech("stopped", "assistant"),
            News::Speech {
                role: Role::Assistant,
                started: false,
                ..
            }
        ));
        assert!(matches!(speech("paused", "user"), News::Other));
        let progress = json!({"type": "assistant.speechStarted", "turn": 3, "wordsSpoken": 4});
        assert!(matches!(read(progress).news, News::Other));
    }

    #[test]
    fn a_call_is_handed_to_a_person_where_a_number_or_sip_address_gets_it() {
        let to_person = |update: Value| match read(update).news {
            News::Transfer { to_person } => to_person,
            news => panic!("{news:?}"),
        };
        for (kind, person) in [("number", true), ("sip", true), ("assistant", false)] {
            let update = json!({"type": "transfer-update", "destination": {"type": kind}});
            assert_eq!(to_person(update), person, "{kind}");
        }
        assert!(!to_person(json!({"type": "transfer-update", "toAssistant": {}})));
    }

    #[test]
    fn a_type_may_carry_a_filter_and_an_unknown_one_is_nothing_to_us() {
        let said = read(json!({
            "type": "transcript[transcriptType=\"final\"]", "role": "user", "transcriptType": "final", "transcript": "hello"
        }));
        assert!(matches!(said.news, News::Transcript(said) if said.text == "hello"));
        assert!(matches!(
            read(json!({"type": "call.artifact.upload"})).news,
            News::Other
        ));
        assert!(matches!(read(json!({"type": "hang"})).news, News::Other));
    }

    #[test]
    fn fields_of_the_wrong_kind_cost_themselves_alone() {
        let odd = read(json!({
            "type": "status-update", "status": "in-progress", "timestamp": "1787654321000",
            "call": {"id": "c-1", "type": 7, "monitor": [], "transport": null, "phoneCallProviderDetails": "x"},
            "customer": 5, "phoneNumber": {"number": {"a": 1}}, "artifact": "none"
        }));
        assert_eq!(odd.timestamp, Some(1_787_654_321_000));
        assert_eq!(odd.call.id.as_ref().map(CallId::as_str), Some("c-1"));
        assert!(matches!(odd.news, News::Status(status) if status == "in-progress"));
    }

    #[test]
    fn what_is_no_message_is_said_to_be_none() {
        for (body, said) in [
            ("", false),
            ("[1]", true),
            ("{}", true),
            (r#"{"message":{"type":5}}"#, true),
        ] {
            let fault = Message::read(body.as_bytes()).unwrap_err();
            assert_eq!(fault == NoMessage::NoType, said, "{body}");
        }
    }

    #[test]
    fn the_same_message_has_the_same_fingerprint_and_another_moment_another() {
        let at = |timestamp: i64, status: &str| {
            let message = json!({"type": "status-update", "status": status, "timestamp": timestamp, "call": {"id": "c"}});
            read(message).fingerprint().unwrap()
        };
        assert_eq!(at(1, "ended"), at(1, "ended"));
        assert_ne!(at(1, "ended"), at(2, "ended"));
        assert_ne!(at(1, "ended"), at(1, "in-progress"));
        let report = |url: &str| {
            let artifact = json!({"presignedCustomerUrl": url});
            read(json!({"type": "end-of-call-report", "call": {"id": "c"}, "artifact": artifact}))
                .fingerprint()
        };
        assert_eq!(report("https://a"), report("https://b"));
        assert_eq!(read(json!({"type": "hang", "timestamp": 1})).fingerprint(), None);
    }
}
