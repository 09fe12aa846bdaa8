//! Vonage's signed webhooks: a JSON Web Token (RFC 7519) with HMAC-SHA256 (RFC 7518 section 3.2), which holds
//! the hash of the body.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::owner::Owner;
use super::{Refusal, Signed, TOLERANCE_SECONDS};
use crate::units::hex;

/// The most bytes of a token; Vonage's have some hundreds.
const LONGEST: usize = 8 * 1024;

const OWNER: Owner = Owner {
    carrier: "Vonage",
    keys: "vonage.signature_secret",
};
pub(super) const LACKING: Refusal = OWNER.lacking();
const WRONG: Refusal = OWNER.wrong();

#[derive(Deserialize)]
struct Head {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: Option<i64>,
    nbf: Option<i64>,
    payload_hash: Option<String>,
}

pub(super) fn check(secret: &SecretString, request: &Signed) -> Result<(), Refusal> {
    let value = (request.header)("authorization").ok_or(OWNER.unsigned("authorization"))?;
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| token.len() <= LONGEST)
        .ok_or(WRONG)?;
    let claims = verified(secret, token).ok_or(WRONG)?;
    if !claims.iss.eq_ignore_ascii_case("vonage") || !is_of_body(&claims, request) {
        return Err(WRONG);
    }
    let tolerance = TOLERANCE_SECONDS.unsigned_abs();
    let fresh = claims.iat.abs_diff(request.now) <= tolerance
        && claims.exp.is_none_or(|end| request.now <= end)
        && claims
            .nbf
            .is_none_or(|begin| begin <= request.now.saturating_add(TOLERANCE_SECONDS));
    if fresh { Ok(()) } else { Err(OWNER.stale()) }
}

/// The claims of a token with a good signature. Only HS256: a token that names another algorithm, `none`
/// above all, is no token.
fn verified(secret: &SecretString, token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
    let head: Head = serde_json::from_slice(&decode(head)?).ok()?;
    if head.alg != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&decode(signature)?).ok()?;
    serde_json::from_slice(&decode(claims)?).ok()
}

/// A body must be the one that was hashed; where there is none there may be no hash.
fn is_of_body(claims: &Claims, request: &Signed) -> bool {
    match &claims.payload_hash {
        Some(hash) => hash.eq_ignore_ascii_case(&hex(&Sha256::digest(request.body))),
        None => request.body.is_empty(),
    }
}

/// A token as Vonage makes it, for tests of whoever takes one.
#[cfg(test)]
pub(in crate::carriers) fn token(secret: &str, claims: &serde_json::Value, alg: &str) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(&serde_json::json!({"alg": alg, "typ": "JWT"})),
        part(claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Parts;
    use super::*;

    const NOW: i64 = 1_760_000_000;

    fn claims(body: &str) -> Value {
        json!({"iat": NOW, "jti": "j-1", "iss": "Vonage", "api_key": "k", "application_id": "a",
            "payload_hash": hex(&Sha256::digest(body))})
    }

    fn said(token: &str, body: &str) -> Result<(), Refusal> {
        let parts =
            Parts::post("/carriers/vonage/voice", body).with("authorization", format!("Bearer {token}"));
        parts.checked(|request| check(&"secret".into(), request))
    }

    /// RFC 7515 appendix A.1: an independent token, whose claims are not Vonage's.
    #[test]
    fn the_standards_own_signature_is_verified() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        assert_eq!(
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn a_signed_body_is_let_in_and_another_body_is_not() {
        let good = token("secret", &claims("{}"), "HS256");
        assert_eq!(said(&good, "{}"), Ok(()));
        assert_eq!(said(&good, "{ }"), Err(WRONG));
        assert_eq!(said(&token("other", &claims("{}"), "HS256"), "{}"), Err(WRONG));
        assert_eq!(said(&token("secret", &claims("{}"), "HS512"), "{}"), Err(WRONG));
        assert_eq!(said(&token("secret", &claims("{}"), "none"), "{}"), Err(WRONG));
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        assert_eq!(said(&format!("{unsigned}."), "{}"), Err(WRONG));
    }

    #[test]
    fn a_handshake_has_no_body_and_needs_no_hash_and_a_body_does() {
        let mut bare = claims("");
        bare.as_object_mut().unwrap().remove("payload_hash");
        let bare = token("secret", &bare, "HS256");
        assert_eq!(said(&bare, ""), Ok(()));
        assert_eq!(said(&bare, "{}"), Err(WRONG));
    }

    #[test]
    fn old_and_early_tokens_and_other_issuers_are_refused() {
        let stale = Err(OWNER.stale());
        for (member, value, expected) in [
            ("iat", json!(NOW - 300), Ok(())),
            ("iat", json!(NOW - 301), stale),
            ("iat", json!(NOW + 301), stale),
            ("iat", json!(i64::MIN), stale),
            ("exp", json!(NOW - 1), stale),
            ("nbf", json!(NOW + 301), stale),
            ("iss", json!("Nobody"), Err(WRONG)),
            ("iat", json!("soon"), Err(WRONG)),
        ] {
            let mut claims = claims("{}");
            claims[member] = value;
            assert_eq!(
                said(&token("secret", &claims, "HS256"), "{}"),
                expected,
                "{member}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bad in ["", ".", "..", "a.b.c", "e30.e30.e30", "\u{e9}.\u{e9}.\u{e9}"] {
            assert_eq!(said(bad, ""), Err(WRONG), "{bad:?}");
        }
    }
}
