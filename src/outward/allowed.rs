//! Which addresses may be asked.

use reqwest::Url;
use thiserror::Error;

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
    #[error(
        "the host {0} is not one that may be asked: vapi.hosts and identity.passport_hosts say which are"
    )]
    Host(String),
    /// It carries a user's name.
    #[error("an address carries a name or password")]
    Credentials,
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
