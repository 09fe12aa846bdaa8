//! TwiML, and TeXML, which has the same verbs.

use secrecy::ExposeSecret;

use super::xml::Element;
use super::{Document, Plan, Stream};
use crate::carriers::Carrier;
use crate::carriers::webhook::TYPED;

pub(super) fn document(plan: &Plan, carrier: Carrier) -> Document {
    let mut response = Element::new("Response");
    if let Some(stream) = plan.stream(carrier) {
        response = response.child(Element::new("Start").child(fork(plan, &stream)));
        // Telnyx's streams bring the keys, and so do SignalWire's.
        if carrier == Carrier::Twilio && !plan.keys_on_stream {
            response = response.children(gather(plan));
        }
    }
    let mut sip = Element::new("Sip").text(plan.forward().address_with_headers(&plan.leg));
    if let Some((name, password)) = &plan.forward().login {
        sip = sip
            .attribute("username", name)
            .attribute("password", password.expose_secret());
    }
    let mut dial = Element::new("Dial");
    if carrier == Carrier::Twilio {
        // The caller hears ringing until Vapi answers.
        dial = dial.attribute("answerOnBridge", "true");
    }
    Document::xml(&response.child(dial.child(sip)))
}

/// A query is not allowed in the address, so what the stream is to bring stands in parameters.
fn fork(plan: &Plan, stream: &Stream) -> Element {
    let parameter = |name: &str, value: &str| {
        Element::new("Parameter")
            .attribute("name", name)
            .attribute("value", value)
    };
    Element::new("Stream")
        .attribute("url", &stream.url)
        .attribute("track", "inbound_track")
        .child(parameter("call_token", stream.token))
        .child(parameter("number", plan.leg.dialed.as_e164()))
}

/// Asks for a PIN. Whoever types nothing is handed on by what follows in this document; what is typed comes to us, and is
/// answered with the plain document. In the body, for an address stands in logs.
fn gather(plan: &Plan) -> Option<Element> {
    let prompt = plan.settings.twilio_pin.as_ref()?;
    let base = plan.settings.proofs.public_url.as_deref()?.trim_end_matches('/');
    if !prompt.asks(plan.leg.dialed) {
        return None;
    }
    let mut say = Element::new("Say").text(&prompt.text);
    if let Some(language) = &prompt.language {
        say = say.attribute("language", language);
    }
    let gather = Element::new("Gather")
        .attribute("input", "dtmf")
        .attribute("action", format!("{base}/carriers/twilio/voice?{TYPED}=pin"))
        .attribute("method", "POST")
        .attribute("numDigits", plan.settings.pin_length.to_string())
        .attribute("finishOnKey", "#")
        .attribute("timeout", prompt.wait.as_secs().to_string());
    Some(gather.child(say))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::tests::with_plan;
    use super::*;
    use crate::carriers::PinPrompt;

    /// The document of a call to +12025550102 where callers of `numbers` are asked for a PIN.
    fn asked(carrier: Carrier, token: Option<&str>, numbers: &[&str]) -> String {
        with_plan("CA1", token, |plan| {
            let mut settings = plan.settings.clone();
            settings.pin_length = 6;
            settings.twilio_pin = Some(PinPrompt {
                text: "Your PIN, <please>?".to_owned(),
                language: Some("en-GB".to_owned()),
                wait: Duration::from_secs(7),
                numbers: numbers
                    .iter()
                    .map(|number| number.parse().unwrap())
                    .collect::<BTreeSet<_>>(),
            });
            let plan = Plan {
                settings: &settings,
                leg: plan.leg.clone(),
                ..*plan
            };
            super::document(&plan, carrier).text
        })
    }

    #[test]
    fn a_pin_is_asked_for_between_the_fork_and_the_dial() {
        let shown = asked(Carrier::Twilio, Some("tok"), &[]);
        let gather = "</Start><Gather input=\"dtmf\" action=\"https://id.example.com/carriers/twilio/voice?typed=pin\" \
                      method=\"POST\" numDigits=\"6\" finishOnKey=\"#\" timeout=\"7\"><Say language=\"en-GB\">Your PIN, \
                      &lt;please&gt;?</Say></Gather><Dial";
        assert!(shown.contains(gather), "{shown}");
    }

    #[test]
    fn nobody_is_asked_who_is_a_stranger_to_us_or_whose_stream_brings_keys() {
        for (carrier, token, numbers) in [
            // The plain document: it is also the answer to what was typed.
            (Carrier::Twilio, None, &[][..]),
            (Carrier::Twilio, Some("tok"), &["+12025550109"]),
            (Carrier::Telnyx, Some("tok"), &[]),
        ] {
            let shown = asked(carrier, token, numbers);
            assert!(
                !shown.contains("Gather") && shown.contains("<Dial"),
                "{carrier}: {shown}"
            );
        }
    }
}
