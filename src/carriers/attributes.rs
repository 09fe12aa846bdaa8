//! What an exchange says of a call in names and values that its dialplan or application chose: variables of a
//! channel, fields of a form, a WebSocket's query.
//!
//! `DIALED` (or `number`), `CALLERID` (or `caller`), `CALL` (or `call_id`), `CALL_TOKEN`, and SIP headers by their
//! names with `_` for `-`: `DIVERSION`, `HISTORY_INFO`, `REFERRED_BY`, `P_ASSERTED_IDENTITY`, `P_PREFERRED_IDENTITY`,
//! `REMOTE_PARTY_ID`, `IDENTITY`, `X_FORWARDED_FROM` with its `X_FWD_CALL`, `X_FWD_TIME` and `X_FWD_SIG`.

use crate::evidence::{CallFacts, Headers, Source};

/// The most of them that are kept.
const MOST: usize = 256;

/// Names and values; of two with one name the first counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Takes them in any case. The underscores before an Asterisk variable's name say that other channels inherit
    /// it, and are not part of it.
    pub(super) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let named = pairs.into_iter().take(MOST).filter_map(|(name, value)| {
            let name = name.trim().trim_start_matches('_');
            let name = name.to_ascii_lowercase().replace('_', "-");
            let value = value.trim();
            (!name.is_empty() && !value.is_empty()).then(|| (name, value.to_owned()))
        });
        Self(named.collect())
    }

    /// The number that was dialed.
    pub(super) fn dialed(&self) -> Option<&str> {
        self.first(&["dialed", "number"])
    }

    /// The exchange's id of the caller's call.
    pub(super) fn call(&self) -> Option<&str> {
        self.first(&["call", "call-id", "callid"])
    }

    /// The call token.
    pub(super) fn token(&self) -> Option<&str> {
        self.first(&["call-token", "token"])
    }

    /// Whether they say that the call is over.
    pub(super) fn status(&self) -> Option<&str> {
        self.first(&["status"])
    }

    /// Who called and who forwarded, as far as they say it.
    pub(super) fn facts(&self, source: Source) -> CallFacts {
        let mut facts = CallFacts {
            source,
            caller_text: self.first(&["callerid", "caller"]).map(str::to_owned),
            ..CallFacts::default()
        };
        facts.add_sip(&Headers::from_pairs(self.0.iter().cloned()));
        facts
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        let found = names
            .iter()
            .find_map(|name| self.0.iter().find(|(known, _)| known == name));
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Place;

    fn of(pairs: &[(&str, &str)]) -> Attributes {
        Attributes::of(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn variables_are_found_in_any_case_and_without_inheritance_marks() {
        let told = of(&[
            ("__DIALED", "+12025550102"),
            ("_CallerId", " +12025550101 "),
            ("CALL", "1.2"),
            ("DIVERSION", "<sip:+12025550103@pbx>;reason=no-answer"),
            ("P_ASSERTED_IDENTITY", "<sip:+12025550104@h>"),
            ("HISTORY_INFO", ""),
        ]);
        assert_eq!(
            (told.dialed(), told.call(), told.token()),
            (Some("+12025550102"), Some("1.2"), None)
        );
        let facts = told.facts(Source::Asterisk);
        assert_eq!(facts.caller_text.as_deref(), Some("+12025550101"));
        let places: Vec<Place> = facts.forwarding.iter().map(|found| found.place).collect();
        assert_eq!(places, [Place::Diversion, Place::PAssertedIdentity]);
    }

    #[test]
    fn what_says_nothing_and_what_is_too_much_is_left_out() {
        let none = of(&[("", "x"), ("___", "y"), ("CALLERID", "  ")]);
        assert!(none.0.is_empty() && none.facts(Source::Asterisk).caller_text.is_none());
        let many = (0..10_000).map(|nth| (format!("v{nth}"), "x".to_owned()));
        assert_eq!(Attributes::of(many).0.len(), MOST);
    }
}
