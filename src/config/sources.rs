//! Where settings come from, and how raw text becomes checked values.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::keys::{is_secret, keys};

const PREFIX: &str = "VOXLINE_";
/// Variables that tests read; they configure nothing.
const TEST_PREFIX: &str = "VOXLINE_TEST_";

/// The variable by which every program that loads ONNX Runtime through `ort` finds it.
const ORT_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Everything that may say something about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The configuration file's path and text.
    pub file: Option<(PathBuf, String)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Flags, by key.
    pub flags: Vec<(&'static str, String)>,
    /// What could not even be read: listed before everything else that is wrong.
    pub unreadable: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, or the variable, or the file.
    pub what: String,
    /// What is wrong and what would be right.
    pub why: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "the configuration has {count} fault{}:",
            if count == 1 { "" } else { "s" }
        )?;
        self.0
            .iter()
            .try_for_each(|fault| write!(f, "\n  {}: {}", fault.what, fault.why))
    }
}

impl std::error::Error for Faults {}

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
}

/// A value and where it stood.
struct Given {
    value: String,
    origin: String,
}

/// Reads checked values, collecting every fault on the way.
pub(super) struct Reader {
    given: BTreeMap<&'static str, Given>,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn open(sources: &Sources) -> Self {
        let mut reader = Self {
            given: BTreeMap::new(),
            faults: sources.unreadable.clone(),
        };
        if let Some((path, text)) = &sources.file {
            reader.take_file(path, text);
        }
        for (variable, value) in &sources.environment {
            reader.take_variable(variable, value);
        }
        for (key, value) in &sources.flags {
            reader.given.insert(
                key,
                Given {
                    value: value.clone(),
                    origin: "flag".to_owned(),
                },
            );
        }
        reader
    }

    /// `made`, if nothing was wrong.
    pub(super) fn finish<T>(self, made: T) -> Result<T, Faults> {
        if self.faults.is_empty() {
            Ok(made)
        } else {
            Err(Faults(self.faults))
        }
    }

    pub(super) fn fault(&mut self, key: &str, why: String) {
        let origin = self
            .given
            .get(key)
            .map_or_else(String::new, |given| format!(" ({})", given.origin));
        self.faults.push(Fault {
            what: format!("`{key}`{origin}"),
            why,
        });
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.given.get(key)?.value.trim().to_owned();
        if value.is_empty() {
            self.fault(key, "is empty: give it a value or leave it out".to_owned());
            return None;
        }
        Some(value)
    }

    pub(super) fn parsed<T: FromStr>(&mut self, key: &'static str, expected: &str, usual: T) -> T {
        let Some(text) = self.text(key) else { return usual };
        match text.parse() {
            Ok(value) => value,
            Err(_) => {
                self.fault(key, format!("{} is not {expected}", shown(key, &text)));
                usual
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<f64>, usual: f64) -> f64 {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let value: f64 = self.parsed(key, &expected, usual);
        self.in_range(key, range.contains(&value), value, usual, &expected)
    }

    /// A number that has no usual value.
    pub(super) fn share(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        self.text(key)?;
        let highest = *range.end();
        Some(self.number(key, range, highest))
    }

    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<usize>, usual: usize) -> usize {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let value: usize = self.parsed(key, &expected, usual);
        self.in_range(key, range.contains(&value), value, usual, &expected)
    }

    pub(super) fn one_of(
        &mut self,
        key: &'static str,
        allowed: &[&'static str],
        usual: &'static str,
    ) -> &'static str {
        let Some(text) = self.text(key) else { return usual };
        if let Some(found) = allowed.iter().find(|word| **word == text) {
            return found;
        }
        self.fault(
            key,
            format!("{} is not one of: {}", shown(key, &text), allowed.join(", ")),
        );
        usual
    }

    /// The parts of a value between commas.
    pub(super) fn list(&mut self, key: &'static str, usual: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_else(|| usual.to_owned());
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The same in lower case, as words and hosts are compared.
    pub(super) fn words(&mut self, key: &'static str, usual: &str) -> Vec<String> {
        let parts = self.list(key, usual).into_iter();
        parts.map(|part| part.to_lowercase()).collect()
    }

    pub(super) fn url(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        if host
            .is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace))
        {
            self.fault(
                key,
                format!("{} is not an address with http:// or https://", shown(key, &text)),
            );
            return None;
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    fn in_range<T: fmt::Display>(&mut self, key: &str, fits: bool, value: T, usual: T, expected: &str) -> T {
        if fits {
            return value;
        }
        self.fault(key, format!("{value} is not {expected}"));
        usual
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
                toml::Value::String(text) => self.take(&key, text.clone(), origin, &key),
                other => self.take(&key, other.to_string(), origin, &key),
            }
        }
    }

    fn take_variable(&mut self, variable: &str, value: &str) {
        if !is_ours(variable) {
            return;
        }
        if variable == ORT_VARIABLE {
            self.given.entry("ort_lib").or_insert(Given {
                value: value.to_owned(),
                origin: variable.to_owned(),
            });
            return;
        }
        let key = keys()
            .map(|(key, _)| *key)
            .find(|key| variable_name(key) == variable);
        match key {
            Some(key) => {
                self.given.insert(
                    key,
                    Given {
                        value: value.to_owned(),
                        origin: variable.to_owned(),
                    },
                );
            }
            None => {
                let nearest = nearest(variable, keys().map(|(key, _)| variable_name(key)));
                self.faults.push(Fault {
                    what: variable.to_owned(),
                    why: format!("no such setting; did you mean {nearest}?"),
                });
            }
        }
    }

    fn take(&mut self, key: &str, value: String, origin: &str, what: &str) {
        match keys().find(|(known, _)| *known == key) {
            Some((known, _)) => {
                self.given.insert(
                    known,
                    Given {
                        value,
                        origin: origin.to_owned(),
                    },
                );
            }
            None => {
                let nearest = nearest(key, keys().map(|(known, _)| (*known).to_owned()));
                self.faults.push(Fault {
                    what: format!("`{what}` ({origin})"),
                    why: format!("no such setting; did you mean {nearest}?"),
                });
            }
        }
    }
}

/// Whether an environment variable is meant for this program.
fn is_ours(variable: &str) -> bool {
    variable == ORT_VARIABLE || (variable.starts_with(PREFIX) && !variable.starts_with(TEST_PREFIX))
}

/// The environment variable of a key.
fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

/// The value in a message, unless it is a secret.
fn shown(key: &str, value: &str) -> String {
    if is_secret(key) {
        "the value".to_owned()
    } else {
        format!("`{value}`")
    }
}

fn nearest(word: &str, known: impl Iterator<Item = String>) -> String {
    known
        .min_by_key(|candidate| distance(word, candidate))
        .unwrap_or_default()
}

/// Levenshtein's edit distance (1966): insertions, deletions and substitutions.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
