//! Twilio's voice webhook, and Telnyx's TeXML, which has the same fields.

use super::{ControlStyle, Digits, Event, Fields, Ring, TYPED, WebhookFault, is_over};
use crate::evidence::{Attestation, AttestationLevel, CallFacts, Place, Source};

pub(super) fn read(fields: Fields) -> Result<Event, WebhookFault> {
    read_as(Source::Twilio, &fields)
}

pub(super) fn read_as(source: Source, fields: &Fields) -> Result<Event, WebhookFault> {
    let call = fields.call("CallSid")?;
    if fields.get("CallStatus").is_some_and(is_over) {
        return Ok(Event::Ended { call });
    }
    let mut facts = CallFacts {
        source,
        caller_text: fields.get("From").map(str::to_owned),
        attestation: fields.get("StirVerstat").and_then(Attestation::from_verstat),
        identity: fields.get("StirPassportToken").map(str::to_owned),
        ..CallFacts::default()
    };
    if let (None, Some(level)) = (facts.attestation, fields.get("ShakenStirAttestation")) {
        let verified = fields.get("ShakenStirValidated") == Some("true");
        facts.attestation = AttestationLevel::of_letter(level).map(|level| Attestation { level, verified });
    }
    if let Some(forwarded) = fields.get("ForwardedFrom") {
        facts.add_forwarding(Place::ForwardedFrom, forwarded);
    }
    facts.add_sip(&fields.headers("SipHeader_"));
    let name = if fields.get("To").is_some() {
        "To"
    } else {
        "Called"
    };
    let mut ring = Box::new(Ring {
        call,
        dialed: fields.dialed(name)?,
        facts,
        control: ControlStyle::Document,
    });
    // Told by our own address and not by `Digits`, which is empty for who presses `#` alone: a second `<Gather>` would be
    // the first again.
    if fields.get(TYPED).is_some() {
        ring.control = ControlStyle::DocumentAlone;
        let digits = Digits::read(fields.get("Digits").unwrap_or_default());
        return Ok(Event::Typed { ring, digits });
    }
    Ok(Event::Ringing(ring))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;
    use crate::carriers::Carrier;

    const RING: &str = "CallSid=CA1&From=%2B12025550101&To=%2B12025550102&CallStatus=ringing\
                        &ForwardedFrom=%2B12025550103&StirVerstat=TN-Validation-Passed-A";

    #[test]
    fn a_forwarded_call_names_who_forwarded_it() {
        let ring = ring(Carrier::Twilio, "", RING);
        assert_eq!(
            (ring.call.as_str(), ring.dialed.as_e164()),
            ("CA1", "+12025550102")
        );
        assert_eq!(
            forwarder(&ring),
            Some(("+12025550103".to_owned(), "forwarded_from"))
        );
        let attested = ring.facts.attestation.unwrap();
        assert_eq!((attested.level, attested.verified), (AttestationLevel::A, true));
        assert!(ring.facts.trusted);
    }

    #[test]
    fn a_plus_that_was_not_escaped_is_one_all_the_same() {
        let form = "CallSid=CA1&From=+12025550101&To=+12025550102&ForwardedFrom=+12025550103";
        let ring = ring(Carrier::Twilio, "", form);
        assert_eq!(ring.dialed.as_e164(), "+12025550102");
        assert_eq!(ring.facts.caller_text.as_deref(), Some("+12025550101"));
        assert_eq!(
            forwarder(&ring),
            Some(("+12025550103".to_owned(), "forwarded_from"))
        );
    }

    #[test]
    fn headers_of_a_sip_call_come_as_fields() {
        let form = "CallSid=CA1&From=sip:a%40h&To=sip:%2B12025550102%40h\
                    &SipHeader_X-Forwarded-From=%2B12025550103";
        assert_eq!(
            forwarder(&ring(Carrier::Twilio, "", form)),
            Some(("+12025550103".to_owned(), "x_forwarded_from"))
        );
    }

    #[test]
    fn what_was_typed_is_known_by_our_address_and_never_shown() {
        let typed = |query, digits: &str| {
            let body = format!("{RING}&CallStatus=in-progress&Digits={digits}");
            heard(Carrier::Twilio, query, &body).unwrap()
        };
        for (digits, expected) in [("482173", "482173"), ("", "")] {
            let event = typed("typed=pin", digits);
            assert!(!format!("{event:?}").contains("482173"));
            let Event::Typed { ring, digits } = event else {
                panic!("{event:?}")
            };
            assert_eq!(
                (digits.as_str(), ring.control),
                (expected, ControlStyle::DocumentAlone)
            );
            assert!(ring.facts.trusted);
            assert_eq!(
                forwarder(&ring),
                Some(("+12025550103".to_owned(), "forwarded_from"))
            );
        }
        assert!(matches!(typed("", "482173"), Event::Ringing(_)));
    }

    #[test]
    fn texml_has_the_same_fields() {
        let ring = ring(Carrier::Telnyx, "", RING);
        assert_eq!(
            (ring.facts.source, ring.control),
            (Source::Telnyx, ControlStyle::Document)
        );
    }

    #[test]
    fn a_call_that_is_over_is_not_answered() {
        let form = "CallSid=CA1&CallStatus=completed";
        assert!(matches!(
            heard(Carrier::Twilio, "", form),
            Ok(Event::Ended { .. })
        ));
    }
}
