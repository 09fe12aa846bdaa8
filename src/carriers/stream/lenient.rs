//! Numbers and parameters as carriers write them: now as numbers, now as text. What is not of the kind that is read
//! costs itself alone, where a message can do without.

use std::collections::HashMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A whole number that JSON's numbers keep, and a little more than any of ours.
const LARGEST: f64 = 9e15;

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Real(f64),
    Text(String),
}

impl Either {
    fn number<E: Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Real(real) if real.fract() == 0.0 && (0.0..LARGEST).contains(&real) => Ok(real as u64),
            Self::Real(_) => Err(E::custom("not a whole number")),
            Self::Text(text) => text.trim().parse().map_err(E::custom),
        }
    }
}

/// A value where it is of the kind that is read, and nothing where it is missing, `null`, or of any other.
pub(in crate::carriers) fn fitting<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let given = Value::deserialize(from)?;
    Ok(serde_json::from_value(given).ok())
}

/// A number, or a text of one.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Either::deserialize(from)?.number()
}

/// The same, where it may be missing, or `null`.
pub(super) fn number_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let given: Option<Either> = Option::deserialize(from)?;
    given.map(Either::number).transpose()
}

/// A message's place, which one can do without that has no number for it.
pub(super) fn place<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let given: Option<Either> = fitting(from)?;
    Ok(given.and_then(|given| given.number::<serde_json::Error>().ok()))
}

/// A key as a text or as a number; anything else is none.
pub(super) fn digit<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(digit) => digit,
        Value::Number(digit) => digit.to_string(),
        _ => String::new(),
    })
}

/// The same where it may be missing.
pub(super) fn digit_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    digit(from).map(Some)
}

/// Parameters by name. Values that are no text (a carrier's own numbers, nulls, nests) are left out: ours
/// are texts.
pub(super) fn parameters<'de, D: Deserializer<'de>>(from: D) -> Result<HashMap<String, String>, D::Error> {
    let given: Option<HashMap<String, Value>> = fitting(from)?;
    Ok(given.into_iter().flat_map(texts).collect())
}

/// A JSON object's texts by name; what is no text is left out.
pub(in crate::carriers) fn texts(object: HashMap<String, Value>) -> impl Iterator<Item = (String, String)> {
    object.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    })
}

/// Our own parameters of a stream.
pub(super) struct Ours {
    pub number: Option<String>,
    pub token: Option<String>,
    pub updates: bool,
}

impl Ours {
    /// Takes them out of those that came.
    pub(super) fn take(mut given: HashMap<String, String>) -> Self {
        Self {
            number: given.remove("number"),
            // Plivo allows letters and digits alone in names.
            token: given.remove("call_token").or_else(|| given.remove("calltoken")),
            updates: given.get("updates").is_some_and(|wish| wish == "true"),
        }
    }
}
