//! Tool calls of one message, some ours and some the customer's: told apart, asked apart, and answered together.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::tool_call::{ToolCall, is_ours, tool_call};
use super::upstream::Reply;

/// What the model is told of a tool whose backend gave no answer. One line, as all results.
pub const NO_ANSWER: &str =
    "This tool gave no answer in time. Go on without it, and do not say that it was done.";

/// The calls that are the customer's.
pub struct Theirs {
    /// Their ids and names, in the order asked; an id may be missing.
    pub calls: Vec<(String, String)>,
    /// Whether some calls of the message are ours.
    pub mixed: bool,
}

impl Theirs {
    /// The customer's calls of a message, read as `calls` were; `None` when all are ours.
    pub fn of(calls: &[ToolCall]) -> Option<Self> {
        let theirs: Vec<(String, String)> = calls
            .iter()
            .filter(|call| !is_ours(&call.name))
            .map(|call| (call.id.clone(), call.name.clone()))
            .collect();
        // A message without any call that could be read is theirs too.
        (!theirs.is_empty() || calls.is_empty()).then_some(Self {
            mixed: theirs.len() < calls.len(),
            calls: theirs,
        })
    }
}

/// A message with the customer's calls alone in its lists. `None` when it is not JSON.
pub fn without_ours(body: &[u8]) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let message = body.get_mut("message")?;
    for (list, wrapped) in [
        ("toolCallList", false),
        ("toolCalls", false),
        ("toolWithToolCallList", true),
    ] {
        if let Some(entries) = message.get_mut(list).and_then(Value::as_array_mut) {
            entries.retain(|entry| !of_us(entry, wrapped));
        }
    }
    serde_json::to_vec(&body).ok()
}

/// Whether an entry of a list is one of our calls; in one list the call stands beside its tool, which may be all that
/// names it.
fn of_us(entry: &Value, wrapped: bool) -> bool {
    let inner = wrapped.then(|| entry.get("toolCall")).flatten();
    let call = inner.and_then(tool_call).or_else(|| tool_call(entry));
    call.is_some_and(|call| is_ours(&call.name))
}

/// What the customer's calls are answered, by id, and what else their answer says.
pub struct Answered {
    results: HashMap<String, Value>,
    besides: Map<String, Value>,
}

impl Answered {
    /// Reads a backend's answer; without one, or with one that cannot be used, every call is told that there was none.
    pub fn of(theirs: &Theirs, reply: Option<&Reply>) -> Self {
        let read = reply
            .filter(|reply| reply.is_success())
            .and_then(|reply| serde_json::from_slice::<Value>(&reply.body).ok());
        let mut besides = match read {
            Some(Value::Object(mut fields)) => match fields.remove("messageResponse") {
                Some(Value::Object(inner)) => inner,
                _ => fields,
            },
            _ => Map::new(),
        };
        let given = match besides.remove("results") {
            Some(Value::Array(given)) => given,
            _ => Vec::new(),
        };
        let mut results = HashMap::new();
        for (at, (id, name)) in theirs.calls.iter().enumerate() {
            let named = given.iter().find(|result| result["toolCallId"] == **id);
            // Who answers one call, or all of them in their order, may leave the ids out.
            let placed = given
                .get(at)
                .filter(|result| given.len() == theirs.calls.len() && result.get("toolCallId").is_none());
            let mut result = match named.or(placed) {
                Some(Value::Object(found)) => found.clone(),
                _ => Map::from_iter([("error".to_owned(), json!(error_of(&besides)))]),
            };
            result.insert("toolCallId".to_owned(), json!(id));
            result.entry("name").or_insert_with(|| json!(name));
            results.insert(id.clone(), Value::Object(result));
        }
        besides.remove("error");
        Self { results, besides }
    }

    /// The answer to the whole message, in the order asked; `ours` are the results of our calls.
    pub fn joined(mut self, calls: &[ToolCall], ours: &Value) -> Value {
        let own: HashMap<&str, &Value> = ours["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|result| Some((result["toolCallId"].as_str()?, result)))
            .collect();
        let results: Vec<Value> = calls
            .iter()
            .filter_map(|call| {
                let theirs = self.results.remove(&call.id);
                theirs.or_else(|| own.get(call.id.as_str()).map(|result| (*result).clone()))
            })
            .collect();
        let mut answer = self.besides;
        answer.insert("results".to_owned(), Value::Array(results));
        Value::Object(answer)
    }
}

/// What their whole answer gives as its error, or that there is none.
fn error_of(besides: &Map<String, Value>) -> &str {
    let said = besides.get("error").and_then(Value::as_str);
    said.filter(|said| !said.is_empty()).unwrap_or(NO_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::super::super::tool_call::tool_calls;
    use super::*;

    fn message() -> Value {
        let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": {}}});
        let calls = [
            call("t-1", "book_table"),
            call("t-2", "identify_caller"),
            call("t-3", "order"),
        ];
        let wrapped: Vec<Value> = calls
            .iter()
            .map(|call| json!({"type": "function", "function": call["function"], "toolCall": call}))
            .collect();
        json!({"type": "tool-calls", "toolCallList": calls, "toolWithToolCallList": wrapped, "more": 1})
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            content_type: None,
            body: body.as_bytes().to_vec(),
        }
    }

    fn answered(given: Option<&Reply>) -> Value {
        let calls = tool_calls(&message());
        let theirs = Theirs::of(&calls).unwrap();
        assert!(theirs.mixed);
        let ours = json!({"results": [{"toolCallId": "t-2", "name": "identify_caller", "result": "ours"}]});
        Answered::of(&theirs, given).joined(&calls, &ours)
    }

    #[test]
    fn the_customer_is_asked_for_their_own_tools_alone() {
        let body = json!({"message": message()}).to_string();
        let left: Value = serde_json::from_slice(&without_ours(body.as_bytes()).unwrap()).unwrap();
        let ids = |list: &str, place: &str| -> Vec<String> {
            let entries = left["message"][list].as_array().unwrap().iter();
            entries
                .map(|entry| entry.pointer(place).unwrap().as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(ids("toolCallList", "/id"), ["t-1", "t-3"]);
        assert_eq!(ids("toolWithToolCallList", "/toolCall/id"), ["t-1", "t-3"]);
        assert_eq!(left["message"]["more"], 1);
        assert!(
            Theirs::of(&tool_calls(
                &json!({"toolCallList": [{"id": "t", "name": "verify_pin"}]})
            ))
            .is_none()
        );
    }

    #[test]
    fn results_are_joined_in_the_order_asked_with_all_that_theirs_say() {
        let given = reply(
            200,
            r#"{"results":[{"toolCallId":"t-3","result":"three","metadata":{"a":1}},{"toolCallId":"t-1","error":"full"}],"x":5}"#,
        );
        let answer = answered(Some(&given));
        assert_eq!(
            answer,
            json!({"x": 5, "results": [
                {"toolCallId": "t-1", "name": "book_table", "error": "full"},
                {"toolCallId": "t-2", "name": "identify_caller", "result": "ours"},
                {"toolCallId": "t-3", "name": "order", "result": "three", "metadata": {"a": 1}},
            ]})
        );
        let without_ids = reply(200, r#"{"results":[{"result":"one"},{"result":"three"}]}"#);
        let answer = answered(Some(&without_ids));
        assert_eq!(
            (&answer["results"][0]["result"], &answer["results"][2]["result"]),
            (&json!("one"), &json!("three"))
        );
    }

    #[test]
    fn a_backend_that_fails_costs_its_own_results_alone() {
        for given in [
            None,
            Some(reply(500, r#"{"results":[{"toolCallId":"t-1","result":"x"}]}"#)),
            Some(reply(200, "<html>")),
            Some(reply(200, "{}")),
        ] {
            let answer = answered(given.as_ref());
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), 3);
            assert_eq!(results[1]["result"], "ours");
            assert_eq!(
                (&results[0]["error"], &results[2]["error"]),
                (&json!(NO_ANSWER), &json!(NO_ANSWER))
            );
        }
        let said = answered(Some(&reply(200, r#"{"error":"closed"}"#)));
        assert_eq!(said["results"][0]["error"], "closed");
    }
}
