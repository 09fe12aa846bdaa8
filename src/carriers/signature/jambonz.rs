//! jambonz's webhooks: `Jambonz-Signature: t=<seconds>,v1=<hex>`, HMAC-SHA256 over the time, a dot and the raw body,
//! keyed by the account's webhook secret (`lib/utils/base-requestor.js` of jambonz-feature-server).

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::owner::Owner;
use super::{Refusal, Signed, TOLERANCE_SECONDS, same};
use crate::units::hex;

const HEADER: &str = "jambonz-signature";
const OWNER: Owner = Owner {
    carrier: "jambonz",
    keys: "jambonz.webhook_secret",
};
const EITHER: Owner = Owner {
    keys: "jambonz.webhook_secret, or jambonz.username and jambonz.password",
    ..OWNER
};
pub(super) const LACKING: Refusal = EITHER.lacking();
const WRONG: Refusal = OWNER.wrong();

/// The most signatures of a header that are looked at: more than one where a secret is being changed.
const MOST: usize = 8;

pub(super) fn check(secret: &SecretString, request: &Signed) -> Result<(), Refusal> {
    let header = (request.header)(HEADER).ok_or(OWNER.unsigned(HEADER))?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts()
        .find_map(|(name, value)| (name == "t").then_some(value))
        .ok_or(WRONG)?;
    // HMAC takes keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).map_err(|_| WRONG)?;
    let mac = mac
        .chain_update(time)
        .chain_update(b".")
        .chain_update(request.body);
    let expected = hex(&mac.finalize().into_bytes());
    let signatures = parts().filter(|(name, _)| *name == "v1").take(MOST);
    let mut fits = false;
    for (_, claimed) in signatures {
        fits |= same(claimed.to_ascii_lowercase().as_bytes(), expected.as_bytes());
    }
    if !fits {
        return Err(WRONG);
    }
    let time: i64 = time.parse().map_err(|_| WRONG)?;
    if time.abs_diff(request.now) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(OWNER.stale());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::Parts;
    use super::*;

    const BODY: &str = r#"{"call_sid":"7a0b","from":"+12025550101","to":"+12025550102"}"#;
    /// By Python: `hmac.new(b"tok-test", b"1760000000." + body, "sha256").hexdigest()`.
    const GOOD: &str = "e6eb173f277dd66a3c98e86ad26b21c55d88a562897d1ba52dcb64ea1f4f1544";

    fn said(header: &str, body: &str, now: i64) -> Result<(), Refusal> {
        let mut parts = Parts::post("/carriers/jambonz/voice", body).with(HEADER, header);
        parts.now = now;
        parts.checked(|request| check(&"tok-test".into(), request))
    }

    #[test]
    fn another_implementations_vector_holds_for_that_body_and_time_alone() {
        let header = format!("t=1760000000,v1={GOOD}");
        assert_eq!(said(&header, BODY, 1_760_000_000), Ok(()));
        let several = format!("t=1760000000,v1={},v1={GOOD}", "0".repeat(64));
        assert_eq!(said(&several, BODY, 1_760_000_300), Ok(()));
        assert_eq!(
            said(&header, &BODY.replace("0101", "0109"), 1_760_000_000),
            Err(WRONG)
        );
        let later = header.replace("t=1760000000", "t=1760000001");
        assert_eq!(said(&later, BODY, 1_760_000_000), Err(WRONG));
        let stale = OWNER.stale();
        assert_eq!(said(&header, BODY, 1_760_000_301), Err(stale));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for header in [
            "",
            "t=",
            "v1=",
            "t=1760000000",
            "t=1760000000,v1=",
            "t=now,v1=00",
            ",",
        ] {
            assert_eq!(said(header, BODY, 1_760_000_000), Err(WRONG), "{header}");
        }
        let other_scheme = format!("t=1760000000,v0={GOOD}");
        assert_eq!(said(&other_scheme, BODY, 1_760_000_000), Err(WRONG));
    }
}
