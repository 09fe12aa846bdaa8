//! How a deployment asks for voices: who asks, and in which words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::config::{Config, VapiAuth};
use crate::store::Number;
use crate::units::{Language, Seconds, hex};

use super::words::{Words, fill};

/// The version of the built-in consent text; it rises with every change of its words.
const BUILT_IN: &str = "voxline-1";

/// How users are asked for their voice in a browser.
#[derive(Debug, Clone)]
pub struct SignupSettings {
    /// How people reach the service.
    pub(in crate::reply) address: String,
    /// How long a link is good for unless said otherwise.
    pub(in crate::reply) link_lifetime: Seconds,
    /// Who asks; without it the number's name.
    pub(in crate::reply) organisation: Option<String>,
    /// Origins that may show the page in a frame.
    pub(in crate::reply) embed_from: Vec<String>,
    /// Where the page's WebSocket is, when that is known for sure.
    pub(in crate::reply) sockets: Option<String>,
    /// Whether recordings can be kept at all.
    pub(in crate::reply) may_keep: bool,
    /// Whether users can enrol by telephone too.
    pub(in crate::reply) by_telephone: bool,
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

impl SignupSettings {
    /// The settings of a configuration.
    ///
    /// # Errors
    /// [`SignupFault`] when the consent texts cannot be read.
    pub fn of_config(config: &Config) -> Result<Self, SignupFault> {
        let own = config.signup.consent_file.as_deref();
        let socket = |address: &String| {
            let secure = address
                .strip_prefix("https://")
                .map(|host| format!("wss://{host}"));
            let plain = || address.strip_prefix("http://").map(|host| format!("ws://{host}"));
            secure.or_else(plain)
        };
        Ok(Self {
            address: config.address(),
            link_lifetime: config.signup.link_lifetime,
            organisation: config.signup.organisation.clone(),
            embed_from: config.signup.embed_from.clone(),
            sockets: config.public_url.as_ref().and_then(socket),
            may_keep: config.retain_audio,
            by_telephone: config.vapi.enrol_by_phone && !matches!(config.vapi.auth, VapiAuth::Refuse),
            own: own.map(OwnTexts::read).transpose()?,
        })
    }

    /// Whether the consent texts of a file can be used.
    ///
    /// # Errors
    /// [`SignupFault`] when they cannot.
    pub fn check_consent(file: &Path) -> Result<(), SignupFault> {
        OwnTexts::read(file).map(drop)
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

    /// The language whose words of today, as a number asks for them, have this digest. `None` for words that were others,
    /// or came from elsewhere.
    pub(in crate::reply) fn language_of(
        &self,
        sha256: &str,
        keep_audio: bool,
        number: &Number,
    ) -> Option<Language> {
        let organisation = self.organisation.as_deref().or(number.name.as_deref());
        let organisation = organisation.unwrap_or_else(|| number.number.as_e164());
        self.languages().into_iter().find(|language| {
            let consent = self.consent(*language, organisation, number.number.as_e164());
            hex(&Sha256::digest(consent.agreed(keep_audio).as_bytes())) == sha256
        })
    }

    /// The consent in a language of [`SignupSettings::languages`]; in another of them where there is none in it.
    pub(in crate::reply) fn consent(
        &self,
        language: Language,
        organisation: &str,
        number: &str,
    ) -> ConsentText {
        let words = Words::of(language);
        let known = [("organisation", organisation), ("number", number)];
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

/// As without any configuration, on this machine.
impl Default for SignupSettings {
    fn default() -> Self {
        Self {
            address: "http://127.0.0.1:8080".to_owned(),
            link_lifetime: Seconds::new(7.0 * 24.0 * 3600.0),
            organisation: None,
            embed_from: Vec::new(),
            sockets: None,
            may_keep: false,
            by_telephone: false,
            own: None,
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
        let settings = SignupSettings::default();
        let one = settings.consent(Language::German, "Garten & Söhne", "+12025550101");
        assert!(one.agreed(false).contains("Garten & Söhne") && !one.agreed(false).contains('{'));
        assert!(one.agreed(true).len() > one.agreed(false).len());
        let other = settings.consent(Language::German, "Garten & Töchter", "+12025550101");
        assert_ne!(one.sha256(), other.sha256());
    }

    #[test]
    fn texts_of_ones_own_replace_the_built_in_ones_in_their_languages_alone() {
        let own = read("version = \"2026-11\"\n[text]\nfr = \"Oui, {organisation}.\\n\\nEncore.\"").unwrap();
        let settings = SignupSettings {
            own: Some(own),
            ..SignupSettings::default()
        };
        assert_eq!(settings.languages(), [Language::French]);
        let shown = settings.consent(Language::French, "Jardin", "+12025550101");
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
