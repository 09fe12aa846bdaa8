//! Where settings come from: the file, the environment and the flags, and which of them wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::schema::{Kind, Setting};

const PREFIX: &str = "VOXLINE_";
/// Variables that tests read; they configure nothing.
const TEST_PREFIX: &str = "VOXLINE_TEST_";
/// Where developers have what is not in the repository: tests and benchmarks read it.
const SHARED_VARIABLE: &str = "VOXLINE_SHARED";

/// The variable by which every program that loads ONNX Runtime through `ort` finds it.
const ORT_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Everything that may say something about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The configuration file's path and text.
    pub file: Option<(PathBuf, String)>,
    /// The environment's variables and their values.
    pub environment: Vec<(String, String)>,
    /// Flags, by key.
    pub flags: Vec<(&'static str, String)>,
    /// What could not even be read: listed before everything else that is wrong.
    pub unreadable: Vec<Fault>,
}

impl Sources {
    /// The process's own environment and `file`, or `./voxline.toml` when no file is named and that is
    /// there.
    pub fn of_process(file: Option<&Path>, flags: Vec<(&'static str, String)>) -> Self {
        let mut sources = Self {
            flags,
            ..Self::default()
        };
        let usual = Path::new("voxline.toml");
        if let Some(path) = file.or_else(|| usual.exists().then_some(usual)) {
            match std::fs::read_to_string(path) {
                Ok(text) => sources.file = Some((path.to_owned(), text)),
                Err(cause) => sources.unreadable.push(Fault {
                    what: path.display().to_string(),
                    why: format!("cannot be read: {cause}"),
                }),
            }
        }
        for (variable, value) in std::env::vars_os() {
            // A name that is no text cannot be one of ours.
            let Ok(variable) = variable.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => sources.environment.push((variable, value)),
                Err(_) if is_ours(&variable) => sources.unreadable.push(Fault {
                    what: variable,
                    why: "is not valid UTF-8".to_owned(),
                }),
                Err(_) => {}
            }
        }
        sources
    }

    /// What one of `settings` is given as, whatever else is wrong; `None` where it is not given.
    pub(crate) fn given(&self, settings: &[Setting], key: &str) -> Option<String> {
        let mut merged = Merged::of(self, settings);
        let value = merged.given.remove(key)?.value.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }
}

/// A value and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// The value, as text.
    pub value: String,
    /// The file, the variable, or `flag`.
    pub origin: String,
}

/// What the sources say of the settings, by key, the strongest source's word for each; and what they say of
/// settings that do not exist.
pub(super) struct Merged<'a> {
    settings: &'a [Setting],
    /// The values that were given, by key.
    pub given: BTreeMap<String, Given>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl<'a> Merged<'a> {
    /// Reads `sources`, weakest first.
    pub fn of(sources: &Sources, settings: &'a [Setting]) -> Self {
        let mut merged = Self {
            settings,
            given: BTreeMap::new(),
            faults: sources.unreadable.clone(),
        };
        if let Some((path, text)) = &sources.file {
            merged.take_file(path, text);
        }
        for (variable, value) in &sources.environment {
            merged.take_variable(variable, value);
        }
        for (key, value) in &sources.flags {
            merged.put((*key).to_owned(), value.clone(), "flag");
        }
        merged
    }

    fn put(&mut self, key: String, value: String, origin: &str) {
        let origin = origin.to_owned();
        self.given.insert(key, Given { value, origin });
    }

    fn take_file(&mut self, path: &Path, text: &str) {
        let origin = path.display().to_string();
        match text.parse::<toml::Table>() {
            Ok(table) => self.take_table("", &table, &origin),
            Err(cause) => {
                let line = cause
                    .span()
                    .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                self.faults.push(Fault {
                    what: origin,
                    why: format!("line {line}: {}", cause.message()),
                });
            }
        }
    }

    fn take_table(&mut self, prefix: &str, table: &toml::Table, origin: &str) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                toml::Value::Table(inner) => self.take_table(&key, inner, origin),
                toml::Value::String(text) => self.take(&key, text.clone(), origin),
                other => self.take_other(&key, other, origin),
            }
        }
    }

    /// Takes what is written without quotes: texts in a list are what stands between commas elsewhere, and nothing else is
    /// a text.
    fn take_other(&mut self, key: &str, value: &toml::Value, origin: &str) {
        let texts = |items: &toml::value::Array| -> Option<Vec<String>> {
            items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        if let Some(texts) = value.as_array().and_then(texts) {
            self.take(key, texts.join(", "), origin);
            return;
        }
        let mut settings = self.settings.iter();
        if settings.any(|setting| setting.key == key && setting.kind == Kind::Text) {
            self.faults.push(Fault {
                what: format!("`{key}` ({origin})"),
                why: format!(
                    "is of TOML's type {}: write it as text, in quotes; several stand between commas",
                    value.type_str()
                ),
            });
            return;
        }
        self.take(key, value.to_string(), origin);
    }

    fn take(&mut self, key: &str, value: String, origin: &str) {
        if self.settings.iter().any(|setting| setting.key == key) {
            self.put(key.to_owned(), value, origin);
            return;
        }
        let keys = self.settings.iter().map(|setting| setting.key.clone());
        self.unknown(format!("`{key}` ({origin})"), nearest(key, keys));
    }

    fn take_variable(&mut self, variable: &str, value: &str) {
        if !is_ours(variable) {
            return;
        }
        if variable == ORT_VARIABLE {
            // Other programs read it too: it yields to whoever says something to this one.
            if !self.given.contains_key("ort_lib") {
                self.put("ort_lib".to_owned(), value.to_owned(), variable);
            }
            return;
        }
        let mut keys = self.settings.iter().map(|setting| &setting.key);
        match keys.find(|key| variable_name(key) == variable) {
            Some(key) => self.put(key.clone(), value.to_owned(), variable),
            None => {
                let variables = self.settings.iter().map(|setting| variable_name(&setting.key));
                self.unknown(variable.to_owned(), nearest(variable, variables));
            }
        }
    }

    fn unknown(&mut self, what: String, nearest: String) {
        self.faults.push(Fault {
            what,
            why: format!("no such setting; did you mean {nearest}?"),
        });
    }
}

/// Whether an environment variable is meant for this program.
fn is_ours(variable: &str) -> bool {
    let of_tests = variable == SHARED_VARIABLE || variable.starts_with(TEST_PREFIX);
    variable == ORT_VARIABLE || (variable.starts_with(PREFIX) && !of_tests)
}

/// The environment variable of a key.
pub(crate) fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

fn nearest(word: &str, known: impl Iterator<Item = String>) -> String {
    known
        .min_by_key(|candidate| strsim::levenshtein(word, candidate))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_tests_are_told_is_none_of_the_programs() {
        for (variable, ours) in [
            ("VOXLINE_SHARED", false),
            ("VOXLINE_TEST_SEED", false),
            ("VOXLINE_SHARED_KEY", true),
            ("ORT_DYLIB_PATH", true),
            ("SHARED", false),
        ] {
            assert_eq!(is_ours(variable), ours, "{variable}");
        }
    }

    #[test]
    fn a_text_is_in_quotes_and_a_list_of_texts_is_one_with_commas() {
        let setting = |key: &str, kind: Kind| Setting {
            key: key.to_owned(),
            kind,
            default: Value::Null,
            description: String::new(),
            secret: false,
        };
        let settings = [setting("vapi.hosts", Kind::Text), setting("on", Kind::Flag)];
        let read = |text: &str| {
            let file = Some((PathBuf::from("voxline.toml"), text.to_owned()));
            let sources = Sources {
                file,
                ..Sources::default()
            };
            let merged = Merged::of(&sources, &settings);
            let given: Vec<String> = merged.given.into_values().map(|given| given.value).collect();
            let faults: Vec<String> = merged.faults.into_iter().map(|fault| fault.why).collect();
            (given, faults)
        };
        for (text, value) in [
            ("on = true", "true"),
            ("vapi.hosts = \".a, .b\"", ".a, .b"),
            ("vapi.hosts = [\".a\", \".b\"]", ".a, .b"),
        ] {
            assert_eq!(read(text), (vec![value.to_owned()], vec![]), "{text}");
        }
        for (value, kind) in [
            ("true", "boolean"),
            ("12", "integer"),
            ("1979-05-27", "datetime"),
            ("[1]", "array"),
        ] {
            let (given, faults) = read(&format!("vapi.hosts = {value}"));
            assert!(
                given.is_empty() && faults.len() == 1 && faults[0].contains(kind),
                "{value}"
            );
        }
    }
}
