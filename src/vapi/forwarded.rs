//! `X-Forwarded-From`, and whether it is believed: on an open SIP address any caller can write one.

use time::OffsetDateTime;

use crate::carriers::forward;
use crate::units::DialedNumber;

use super::settings::ForwardTrust;
use super::view::XForwarded;

/// The forwarding number that X- headers name, when it is to be believed.
pub fn believed(
    trust: &ForwardTrust,
    found: &XForwarded,
    dialed: &DialedNumber,
    now: OffsetDateTime,
) -> Option<String> {
    match trust {
        ForwardTrust::Never => None,
        ForwardTrust::Always => Some(found.number.clone()),
        ForwardTrust::Signed(secret) => {
            let (secret, now) = (secret.as_ref()?, now.unix_timestamp());
            let number = forward::believed(secret, &found.number, &found.proof, dialed, now)?;
            Some(number.as_e164().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::carriers::forward::sign;
    use crate::evidence::ForwardProof;

    const TIME: i64 = 1_760_000_000;
    const WINDOW: i64 = 300;

    fn secret() -> SecretString {
        SecretString::from("fwd-test")
    }

    fn dialed() -> DialedNumber {
        "+12025550102".parse().unwrap()
    }

    fn found(signature: &str) -> XForwarded {
        XForwarded {
            number: "+12025550103".to_owned(),
            proof: ForwardProof {
                signature: Some(signature.to_owned()),
                call: Some("CA1".to_owned()),
                time: Some(TIME.to_string()),
            },
        }
    }

    fn at(found: &XForwarded, late: i64) -> Option<String> {
        let now = OffsetDateTime::from_unix_timestamp(TIME + late).unwrap();
        believed(&ForwardTrust::Signed(Some(secret())), found, &dialed(), now)
    }

    #[test]
    fn a_signed_number_is_believed_while_its_signature_is_fresh() {
        let signature = sign(&secret(), "+12025550103", &dialed(), "CA1", TIME);
        // By Python: hmac.new(b"fwd-test", b"+12025550103|+12025550102|CA1|1760000000", "sha256").hexdigest()
        assert_eq!(
            signature,
            "8aaccbfd867dc649c40ba64b7d996eedcbfa85a67961677bd7666a6d20faeb04"
        );
        let good = found(&signature);
        assert_eq!(at(&good, 0).as_deref(), Some("+12025550103"));
        assert_eq!(at(&good, WINDOW + 1), None);
        let mut other = good.clone();
        other.number = "+12025550104".to_owned();
        assert_eq!(at(&other, 0), None, "another number");
        let mut bare = good.clone();
        bare.number = "12025550103".to_owned();
        assert_eq!(
            at(&bare, 0).as_deref(),
            Some("+12025550103"),
            "a carrier that takes no plus"
        );
        assert!(
            at(&found(&signature[..32]), 0).is_some(),
            "a carrier with short headers"
        );
        for bad in [&signature[..31], "", &"0".repeat(64)] {
            assert_eq!(at(&found(bad), 0), None);
        }
        let mut undated = good;
        undated.proof.time = None;
        assert_eq!(at(&undated, 0), None);
    }

    #[test]
    fn without_a_key_nothing_is_believed_unless_the_peer_always_is() {
        let now = OffsetDateTime::from_unix_timestamp(TIME).unwrap();
        let hint = found("");
        assert_eq!(believed(&ForwardTrust::Signed(None), &hint, &dialed(), now), None);
        assert_eq!(believed(&ForwardTrust::Never, &hint, &dialed(), now), None);
        assert!(believed(&ForwardTrust::Always, &hint, &dialed(), now).is_some());
    }
}
