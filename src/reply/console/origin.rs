//! Whether a request that brings a session comes from the console's own pages.
//!
//! A browser sends a session's cookie whoever made it ask. What it says of the asking page (`Origin`, RFC 6454;
//! `Sec-Fetch-Site`, W3C Fetch Metadata) cannot be forged by that page.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::super::app_state::AppState;
use super::super::problem::{Kind, Problem};

/// Whether a method only reads (RFC 9110 section 9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what another site's page asked for.
pub(super) fn refuse_foreign(parts: &Parts, app: &AppState) -> Result<(), Problem> {
    let headers = &parts.headers;
    // A WebSocket is opened by a GET and does more than read. Browsers always say who opens one.
    let opens_socket = headers.contains_key(header::UPGRADE);
    let reads = is_safe(&parts.method) && !opens_socket;
    let from_own_site = match text(headers, "sec-fetch-site") {
        None | Some("same-origin") => true,
        // Typed into the address bar.
        Some("none") => reads,
        Some(_) => false,
    };
    let from_own_origin = match text(headers, "origin") {
        None => !opens_socket,
        Some(origin) => is_own(origin, text(headers, "host"), &app.signup.address),
    };
    if from_own_site && from_own_origin {
        return Ok(());
    }
    Err(Problem::new(
        Kind::ForeignPage,
        "another site's page asked for this in your name: it was not done. If it was the console, open it by the \
         address that `public_url` names",
    ))
}

/// Whether `origin` is of the pages of this service: by the host that was asked, or by the configured address.
fn is_own(origin: &str, host: Option<&str>, address: &str) -> bool {
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let of_host = authority
        .zip(host)
        .is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host));
    // The address may go on with a path; an origin does not.
    let of_address = || {
        address
            .get(..origin.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(origin))
            && matches!(address.as_bytes().get(origin.len()), None | Some(b'/'))
    };
    of_host || of_address()
}

/// A header's text; what is no text is nobody's.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_by_the_host_that_was_asked_or_by_the_public_address() {
        let address = "https://id.example.com";
        let own = |origin: &str, host: &str| is_own(origin, Some(host), address);
        assert!(own("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(own("https://ID.example.com", "voxline.internal:8080"));
        assert!(is_own(
            "https://id.example.com",
            None,
            "https://id.example.com/voice"
        ));
        for (origin, host) in [
            ("https://evil.example", "127.0.0.1:8080"),
            ("http://127.0.0.1:9090", "127.0.0.1:8080"),
            ("https://id.example.com.evil.example", "127.0.0.1:8080"),
            ("https://id.example.co", "127.0.0.1:8080"),
            ("http://id.example.com", "127.0.0.1:8080"),
            ("null", "null"),
            ("", "127.0.0.1:8080"),
        ] {
            assert!(!own(origin, host), "{origin} at {host}");
        }
    }
}
