//! The signature itself: base64 of an HMAC over an address and parameters, keyed by one of the account's secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;

/// What a signature is made with.
#[derive(Clone, Copy)]
pub(super) struct Signer<'a> {
    pub key: &'a SecretString,
    pub hash: Hash,
}

/// The hash of its HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// The one that the header of a shared key names, SHA-1 where it names none. `None` for one that is not known here.
    pub fn named(settings: &str) -> Option<Self> {
        let pairs = settings.split(',').filter_map(|pair| pair.split_once('='));
        let mut names = pairs
            .filter(|(name, _)| name.trim() == "algorithm")
            .map(|(_, value)| value.trim().to_ascii_uppercase())
            .filter(|value| !value.is_empty());
        match names.next().as_deref() {
            None | Some("HMAC_SHA1") => Some(Self::Sha1),
            Some("HMAC_SHA256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }
}

impl<'a> Signer<'a> {
    /// One that signs as an auth token and SignalWire's key do: HMAC-SHA1.
    pub fn sha1(key: &'a SecretString) -> Self {
        let hash = Hash::Sha1;
        Self { key, hash }
    }

    /// Whether `signature` is of this address and these parameters. Twilio signs now with, now without the port.
    pub fn signed(self, url: &str, parameters: &[(String, String)], signature: &str) -> bool {
        [url, &toggle_port(url)]
            .into_iter()
            .any(|url| self.signed_exactly(url, parameters, signature))
    }

    /// Parameters repeated with the same value count once.
    fn signed_exactly(self, url: &str, parameters: &[(String, String)], signature: &str) -> bool {
        let Ok(claimed) = STANDARD.decode(signature) else {
            return false;
        };
        let mut sorted: Vec<_> = parameters.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let signed = sorted.into_iter().fold(url.to_owned(), |signed, (name, value)| {
            signed + name.as_str() + value.as_str()
        });
        let key = self.key.expose_secret().as_bytes();
        match self.hash {
            Hash::Sha1 => is_mac::<Hmac<Sha1>>(key, signed.as_bytes(), &claimed),
            Hash::Sha256 => is_mac::<Hmac<Sha256>>(key, signed.as_bytes(), &claimed),
        }
    }
}

/// The comparison takes the same time wherever it fails.
fn is_mac<M: Mac + KeyInit>(key: &[u8], signed: &[u8], claimed: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(claimed).is_ok())
}

/// The same address with the port left out, or with the scheme's usual one put in.
fn toggle_port(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let usual = if matches!(scheme, "https" | "wss") {
        443
    } else {
        80
    };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{scheme}://{host}{path}")
        }
        _ => format!("{scheme}://{authority}:{usual}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_holds_in_any_order_of_parameters() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let published: Vec<_> = [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
        ]
        .map(pair)
        .into();
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let (key, other) = ("12345".into(), "12346".into());
        let fits = |key: &SecretString, of: &[(String, String)]| {
            Signer::sha1(key).signed_exactly(url, of, signature)
        };
        assert!(fits(&key, &published));
        let mut turned = published.clone();
        turned.reverse();
        turned.push(published[0].clone());
        assert!(fits(&key, &turned));
        assert!(!fits(&other, &published));
        assert!(!fits(&key, &published[1..]));
    }
}
