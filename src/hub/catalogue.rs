//! The public models that are known by name, one TOML file each, compiled into the program.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::voiceprint::{ModelId, Recipe};

use super::error::{BadEntry, HubError};

/// Entries by their names, each with its file.
macro_rules! entries {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../models/catalogue/", $name, ".toml")))),+]
    };
}

/// The entries of `models/catalogue`.
const EMBEDDED: &[(&str, &str)] = entries![
    "ecapa512-lm",
    "eres2net-en-voxceleb",
    "redimnet2-b3-lm",
    "speakernet",
    "titanet-large",
    "titanet-small",
    "wespeaker-campplus-lm",
    "wespeaker-resnet34-lm",
];

/// The largest file that is ever fetched where nobody has published a size: 1 GiB.
const LARGEST: u64 = 1 << 30;

/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// A public model: what it is, and the one file it is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name here.
    pub id: ModelId,
    /// What it is, in one line.
    pub description: String,
    /// How it wants to be fed.
    pub recipe: Recipe,
    /// Numbers in an embedding, where somebody has published it.
    pub dimension: Option<usize>,
    /// The file of the weights: its address, length and SHA-256.
    pub file: FileEntry,
    /// What its use is bound to.
    pub licence: Licence,
    /// Figures that others have published of it.
    #[serde(default)]
    pub published: Vec<Published>,
    /// What is known of it on the telephone.
    pub telephone: Option<Telephone>,
}

/// The one file an entry is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name, under which a mirror has it.
    pub name: String,
    /// Where it is published, best first. All of them serve the same bytes.
    pub urls: Vec<String>,
    /// Its size, where somebody has published it.
    pub bytes: Option<u64>,
    /// The most bytes that are fetched where nobody has.
    pub at_most_bytes: Option<u64>,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// At least so many independent public sources named that hash; none of them is the bytes themselves.
    pub sha256_sources: u32,
}

/// What a model's use is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Its name, as in `CC-BY-4.0`.
    pub name: String,
    /// What to know before using it in a product.
    pub note: String,
}

/// A figure that somebody else published. Those of different papers are not comparable to the last digit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The trials, as in `VoxCeleb1-O`.
    pub set: String,
    /// Equal error rate in percent.
    pub eer_percent: f64,
    /// How it was come by.
    pub note: String,
}

/// What is known of a model on the telephone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telephone {
    /// Telephone speech it was trained on.
    pub trained_on: String,
}

impl FileEntry {
    /// The most bytes that may come.
    pub fn limit(&self) -> u64 {
        self.bytes.or(self.at_most_bytes).unwrap_or(LARGEST)
    }
}

/// All entries, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

impl Catalogue {
    /// The catalogue compiled into this program.
    ///
    /// # Errors
    /// [`BadEntry`] never in a program whose tests passed.
    pub fn embedded() -> Result<Self, BadEntry> {
        let entries: Result<Vec<Entry>, BadEntry> = EMBEDDED
            .iter()
            .map(|(name, text)| Entry::parse(name, text))
            .collect();
        Ok(Self { entries: entries? })
    }

    /// The entries, in the order of their ids.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this name, or the one in the file of this name: a card of one's own, as for a model
    /// that only one company has.
    ///
    /// # Errors
    /// [`HubError::Unknown`] when there is neither; [`HubError::Entry`] when the file is not valid.
    pub fn find(&self, name: &str) -> Result<Entry, HubError> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.id.as_str() == name) {
            return Ok(entry.clone());
        }
        if name.ends_with(".toml") {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path)
                .map_err(|cause| HubError::of_file(path, "read", cause, None))?;
            return Ok(Entry::parse(name, &text)?);
        }
        let known: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        Err(HubError::Unknown {
            id: name.to_owned(),
            known: known.join(", "),
        })
    }
}

impl Entry {
    /// Reads and checks the entry in the file called `name`.
    ///
    /// # Errors
    /// [`BadEntry`] saying what is wrong and where.
    pub fn parse(name: &str, text: &str) -> Result<Self, BadEntry> {
        let bad = |cause: String| BadEntry {
            name: name.to_owned(),
            cause,
        };
        let entry: Self = toml::from_str(text).map_err(|cause| bad(cause.to_string()))?;
        match entry.fault() {
            Some(cause) => Err(bad(cause)),
            None => Ok(entry),
        }
    }

    fn fault(&self) -> Option<String> {
        let file = &self.file;
        let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        if !is_id(self.id.as_str()) {
            return Some(HubError::BadId(self.id.to_string()).to_string());
        }
        if file.sha256.len() != HASH_DIGITS || !file.sha256.bytes().all(hex) {
            return Some(
                "file.sha256 is not 64 lower-case hexadecimal digits; without a hash nothing is fetched"
                    .to_owned(),
            );
        }
        if file.urls.is_empty()
            || file.name.is_empty()
            || file.name.contains(['/', '\\'])
            || file.name.starts_with('.')
        {
            return Some("[file] needs a plain `name` and at least one address in `urls`".to_owned());
        }
        if file.bytes.is_some() == file.at_most_bytes.is_some() || file.limit() == 0 {
            return Some(
                "[file] needs `bytes`, or `at_most_bytes` where the size was never published".to_owned(),
            );
        }
        if self.dimension == Some(0) || self.licence.name.trim().is_empty() {
            return Some("licence.name is needed, and dimension is no zero".to_owned());
        }
        let sane = |figure: &Published| (0.0..=100.0).contains(&figure.eer_percent);
        (!self.published.iter().all(sane)).then(|| "a published EER is no percentage".to_owned())
    }
}

/// Whether `text` can be a model's id, which is also its folder's name.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    text.len() <= 64
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|letter| plain(letter) || b"._-".contains(&letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_pinned_fetched_over_tls_and_named_like_its_file() {
        let catalogue = Catalogue::embedded().unwrap();
        assert_eq!(catalogue.entries().len(), EMBEDDED.len());
        for ((name, _), entry) in EMBEDDED.iter().zip(catalogue.entries()) {
            assert_eq!(entry.id.as_str(), *name);
            assert!(entry.file.sha256_sources > 0, "{name}");
            assert!(
                entry.file.urls.iter().all(|url| url.starts_with("https://")),
                "{name}"
            );
            assert!(!entry.licence.note.is_empty(), "{name}");
        }
        let ids: Vec<_> = catalogue.entries().iter().map(|entry| &entry.id).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_entry_without_a_hash_a_size_or_a_plain_name_is_refused() {
        let (name, good) = EMBEDDED[0];
        let fault = |from: &str, to: &str| {
            assert!(good.contains(from), "the entry no longer says {from:?}");
            Entry::parse(name, &good.replace(from, to))
                .unwrap_err()
                .to_string()
        };
        assert!(fault("sha256 = \"", "sha256 = \"0").contains("64"));
        assert!(fault("\nname = \"", "\nname = \"../").contains("plain"));
        assert!(fault("at_most_bytes = ", "bytes = 0\nat_most_bytes = ").contains("bytes"));
        assert!(fault("id = \"", "id = \"../").contains("id"));
        assert!(fault("[file]", "[file]\ncolour = 1").contains("colour"));
    }

    #[test]
    fn an_id_is_a_plain_folder_name() {
        assert!(is_id("titanet-large") && is_id("m.1_2"));
        for bad in ["", ".", "..", ".x", "a/b", "A", "-x", "a b", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }
}
