//! Where the Qdrant server is, checked before anything is sent to it.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::gallery::GalleryError;

/// How to reach a Qdrant server.
#[derive(Debug, Clone)]
pub struct QdrantSettings {
    /// The gRPC address: scheme, host and port, as in `http://127.0.0.1:6334`.
    pub url: String,
    /// The server's API key, when it asks for one.
    pub api_key: Option<SecretString>,
    /// What the names of this gallery's collections begin with: 1 to 64 ASCII letters, digits, `-`
    /// and `_`. Two deployments that share a server need two of them.
    pub collection: String,
    /// The longest one request to the server may take, with connecting and every retry. A search is
    /// one request (two for rosters above a thousand, one more the first time a model is searched),
    /// and a server that has gone silent ends the operation at its first unanswered request.
    pub timeout: Duration,
}

impl QdrantSettings {
    /// The address in the form used for connecting and for messages.
    ///
    /// # Errors
    /// [`GalleryError::Settings`] when a part is unusable, or when the key would travel unencrypted
    /// to another machine.
    pub(super) fn checked_url(&self) -> Result<String, GalleryError> {
        let prefix_fits = (1..=64).contains(&self.collection.len())
            && self
                .collection
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !prefix_fits {
            return settings("the collection prefix must be 1 to 64 ASCII letters, digits, `-` and `_`");
        }
        if self.timeout.is_zero() {
            return settings("the timeout must be longer than zero");
        }
        let (scheme, host, authority) = split(&self.url)?;
        if self.api_key.is_some() && scheme == "http" && !is_loopback(host) {
            return settings(
                "an API key would travel unencrypted to another machine: \
                 use an https address, or leave the key out",
            );
        }
        Ok(format!("{scheme}://{authority}"))
    }
}

fn settings<T>(fault: &'static str) -> Result<T, GalleryError> {
    Err(GalleryError::Settings { fault })
}

/// Scheme, host without port, and host with port of an address that is nothing but these
/// (RFC 3986 section 3).
fn split(url: &str) -> Result<(&str, &str, &str), GalleryError> {
    let Some((scheme @ ("http" | "https"), rest)) = url.trim().split_once("://") else {
        return settings("the address must begin with http:// or https://, as in http://127.0.0.1:6334");
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return settings("the address must not hold a user name or password: give the API key by itself");
    }
    if authority.contains(['/', '?', '#', '\\']) || authority.contains(char::is_whitespace) {
        return settings("the address must end after the host and port, as in http://127.0.0.1:6334");
    }
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').map_or("", |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    if host.is_empty() {
        return settings("the address has no host: it should look like http://127.0.0.1:6334");
    }
    Ok((scheme, host, authority))
}

/// Whether `host` is this very machine: `localhost` (RFC 6761 section 6.3) or a loopback address.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, api_key: Option<&str>) -> QdrantSettings {
        QdrantSettings {
            url: url.to_owned(),
            api_key: api_key.map(SecretString::from),
            collection: "voxline".to_owned(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn an_api_key_leaves_this_machine_only_encrypted() {
        for refused in [
            "http://10.0.0.7:6334",
            "http://qdrant:6334",
            "http://localhost.example.org:6334",
            "http://127.0.0.1.example.org:6334",
            "http://[2001:db8::1]:6334",
        ] {
            assert!(at(refused, Some("k")).checked_url().is_err(), "{refused} passed");
            assert!(at(refused, None).checked_url().is_ok(), "{refused} needs no key");
        }
        for fine in [
            "https://qdrant.example.org:6334",
            "http://localhost:6334",
            "http://127.0.0.1:6334",
            "http://[::1]:6334",
        ] {
            assert!(at(fine, Some("k")).checked_url().is_ok(), "{fine} was refused");
        }
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port_and_nothing_more() {
        for bad in [
            "",
            "qdrant:6334",
            "ftp://qdrant:6334",
            "http://",
            "http://:6334",
            "http://[::1:6334",
            "http://user:secret@qdrant:6334",
            "http://qdrant:6334/collections",
            "http://qdrant:6334?api-key=secret",
        ] {
            let error = at(bad, None).checked_url().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(
            at(" http://qdrant:6334/ ", None).checked_url().unwrap(),
            "http://qdrant:6334"
        );
    }

    #[test]
    fn a_collection_prefix_cannot_reach_into_another_deployments_collections() {
        for bad in ["", "a.b", "a/b", "naïve", &"x".repeat(65)] {
            let mut settings = at("http://localhost:6334", None);
            settings.collection = bad.to_owned();
            assert!(settings.checked_url().is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn the_key_is_never_printed() {
        let printed = format!("{:?}", at("http://localhost:6334", Some("sesame")));
        assert!(!printed.contains("sesame"), "{printed}");
    }
}
