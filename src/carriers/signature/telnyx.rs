//! Telnyx's webhooks: Ed25519 over the time, a bar and the raw body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::owner::Owner;
use super::{Refusal, Signed, TOLERANCE_SECONDS};

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";
const OWNER: Owner = Owner {
    carrier: "Telnyx",
    keys: "telnyx.public_key",
};
pub(super) const LACKING: Refusal = OWNER.lacking();
const WRONG: Refusal = OWNER.wrong();

pub(super) fn check(key: &[u8; 32], request: &Signed) -> Result<(), Refusal> {
    let header = |header: &'static str| (request.header)(header).ok_or(OWNER.unsigned(header));
    let (signature, time) = (header(SIGNATURE)?, header(TIMESTAMP)?);
    let signature = STANDARD.decode(signature.trim()).map_err(|_| WRONG)?;
    // The text as it came is what was signed.
    let mut message = Vec::with_capacity(time.len() + 1 + request.body.len());
    message.extend_from_slice(time.as_bytes());
    message.push(b'|');
    message.extend_from_slice(request.body);
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&message, &signature)
        .map_err(|_| WRONG)?;
    let time: i64 = time.trim().parse().map_err(|_| WRONG)?;
    if time.abs_diff(request.now) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(OWNER.stale());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::Parts;
    use super::*;

    const BODY: &str = r#"{"data":{"event_type":"call.initiated"}}"#;
    const GOOD: &str =
        "UIEcOeqTo4MKspXBsVJIK3/7+ncnEUOrSDh7+dZUsTAOWSVYBwe3lBRys+n+hEvzldT9ql71YgVDNiM3TqCqBg==";

    fn key() -> [u8; 32] {
        let key = STANDARD.decode("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
        key.unwrap().try_into().unwrap()
    }

    fn request(body: &str, signature: &str, time: &str, now: i64) -> Parts {
        let mut parts = Parts::post("/carriers/telnyx/voice", body)
            .with(SIGNATURE, signature)
            .with(TIMESTAMP, time);
        parts.now = now;
        parts
    }

    fn said(parts: &Parts) -> Result<(), Refusal> {
        parts.checked(|request| check(&key(), request))
    }

    #[test]
    fn the_vector_holds_for_five_minutes_either_way() {
        for (now, expected) in [
            (1_760_000_000, Ok(())),
            (1_760_000_300, Ok(())),
            (1_759_999_700, Ok(())),
            (1_760_000_301, Err(OWNER.stale())),
            (1_759_999_699, Err(OWNER.stale())),
            (i64::MIN, Err(OWNER.stale())),
        ] {
            assert_eq!(said(&request(BODY, GOOD, "1760000000", now)), expected, "{now}");
        }
    }

    #[test]
    fn another_body_time_or_signature_is_refused() {
        let now = 1_760_000_000;
        let other = format!("{}A{}", &GOOD[..10], &GOOD[11..]);
        for parts in [
            request("{}", GOOD, "1760000000", now),
            request(BODY, GOOD, "1760000001", now),
            request(BODY, GOOD, " 1760000000", now),
            request(BODY, &other, "1760000000", now),
            request(BODY, "", "1760000000", now),
            request(BODY, GOOD, "", now),
        ] {
            assert_eq!(said(&parts), Err(WRONG));
        }
        let bare = Parts::post("/", BODY).with(SIGNATURE, GOOD);
        assert!(matches!(said(&bare), Err(Refusal::Unsigned { .. })));
    }
}
