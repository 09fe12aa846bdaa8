//! The answer to a ringing call, of two: what the customer's backend decides, with what is known of the caller added.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Variables that say who calls. They are ours to say, whatever the backend calls its own.
const OUR_VARIABLES: &[&str] = &[
    "identity_marker",
    "identity_status",
    "identity_confidence",
    "line_owner_id",
    "line_owner_name",
    "speaker_id",
    "speaker_name",
];

/// Where overrides say which tools an assistant has besides its own.
const APPENDED: &str = "tools:append";
/// Members of one squad that are looked at.
const MOST_MEMBERS: usize = 256;

/// What is ours in the answer.
pub struct Ours<'a> {
    /// The assistant we would name.
    pub assistant: Option<&'a str>,
    /// What is different about it on this call.
    pub overrides: &'a Value,
    /// Our tools, for assistants that may not have them.
    pub tools: &'a [Value],
    /// Whether a stored assistant has them, by its id; `None` where that is not known.
    pub has_tools: &'a dyn Fn(&str) -> Option<bool>,
    /// Whether a server's address leads to us or to one of the backends that messages are relayed to.
    pub is_relayed: &'a dyn Fn(&str) -> bool,
}

/// The answer of both.
#[derive(Debug, PartialEq)]
pub struct Merged {
    /// What Vapi is told.
    pub answer: Value,
    /// The server that the backend named for this call, where its messages are relayed there.
    pub server: Option<String>,
    /// Whether it named one that we do not relay to: the call's messages go there and not here.
    pub leaves: bool,
}

impl Merged {
    fn as_it_is(answer: Value) -> Self {
        Self {
            answer,
            server: None,
            leaves: false,
        }
    }
}

/// The stored assistants that an answer names, by their ids.
pub fn stored(theirs: &Value) -> BTreeSet<&str> {
    let theirs = theirs.get("messageResponse").unwrap_or(theirs);
    let members = theirs.pointer("/squad/members").and_then(Value::as_array);
    let holders = members.into_iter().flatten().take(MOST_MEMBERS).chain([theirs]);
    holders
        .filter_map(|holder| holder.get("assistantId")?.as_str())
        .collect()
}

/// Adds ours to `theirs`, which keeps everything it says. `None` when it is no answer to a ringing call at all, or
/// leaves the choice of the assistant to us and we have none.
pub fn merge(theirs: Value, ours: &Ours<'_>) -> Option<Merged> {
    let Value::Object(mut fields) = theirs else {
        return None;
    };
    // Vapi's schema wraps answers in this; its examples do not.
    let wrapped = fields.len() == 1 && fields.get("messageResponse").is_some_and(Value::is_object);
    if wrapped {
        let inner = merge(fields.remove("messageResponse")?, ours)?;
        let answer = json!({ "messageResponse": inner.answer });
        return Some(Merged { answer, ..inner });
    }
    let says = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    if says("error") || says("destination") {
        return Some(Merged::as_it_is(Value::Object(fields)));
    }
    if says("workflow") || says("workflowId") {
        // Of a workflow nothing else can be different on one call.
        let overrides = taken(&mut fields, "workflowOverrides");
        let overrides = with_variables(overrides, ours.overrides);
        fields.insert("workflowOverrides".to_owned(), Value::Object(overrides));
        return Some(Merged::as_it_is(Value::Object(fields)));
    }
    let squad = says("squad") || says("squadId");
    if !squad && !says("assistant") && !says("assistantId") {
        let own = ours.assistant?;
        fields.insert("assistantId".to_owned(), json!(own));
    }
    let place = if squad {
        "squadOverrides"
    } else {
        "assistantOverrides"
    };
    let overrides = taken(&mut fields, place);
    let transient = fields.get("assistant").filter(|assistant| assistant.is_object());
    let mut overrides = with_plans(
        with_variables(overrides, ours.overrides),
        transient,
        ours.overrides,
    );
    let (server, leaves) = set_server(&mut overrides, transient, ours);
    add_tools(&mut fields, &mut overrides, ours);
    fields.insert(place.to_owned(), Value::Object(overrides));
    Some(Merged {
        answer: Value::Object(fields),
        server,
        leaves,
    })
}

fn taken(fields: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match fields.remove(name) {
        Some(Value::Object(found)) => found,
        _ => Map::new(),
    }
}

/// Their variables and ours. Of equal names theirs win, except those that say who calls.
fn with_variables(mut overrides: Map<String, Value>, ours: &Value) -> Map<String, Value> {
    let mut variables = taken(&mut overrides, "variableValues");
    for (name, value) in ours["variableValues"].as_object().into_iter().flatten() {
        if OUR_VARIABLES.contains(&name.as_str()) || !variables.contains_key(name) {
            variables.insert(name.clone(), value.clone());
        }
    }
    overrides.insert("variableValues".to_owned(), Value::Object(variables));
    overrides
}

/// Plans are taken by Vapi as a whole: what theirs say stays in them, in the overrides or, where these say nothing, in
/// the assistant they describe.
fn with_plans(
    mut overrides: Map<String, Value>,
    transient: Option<&Value>,
    ours: &Value,
) -> Map<String, Value> {
    for name in ["monitorPlan", "keypadInputPlan", "metadata"] {
        let Some(wanted) = ours[name].as_object() else {
            continue;
        };
        let mut plan = match overrides.remove(name) {
            Some(Value::Object(found)) => found,
            _ => of_transient(transient, name),
        };
        for (key, value) in wanted {
            // Without these two a call can neither be heard nor told anything.
            let needed = matches!(key.as_str(), "listenEnabled" | "controlEnabled" | "voxline_call");
            if needed || plan.get(key).is_none_or(Value::is_null) {
                plan.insert(key.clone(), value.clone());
            }
        }
        overrides.insert(name.to_owned(), Value::Object(plan));
    }
    overrides
}

fn of_transient(transient: Option<&Value>, name: &str) -> Map<String, Value> {
    let found = transient.and_then(|assistant| assistant.get(name)?.as_object());
    found.cloned().unwrap_or_default()
}

/// Points the call's messages here, where they are relayed from here to the server that theirs name; a server that is
/// not relayed to stays. Gives the server they name, and whether the call's messages go there.
fn set_server(
    overrides: &mut Map<String, Value>,
    transient: Option<&Value>,
    ours: &Ours<'_>,
) -> (Option<String>, bool) {
    let Some(wanted) = ours.overrides["server"].as_object() else {
        return (None, false);
    };
    let (mut server, old) = match overrides.get("server") {
        Some(Value::Object(found)) => (found.clone(), None),
        _ => (
            of_transient(transient, "server"),
            transient.and_then(|assistant| assistant.get("serverUrl")?.as_str()),
        ),
    };
    let named = server
        .get("url")
        .and_then(Value::as_str)
        .or(old)
        .map(str::to_owned);
    if named.as_deref().is_some_and(|url| !(ours.is_relayed)(url)) {
        return (named, true);
    }
    for (key, value) in wanted {
        match (server.get_mut(key), value) {
            // Their headers are for their backend, which gets them through us.
            (Some(Value::Object(theirs)), Value::Object(ours)) if key == "headers" => {
                theirs.extend(ours.clone());
            }
            _ => {
                server.insert(key.clone(), value.clone());
            }
        }
    }
    overrides.insert("server".to_owned(), Value::Object(server));
    (named, false)
}

/// Adds our tools for assistants that may be without them: those that are described here, and stored ones that are not known to
/// have them; of a squad that is described, to such members alone. A tool twice would be worse than none: of a stored squad
/// nobody here knows the members, and where one stored member has our tools others of which nothing is known may have them too.
fn add_tools(fields: &mut Map<String, Value>, overrides: &mut Map<String, Value>, ours: &Ours<'_>) {
    let is_stored = fields.get("squadId").is_some_and(Value::is_string);
    if let Some(squad) = fields.get_mut("squad").and_then(Value::as_object_mut) {
        // What all members have they need not get again.
        let of_all = squad.get("membersOverrides").and_then(Value::as_object);
        let known: Vec<String> = of_all
            .into_iter()
            .chain([&*overrides])
            .flat_map(tools_of)
            .collect();
        let members = squad.get_mut("members").and_then(Value::as_array_mut);
        let members = members.into_iter().flatten().take(MOST_MEMBERS);
        let members: Vec<_> = members.filter_map(Value::as_object_mut).collect();
        let some_have = members.iter().any(|member| has_tools(member, ours) == Some(true));
        for member in members {
            if has_tools(member, ours).unwrap_or(some_have) {
                continue;
            }
            let mut own = taken(member, "assistantOverrides");
            append_tools(&mut own, member, ours.tools, known.clone());
            if !own.is_empty() {
                member.insert("assistantOverrides".to_owned(), Value::Object(own));
            }
        }
    } else if !is_stored && has_tools(fields, ours) != Some(true) {
        append_tools(overrides, fields, ours.tools, Vec::new());
    }
}

/// Whether who takes the call has our tools before any are added; `None` of a stored assistant where that is not known.
fn has_tools(holder: &Map<String, Value>, ours: &Ours<'_>) -> Option<bool> {
    match holder.get("assistantId").and_then(Value::as_str) {
        Some(id) => (ours.has_tools)(id),
        None => Some(false),
    }
}

/// Adds our tools to those of the overrides, unless one of the same name is among `known`, there, or in the assistant that
/// their holder describes.
fn append_tools(
    overrides: &mut Map<String, Value>,
    holder: &Map<String, Value>,
    tools: &[Value],
    mut known: Vec<String>,
) {
    known.extend(tools_of(overrides));
    let described = holder.get("assistant").and_then(Value::as_object);
    known.extend(described.into_iter().flat_map(tools_of));
    let mut all = match overrides.remove(APPENDED) {
        Some(Value::Array(found)) => found,
        _ => Vec::new(),
    };
    let missing = tools
        .iter()
        .filter(|tool| name_of(tool).is_none_or(|name| !known.contains(&name)));
    all.extend(missing.cloned());
    if !all.is_empty() {
        overrides.insert(APPENDED.to_owned(), Value::Array(all));
    }
}

/// The names of the tools that an assistant, or overrides of one, say in place.
fn tools_of(said: &Map<String, Value>) -> Vec<String> {
    let of_model = said.get("model").and_then(|model| model.get("tools"));
    let lists = [said.get(APPENDED), of_model].into_iter().flatten();
    lists
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(name_of)
        .collect()
}

fn name_of(tool: &Value) -> Option<String> {
    let name = tool.pointer("/function/name")?;
    name.as_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
