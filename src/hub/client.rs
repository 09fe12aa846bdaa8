//! The HTTP client: TLS by rustls with ring and the system's roots, proxies from the environment.

use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Url};

use super::error::HubError;
use crate::outward::through_proxies;

/// Redirects that are followed: a hub sends to its storage in one or two.
const MOST_REDIRECTS: usize = 8;

/// How long is waited for a source, and how often it is asked again.
#[derive(Debug, Clone, Copy)]
pub struct DownloadTimeouts {
    /// The longest that nothing, or next to nothing, may come.
    pub stall: Duration,
    /// How many further attempts each address gets.
    pub retries: u32,
}

impl Default for DownloadTimeouts {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            retries: 4,
        }
    }
}

/// A client for `timeouts`. `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured, but not for
/// this machine, as are `SSL_CERT_FILE` and `SSL_CERT_DIR`.
pub(super) fn client(timeouts: DownloadTimeouts) -> Result<Client, HubError> {
    // The choice is the process's; whoever made it first, it is ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("voxline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeouts.stall)
        .redirect(Policy::custom(follow));
    let builder = through_proxies(builder).map_err(|fault| HubError::Client(fault.to_string()))?;
    builder.build().map_err(|cause| HubError::Client(causes(&cause)))
}

/// Follows a redirect, but never from an encrypted connection to one that is not.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error("it redirects too often");
    }
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    match attempt.url().scheme() {
        "https" => attempt.follow(),
        "http" if !was_secure => attempt.follow(),
        "http" => attempt.error("it redirects from https to http, which is refused"),
        _ => attempt.error("it redirects to something that is no http"),
    }
}

/// An address of http or https.
pub(super) fn address(text: &str) -> Result<Url, HubError> {
    let bad = |cause: String| HubError::BadAddress {
        text: without_password(text),
        cause,
    };
    let url = Url::parse(text).map_err(|cause| bad(cause.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(bad("it begins with https:// or http://".to_owned())),
    }
}

/// An address as it may be shown: without user, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both refuse only addresses without a host, which `address` lets nobody have.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    }
}

/// An error with all its causes, without the address, which may hold a signature.
pub(super) fn causes(fault: &dyn std::error::Error) -> String {
    let mut said = Vec::new();
    let mut next = Some(fault);
    while let Some(cause) = next {
        said.push(cause.to_string());
        next = cause.source();
    }
    // The outermost only says that a request failed; what follows says why.
    if said.len() > 1 {
        said.remove(0);
    }
    said.dedup();
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_secrets() {
        let url = address("https://me:hush@hub.example/a%2B%2B.onnx?signature=hush#x").unwrap();
        assert_eq!(shown(&url), "https://hub.example/a%2B%2B.onnx");
        let said = address("ftp://me:hush@hub.example/x").unwrap_err().to_string();
        assert!(!said.contains("hush") && said.contains("hub.example"), "{said}");
    }
}
