//! The words in which a deployment asks for voices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::units::{DialedNumber, Language, hex};

use super::words::{Words, fill};

/// The version of the built-in consent text; it rises with every change of its words.
const BUILT_IN: &str = "voxline-2";

/// The words in which a deployment asks for voices: its own, or the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct ConsentTexts {
    own: Option<OwnTexts>,
}

/// Consent texts that the deployment brings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnTexts {
    version: String,
    text: BTreeMap<Language, String>,
}

/// Why the signup page cannot be shown as it is configured.
#[derive(Debug, Error)]
pub enum SignupFault {
    /// The file of the consent texts.
    #[error(
        "{}: {cause}; it has `version = \"…\"` and, under [text], the words by language (en, es, \
         fr, de, hi), as in docs/signup.md",
        path.display()
    )]
    Consent {
        /// Path of the file at fault.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

/// A consent as it is shown to one person.
pub(in crate::reply) struct ConsentText {
    /// Which version of the words it is.
    pub version: String,
    /// What the page says, one paragraph each.
    pub paragraphs: Vec<String>,
    /// What is added when the recording may be kept too.
    pub keep: String,
}

impl ConsentText {
    /// The words that are kept with the enrolment.
    pub fn agreed(&self, keep_audio: bool) -> String {
        let keep = keep_audio.then_some(&self.keep);
        let all: Vec<&str> = self.paragraphs.iter().chain(keep).map(String::as_str).collect();
        all.join("\n\n")
    }

    /// SHA-256 of the words without what is added, as hexadecimal: by it a page says what it showed.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.agreed(false).as_bytes()))
    }
}

impl ConsentTexts {
    /// The texts of a file; the built-in ones without.
    ///
    /// # Errors
    /// [`SignupFault`] when they cannot be read.
    pub fn read(file: Option<&Path>) -> Result<Self, SignupFault> {
        let own = file.map(OwnTexts::read).transpose()?;
        Ok(Self { own })
    }

    /// The languages that there is a consent text in.
    pub(in crate::reply) fn languages(&self) -> Vec<Language> {
        let spoken = |language: &Language| {
            self.own
                .as_ref()
                .is_none_or(|own| own.text.contains_key(language))
        };
        Language::ALL.into_iter().filter(spoken).collect()
    }

    /// The language whose words of today, as `organisation` asks for them on a number, have this digest. `None` for words
    /// that were others, or came from elsewhere.
    pub(in crate::reply) fn language_of(
        &self,
        sha256: &str,
        keep_audio: bool,
        organisation: &str,
        number: &DialedNumber,
    ) -> Option<Language> {
        self.languages().into_iter().find(|language| {
            // Whether the recording might be kept is a setting, and may have been another one then.
            [true, false].into_iter().any(|may_keep| {
                let consent = self.consent(*language, organisation, number.as_e164(), may_keep);
                hex(&Sha256::digest(consent.agreed(keep_audio).as_bytes())) == sha256
            })
        })
    }

    /// The consent in a language of [`ConsentTexts::languages`]; in another of them where there is none in it. `may_keep`
    /// says whether the page also asks for the recording itself.
    pub(in crate::reply) fn consent(
        &self,
        language: Language,
        organisation: &str,
        number: &str,
        may_keep: bool,
    ) -> ConsentText {
        let words = Words::of(language);
        let unless_kept = if may_keep {
            words.page.unless_kept.as_str()
        } else {
            ""
        };
        let known = [
            ("organisation", organisation),
            ("number", number),
            ("unless_kept", unless_kept),
        ];
        let (version, paragraphs) = match &self.own {
            None => (BUILT_IN, words.consent.clone()),
            Some(own) => {
                let text = own.text.get(&language).or_else(|| own.text.values().next());
                let paragraphs = text.map_or("", String::as_str).trim().split("\n\n");
                (
                    own.version.as_str(),
                    paragraphs.map(|words| words.trim().to_owned()).collect(),
                )
            }
        };
        ConsentText {
            version: version.to_owned(),
            paragraphs: paragraphs.iter().map(|text| fill(text, &known)).collect(),
            keep: words.page.keep.clone(),
        }
    }
}

impl OwnTexts {
    fn read(path: &Path) -> Result<Self, SignupFault> {
        let failed = |cause: String| SignupFault::Consent {
            path: path.to_owned(),
            cause,
        };
        let text = std::fs::read_to_string(path).map_err(|cause| failed(cause.to_string()))?;
        let own: Self = toml::from_str(&text).map_err(|cause| failed(cause.message().to_owned()))?;
        let is_label = (1..=100).contains(&own.version.trim().chars().count());
        if !is_label || own.version.chars().any(char::is_control) {
            return Err(failed("`version` has 1 to 100 visible characters".to_owned()));
        }
        if own.text.is_empty() {
            return Err(failed("there is no text in any language".to_owned()));
        }
        for (language, words) in &own.text {
            // With room for a name and what is added.
            let length = words.trim().chars().count();
            if !(1..=15_000).contains(&length) {
                return Err(failed(format!(
                    "the text `{language}` has {length} characters; it needs some, at most 15000"
                )));
            }
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OwnTexts, SignupFault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consent.toml");
        std::fs::write(&path, text).unwrap();
        OwnTexts::read(&path)
    }

    #[test]
    fn a_consent_names_who_asks_and_its_digest_is_that_of_what_is_shown() {
        let texts = ConsentTexts::default();
        let one = texts.consent(Language::German, "Garten & Söhne", "+12025550101", true);
        assert!(one.agreed(false).contains("Garten & Söhne") && !one.agreed(false).contains('{'));
        assert!(one.agreed(true).len() > one.agreed(false).len());
        let other = texts.consent(Language::German, "Garten & Töchter", "+12025550101", true);
        assert_ne!(one.sha256(), other.sha256());
    }

    #[test]
    fn a_consent_speaks_of_a_kept_recording_only_where_one_may_be_kept() {
        let texts = ConsentTexts::default();
        let number: DialedNumber = "+12025550101".parse().unwrap();
        for language in Language::ALL {
            let consent = |may_keep| texts.consent(language, "Garden", number.as_e164(), may_keep);
            let clause = &Words::of(language).page.unless_kept;
            assert!(consent(true).agreed(false).contains(clause), "{language}");
            assert!(!consent(false).agreed(false).contains(clause), "{language}");
            for may_keep in [true, false] {
                let sha256 = consent(may_keep).sha256();
                let found = texts.language_of(&sha256, false, "Garden", &number);
                assert_eq!(found, Some(language));
            }
        }
    }

    #[test]
    fn texts_of_ones_own_replace_the_built_in_ones_in_their_languages_alone() {
        let own = read("version = \"2026-11\"\n[text]\nfr = \"Oui, {organisation}.\\n\\nEncore.\"").unwrap();
        let texts = ConsentTexts { own: Some(own) };
        assert_eq!(texts.languages(), [Language::French]);
        let shown = texts.consent(Language::French, "Jardin", "+12025550101", false);
        assert_eq!(shown.version, "2026-11");
        assert_eq!(shown.paragraphs, ["Oui, Jardin.", "Encore."]);
    }

    #[test]
    fn an_unusable_file_is_refused_with_the_form_it_should_have() {
        for bad in [
            "",
            "version = \"1\"\n[text]\n",
            "version = \"\"\n[text]\nen = \"a\"",
            "version = \"1\"\n[text]\nen = \" \"",
            "version = \"1\"\n[text]\nxx = \"a\"",
            "version = \"1\"\ncolour = 2\n[text]\nen = \"a\"",
        ] {
            let refusal = read(bad).unwrap_err().to_string();
            assert!(refusal.contains("docs/signup.md"), "{bad:?}: {refusal}");
        }
    }
}
