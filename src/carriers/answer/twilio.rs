//! TwiML, and TeXML, which has the same verbs.

use secrecy::ExposeSecret;

use super::xml::Element;
use super::{Document, Plan, Stream};
use crate::carriers::Carrier;

pub(super) fn document(plan: &Plan, carrier: Carrier) -> Document {
    let mut response = Element::new("Response");
    if let Some(stream) = plan.stream(carrier) {
        response = response.child(Element::new("Start").child(fork(plan, &stream)));
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
