//! Whether a request that brings a session comes from the console's own pages.
//!
//! A browser sends a session's cookie whoever made it ask. What it says of the asking page (`Origin`, RFC 6454;
//! `Sec-Fetch-Site`, W3C Fetch Metadata) cannot be forged by that page.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::app_state::AppState;
use super::problem::{Kind, Problem};

/// Whether a method only reads (RFC 9110 section 9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what another site's page asked for.
pub(super) fn refuse_foreign(parts: &Parts, app: &AppState) -> Result<(), Problem> {
    refuse_strange_host(&parts.headers, app)?;
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
        Some(origin) => is_own(origin, text(headers, "host"), &app.settings.address),
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

/// Refuses a request to a name that is none of the service's. Another site can have a name of its own lead to this machine
/// (DNS rebinding), and to the browser its pages are then the service's own.
pub(super) fn refuse_strange_host(headers: &HeaderMap, app: &AppState) -> Result<(), Problem> {
    let host = text(headers, "host").unwrap_or("");
    if is_served(host, &app.settings.address, &app.settings.console_hosts) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::ForeignPage,
        "the console is not served under this name: open it by the address that `public_url` names, or name the host \
         in `console_hosts`",
    ))
}

/// Whether browsers may reach the service by this `Host`: an IP address and `localhost` are nobody's to give away, the
/// other names are those that are configured.
fn is_served(host: &str, address: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let (_, own) = address.split_once("://").unwrap_or(("", address));
    let own = own.split(['/', ':']).next().unwrap_or("");
    let named = names.iter().map(String::as_str).chain(["localhost", own]);
    bare.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && named.into_iter().any(|known| known.eq_ignore_ascii_case(name)))
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
    fn the_console_is_served_by_addresses_and_by_the_names_it_was_given() {
        let names = ["voxline.internal".to_owned()];
        let served = |host: &str| is_served(host, "https://id.example.com/voice", &names);
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.0.0.7",
            "LOCALHOST:1",
            "id.example.com",
            "ID.example.com:443",
            "voxline.internal:8080",
        ] {
            assert!(served(host), "{host}");
        }
        for host in [
            "",
            ":8080",
            "rebound.example:8080",
            "id.example.com.evil.example",
            "localhost.evil.example",
        ] {
            assert!(!served(host), "{host}");
        }
    }

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
