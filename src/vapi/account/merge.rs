//! What was found with what is wanted over it. Vapi's PATCH replaces each top-level field as a whole, so that whatever
//! a field is not sent back with is gone: a server's headers, a monitor plan's monitors.

use serde_json::{Map, Value, json};

use crate::vapi::wanted::USUAL_MESSAGES;

/// Fields whose values Vapi takes and does not give back.
const SECRET_FIELDS: &[&str] = &["secret", "secretKey", "token", "clientSecret"];

/// A `server`: ours in where messages go and how they are signed, theirs in everything else. A longer patience and
/// another plan of repeating are kept.
pub fn server(found: Option<&Value>, ours: &Value) -> Value {
    let mut server = found.and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    for (name, value) in ours.as_object().into_iter().flatten() {
        let theirs = server.get(name).filter(|theirs| !theirs.is_null());
        let kept = match (name.as_str(), theirs) {
            ("backoffPlan", Some(_)) => true,
            ("timeoutSeconds", Some(theirs)) => theirs.as_f64() >= value.as_f64(),
            _ => false,
        };
        if !kept {
            server.insert(name.clone(), value.clone());
        }
    }
    Value::Object(server)
}

/// A plan of an assistant's: ours but for `theirs`, which are set only where they are not.
pub fn plan(found: Option<&Value>, ours: &Value, theirs: &[&str]) -> Value {
    let mut plan = found.and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    for (name, value) in ours.as_object().into_iter().flatten() {
        let set = plan.get(name).is_some_and(|set| !set.is_null());
        if !(set && theirs.contains(&name.as_str())) {
            plan.insert(name.clone(), value.clone());
        }
    }
    Value::Object(plan)
}

/// A list with ours added behind; `usual` where there is none.
pub fn union(found: Option<&Value>, usual: &[&str], ours: &[Value]) -> Value {
    let mut all = match found {
        Some(Value::Array(own)) => own.clone(),
        _ => usual.iter().map(|one| json!(one)).collect(),
    };
    for one in ours {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    Value::Array(all)
}

/// A list of an assistant's messages with ours added. Vapi's default is what it sends when there is none.
pub fn messages(found: Option<&Value>, ours: &Value) -> Value {
    let ours = ours.as_array().map(Vec::as_slice).unwrap_or_default();
    union(found, USUAL_MESSAGES, ours)
}

/// A model with our tools added. One that `toolRefs` pins to a version is there already: Vapi drops it from `toolIds`.
pub fn model(found: &Value, tools: &[String]) -> Value {
    let mut model = found.clone();
    let ours: Vec<Value> = tools
        .iter()
        .filter(|tool| pinned(found, tool).is_none())
        .map(|tool| json!(tool))
        .collect();
    if !ours.is_empty() {
        model["toolIds"] = union(found.get("toolIds"), &[], &ours);
    }
    model
}

/// The version to which a model pins a tool.
pub fn pinned<'a>(model: &'a Value, tool: &str) -> Option<&'a str> {
    let pins = model.get("toolRefs").and_then(Value::as_array);
    let pin = pins.into_iter().flatten().find(|pin| pin["toolId"] == tool)?;
    Some(pin["version"].as_str().unwrap_or_default())
}

/// A tool's fields: ours, with a server that keeps what is not ours, and what else its function says.
pub fn tool(found: &Value, wanted: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in wanted.as_object().into_iter().flatten() {
        let merged = match name.as_str() {
            // A tool's kind cannot be changed, and Vapi's own tools leave it out of a change.
            "type" => continue,
            "server" => server(found.get(name), value),
            "function" => plan(found.get(name), value, &[]),
            _ => value.clone(),
        };
        fields.insert(name.clone(), merged);
    }
    fields
}

/// Of `wanted`, the fields that `found` does not have so already.
pub fn differing(found: &Value, wanted: Map<String, Value>) -> Map<String, Value> {
    let differs = |(name, value): &(String, Value)| !covers(found.get(name), value);
    wanted.into_iter().filter(differs).collect()
}

/// Whether `actual` says everything that `wanted` says; what it says besides does not matter. A null that is
/// wanted may also be missing; secrets, which Vapi does not give back, are not compared.
pub fn covers(actual: Option<&Value>, wanted: &Value) -> bool {
    match (actual, wanted) {
        (None | Some(Value::Null), Value::Null) => true,
        (Some(Value::Object(actual)), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, value)| SECRET_FIELDS.contains(&name.as_str()) || covers(actual.get(name), value)),
        (Some(Value::Number(actual)), Value::Number(wanted)) => actual.as_f64() == wanted.as_f64(),
        (Some(actual), wanted) => actual == wanted,
        (None, _) => false,
    }
}

/// A document without the values that Vapi takes and does not give back.
pub fn without_secrets(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str()));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), without_secrets(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_besides_does_not_matter_and_secrets_cannot_be_compared() {
        let wanted = json!({"a": null, "server": {"url": "u", "secret": "s", "timeoutSeconds": 20}});
        let found = json!({"server": {"url": "u", "timeoutSeconds": 20.0, "x": 1}, "y": 2});
        assert!(covers(Some(&found), &wanted));
        let set = json!({"a": "set", "server": {"url": "u", "timeoutSeconds": 20}});
        assert!(!covers(Some(&set), &wanted));
        let other = json!({"server": {"url": "v", "timeoutSeconds": 20}});
        assert!(!covers(Some(&other), &wanted));
        assert!(!covers(None, &wanted));
    }

    #[test]
    fn a_server_keeps_all_but_where_messages_go_and_how_they_are_signed() {
        let ours = json!({"url": "ours", "credentialId": "c", "timeoutSeconds": 20, "backoffPlan": {"type": "fixed"}});
        assert_eq!(server(None, &ours), ours);
        let found = json!({
            "url": "theirs", "credentialId": "d", "timeoutSeconds": 45, "headers": {"X-Shop": "7"},
            "staticIpAddressesEnabled": true, "backoffPlan": {"type": "exponential", "maxRetries": 9},
        });
        let expected = json!({
            "url": "ours", "credentialId": "c", "timeoutSeconds": 45, "headers": {"X-Shop": "7"},
            "staticIpAddressesEnabled": true, "backoffPlan": {"type": "exponential", "maxRetries": 9},
        });
        assert_eq!(server(Some(&found), &ours), expected);
        let hasty = json!({"timeoutSeconds": 5});
        assert_eq!(server(Some(&hasty), &ours)["timeoutSeconds"], 20);
    }

    #[test]
    fn a_plan_keeps_monitors_and_delimiters() {
        let ours = json!({"enabled": true, "timeoutSeconds": 3, "delimiters": "#"});
        let theirs = ["timeoutSeconds", "delimiters"];
        let found = json!({"enabled": false, "delimiters": "", "monitorIds": ["m"]});
        let expected = json!({"enabled": true, "timeoutSeconds": 3, "delimiters": "", "monitorIds": ["m"]});
        assert_eq!(plan(Some(&found), &ours, &theirs), expected);
    }

    #[test]
    fn an_assistant_that_names_no_messages_goes_on_sending_vapis_default() {
        let ours = json!(["transcript[transcriptType=\"final\"]", "hang"]);
        let all = messages(None, &ours);
        assert_eq!(all.as_array().unwrap().len(), USUAL_MESSAGES.len() + 1);
        assert!(
            all.as_array()
                .unwrap()
                .contains(&json!("transfer-destination-request"))
        );
        assert_eq!(
            messages(Some(&json!(["hang"])), &ours).as_array().unwrap().len(),
            2
        );
    }

    #[test]
    fn a_pinned_tool_is_not_named_twice() {
        let found = json!({"toolIds": ["own"], "toolRefs": [{"toolId": "t-1", "version": "v3"}]});
        let tools = ["t-1".to_owned(), "t-2".to_owned()];
        assert_eq!(model(&found, &tools)["toolIds"], json!(["own", "t-2"]));
        assert_eq!(model(&found, &tools[..1]), found);
    }
}
