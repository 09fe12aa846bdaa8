//! The way out: which addresses may be asked at all, and the client that asks them.
//!
//! `listenUrl`, `controlUrl` and recordings are addresses that a request brought. They are asked only where their
//! host is one that was allowed, over TLS, within a size and a time, and a redirect is never followed: whoever
//! could forge one of them would otherwise make this service fetch what only it can reach.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why an address was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is no address.
    #[error("an address cannot be read")]
    NotAnAddress,
    /// It is of another scheme.
    #[error("an address begins with `{0}://`; only https and wss are asked")]
    Scheme(String),
    /// Its host is not allowed.
    #[error("the host {0} is not one that may be asked: vapi.hosts says which are")]
    Host(String),
    /// It carries a user's name.
    #[error("an address carries a name or password")]
    Credentials,
}

/// Why something was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfetched {
    /// The client could not be made.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    /// Nobody answered.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// There is more than may be.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

/// Which hosts may be asked, and which of them without TLS.
#[derive(Debug, Clone)]
pub struct Allowed {
    hosts: Vec<String>,
    plain: Vec<String>,
}

impl Allowed {
    /// `hosts` are names, or suffixes with a dot in front; `plain` are loopback hosts for tests.
    pub fn new(hosts: &[String], plain: &[String]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            plain: plain.to_vec(),
        }
    }

    /// An address of https (or http, of a plain host).
    ///
    /// # Errors
    /// [`Refused`] unless it may be asked.
    pub fn http(&self, text: &str) -> Result<Url, Refused> {
        self.check(text, "https", "http")
    }

    /// An address of wss (or ws, of a plain host).
    ///
    /// # Errors
    /// [`Refused`] unless it may be asked.
    pub fn socket(&self, text: &str) -> Result<Url, Refused> {
        self.check(text, "wss", "ws")
    }

    fn check(&self, text: &str, secure: &str, plain: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::NotAnAddress)?;
        let host = url.host_str().ok_or(Refused::NotAnAddress)?;
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .trim_end_matches('.')
            .to_lowercase();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let is_plain = self.plain.contains(&bare);
        if url.scheme() != secure && !(is_plain && url.scheme() == plain) {
            return Err(Refused::Scheme(url.scheme().chars().take(20).collect()));
        }
        let allowed = self.hosts.iter().any(|known| match known.strip_prefix('.') {
            Some(name) => bare == name || bare.ends_with(known.as_str()),
            None => bare == *known,
        });
        if allowed || is_plain {
            Ok(url)
        } else {
            Err(Refused::Host(bare.chars().take(100).collect()))
        }
    }
}

/// An HTTP client that follows no redirect: TLS by rustls with ring and the system's roots.
///
/// # Errors
/// [`Unfetched::Client`] when the system gives none.
pub fn client(patience: Duration) -> Result<Client, Unfetched> {
    // The choice is the process's; whoever made it first, it is ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = Client::builder()
        .user_agent(concat!("voxline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience)
        .timeout(patience)
        .redirect(Policy::none())
        .build();
    built.map_err(|fault| Unfetched::Client(causes(fault)))
}

/// The body of an answer, of at most `most` bytes.
///
/// # Errors
/// [`Unfetched`] when there is more, or the connection breaks.
pub async fn body(mut response: Response, most: usize) -> Result<Zeroizing<Vec<u8>>, Unfetched> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > most) {
        return Err(Unfetched::TooLarge(most));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        let piece = response.chunk().await;
        let Some(piece) = piece.map_err(|fault| Unfetched::Unreachable(causes(fault)))? else {
            return Ok(bytes);
        };
        if bytes.len() + piece.len() > most {
            return Err(Unfetched::TooLarge(most));
        }
        bytes.extend_from_slice(&piece);
    }
}

/// A fault with its causes, without the address, which may be secret.
pub fn causes(fault: reqwest::Error) -> String {
    let fault = fault.without_url();
    let mut said = vec![fault.to_string()];
    let mut next = std::error::Error::source(&fault);
    while let Some(cause) = next {
        said.push(cause.to_string());
        next = cause.source();
    }
    said.dedup();
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        Allowed::new(
            &[".vapi.ai".to_owned(), "exact.example".to_owned()],
            &["127.0.0.1".to_owned()],
        )
    }

    #[test]
    fn vapis_own_hosts_are_asked_over_tls_alone() {
        for good in [
            "https://phone-call-websocket.aws-us-west-2-backend-production1.vapi.ai/c-1/control",
            "https://vapi.ai/x",
            "https://API.VAPI.AI./x",
            "https://exact.example/x",
            "http://127.0.0.1:9/x",
            "https://127.0.0.1:9/x",
        ] {
            assert!(allowed().http(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.vapi.ai/x",
            "https://evilvapi.ai/x",
            "https://vapi.ai.evil.example/x",
            "https://sub.exact.example/x",
            "https://user@api.vapi.ai/x",
            "https://169.254.169.254/latest",
            "https://[::1]/x",
            "http://127.0.0.2/x",
            "file:///etc/passwd",
            "wss://api.vapi.ai/x",
            "",
        ] {
            assert!(allowed().http(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sockets_are_checked_alike() {
        assert!(allowed().socket("wss://x.vapi.ai/c/listen").is_ok());
        assert!(allowed().socket("ws://127.0.0.1:9/c/listen").is_ok());
        assert!(allowed().socket("ws://x.vapi.ai/c/listen").is_err());
        assert!(allowed().socket("https://x.vapi.ai/c/listen").is_err());
    }
}
