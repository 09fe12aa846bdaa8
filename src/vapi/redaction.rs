//! Payloads without what is secret or somebody's: for captures, and nowhere else are payloads kept at all.

use serde_json::Value;

/// Parts of field names whose values are secret, as [`plain`] writes them (Vapi's payloads carry the tenant's own
/// credentials, signed caller tokens and addresses whose knowledge is enough).
const SECRET: &[&str] = &[
    "token",
    "secret",
    "authorization",
    "password",
    "apikey",
    "privatekey",
    "listenurl",
    "controlurl",
    "presigned",
    "recording",
    "recordingurl",
    "credential",
    "identity",
    "pcapurl",
    "logurl",
    "websocketcallurl",
];

/// Parts of the names of fields that hold who somebody is.
const PERSONAL: &[&str] = &["name", "email"];

/// Fields of people and prompts, whose values are long and theirs.
const PRIVATE: &[&str] = &[
    "transcript",
    "summary",
    "content",
    "message",
    "messages",
    "messagesopenaiformatted",
    "firstmessage",
    "prompt",
    "text",
    "pin",
    "arguments",
    "parameters",
    "raw",
    "body",
    "payload",
    "result",
];

/// Objects that somebody fills as they like, and we with who calls: nothing tells which of their values is whose.
const THEIRS: &[&str] = &[
    "variablevalues",
    "variables",
    "metadata",
    "structureddata",
    "structuredoutputs",
];

/// How deep a payload is kept.
const DEEPEST: usize = 16;
/// How many entries of a list are kept.
const MOST_ENTRIES: usize = 8;
/// How many characters of a text are kept.
const LONGEST: usize = 200;

/// The same payload, with secrets, people's words and all but the ends of numbers replaced. Its shape stays: which
/// fields there were, and of what kind, is what a capture is for.
pub fn redacted(payload: &Value) -> Value {
    // The envelope's own `message` is the payload itself.
    match payload.get("message") {
        Some(message) if message.is_object() => serde_json::json!({ "message": within(message, "", 0) }),
        _ => within(payload, "", 0),
    }
}

/// What is shown of the value of the field `of`.
fn within(value: &Value, of: &str, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::String("…".to_owned());
    }
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(name, value)| {
                let shown = match hidden(name) {
                    _ if is_theirs(of, name) => kinds(value, depth + 1),
                    Some(why) => hidden_value(why, value),
                    None => within(value, name, depth + 1),
                };
                (masked(name), shown)
            });
            Value::Object(kept.collect())
        }
        Value::Array(entries) => listed(entries, |entry| within(entry, of, depth + 1)),
        Value::String(text) => Value::String(masked(&without_display_names(text))),
        other => other.clone(),
    }
}

/// The same shape with no value at all.
fn kinds(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(fields) if depth <= DEEPEST => {
            let kept = fields.iter();
            Value::Object(
                kept.map(|(name, value)| (masked(name), kinds(value, depth + 1)))
                    .collect(),
            )
        }
        Value::Array(entries) if depth <= DEEPEST => listed(entries, |entry| kinds(entry, depth + 1)),
        other => hidden_value("private", other),
    }
}

fn listed(entries: &[Value], shown: impl Fn(&Value) -> Value) -> Value {
    let mut kept: Vec<Value> = entries.iter().take(MOST_ENTRIES).map(shown).collect();
    if entries.len() > MOST_ENTRIES {
        kept.push(Value::String(format!("… {} more", entries.len() - MOST_ENTRIES)));
    }
    Value::Array(kept)
}

/// Whether the field `name` of the object `of` is somebody's own: headers other than those of SIP are what a server is to
/// know the request by.
fn is_theirs(of: &str, name: &str) -> bool {
    let name = plain(name);
    THEIRS.contains(&name.as_str()) || (name == "headers" && plain(of) != "sip")
}

fn hidden(name: &str) -> Option<&'static str> {
    let name = plain(name);
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(SECRET) {
        Some("secret")
    } else if has(PERSONAL) || PRIVATE.contains(&name.as_str()) {
        Some("private")
    } else {
        None
    }
}

/// A field's name in whichever way its words are joined: in lower case, without dashes and underscores.
fn plain(name: &str) -> String {
    let joined = name.chars().filter(|sign| !matches!(sign, '-' | '_'));
    joined.flat_map(char::to_lowercase).collect()
}

fn hidden_value(why: &str, value: &Value) -> Value {
    Value::String(format!("<{why}: {}>", kind(value)))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) => format!("string of {}", text.chars().count()),
        Value::Array(entries) => format!("array of {}", entries.len()),
        Value::Object(fields) => format!("object of {}", fields.len()),
    }
}

/// A text with every run of seven digits or more cut to its last two: enough to see that two numbers differ, not to
/// call anybody; separators inside a run do not save it. Keypad entries go whole.
pub fn masked(text: &str) -> String {
    let text: String = without_keypad(text).chars().take(LONGEST).collect();
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for sign in text.chars().chain(std::iter::once('\0')) {
        let goes_on = sign.is_ascii_digit() || (!run.is_empty() && " -.()".contains(sign));
        if goes_on {
            run.push(sign);
            continue;
        }
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 7 {
            out.push_str("***");
            out.push_str(&digits[digits.len() - 2..]);
        } else {
            out.push_str(&run);
        }
        run.clear();
        if sign != '\0' {
            out.push(sign);
        }
    }
    out
}

/// A text without the display names of the SIP addresses in it, quoted or not, and without any other words in quotes.
fn without_display_names(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if !["<sip", "<tel", "\""].iter().any(|sign| lower.contains(sign)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    // Where what may be a display name begins.
    let mut begin = 0;
    let (mut quoted, mut escaped) = (false, false);
    for sign in text.chars() {
        match sign {
            '"' if !escaped => {
                if quoted {
                    out.push_str("\"…\"");
                    begin = out.len();
                }
                quoted = !quoted;
            }
            _ if quoted => {}
            '<' => {
                if !out[begin..].trim().is_empty() {
                    out.truncate(begin);
                    out.push_str("… ");
                }
                out.push(sign);
            }
            ',' | '>' => {
                out.push(sign);
                begin = out.len();
            }
            _ => out.push(sign),
        }
        escaped = quoted && sign == '\\' && !escaped;
    }
    out
}

/// A text in which digits that were typed on a keypad are hidden: `User's Keypad Entry: ***`.
pub fn without_keypad(text: &str) -> String {
    const ENTRY: &str = "keypad entry";
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find(ENTRY) else {
        return text.to_owned();
    };
    let (head, tail) = text.split_at(at + ENTRY.len());
    let hidden: String = tail
        .chars()
        .map(|sign| if sign.is_ascii_digit() { '*' } else { sign })
        .collect();
    format!("{head}{hidden}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_number_or_word_of_a_person_is_left_and_the_shape_is() {
        let payload = json!({"message": {
            "type": "status-update", "status": "in-progress",
            "phoneNumber": {"number": "+12025550102", "twilioAuthToken": "hush"},
            "customer": {"number": "+1 (202) 555-0101", "name": "Alice"},
            "call": {
                "monitor": {"listenUrl": "wss://hush", "controlUrl": "https://hush"},
                "phoneCallProviderDetails": {"sip": {"headers": {
                    "Diversion": "<sip:+12025550103@h>;reason=unconditional", "identity": "hush.hush"
                }}}
            },
            "artifact": {"messages": [{"role": "user", "message": "My PIN is 4821"}], "presignedMonoUrl": "https://hush"}
        }});
        let shown = redacted(&payload).to_string();
        for part in ["hush", "2025550", "Alice", "4821", "555-01"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
        for part in [
            "status-update",
            "in-progress",
            "listenUrl",
            "***03",
            "reason=unconditional",
            "string of",
        ] {
            assert!(shown.contains(part), "{part} not in {shown}");
        }
    }

    #[test]
    fn what_the_customer_or_we_put_into_a_call_shows_its_names_alone() {
        let overrides = json!({
            "variableValues": {"line_owner_name": "Alice", "forwarded-from": "a", "address": {"street": "Elm 5"}, "n": 7},
            "server": {"url": "https://id.example.com", "headers": {"x-voxline-call": "c.0076ca", "X-Own": "hunter2"}},
            "model": {"provider": "custom-llm", "headers": {"X-Own": "hunter2"}}, "metadata": {"plan": "gold"},
        });
        let payload = json!({"message": {
            "call": {
                "assistantOverrides": overrides, "callerName": "Alice", "first_name": "Alice", "X-Api-Key": "hunter2",
                "phoneCallProviderDetails": {"sip": {"headers": {
                    "from": "\"Doe, \\\"Jo\\\" Q\" <sip:+12025550103@h>;tag=1",
                    "Diversion": "Jane Roe <sip:+12025550104@h>;reason=no-answer, \"Max\" <tel:+12025550105>",
                    "P-Asserted-Identity": "Mary Poe <SIP:+12025550107@h>",
                    "History-Info": "<sip:+12025550106@h?Reason=SIP>;index=1.1",
                }}},
            },
            "analysis": {"structuredData": {"owes": 12}},
        }});
        let shown = redacted(&payload).to_string();
        let hidden = [
            "Alice",
            "hunter2",
            "0076ca",
            "Elm",
            "gold",
            "Doe",
            "Jo",
            "Jane",
            "Roe",
            "Mary",
            "Poe",
            "Max",
            "\"owes\":12",
            "\"n\":7",
        ];
        for part in hidden {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
        let kept = [
            "line_owner_name",
            "forwarded-from",
            "street",
            "x-voxline-call",
            "private: number",
            "private: string of 5",
            "custom-llm",
            "***03@h>;tag=1",
            "***04@h>;reason=no-answer",
            "<tel:+***05>",
            "index=1.1",
        ];
        for part in kept {
            assert!(shown.contains(part), "{part} not in {shown}");
        }
    }

    #[test]
    fn digits_of_a_keypad_are_hidden_however_few_they_are() {
        assert_eq!(
            without_keypad("User's Keypad Entry: 4821#"),
            "User's Keypad Entry: ****#"
        );
        assert_eq!(without_keypad("it costs 4821"), "it costs 4821");
        assert_eq!(masked("in 2026, room 12"), "in 2026, room 12");
    }

    #[test]
    fn a_payload_as_deep_or_long_as_may_be_is_cut() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        assert!(redacted(&deep).to_string().len() < 400);
        let long = json!({"a": vec![0; 10_000], "b": "x".repeat(10_000)});
        assert!(redacted(&long).to_string().len() < 400);
    }
}
