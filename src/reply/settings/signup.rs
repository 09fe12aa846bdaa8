//! `[signup]`: the page on which users enrol in a browser.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::settings::{SettingsReader, list};
use crate::store::Number;
use crate::units::Seconds;

/// How users are asked for their voice in a browser.
#[derive(Debug, Clone)]
pub struct SignupSettings {
    /// Who asks; without it the name of the number.
    pub organisation: Option<String>,
    /// A file with consent texts of one's own.
    pub consent_file: Option<PathBuf>,
    /// Origins of the pages that may show the signup page in a frame.
    pub embed_from: Vec<String>,
    /// How long a link is good for unless said otherwise.
    pub link_lifetime: Seconds,
    /// Whether recordings can be kept at all.
    pub may_keep: bool,
    /// Whether users can enrol by telephone too.
    pub by_telephone: bool,
}

impl SignupSettings {
    /// In whose name a voice is asked for on a number.
    pub(in crate::reply) fn organisation_on<'a>(&'a self, number: &'a Number) -> &'a str {
        let own = self.organisation.as_deref().or(number.name.as_deref());
        own.unwrap_or_else(|| number.number.as_e164())
    }
}

/// The page on which users enrol in a browser, by a link that is good once (`docs/signup.md`).
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignupSection {
    /// Who asks. Without it: the number's name.
    pub organisation: Option<String>,
    /// A file with consent texts of your own, with their version.
    pub consent_file: Option<String>,
    /// Origins of the pages that may show it in a frame, as in `https://app.example.com`; several stand between commas.
    pub embed_from: Option<String>,
    /// Days a link is good for, unless it is made for another time.
    #[schema(minimum = 0.01, maximum = 365.0)]
    #[default = 7.0]
    pub link_days: f64,
}

impl SignupSection {
    /// The settings of enrolment pages, days as a span of time; what is wrong with them is noted in `read`. `may_keep`
    /// says whether recordings can be kept, `by_telephone` whether users can enrol on a call too.
    pub fn checked(self, read: &mut SettingsReader, may_keep: bool, by_telephone: bool) -> SignupSettings {
        let embed_from = list(&self.embed_from.unwrap_or_default());
        if let Some(bad) = embed_from.iter().find(|origin| !is_origin(origin)) {
            read.fault(
                "signup.embed_from",
                format!(
                    "{bad:?} is no origin: scheme, host and port of a page, as in https://app.example.com, and \
                     nothing behind them; several stand between commas"
                ),
            );
        }
        SignupSettings {
            organisation: self.organisation,
            consent_file: self.consent_file.map(PathBuf::from),
            embed_from,
            link_lifetime: Seconds::checked(self.link_days * 24.0 * 3600.0).unwrap_or(Seconds::ZERO),
            may_keep,
            by_telephone,
        }
    }
}

/// Scheme, host and port (RFC 6454). It stands in a header among others, so nothing else is let through.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(allowed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_brings_nothing_into_a_header() {
        assert!(is_origin("https://app.example.com") && is_origin("http://localhost:3000"));
        for bad in [
            "app.example.com",
            "https://",
            "https://a.example/x",
            "https://a.example; script-src *",
            "https://a.example *",
            "*",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
