//! Plivo's signature, version 3: base64 of HMAC-SHA256, keyed by the auth token, over the address, its sorted
//! parameters and a nonce. Where parameters follow the address, a question mark and, between a query and a
//! form, a dot stand; nothing else separates them (plivo-python, `utils/signature_v3.py`).

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::owner::Owner;
use super::{Refusal, Signed, as_websocket};
use crate::carriers::form;

pub(super) const HEADER: &str = "x-plivo-signature-v3";
const NONCE: &str = "x-plivo-signature-v3-nonce";
const OWNER: Owner = Owner {
    carrier: "Plivo",
    keys: "plivo.auth_token and public_url",
};
pub(super) const LACKING: Refusal = OWNER.lacking();
const WRONG: Refusal = OWNER.wrong();

pub(super) fn check(token: &SecretString, base: &str, request: &Signed) -> Result<(), Refusal> {
    let parameters = if request.is_form() {
        form::pairs(request.body)
    } else if request.body.is_empty() {
        Vec::new()
    } else {
        // The signature covers forms alone, so another body would be anybody's.
        return Err(WRONG);
    };
    check_text(token, &signed_text(base, request, parameters), request)
}

/// A WebSocket handshake: as a GET, of the address with `https` or with `wss`.
pub(super) fn check_handshake(token: &SecretString, base: &str, request: &Signed) -> Result<(), Refusal> {
    let plain = signed_text(base, request, Vec::new());
    let socket = signed_text(&as_websocket(base), request, Vec::new());
    check_text(token, &plain, request).or_else(|_| check_text(token, &socket, request))
}

fn check_text(token: &SecretString, text: &str, request: &Signed) -> Result<(), Refusal> {
    let header = |header: &'static str| (request.header)(header).ok_or(OWNER.unsigned(header));
    let (signatures, nonce) = (header(HEADER)?, header(NONCE)?);
    // One for each auth token of the account.
    let any = signatures.split(',').any(|signature| {
        let claimed = STANDARD.decode(signature.trim());
        let mac = Hmac::<Sha256>::new_from_slice(token.expose_secret().as_bytes());
        match (claimed, mac) {
            (Ok(claimed), Ok(mac)) => mac
                .chain_update(text)
                .chain_update(".")
                .chain_update(nonce)
                .verify_slice(&claimed)
                .is_ok(),
            _ => false,
        }
    });
    if any { Ok(()) } else { Err(WRONG) }
}

/// The address as it is signed.
fn signed_text(base: &str, request: &Signed, mut parameters: Vec<(String, String)>) -> String {
    let path = request.path.split('?').next().unwrap_or("");
    let mut text = format!("{base}{path}");
    let mut query = form::pairs(request.query().as_bytes());
    query.sort_unstable();
    parameters.sort_unstable();
    if !query.is_empty() || !parameters.is_empty() {
        text.push('?');
    }
    for (at, (name, value)) in query.iter().enumerate() {
        let between = if at == 0 { "" } else { "&" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{between}{name}={value}");
    }
    if !query.is_empty() && !parameters.is_empty() {
        text.push('.');
    }
    text.extend(parameters.into_iter().flat_map(|(name, value)| [name, value]));
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::Parts;
    use super::*;

    const BASE: &str = "https://id.example.com";
    const FORM: &str = "To=12025550102&CallUUID=abc&From=12025550101";
    const BARE: &str = "111HnO6WaBs/F/AM1a0HVontKoEWPNK2Ka6p742iobw=";

    fn said(parts: Parts, signature: &str) -> Result<(), Refusal> {
        let parts = parts.with(HEADER, signature).with(NONCE, "12345");
        parts.checked(|request| check(&"tok-test".into(), BASE, request))
    }

    #[test]
    fn the_vectors_hold_for_every_form_of_the_address() {
        let form = |path| Parts::post(path, FORM).form();
        let plain = "igPBSOFBZJwtKlASUZmzRsfDLOkFXmVex5jVpS/kdQs=";
        let queried = "Rr/6bhhDiBI57PnMA7vptZ0ikt3TSYBEU1Te3pNdYSU=";
        assert_eq!(said(form("/plivo/answer"), plain), Ok(()));
        assert_eq!(said(form("/plivo/answer?a=1&b=2"), queried), Ok(()));
        assert_eq!(
            said(form("/plivo/answer?b=2&a=1"), queried),
            Ok(()),
            "the query is sorted"
        );
        assert_eq!(said(Parts::post("/plivo/answer", ""), BARE), Ok(()));
        assert_eq!(said(Parts::get("/plivo/answer"), BARE), Ok(()));
    }

    #[test]
    fn any_of_several_signatures_is_enough() {
        let list = format!("AAAA, {BARE}");
        assert_eq!(said(Parts::get("/plivo/answer"), &list), Ok(()));
        assert_eq!(said(Parts::get("/plivo/answer"), "AAAA,"), Err(WRONG));
    }

    #[test]
    fn anything_else_that_was_signed_is_refused() {
        for parts in [
            Parts::get("/plivo/answer?a=1"),
            Parts::post("/plivo/answer", FORM).form(),
            Parts::post("/plivo/answer", "{}").with("content-type", "application/json"),
            Parts::get("/plivo/other"),
        ] {
            assert_eq!(said(parts, BARE), Err(WRONG));
        }
        let bare = Parts::get("/plivo/answer").with(HEADER, BARE);
        let unsigned = bare.checked(|request| check(&"tok-test".into(), BASE, request));
        assert!(
            matches!(unsigned, Err(Refusal::Unsigned { header: NONCE, .. })),
            "{unsigned:?}"
        );
    }

    #[test]
    fn a_handshake_may_be_signed_with_either_scheme() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"tok-test").unwrap();
        mac.update(b"wss://id.example.com/media/plivo.12345");
        let socket = STANDARD.encode(mac.finalize().into_bytes());
        let signed = |signature: &str| {
            Parts::get("/media/plivo")
                .with(HEADER, signature)
                .with(NONCE, "12345")
                .checked(|request| check_handshake(&"tok-test".into(), BASE, request))
        };
        assert_eq!(signed(&socket), Ok(()));
        assert_eq!(signed(BARE), Err(WRONG));
    }
}
