//! `X-Twilio-Signature`, as Twilio's "Validating Signatures from Twilio" defines it: base64 of HMAC-SHA1, keyed
//! by the auth token, over the address as Twilio called it and the form's parameters, sorted.
//!
//! An account with shared keys says in another header which of them it signed with, and how: HMAC-SHA256 of the same text
//! (twilio-python 9.13.0, `request_validator.py`).

mod signer;

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::owner::Owner;
use super::{Refusal, Signed, as_websocket};
use crate::carriers::form;
use crate::units::hex;
use signer::{Hash, Signer};

pub(super) const HEADER: &str = "x-twilio-signature";
const OWNER: Owner = Owner {
    carrier: "Twilio",
    keys: "twilio.auth_token and public_url",
};
const LACKING: Refusal = OWNER.lacking();
const WRONG: Refusal = OWNER.wrong();

/// `key=ID,algorithm=NAME`: the shared key, and the hash it is signed with. Without it, or empty: the auth token and SHA-1.
const SHARED_HEADER: &str = "x-twilio-webhooks-signature-settings";
const SHARED: Owner = Owner {
    carrier: "Twilio with a shared key",
    keys: "twilio.shared_key and public_url",
};
const SHARED_LACKING: Refusal = SHARED.lacking();
const SHARED_WRONG: Refusal = Owner {
    carrier: OWNER.carrier,
    ..SHARED
}
.wrong();
const UNKNOWN_HASH: Refusal = Refusal::UnknownAlgorithm {
    carrier: "Twilio",
    known: "HMAC_SHA1 and HMAC_SHA256",
};

/// SignalWire signs as Twilio does, with the project's signing key for the auth token.
pub(super) const SIGNALWIRE_HEADER: &str = "x-signalwire-signature";
const SIGNALWIRE: Owner = Owner {
    carrier: "SignalWire",
    keys: "signalwire.signing_key and public_url",
};
const SIGNALWIRE_LACKING: Refusal = SIGNALWIRE.lacking();
const SIGNALWIRE_WRONG: Refusal = SIGNALWIRE.wrong();

/// The keys of those who come in by Twilio's door.
pub(super) struct Keys<'a> {
    /// Twilio's auth token.
    pub twilio: Option<&'a SecretString>,
    /// The account's shared key at Twilio.
    pub shared: Option<&'a SecretString>,
    /// SignalWire's signing key.
    pub signalwire: Option<&'a SecretString>,
}

/// The shared key, where the request says that it is signed with it. The header itself is not signed: it chooses among the
/// keys that are configured, and proves nothing.
fn shared<'a>(keys: &Keys<'a>, request: &Signed) -> Result<Option<Signer<'a>>, Refusal> {
    let Some(settings) = (request.header)(SHARED_HEADER).filter(|value| !value.trim().is_empty()) else {
        return Ok(None);
    };
    let hash = Hash::named(settings).ok_or(UNKNOWN_HASH)?;
    let key = keys.shared.ok_or(SHARED_LACKING)?;
    Ok(Some(Signer { key, hash }))
}

/// A webhook of Twilio's, or one of SignalWire's, which names itself by its header. Callbacks that SignalWire took over
/// from Twilio may bear Twilio's header and SignalWire's key all the same (its server SDKs take both).
pub(super) fn check_dialects(keys: &Keys, base: Option<&str>, request: &Signed) -> Result<(), Refusal> {
    let fits = |signer: Signer, base: &str, signature: &str| is_of_webhook(signer, base, request, signature);
    if let Some(signature) = (request.header)(SIGNALWIRE_HEADER) {
        let (Some(key), Some(base)) = (keys.signalwire, base) else {
            return Err(SIGNALWIRE_LACKING);
        };
        return fits(Signer::sha1(key), base, signature)
            .then_some(())
            .ok_or(SIGNALWIRE_WRONG);
    }
    if let Some(signer) = shared(keys, request)? {
        let base = base.ok_or(SHARED_LACKING)?;
        return fits(signer, base, signature(request)?)
            .then_some(())
            .ok_or(SHARED_WRONG);
    }
    let known: Vec<&SecretString> = [keys.twilio, keys.signalwire].into_iter().flatten().collect();
    let base = base.filter(|_| !known.is_empty()).ok_or(LACKING)?;
    let signature = signature(request)?;
    let is_known = known
        .into_iter()
        .any(|key| fits(Signer::sha1(key), base, signature));
    if is_known { Ok(()) } else { Err(WRONG) }
}

/// A webhook: a form's parameters are signed with the address; of any other body the address holds the hash.
fn is_of_webhook(signer: Signer, base: &str, request: &Signed, signature: &str) -> bool {
    let parameters = if request.is_form() {
        form::pairs(request.body)
    } else {
        Vec::new()
    };
    let url = format!("{base}{}", request.path);
    if !signer.signed(&url, &parameters, signature) {
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
pub(super) fn check_handshake(keys: &Keys, base: Option<&str>, request: &Signed) -> Result<(), Refusal> {
    let (signer, lacking, wrong) = match shared(keys, request)? {
        Some(signer) => (Some(signer), SHARED_LACKING, SHARED_WRONG),
        None => (keys.twilio.map(Signer::sha1), LACKING, WRONG),
    };
    let (Some(signer), Some(base)) = (signer, base) else {
        return Err(lacking);
    };
    let url = format!("{}{}", as_websocket(base), request.path);
    if signer.signed(&url, &[], signature(request)?) {
        Ok(())
    } else {
        Err(wrong)
    }
}

fn signature<'a>(request: &Signed<'a>) -> Result<&'a str, Refusal> {
    (request.header)(HEADER).ok_or(OWNER.unsigned(HEADER))
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, KeyInit, Mac};
    use sha1::Sha1;

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
            shared: None,
            signalwire: Some(&other),
        };
        parts.checked(|request| check_dialects(&keys, Some(base), request))
    }

    /// A handshake at who knows the auth token alone.
    fn opened(request: &Signed, base: &str) -> Result<(), Refusal> {
        let token = token();
        let keys = Keys {
            twilio: Some(&token),
            shared: None,
            signalwire: None,
        };
        check_handshake(&keys, Some(base), request)
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
            shared: None,
            signalwire: Some(&signalwire),
        };
        assert_eq!(said(SIGNALWIRE_HEADER, both()), Ok(()));
        assert_eq!(said(HEADER, both()), Ok(()));
        let turned = Keys {
            twilio: Some(&signalwire),
            shared: None,
            signalwire: Some(&twilio),
        };
        assert_eq!(said(SIGNALWIRE_HEADER, turned), Err(SIGNALWIRE_WRONG));
        let without = Keys {
            twilio: Some(&signalwire),
            shared: None,
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
            let said = signed.checked(|request| opened(request, base));
            assert_eq!(said, Ok(()), "{base}");
        }
        let elsewhere = Parts::get("/media/twilio").with(HEADER, "CtOD2/sAgaJXpdnVTE5eOSdnna8=");
        let said = elsewhere.checked(|request| opened(request, BASE));
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
                .checked(|request| opened(request, BASE));
            assert_eq!(said, Err(WRONG), "{bad:?}");
        }
    }

    /// Made by twilio-python 9.13.0 (`RequestValidator("shared-test").compute_signature`).
    const SHARED: &str = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256";

    #[test]
    fn a_shared_keys_vectors_hold_for_forms_json_and_handshakes() {
        let (token, shared) = (token(), "shared-test".into());
        let keys = Keys {
            twilio: Some(&token),
            shared: Some(&shared),
            signalwire: None,
        };
        let said = |parts: &Parts| parts.checked(|request| check_dialects(&keys, Some(BASE), request));
        let form = |settings: &str, signature: &str| {
            Parts::post("/twilio/voice", FORM)
                .form()
                .with(SHARED_HEADER, settings)
                .with(HEADER, signature)
        };
        for signature in [
            "12NbnC6Z/P1P+D+YMl6vNbgPzZSBbKMm3V4ig5fvKgk=",
            // With the port.
            "4VhftDn6Yk5+QGpDBUZPaz/YRTpgW7+3cQyJxHlu/dQ=",
        ] {
            assert_eq!(said(&form(SHARED, signature)), Ok(()));
            assert_eq!(said(&form(" algorithm = hmac_sha256 ,key=x", signature)), Ok(()));
            assert_eq!(said(&form("key=x", signature)), Err(SHARED_WRONG));
            assert_eq!(said(&form("", signature)), Err(WRONG));
        }
        assert_eq!(said(&form("key=x", "iGfxejrMM/opwev3flRtmsXAFp0=")), Ok(()));
        assert_eq!(
            said(&form(SHARED, "iGfxejrMM/opwev3flRtmsXAFp0=")),
            Err(SHARED_WRONG)
        );
        // The auth token is not the shared key, and another hash is none that is known.
        assert_eq!(said(&form("key=x", FORM_SIGNATURE)), Err(SHARED_WRONG));
        assert_eq!(said(&form("", FORM_SIGNATURE)), Ok(()));
        assert_eq!(
            said(&form("key=x,algorithm=HMAC_MD5", FORM_SIGNATURE)),
            Err(UNKNOWN_HASH)
        );

        let path =
            "/twilio/voice?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        let json = |body: &str| {
            Parts::post(path, body)
                .with("content-type", "application/json")
                .with(SHARED_HEADER, SHARED)
                .with(HEADER, "jEAdzOHNV9L0VU8MAyWnC85AvIb0CjgjjfLj3daFQnI=")
        };
        assert_eq!(said(&json(r#"{"a":1}"#)), Ok(()));
        assert_eq!(said(&json(r#"{"a":2}"#)), Err(SHARED_WRONG));

        let handshake = Parts::get("/twilio/media")
            .with(SHARED_HEADER, SHARED)
            .with(HEADER, "ZFSFXlL6bNOybBAJzDhdBwc9CqF5MyBha2JJifZ4EVw=");
        let opens = |keys: &Keys| handshake.checked(|request| check_handshake(keys, Some(BASE), request));
        assert_eq!(opens(&keys), Ok(()));
        let without = Keys { shared: None, ..keys };
        assert_eq!(opens(&without), Err(SHARED_LACKING));
    }

    #[test]
    fn with_a_shared_key_alone_nothing_weaker_is_let_in() {
        let shared = "shared-test".into();
        let keys = Keys {
            twilio: None,
            shared: Some(&shared),
            signalwire: None,
        };
        let old = Parts::post("/twilio/voice", FORM)
            .form()
            .with(HEADER, FORM_SIGNATURE);
        let said = old.checked(|request| check_dialects(&keys, Some(BASE), request));
        assert_eq!(said, Err(LACKING));
    }
}
