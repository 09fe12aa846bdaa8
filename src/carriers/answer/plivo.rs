//! Plivo's XML.

use super::xml::Element;
use super::{Document, Plan};
use crate::carriers::Carrier;

pub(super) fn document(plan: &Plan) -> Document {
    let mut response = Element::new("Response");
    if let Some(stream) = plan.stream(Carrier::Plivo) {
        // Not bidirectional and not kept alive: what follows is done while it streams.
        // Names and values of letters and digits alone.
        let parameters = format!("calltoken={}", stream.token);
        response = response.child(
            Element::new("Stream")
                .attribute("bidirectional", "false")
                .attribute("keepCallAlive", "false")
                .attribute("audioTrack", "inbound")
                .attribute("contentType", "audio/x-mulaw;rate=8000")
                .attribute("extraHeaders", parameters)
                .text(stream.url),
        );
    }
    let headers = plan.forward().plivo_headers(&plan.leg).into_iter();
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}={value}")).collect();
    let dial = Element::new("Dial")
        .attribute("sipHeaders", headers.join(","))
        .child(Element::new("User").text(plan.forward().address(plan.leg.dialed)));
    Document::xml(&response.child(dial))
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    #[test]
    fn the_token_and_the_forwarding_number_go_along() {
        let shown = document(Carrier::Plivo, "c-1", Some("tok"));
        assert!(shown.contains("extraHeaders=\"calltoken=tok\""), "{shown}");
        assert!(
            shown.contains("sipHeaders=\"Forwardedfrom=12025550103,Fwdcall=c1\""),
            "{shown}"
        );
    }
}
