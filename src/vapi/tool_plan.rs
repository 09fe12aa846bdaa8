//! Our tools, as Vapi's API takes them.

use serde_json::{Value, json};

use super::settings::{ToolMessage, VapiSettings};

/// Our tools, as Vapi takes them; each has its own server, which comes before the assistant's.
pub fn tools(vapi: &VapiSettings, server: &Value) -> Vec<Value> {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        let mut tool = json!({
            "type": "function",
            "async": false,
            "server": server,
            "variableExtractionPlan": extraction(),
            "function": {
                "name": name,
                "description": description,
                "parameters": {"type": "object", "properties": properties, "required": required},
            },
        });
        if let Some(messages) = start_messages(&vapi.tool_message) {
            tool["messages"] = messages;
        }
        tool
    };
    let mut tools = vec![
        tool(
            "identify_caller",
            "Says who is speaking and whose line this is, as far as that is known from the voice and the call. \
             Takes no arguments. Call it before you use anybody's name.",
            json!({}),
            &[],
        ),
        tool(
            "verify_pin",
            "Checks the PIN that the caller has just said or typed. Ask for it only when identify_caller does not \
             know who is speaking. Never repeat the PIN aloud.",
            json!({"pin": {"type": "string", "description": "All the digits as text, as the caller gave them, leading zeros too"}}),
            &["pin"],
        ),
    ];
    if vapi.enrol_by_phone {
        tools.push(tool(
            "enroll_voice",
            "Teaches the service the voice of a caller who has proved who they are. Do what its answer says, step by \
             step, and call it again.",
            json!({}),
            &[],
        ));
    }
    tools
}

/// What the caller hears when a tool is called. Without any such message Vapi takes one of its own, as in "Hold on a
/// sec"; `None` leaves it to that.
fn start_messages(message: &ToolMessage) -> Option<Value> {
    let words = match message {
        ToolMessage::Filler => return None,
        ToolMessage::Silent => "",
        ToolMessage::Words(words) => words,
    };
    Some(json!([{"type": "request-start", "content": words}]))
}

/// Variables that a tool's result sets on the call, for other tools' static parameters: what the caller was told to be
/// reaches them without the model. All three are set each time, and empty again where nobody is known any more.
fn extraction() -> Value {
    let alias = |key: &str, field: &str| json!({"key": key, "value": format!("{{{{ $.{field} }}}}")});
    json!({"aliases": [
        alias("identity_status", "status"),
        alias("speaker_id", "speaker_id"),
        alias("line_owner_id", "line_owner_id"),
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vapi::settings::of_section;

    fn planned(message: Option<&str>) -> Vec<Value> {
        let text = message.map_or_else(String::new, |words| format!("tool_message = \"{words}\""));
        tools(
            &of_section(&text).unwrap(),
            &json!({"url": "https://id.example.com/vapi/events"}),
        )
    }

    #[test]
    fn a_tool_has_its_own_server_says_nothing_unasked_and_sets_variables() {
        for tool in planned(None) {
            assert_eq!(tool["server"]["url"], "https://id.example.com/vapi/events");
            assert_eq!(
                tool["messages"],
                json!([{"type": "request-start", "content": ""}])
            );
            let aliases = tool["variableExtractionPlan"]["aliases"].as_array().unwrap();
            let held: Vec<_> = aliases
                .iter()
                .map(|alias| (alias["key"].as_str().unwrap(), alias["value"].as_str().unwrap()))
                .collect();
            assert_eq!(
                held,
                [
                    ("identity_status", "{{ $.status }}"),
                    ("speaker_id", "{{ $.speaker_id }}"),
                    ("line_owner_id", "{{ $.line_owner_id }}"),
                ]
            );
        }
        assert_eq!(planned(Some("filler"))[0]["messages"], Value::Null);
        assert_eq!(
            planned(Some("One moment."))[0]["messages"][0]["content"],
            "One moment."
        );
    }
}
