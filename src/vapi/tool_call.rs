//! Tool calls, in all the shapes they are sent in.

use std::fmt;

use serde_json::Value;

/// Tool calls that are read of one message.
const MOST_TOOL_CALLS: usize = 16;
/// A tool that the model calls.
#[derive(Clone)]
pub struct ToolCall {
    /// Vapi's id of this call, by which it is answered.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the model put in: never to be trusted with who calls or who somebody is.
    pub arguments: Value,
}

/// The tools that are answered here; every other is somebody else's.
pub(crate) const OUR_TOOLS: &[&str] = &["identify_caller", "verify_pin", "enroll_voice"];

/// Whether a tool is one of ours.
pub(super) fn is_ours(name: &str) -> bool {
    OUR_TOOLS.contains(&name)
}

/// Without the arguments, which may hold a PIN.
impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The tool calls of a message, by whichever of its lists holds them.
pub(super) fn tool_calls(message: &Value) -> Vec<ToolCall> {
    let list = |name: &str| message.get(name).and_then(Value::as_array);
    let direct = ["toolCallList", "toolCalls"].into_iter().find_map(|name| {
        let found: Vec<_> = list(name)?
            .iter()
            .filter_map(tool_call)
            .take(MOST_TOOL_CALLS)
            .collect();
        (!found.is_empty()).then_some(found)
    });
    let wrapped = || {
        let entries = list("toolWithToolCallList")?.iter();
        Some(
            entries
                .filter_map(|entry| tool_call(entry.get("toolCall")?))
                .take(MOST_TOOL_CALLS)
                .collect(),
        )
    };
    direct.or_else(wrapped).unwrap_or_default()
}

/// One tool call, in any of the shapes seen: the name beside the arguments or with them in `function`; the
/// arguments called `arguments` or `parameters`; an object or the text of one.
pub(super) fn tool_call(call: &Value) -> Option<ToolCall> {
    let function = call
        .get("function")
        .filter(|function| function.is_object())
        .unwrap_or(call);
    let name = text(function, "name").or_else(|| text(call, "name"))?;
    let given = ["arguments", "parameters"]
        .iter()
        .find_map(|key| function.get(key).or_else(|| call.get(key)));
    let arguments = match given {
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or(Value::Null),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    Some(ToolCall {
        id: text(call, "id").unwrap_or_default().chars().take(200).collect(),
        name: name.chars().take(100).collect(),
        arguments,
    })
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_a_tool_call_is_the_same_tool_call() {
        let object = json!({"pin": "4821"});
        let shapes = [
            json!({"toolCallList": [{"id": "t", "type": "function", "function": {"name": "verify_pin", "arguments": object}}]}),
            json!({"toolCallList": [{"id": "t", "function": {"name": "verify_pin", "arguments": object.to_string()}}]}),
            json!({"toolCalls": [{"id": "t", "name": "verify_pin", "parameters": object}]}),
            json!({"toolCallList": [], "toolCalls": [{"id": "t", "name": "verify_pin", "arguments": object}]}),
            json!({"toolWithToolCallList": [{"toolCall": {"id": "t", "function": {"name": "verify_pin", "parameters": object}}}]}),
        ];
        for mut shape in shapes {
            shape["type"] = json!("tool-calls");
            let found = tool_calls(&shape);
            assert_eq!(found.len(), 1, "{shape}");
            assert_eq!(
                (found[0].id.as_str(), found[0].name.as_str()),
                ("t", "verify_pin")
            );
            assert_eq!(found[0].arguments, object, "{shape}");
        }
        let old = tool_call(&json!({"name": "verify_pin", "parameters": object})).unwrap();
        assert_eq!(old.arguments, object);
    }
}
