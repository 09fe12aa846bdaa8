//! Plivo's answer and hangup webhooks: a form, or a query where they are fetched with GET.

use super::{ControlStyle, Event, Fields, Ring, WebhookFault, is_over, with_plus};
use crate::evidence::{Attestation, AttestationLevel, CallFacts, ForwardProof, Place, Source};

pub(super) fn read(fields: Fields) -> Result<Event, WebhookFault> {
    let call = fields.call("CallUUID")?;
    let over = fields.get("Event") == Some("Hangup") || fields.get("CallStatus").is_some_and(is_over);
    if over {
        return Ok(Event::Ended { call });
    }
    let level = fields
        .get("StirAttestation")
        .and_then(AttestationLevel::of_letter);
    let verified = fields
        .get("StirVerification")
        .is_some_and(|said| said.eq_ignore_ascii_case("verified"));
    let mut facts = CallFacts {
        source: Source::Plivo,
        caller_text: fields.get("From").map(with_plus),
        attestation: level.map(|level| Attestation { level, verified }),
        ..CallFacts::default()
    };
    // Documented, where the carrier before Plivo gives it.
    if let Some(forwarded) = fields.get("ForwardedFrom") {
        facts.add_forwarding(Place::ForwardedFrom, with_plus(forwarded));
    }
    if let Some(forwarded) = fields.get("X-PH-Forwardedfrom") {
        facts.add_forwarding(Place::XForwardedFrom, with_plus(forwarded));
        let beside = |name| fields.get(name).map(str::to_owned);
        facts.forward_proof = ForwardProof {
            signature: beside("X-PH-Fwdsig"),
            call: beside("X-PH-Fwdcall"),
            time: beside("X-PH-Fwdtime"),
        };
    }
    Ok(Event::Ringing(Box::new(Ring {
        call,
        dialed: fields.dialed("To")?,
        facts,
        control: ControlStyle::Document,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;
    use crate::carriers::Carrier;

    #[test]
    fn an_answer_webhook_is_read_from_a_form_and_from_a_query() {
        let form = "CallUUID=c-1&From=12025550101&To=12025550102&Direction=inbound&CallStatus=ringing\
                    &Event=StartApp&StirAttestation=B&StirVerification=Verified";
        for ring in [ring(Carrier::Plivo, "", form), ring(Carrier::Plivo, form, "")] {
            assert_eq!(
                (ring.call.as_str(), ring.dialed.as_e164()),
                ("c-1", "+12025550102")
            );
            assert_eq!(forwarder(&ring), None);
            let attested = ring.facts.attestation.unwrap();
            assert_eq!((attested.level, attested.verified), (AttestationLevel::B, true));
        }
    }

    #[test]
    fn a_forwarding_number_is_taken_where_it_comes() {
        let form = "CallUUID=c-1&From=12025550101&To=12025550102&ForwardedFrom=12025550103";
        let ring = ring(Carrier::Plivo, "", form);
        assert_eq!(
            forwarder(&ring),
            Some(("+12025550103".to_owned(), "forwarded_from"))
        );
    }

    #[test]
    fn a_hangup_ends_the_call() {
        let form = "CallUUID=c-1&Event=Hangup&CallStatus=completed";
        assert!(matches!(heard(Carrier::Plivo, "", form), Ok(Event::Ended { .. })));
    }
}
