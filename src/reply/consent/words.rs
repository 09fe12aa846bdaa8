//! What the page says. A language is one file, which the page's scripts read too.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::units::Language;

use super::super::web;

/// The part of a language's file that the page is made of.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::reply) struct Words {
    /// What the page says beside the statement of consent.
    pub page: PageWords,
    /// The page of a link that is not good.
    pub closed: ClosedWords,
    /// The paragraphs of the built-in consent.
    pub consent: Vec<String>,
    /// Sets of sentences to read.
    pub sentences: Vec<Vec<String>>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($field:ident)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::reply) struct $name {
            $(pub $field: String,)*
        }
    };
}

words! {
    /// The words of the page, by where they stand.
    PageWords {
        title greeting lead languages no_script
        consent_heading consent_version keep unless_kept agree
        record_heading record_lead open_microphone microphone level other_sentences start stop speech
        review_heading recording again accept sending
        done_heading done_lead done_call done_erase
        other_ways upload upload_hint call call_hint
    }
}

words! {
    /// The words of the page of a link that is not good, or that cannot be looked at.
    ClosedWords { title lead remedy trouble_title trouble_lead }
}

impl Words {
    /// The words in a language.
    pub fn of(language: Language) -> &'static Self {
        static ALL: LazyLock<Vec<(Language, Words)>> = LazyLock::new(|| {
            // A test reads every file, so none is left empty here.
            let read = |language: Language| {
                let text = web::text_of(&path(language)).unwrap_or_default();
                (language, serde_json::from_str(text).unwrap_or_default())
            };
            Language::ALL.into_iter().map(read).collect()
        });
        static NONE: LazyLock<Words> = LazyLock::new(Words::default);
        let found = ALL.iter().find(|(known, _)| *known == language);
        found.map_or(&NONE, |(_, words)| words)
    }
}

/// The asset that holds a language.
pub(in crate::reply) fn path(language: Language) -> String {
    format!("signup/languages/{}.json", language.tag())
}

/// `text` with `{name}` replaced for each name that is known. What is put in is not looked at again.
pub(in crate::reply) fn fill(text: &str, known: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}').and_then(|(name, behind)| {
            let (_, value) = known.iter().find(|(key, _)| *key == name)?;
            Some((value, behind))
        });
        match place {
            Some((value, behind)) => {
                filled.push_str(value);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::switchboard::IssueCode;

    fn file(language: Language) -> Value {
        serde_json::from_str(web::text_of(&path(language)).unwrap()).unwrap()
    }

    /// The names in braces.
    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|after| Some(after.split_once('}')?.0))
            .collect()
    }

    fn same_shape(at: &str, ours: &Value, theirs: &Value) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(ours), names(theirs), "{at}");
                for (name, value) in ours {
                    same_shape(&format!("{at}.{name}"), value, &theirs[name]);
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                assert_eq!(ours.len(), theirs.len(), "{at}");
                for (nth, (our, their)) in ours.iter().zip(theirs).enumerate() {
                    same_shape(&format!("{at}[{nth}]"), our, their);
                }
            }
            (Value::String(ours), Value::String(theirs)) => {
                assert!(!ours.trim().is_empty() && !theirs.trim().is_empty(), "{at}");
                assert_eq!(places(ours), places(theirs), "{at}");
            }
            _ => panic!("{at} is of two kinds"),
        }
    }

    #[test]
    fn every_language_says_all_that_english_says() {
        for language in Language::ALL {
            let words: Words = serde_json::from_value(file(language)).unwrap();
            assert!(words.sentences.len() >= 3);
            same_shape(language.tag(), &file(Language::English), &file(language));
        }
    }

    #[test]
    fn every_issue_of_the_gate_is_told_in_words() {
        let spoken = file(Language::English);
        for code in IssueCode::ALL {
            let name = serde_json::to_value(code).unwrap();
            assert!(spoken["issues"][name.as_str().unwrap()].is_string(), "{name}");
        }
    }

    #[test]
    fn names_are_put_in_once_and_never_looked_at_again() {
        let known = [("name", "{organisation}"), ("organisation", "Garden")];
        assert_eq!(
            fill("{name} of {organisation}", &known),
            "{organisation} of Garden"
        );
        assert_eq!(fill("a { b {unknown} c", &known), "a { b {unknown} c");
    }
}
