//! `X-Twilio-Signature`, as Twilio's "Validating Signatures from Twilio" defines it: base64 of HMAC-SHA1, keyed
//! by the auth token, over the address as Twilio called it and the form's parameters, sorted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Refusal, Signed, as_websocket};
use crate::carriers::form;
use crate::units::hex;

pub(super) const HEADER: &str = "x-twilio-signature";
const KEYS: &str = "twilio.auth_token and public_url";
pub(super) const LACKING: Refusal = Refusal::NotConfigured {
    carrier: "Twilio",
    keys: KEYS,
};
const WRONG: Refusal = Refusal::Wrong {
    carrier: "Twilio",
    keys: KEYS,
};

/// SignalWire signs as Twilio does, with the project's signing key for the auth token.
const SIGNALWIRE_HEADER: &str = "x-signalwire-signature";
const SIGNALWIRE_KEYS: &str = "signalwire.signing_key and public_url";
const SIGNALWIRE_LACKING: Refusal = Refusal::NotConfigured {
    carrier: "SignalWire",
    keys: SIGNALWIRE_KEYS,
};
const SIGNALWIRE_WRONG: Refusal = Refusal::Wrong {
    carrier: "SignalWire",
    keys: SIGNALWIRE_KEYS,
};

/// The keys of those who come in by Twilio's door.
pub(super) struct Keys<'a> {
    /// Twilio's auth token.
    pub twilio: Option<&'a SecretString>,
    /// SignalWire's signing key.
    pub signalwire: Option<&'a SecretString>,
}

/// A webhook of Twilio's, or one of SignalWire's, which names itself by its header. Callbacks that SignalWire took over
/// from Twilio may bear Twilio's header and SignalWire's key all the same (its server SDKs take both).
pub(super) fn check_dialects(keys: &Keys, base: Option<&str>, request: &Signed) -> Result<(), Refusal> {
    if let Some(signature) = (request.header)(SIGNALWIRE_HEADER) {
        let (Some(key), Some(base)) = (keys.signalwire, base) else {
            return Err(SIGNALWIRE_LACKING);
        };
        return is_of_webhook(key, base, request, signature)
            .then_some(())
            .ok_or(SIGNALWIRE_WRONG);
    }
    let known: Vec<&SecretString> = [keys.twilio, keys.signalwire].into_iter().flatten().collect();
    let base = base.filter(|_| !known.is_empty()).ok_or(LACKING)?;
    let signature = signature(request)?;
    let fits = known
        .into_iter()
        .any(|key| is_of_webhook(key, base, request, signature));
    if fits { Ok(()) } else { Err(WRONG) }
}

/// A webhook: a form's parameters are signed with the address; of any other body the address holds the hash.
fn is_of_webhook(token: &SecretString, base: &str, request: &Signed, signature: &str) -> bool {
    let parameters = if request.is_form() {
        form::pairs(request.body)
    } else {
        Vec::new()
    };
    let url = format!("{base}{}", request.path);
    if !is_either(token, &url, &parameters, signature) {
        return false;
    }
    if request.is_form() || (request.body.is_empty() && !request.query().contains("bodySHA256=")) {
        return true;
    }
    let hash = form::pairs(request.query().as_bytes())
        .into_iter()
        .find(|(name, _)| name == "bodySHA256");
    hash.is_some_and(|(_, hash)| hash.eq_ignore_ascii_case(&hex_sha256(request.body)))
}

/// A WebSocket handshake: the same over the address with `wss`, and no parameters.
pub(super) fn check_handshake(token: &SecretString, base: &str, request: &Signed) -> Result<(), Refusal> {
    let url = format!("{}{}", as_websocket(base), request.path);
    if is_either(token, &url, &[], signature(request)?) {
        Ok(())
    } else {
        Err(WRONG)
    }
}

fn signature<'a>(request: &Signed<'a>) -> Result<&'a str, Refusal> {
    (request.header)(HEADER).ok_or(Refusal::Unsigned {
        carrier: "Twilio",
        header: HEADER,
    })
}

/// Twilio signs now with, now without the port.
fn is_either(token: &SecretString, url: &str, parameters: &[(String, String)], signature: &str) -> bool {
    [url, &toggle_port(url)]
        .into_iter()
        .any(|url| is_signature(token, url, parameters, signature))
}

/// The comparison takes the same time wherever it fails. Parameters repeated with the same value count once.
fn is_signature(token: &SecretString, url: &str, parameters: &[(String, String)], signature: &str) -> bool {
    let Ok(claimed) = STANDARD.decode(signature) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(url.as_bytes());
    let mut sorted: Vec<_> = parameters.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&claimed).is_ok()
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

fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Parts;
    use super::*;

    const BASE: &str = "https://id.example.com";
    const FORM: &str = "CallSid=CA00000000000000000000000000000001&ForwardedFrom=%2B12025550103\
                        &From=%2B12025550101&To=%2B12025550102";
    const FORM_SIGNATURE: &str = "q1Cyu9DRlF7D+ZSGtslZDRMIKxI=";

    fn token() -> SecretString {
        "tok-test".into()
    }

    fn webhook(parts: &Parts, base: &str) -> Result<(), Refusal> {
        let (token, other) = (token(), "another".into());
        let keys = Keys {
            twilio: Some(&token),
            signalwire: Some(&other),
        };
        parts.checked(|request| check_dialects(&keys, Some(base), request))
    }

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
        assert!(is_signature(&"12345".into(), url, &published, signature));
        let mut turned = published.clone();
        turned.reverse();
        turned.push(published[0].clone());
        assert!(is_signature(&"12345".into(), url, &turned, signature));
        assert!(!is_signature(&"12346".into(), url, &published, signature));
        assert!(!is_signature(&"12345".into(), url, &published[1..], signature));
    }

    #[test]
    fn a_forms_vector_holds_with_and_without_the_port_and_for_no_other_form() {
        let signed = |form: &str| {
            Parts::post("/twilio/voice", form)
                .form()
                .with(HEADER, FORM_SIGNATURE)
        };
        for base in [BASE, "https://id.example.com:443"] {
            assert_eq!(webhook(&signed(FORM), base), Ok(()), "{base}");
        }
        assert_eq!(webhook(&signed(&FORM.replace("0103", "0104")), BASE), Err(WRONG));
        assert_eq!(webhook(&signed(FORM), "https://evil.example"), Err(WRONG));
        let unsigned = webhook(&Parts::post("/twilio/voice", FORM).form(), BASE);
        assert!(matches!(unsigned, Err(Refusal::Unsigned { .. })));
    }

    #[test]
    fn signalwire_is_known_by_its_key_under_its_own_and_twilios_header() {
        let (twilio, signalwire) = ("another".into(), token());
        let said = |header: &'static str, keys: Keys| {
            let parts = Parts::post("/twilio/voice", FORM)
                .form()
                .with(header, FORM_SIGNATURE);
            parts.checked(|request| check_dialects(&keys, Some(BASE), request))
        };
        let both = || Keys {
            twilio: Some(&twilio),
            signalwire: Some(&signalwire),
        };
        assert_eq!(said(SIGNALWIRE_HEADER, both()), Ok(()));
        assert_eq!(said(HEADER, both()), Ok(()));
        let turned = Keys {
            twilio: Some(&signalwire),
            signalwire: Some(&twilio),
        };
        assert_eq!(said(SIGNALWIRE_HEADER, turned), Err(SIGNALWIRE_WRONG));
        let without = Keys {
            twilio: Some(&signalwire),
            signalwire: None,
        };
        assert_eq!(said(SIGNALWIRE_HEADER, without), Err(SIGNALWIRE_LACKING));
    }

    #[test]
    fn of_json_the_address_holds_the_hash() {
        const PATH: &str =
            "/twilio/voice?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        let mut mac = Hmac::<Sha1>::new_from_slice(b"tok-test").unwrap();
        mac.update(format!("{BASE}{PATH}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let signed = |body: &str| {
            Parts::post(PATH, body)
                .with("content-type", "application/json")
                .with(HEADER, signature.clone())
        };
        assert_eq!(webhook(&signed(r#"{"a":1}"#), BASE), Ok(()));
        assert_eq!(webhook(&signed(r#"{"a":2}"#), BASE), Err(WRONG));
        assert_eq!(webhook(&signed(""), BASE), Err(WRONG));
    }

    #[test]
    fn json_whose_hash_is_nowhere_is_not_signed() {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"tok-test").unwrap();
        mac.update(format!("{BASE}/twilio/voice").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let bare = Parts::post("/twilio/voice", "{}").with(HEADER, signature);
        assert_eq!(webhook(&bare, BASE), Err(WRONG));
    }

    #[test]
    fn a_handshakes_vector_holds_whatever_scheme_the_public_address_has() {
        let signed = Parts::get("/twilio/media").with(HEADER, "CtOD2/sAgaJXpdnVTE5eOSdnna8=");
        for base in [BASE, "https://id.example.com:443", "wss://id.example.com"] {
            let said = signed.checked(|request| check_handshake(&token(), base, request));
            assert_eq!(said, Ok(()), "{base}");
        }
        let elsewhere = Parts::get("/media/twilio").with(HEADER, "CtOD2/sAgaJXpdnVTE5eOSdnna8=");
        let said = elsewhere.checked(|request| check_handshake(&token(), BASE, request));
        assert_eq!(said, Err(WRONG));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for bad in [
            "",
            "!",
            "CtOD2/sAgaJXpdnVTE5eOSdnna8",
            "CtOD2/sAgaJXpdnVTE5eOSdnnaA=",
        ] {
            let said = Parts::get("/twilio/media")
                .with(HEADER, bad)
                .checked(|request| check_handshake(&token(), BASE, request));
            assert_eq!(said, Err(WRONG), "{bad:?}");
        }
    }
}
