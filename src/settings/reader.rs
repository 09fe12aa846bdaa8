//! From text to checked values, with every fault on the way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults};
use super::schema::{Kind, Setting};
use super::sources::{Given, Merged, Sources};

/// Gives the settings out, and collects what is wrong with them.
#[derive(Default)]
pub(crate) struct SettingsReader {
    given: BTreeMap<String, Given>,
    faults: Vec<Fault>,
}

impl SettingsReader {
    /// Reads what the sources say of `settings` into the struct that holds them. What is wrong is at its default there,
    /// and [`finish`](Self::finish) gives nobody the outcome.
    pub fn open<T: DeserializeOwned + Default>(sources: &Sources, settings: &[Setting]) -> (Self, T) {
        let Merged { given, faults, .. } = Merged::of(sources, settings);
        let mut reader = Self { given, faults };
        let mut document = Map::new();
        for setting in settings {
            if let Some(value) = reader.value(setting) {
                put(&mut document, &setting.key, value);
            }
        }
        match serde_json::from_value(Value::Object(document)) {
            Ok(read) => (reader, read),
            Err(cause) => {
                // A kind that `schema` does not know; said all the same.
                let what = "the configuration".to_owned();
                let why = cause.to_string();
                reader.faults.push(Fault { what, why });
                (reader, T::default())
            }
        }
    }

    /// `made`, if nothing was wrong.
    pub fn finish<T>(self, made: T) -> Result<T, Faults> {
        if self.faults.is_empty() {
            Ok(made)
        } else {
            Err(Faults(self.faults))
        }
    }

    /// Whether anybody said something of a setting.
    pub fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Notes that a setting is wrong, with where it stood.
    pub fn fault(&mut self, key: &str, why: impl Into<String>) {
        let origin = self
            .given
            .get(key)
            .map_or_else(String::new, |given| format!(" ({})", given.origin));
        self.faults.push(Fault {
            what: format!("`{key}`{origin}"),
            why: why.into(),
        });
    }

    /// An address of http or https, without a slash at its end.
    pub fn url(&mut self, key: &str, text: Option<String>) -> Option<String> {
        let text = text?;
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        if host
            .is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace))
        {
            self.fault(
                key,
                format!("`{text}` is not an address with http:// or https://"),
            );
            return None;
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    /// A name and a password, which are of use together only.
    pub fn login(
        &mut self,
        (name_key, name): (&str, Option<String>),
        (password_key, password): (&str, Option<String>),
    ) -> Option<(String, SecretString)> {
        match (name, password) {
            (Some(name), Some(password)) => Some((name, password.into())),
            (None, None) => None,
            (Some(_), None) => {
                self.fault(name_key, format!("is set, but not {password_key}"));
                None
            }
            (None, Some(_)) => {
                self.fault(password_key, format!("is set, but not {name_key}"));
                None
            }
        }
    }

    /// Networks, as in `10.0.0.0/8`, and single addresses, between commas.
    pub fn networks(&mut self, key: &str, text: Option<&str>) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in list(text.unwrap_or_default()) {
            let network = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            match network {
                Ok(network) => networks.push(network),
                Err(_) => {
                    let why = format!("{text:?} is neither an address nor a network, as in 10.0.0.0/8");
                    self.fault(key, why);
                }
            }
        }
        networks
    }

    /// The value of a setting in its own type, when it was given and is right.
    fn value(&mut self, setting: &Setting) -> Option<Value> {
        let text = self.given.get(&setting.key)?.value.trim().to_owned();
        if text.is_empty() {
            self.fault(&setting.key, "is empty: give it a value or leave it out");
            return None;
        }
        match typed(&text, &setting.kind) {
            Ok(value) => Some(value),
            Err(expected) => {
                let shown = if setting.secret {
                    "the value".to_owned()
                } else {
                    shown(&text, &setting.kind)
                };
                self.fault(&setting.key, format!("{shown} is not {expected}"));
                None
            }
        }
    }
}

/// The parts of a value between commas.
pub(crate) fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// The same in lower case, as words and hosts are compared.
pub(crate) fn words(text: &str) -> Vec<String> {
    list(&text.to_lowercase())
}

/// A text as a value of this kind, or what would have been one.
fn typed(text: &str, kind: &Kind) -> Result<Value, String> {
    match kind {
        Kind::Text => Ok(json!(text)),
        Kind::Flag => {
            let flag = text.parse::<bool>().map_err(|_| "true or false".to_owned())?;
            Ok(json!(flag))
        }
        Kind::Choice(words) => {
            if words.iter().any(|word| word == text) {
                Ok(json!(text))
            } else {
                Err(format!("one of: {}", words.join(", ")))
            }
        }
        Kind::Count(range) => {
            let number = text.parse().ok().filter(|number| range.contains(number));
            let expected = || format!("a whole number from {} to {}", range.start(), range.end());
            number.map(|number: u64| json!(number)).ok_or_else(expected)
        }
        Kind::Number(range) => {
            let number = text.parse().ok().filter(|number| range.contains(number));
            let expected = || format!("a number from {} to {}", range.start(), range.end());
            number.map(|number: f64| json!(number)).ok_or_else(expected)
        }
    }
}

/// A wrong value as it is shown: a number as it is, anything else in quotes.
fn shown(text: &str, kind: &Kind) -> String {
    let is_number = matches!(kind, Kind::Count(_) | Kind::Number(_)) && text.parse::<f64>().is_ok();
    if is_number {
        text.to_owned()
    } else {
        format!("`{text}`")
    }
}

/// Puts a value where its dotted key says.
fn put(document: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            document.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = document.entry(section).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// What a section's room makes of it as it stands in a file, without the section's head; or all that is wrong with it.
#[cfg(test)]
pub(crate) fn of_section<T, C>(
    name: &str,
    text: &str,
    checked: impl FnOnce(T, &mut SettingsReader) -> C,
) -> Result<C, String>
where
    T: utoipa::PartialSchema + serde::Serialize + DeserializeOwned + Default,
{
    let mut settings = super::schema::settings_of::<T>();
    for setting in &mut settings {
        setting.key = format!("{name}.{}", setting.key);
    }
    let sources = Sources {
        file: Some(("voxline.toml".into(), format!("[{name}]\n{text}"))),
        ..Sources::default()
    };
    let (mut reader, mut sections) = SettingsReader::open::<BTreeMap<String, T>>(&sources, &settings);
    let made = checked(sections.remove(name).unwrap_or_default(), &mut reader);
    reader.finish(made).map_err(|faults| faults.to_string())
}
