//! `twilio.pin_*`: asking callers for a PIN before they are handed on, where the carrier's streams bring no keys.

use std::collections::BTreeSet;
use std::time::Duration;

use super::sections::TwilioSection;
use crate::settings::{SettingsReader, list};
use crate::units::DialedNumber;

/// The most characters of a prompt: half a minute of speech.
const LONGEST: usize = 500;

/// How callers are asked for a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinPrompt {
    /// What is said to them.
    pub text: String,
    /// In which language (BCP 47); the carrier's own choice without.
    pub language: Option<String>,
    /// How long a key is waited for.
    pub wait: Duration,
    /// The dialed numbers whose callers are asked; all when empty.
    pub numbers: BTreeSet<DialedNumber>,
}

impl PinPrompt {
    /// The prompt, when there is one; all of it is checked even if there is none.
    pub(super) fn checked(read: &mut SettingsReader, section: &TwilioSection) -> Option<Self> {
        let numbers = dialed(read, section.pin_numbers.as_deref().unwrap_or_default());
        let language = section.pin_language.clone();
        if language.as_ref().is_some_and(|language| !is_language(language)) {
            read.fault("twilio.pin_language", "is not a language, as in en-GB");
        }
        let text = section.pin_prompt.clone()?;
        if text.chars().count() > LONGEST {
            read.fault(
                "twilio.pin_prompt",
                format!("has more than {LONGEST} characters: callers wait while it is spoken"),
            );
        }
        Some(Self {
            text,
            language,
            wait: Duration::from_secs(u64::from(section.pin_seconds)),
            numbers,
        })
    }

    /// Whether callers of `dialed` are asked.
    pub fn asks(&self, dialed: &DialedNumber) -> bool {
        self.numbers.is_empty() || self.numbers.contains(dialed)
    }
}

fn dialed(read: &mut SettingsReader, text: &str) -> BTreeSet<DialedNumber> {
    let mut numbers = BTreeSet::new();
    for entry in list(text) {
        match entry.parse() {
            Ok(number) => {
                numbers.insert(number);
            }
            Err(_) => read.fault(
                "twilio.pin_numbers",
                format!("`{entry}` is not a number, as in +12025550102"),
            ),
        }
    }
    numbers
}

/// Whether a text can be a language tag (RFC 5646).
fn is_language(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 35 && text.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::of_section;

    fn loaded(text: &str) -> Result<Option<PinPrompt>, String> {
        of_section("twilio", text, |section, read| PinPrompt::checked(read, &section))
    }

    #[test]
    fn nobody_is_asked_unless_there_is_a_prompt() {
        assert_eq!(loaded("pin_seconds = 3"), Ok(None));
        let asked = loaded("pin_prompt = \"Your PIN?\"").unwrap().unwrap();
        assert_eq!(
            (asked.text.as_str(), asked.wait),
            ("Your PIN?", Duration::from_secs(5))
        );
        let number: DialedNumber = "+12025550102".parse().unwrap();
        assert!(asked.asks(&number));
        let others = loaded("pin_prompt = \"Your PIN?\"\npin_numbers = \"+12025550109\"");
        assert!(!others.unwrap().unwrap().asks(&number));
    }

    #[test]
    fn what_cannot_be_said_or_dialed_is_named() {
        for (text, said) in [
            (format!("pin_prompt = \"{}\"", "a".repeat(501)), "500 characters"),
            (
                "pin_prompt = \"a\"\npin_language = \"en GB\"".to_owned(),
                "as in en-GB",
            ),
            ("pin_numbers = \"12\"".to_owned(), "is not a number"),
            ("pin_prompt = \"a\"\npin_seconds = 0".to_owned(), "1 to 60"),
        ] {
            let faults = loaded(&text).unwrap_err();
            assert!(faults.contains(said), "{faults} does not say {said}");
        }
    }
}
