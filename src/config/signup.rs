//! The keys of `signup`: the page on which users enrol in a browser.

use std::path::PathBuf;

use crate::units::Seconds;

use super::sources::Reader;

/// How users are asked for their voice in a browser.
#[derive(Debug, Clone)]
pub struct SignupConfig {
    /// Who asks; without it the name of the number.
    pub organisation: Option<String>,
    /// A file with consent texts of one's own.
    pub consent_file: Option<PathBuf>,
    /// Origins of the pages that may show the signup page in a frame.
    pub embed_from: Vec<String>,
    /// How long a link is good for unless said otherwise.
    pub link_lifetime: Seconds,
}

impl SignupConfig {
    pub(super) fn read(read: &mut Reader) -> Self {
        let embed_from = read.list("signup.embed_from", "");
        if let Some(bad) = embed_from.iter().find(|origin| !is_origin(origin)) {
            read.fault(
                "signup.embed_from",
                format!(
                    "{bad:?} is no origin: scheme, host and port of a page, as in https://app.example.com, and \
                     nothing behind them; several stand between commas"
                ),
            );
        }
        let days = read.number("signup.link_days", 0.01..=365.0, 7.0);
        Self {
            organisation: read.text("signup.organisation"),
            consent_file: read.text("signup.consent_file").map(PathBuf::from),
            embed_from,
            link_lifetime: super::seconds(days * 24.0 * 3600.0),
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
