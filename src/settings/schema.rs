//! What settings there are: key, kind, range, default and description of each, read from the structs that hold them.
//!
//! The structs derive [`utoipa::ToSchema`], as the documents of the HTTP API do: a doc comment is the description,
//! `minimum` and `maximum` are the range, `format = Password` marks a secret.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;
use utoipa::PartialSchema;

/// What may stand behind a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count(RangeInclusive<u64>),
    /// A number in a range, both ends included.
    Number(RangeInclusive<f64>),
    /// One of these words.
    Choice(Vec<String>),
    /// Text; what it means is checked by whoever reads it.
    Text,
}

/// One setting, as `docs/settings.md` shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// Its key, dotted as in `decision.accept`.
    pub key: String,
    /// What may stand behind it.
    pub kind: Kind,
    /// What holds without it; none where that follows from something else.
    pub default: Value,
    /// What it is for.
    pub description: String,
    /// Whether its value is never shown.
    pub secret: bool,
}

/// The settings of a struct, those of the structs inside it behind them.
pub(crate) fn settings_of<T: PartialSchema + Serialize + Default>() -> Vec<Setting> {
    let schema = serde_json::to_value(T::schema()).unwrap_or_default();
    let defaults = serde_json::to_value(T::default()).unwrap_or_default();
    let mut found = Vec::new();
    collect("", &schema, &defaults, &mut found);
    found
}

fn collect(prefix: &str, schema: &Value, defaults: &Value, found: &mut Vec<Setting>) {
    let mut sections = Vec::new();
    for (name, property) in properties(schema) {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match member(property, "properties") {
            Some(_) => sections.push((key, property, &defaults[name])),
            None => found.push(setting(key, property, &defaults[name])),
        }
    }
    for (key, section, defaults) in sections {
        collect(&key, section, defaults, found);
    }
}

/// The properties of a schema by name, with those of the schemas that it is put together from.
fn properties(schema: &Value) -> BTreeMap<&String, &Value> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(properties)).collect()
}

fn setting(key: String, property: &Value, default: &Value) -> Setting {
    Setting {
        key,
        kind: kind(property),
        default: default.clone(),
        description: description(property).replace('\n', " "),
        secret: property["format"] == "password",
    }
}

/// What is said of a property: in a schema that is put together, behind what is said of its type.
fn description(property: &Value) -> &str {
    let own = property["description"].as_str();
    let parts = || property["allOf"].as_array().into_iter().flatten().rev();
    own.or_else(|| parts().find_map(|part| part["description"].as_str()))
        .unwrap_or_default()
}

fn kind(property: &Value) -> Kind {
    if let Some(words) = member(property, "enum").and_then(|found| found["enum"].as_array()) {
        let words = words.iter().filter_map(Value::as_str);
        return Kind::Choice(words.map(str::to_owned).collect());
    }
    // An optional value is of two types, the other one being `null`.
    let is = |name: &str| {
        let of_type = &property["type"];
        of_type == name
            || of_type
                .as_array()
                .is_some_and(|types| types.iter().any(|one| one == name))
    };
    if is("boolean") {
        return Kind::Flag;
    }
    if is("integer") {
        let bound = |name: &str, usual| property[name].as_u64().unwrap_or(usual);
        return Kind::Count(bound("minimum", 0)..=bound("maximum", u64::MAX));
    }
    if is("number") {
        let bound = |name: &str, usual| property[name].as_f64().unwrap_or(usual);
        return Kind::Number(bound("minimum", f64::MIN)..=bound("maximum", f64::MAX));
    }
    Kind::Text
}

/// The schema with a member of this name: this one, or one that it is put together from.
fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    if schema.get(name).is_some() {
        return Some(schema);
    }
    let parts = ["allOf", "oneOf", "anyOf"]
        .iter()
        .filter_map(|word| schema[*word].as_array());
    parts.flatten().find_map(|part| member(part, name))
}
