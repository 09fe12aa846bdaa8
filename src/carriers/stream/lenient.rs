//! Numbers and parameters as carriers write them: now as numbers, now as text.

use std::collections::HashMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

impl Either {
    fn number<E: Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.trim().parse().map_err(E::custom),
        }
    }
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

/// Parameters by name. Values that are no text (a carrier's own numbers, nulls, nests) are left out: ours
/// are texts.
pub(super) fn parameters<'de, D: Deserializer<'de>>(from: D) -> Result<HashMap<String, String>, D::Error> {
    let given: Option<HashMap<String, serde_json::Value>> = Option::deserialize(from)?;
    let texts = given
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| match value {
            serde_json::Value::String(text) => Some((name, text)),
            _ => None,
        });
    Ok(texts.collect())
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
