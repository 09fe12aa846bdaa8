//! Bandwidth's BXML. Keys do not come down its streams, so they are asked for as webhooks.

use secrecy::ExposeSecret;

use super::xml::Element;
use super::{Document, Plan, Stream};
use crate::carriers::Carrier;

pub(super) fn document(plan: &Plan) -> Document {
    let mut response = Element::new("Response");
    if let Some(stream) = plan.stream(Carrier::Bandwidth) {
        response = response.children(gather(plan)).child(fork(plan, &stream));
    }
    let address = if plan.settings.bandwidth_uri_headers {
        plan.forward().address_with_headers(&plan.leg)
    } else {
        plan.forward().address(plan.leg.dialed)
    };
    // The diversion goes along as the header it came as.
    let transfer = Element::new("Transfer")
        .attribute("diversionTreatment", "propagate")
        .child(Element::new("SipUri").text(address));
    Document::xml(&response.child(transfer))
}

fn fork(plan: &Plan, stream: &Stream) -> Element {
    let parameter = |name: &str, value: &str| {
        Element::new("StreamParam")
            .attribute("name", name)
            .attribute("value", value)
    };
    let mut fork = Element::new("StartStream")
        .attribute("destination", &stream.url)
        .attribute("name", "voxline")
        .attribute("tracks", "inbound");
    if let Some(login) = &plan.settings.proofs.bandwidth {
        fork = fork
            .attribute("destinationUsername", &login.username)
            .attribute("destinationPassword", login.password.expose_secret());
    }
    fork.child(parameter("call_token", stream.token))
        .child(parameter("number", plan.leg.dialed.as_e164()))
}

fn gather(plan: &Plan) -> Option<Element> {
    let base = plan.settings.proofs.public_url.as_deref()?.trim_end_matches('/');
    let mut gather =
        Element::new("StartGather").attribute("dtmfUrl", format!("{base}/carriers/bandwidth/voice"));
    if let Some(login) = &plan.settings.proofs.bandwidth {
        gather = gather
            .attribute("username", &login.username)
            .attribute("password", login.password.expose_secret());
    }
    Some(gather)
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    #[test]
    fn the_fork_brings_its_login_and_the_transfer_the_diversion() {
        let shown = document(Carrier::Bandwidth, "c-1", Some("tok"));
        for part in [
            "destinationUsername=\"u\" destinationPassword=\"p&quot;&lt;&amp;\"",
            "<StreamParam name=\"call_token\" value=\"tok\"/>",
            "<StartGather dtmfUrl=\"https://id.example.com/carriers/bandwidth/voice\"",
            "<Transfer diversionTreatment=\"propagate\"><SipUri>sip:+12025550102@sip.vapi.ai</SipUri>",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }
}
