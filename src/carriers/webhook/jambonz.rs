//! jambonz's application and call-status webhooks: JSON. The first of a call has the whole INVITE as `sip`
//! (`lib/middleware.js` of jambonz-feature-server, for webhooks that are posted).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ControlStyle, Event, Ring, WebhookFault, call, dialed, is_over, json};
use crate::carriers::Carrier;
use crate::carriers::stream::{fitting, sip_headers};
use crate::evidence::{CallFacts, Source, is_blank};

#[derive(Deserialize)]
struct Webhook {
    call_sid: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    direction: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    from: Option<String>,
    to: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    call_status: Option<String>,
    #[serde(default, deserialize_with = "fitting")]
    sip: Option<Sip>,
}

#[derive(Deserialize)]
struct Sip {
    #[serde(default, deserialize_with = "fitting")]
    headers: Option<HashMap<String, Value>>,
}

pub(super) fn read(body: &[u8]) -> Result<Event, WebhookFault> {
    let webhook: Webhook = json(Carrier::Jambonz, body)?;
    let id = || call(webhook.call_sid.as_deref(), "call_sid");
    let status = webhook.call_status.as_deref().unwrap_or("trying");
    if is_over(status) {
        return Ok(Event::Ended { call: id()? });
    }
    // A status on the way, or a leg that jambonz calls itself.
    let begins = status == "trying" && webhook.direction.as_deref() != Some("outbound");
    if !begins {
        return Ok(Event::Other);
    }
    let headers = sip_headers(webhook.sip.and_then(|sip| sip.headers));
    // jambonz leaves a number blank that the INVITE has as a tel URI.
    let to = webhook
        .to
        .filter(|to| !is_blank(to))
        .or_else(|| headers.get("to"));
    let (call, dialed) = (id()?, dialed(to.as_deref(), "to")?);
    let mut facts = CallFacts {
        source: Source::Jambonz,
        caller_text: webhook.from,
        ..CallFacts::default()
    };
    facts.add_sip(&headers);
    Ok(Event::Ringing(Box::new(Ring {
        call,
        dialed,
        facts,
        control: ControlStyle::Document,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;

    const RING: &str = r#"{"sip":{"method":"INVITE","headers":{"from":"<sip:+12025550101@h>;tag=1",
        "diversion":["<sip:+12025550103@h>;reason=no-answer","<sip:+12025550104@h>;reason=busy"]},"payload":[]},
        "direction":"inbound","call_sid":"7a0b","account_sid":"a","application_sid":"b","from":"+12025550101",
        "to":"12025550102","call_id":"c@h","sip_status":100,"call_status":"trying","defaults":{}}"#;

    #[test]
    fn a_forwarded_call_names_who_forwarded_it_last() {
        let ring = ring(Carrier::Jambonz, "", RING);
        assert_eq!(
            (ring.call.as_str(), ring.dialed.as_e164()),
            ("7a0b", "+12025550102")
        );
        assert_eq!(forwarder(&ring), Some(("+12025550103".to_owned(), "diversion")));
        assert_eq!(ring.facts.caller_text.as_deref(), Some("+12025550101"));
    }

    #[test]
    fn numbers_that_jambonz_leaves_blank_are_read_from_the_invite() {
        let blank = RING
            .replace(r#""from":"+12025550101","#, r#""from":"","#)
            .replace(r#""to":"12025550102""#, r#""to":"""#)
            .replace(r#""diversion""#, r#""to":"<tel:+12025550102>","diversion""#);
        let ring = ring(Carrier::Jambonz, "", &blank);
        assert_eq!(ring.dialed.as_e164(), "+12025550102");
        assert_eq!(
            ring.facts.caller_text.as_deref(),
            Some("<sip:+12025550101@h>;tag=1")
        );
    }

    #[test]
    fn only_an_incoming_calls_beginning_is_one() {
        let read = |from: &str, to: &str| heard(Carrier::Jambonz, "", &RING.replace(from, to));
        assert!(matches!(read("trying", "in-progress"), Ok(Event::Other)));
        assert!(matches!(read("inbound", "outbound"), Ok(Event::Other)));
        assert!(matches!(read("trying", "completed"), Ok(Event::Ended { .. })));
        assert!(matches!(
            read("call_sid", "sid"),
            Err(WebhookFault::Missing("call_sid"))
        ));
    }
}
