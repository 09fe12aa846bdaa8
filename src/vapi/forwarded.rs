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

    #[test]
    fn a_forwarding_number_is_believed_as_the_settings_say() {
        let (secret, time) = (SecretString::from("fwd-test"), 1_760_000_000);
        let dialed: DialedNumber = "+12025550102".parse().unwrap();
        let good = sign(&secret, "+12025550103", &dialed, "CA1", time);
        let bad = "0".repeat(64);
        let signed = ForwardTrust::Signed(Some(secret));
        // As a carrier writes it that takes no plus.
        let written = "12025550103";
        for (trust, signature, expected) in [
            (&signed, &good, Some("+12025550103")),
            (&signed, &bad, None),
            (&ForwardTrust::Signed(None), &good, None),
            (&ForwardTrust::Never, &good, None),
            (&ForwardTrust::Always, &bad, Some(written)),
        ] {
            let found = XForwarded {
                number: written.to_owned(),
                proof: ForwardProof {
                    signature: Some(signature.clone()),
                    call: Some("CA1".to_owned()),
                    time: Some(time.to_string()),
                },
            };
            let now = OffsetDateTime::from_unix_timestamp(time).unwrap();
            let number = believed(trust, &found, &dialed, now);
            assert_eq!(number.as_deref(), expected, "{trust:?}");
        }
    }
}
