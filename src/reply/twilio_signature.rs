//! Whether a request is Twilio's: `X-Twilio-Signature`, as Twilio's "Validating Signatures from Twilio"
//! defines it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

/// The header that carries the signature.
pub(super) const HEADER: &str = "x-twilio-signature";

/// What is needed to know Twilio's requests.
#[derive(Debug, Clone)]
pub struct TwilioCheck {
    /// The account's auth token, the key of the signature.
    pub auth_token: SecretString,
    /// How Twilio reaches this service, as in `https://id.example.com`: behind a proxy the host that
    /// arrives here is not the one that was signed.
    pub public_url: String,
}

impl TwilioCheck {
    /// Whether `signature` is Twilio's for a WebSocket handshake at `path` (with its query, if any).
    pub(super) fn signed_handshake(&self, path: &str, signature: &str) -> bool {
        let url = self.websocket_url(path);
        [&url, &toggle_port(&url)]
            .into_iter()
            .any(|url| is_signature(&self.auth_token, url, &[], signature))
    }

    /// The address Twilio opened: the public one, with the WebSocket's scheme.
    fn websocket_url(&self, path: &str) -> String {
        let base = self.public_url.trim_end_matches('/');
        let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
        let scheme = if matches!(scheme, "http" | "ws") {
            "ws"
        } else {
            "wss"
        };
        format!("{scheme}://{rest}{path}")
    }
}

/// Whether `signature` is base64(HMAC-SHA1(token, url and the sorted parameters)). The comparison takes
/// the same time wherever it fails. Parameters repeated with the same value count once.
fn is_signature(token: &SecretString, url: &str, parameters: &[(&str, &str)], signature: &str) -> bool {
    let Ok(claimed) = STANDARD.decode(signature) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(url.as_bytes());
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&claimed).is_ok()
}

/// The same address with the port left out, or with the scheme's usual one put in: Twilio signs now
/// the one, now the other.
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

    fn token(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// Twilio's own example, from its documentation.
    const PUBLISHED: &[(&str, &str)] = &[
        ("Digits", "1234"),
        ("To", "+18005551212"),
        ("From", "+14158675309"),
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
    ];

    #[test]
    fn the_published_vector_holds_in_any_order_of_parameters() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(is_signature(&token("12345"), url, PUBLISHED, signature));
        let mut turned = PUBLISHED.to_vec();
        turned.reverse();
        turned.push(PUBLISHED[0]);
        assert!(is_signature(&token("12345"), url, &turned, signature));
        assert!(!is_signature(&token("12346"), url, PUBLISHED, signature));
        assert!(!is_signature(&token("12345"), url, &PUBLISHED[1..], signature));
    }

    #[test]
    fn a_webhooks_vector_holds() {
        let parameters = [
            ("CallSid", "CA00000000000000000000000000000001"),
            ("ForwardedFrom", "+12025550103"),
            ("From", "+12025550101"),
            ("To", "+12025550102"),
        ];
        let url = "https://id.example.com/twilio/voice";
        assert!(is_signature(
            &token("tok-test"),
            url,
            &parameters,
            "q1Cyu9DRlF7D+ZSGtslZDRMIKxI="
        ));
    }

    #[test]
    fn a_handshake_is_checked_against_the_public_address_with_and_without_its_port() {
        let signature = "CtOD2/sAgaJXpdnVTE5eOSdnna8=";
        for public_url in [
            "https://id.example.com",
            "https://id.example.com:443",
            "wss://id.example.com/",
        ] {
            let check = TwilioCheck {
                auth_token: token("tok-test"),
                public_url: public_url.to_owned(),
            };
            assert!(check.signed_handshake("/twilio/media", signature), "{public_url}");
            assert!(
                !check.signed_handshake("/media/twilio", signature),
                "another path"
            );
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let check = TwilioCheck {
            auth_token: token("tok-test"),
            public_url: "https://id.example.com".to_owned(),
        };
        for bad in [
            "",
            "!",
            "CtOD2/sAgaJXpdnVTE5eOSdnna8",
            "CtOD2/sAgaJXpdnVTE5eOSdnnaA=",
        ] {
            assert!(!check.signed_handshake("/twilio/media", bad), "{bad:?} passed");
        }
    }

    #[test]
    fn a_token_shows_nowhere() {
        let check = TwilioCheck {
            auth_token: token("tok-test"),
            public_url: String::new(),
        };
        assert!(!format!("{check:?}").contains("tok-test"));
    }
}
