//! Languages that people are spoken to in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A language in which a person can be asked for their voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
    /// French.
    French,
    /// German.
    German,
    /// Hindi.
    Hindi,
}

/// A language that is not spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the languages are en, es, fr, de and hi")]
pub struct UnknownLanguage;

impl Language {
    /// All of them, in the order they are offered.
    pub const ALL: [Self; 5] = [
        Self::English,
        Self::Spanish,
        Self::French,
        Self::German,
        Self::Hindi,
    ];

    /// The tag of BCP 47.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::German => "de",
            Self::Hindi => "hi",
        }
    }

    /// The language in its own words.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
            Self::French => "Français",
            Self::German => "Deutsch",
            Self::Hindi => "हिन्दी",
        }
    }

    /// The one that an `Accept-Language` header likes best (RFC 9110, section 12.5.4); `None` where it likes none.
    pub fn preferred(header: &str) -> Option<Self> {
        let liked = header.split(',').take(32).filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(weight) => weight.parse::<f32>().ok().filter(|weight| weight.is_finite())?,
                None => 1.0,
            };
            let language = tag.parse().ok().filter(|_| weight > 0.0)?;
            Some((weight, language))
        });
        // Of equals the first: the order is the person's too.
        let best = liked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, language)| language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// By its tag, of whatever region: `es-MX` is Spanish.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let primary = text.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
            .ok_or(UnknownLanguage)
    }
}

impl TryFrom<String> for Language {
    type Error = UnknownLanguage;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Language> for &'static str {
    fn from(language: Language) -> Self {
        language.tag()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_tag_in_any_region() {
        for language in Language::ALL {
            assert_eq!(language.tag().parse(), Ok(language));
        }
        assert_eq!("es-MX".parse(), Ok(Language::Spanish));
        assert_eq!("DE".parse(), Ok(Language::German));
        assert_eq!("".parse::<Language>(), Err(UnknownLanguage));
        assert_eq!("esperanto".parse::<Language>(), Err(UnknownLanguage));
    }

    #[test]
    fn a_browser_gets_the_language_it_likes_best_of_those_there_are() {
        let liked = |header| Language::preferred(header);
        assert_eq!(liked("pl, de-CH;q=0.8, fr;q=0.9"), Some(Language::French));
        assert_eq!(liked("hi,en;q=0.5"), Some(Language::Hindi));
        assert_eq!(liked("es, fr"), Some(Language::Spanish));
        for none in ["", "pl", "de;q=0", "*", "de;q=NaN", ";;;,,,"] {
            assert_eq!(liked(none), None, "{none:?}");
        }
    }
}
