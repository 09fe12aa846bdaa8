//! Vonage's answer and event webhooks: JSON, or a query where they are fetched with GET.

use std::collections::HashMap;

use serde_json::Value;

use super::{ControlStyle, Event, Fields, Received, Ring, WebhookFault, is_over, json, with_plus};
use crate::carriers::Carrier;
use crate::carriers::stream::texts;
use crate::evidence::{CallFacts, Source};

pub(super) fn read(received: Received) -> Result<Event, WebhookFault> {
    let fields = if received.body.is_empty() {
        Fields::of(received)
    } else {
        let object: HashMap<String, Value> = json(Carrier::Vonage, received.body)?;
        Fields(texts(object).collect())
    };
    if let Some(status) = fields.get("status") {
        return Ok(match fields.call("uuid") {
            Ok(call) if is_over(status) => Event::Ended { call },
            _ => Event::Other,
        });
    }
    // Nothing documented says who forwarded a call; headers of a SIP call do.
    let mut facts = CallFacts {
        source: Source::Vonage,
        caller_text: fields.get("from").map(with_plus),
        ..CallFacts::default()
    };
    facts.add_sip(&fields.headers("SipHeader_"));
    Ok(Event::Ringing(Box::new(Ring {
        call: fields.call("uuid")?,
        dialed: fields.dialed("to")?,
        facts,
        control: ControlStyle::Document,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;

    #[test]
    fn an_answer_webhook_is_read_from_json_and_from_a_query() {
        let body = r#"{"from":"12025550101","to":"12025550102","uuid":"u-1","conversation_uuid":"CON-1",
            "region_url":"https://api-us-3.vonage.com","SipHeader_X-Forwarded-From":"+12025550103"}"#;
        let query = "to=12025550102&from=12025550101&uuid=u-1&SipHeader_X-Forwarded-From=%2B12025550103";
        for ring in [ring(Carrier::Vonage, "", body), ring(Carrier::Vonage, query, "")] {
            assert_eq!(
                (ring.call.as_str(), ring.dialed.as_e164()),
                ("u-1", "+12025550102")
            );
            assert_eq!(
                forwarder(&ring),
                Some(("+12025550103".to_owned(), "x_forwarded_from"))
            );
            assert_eq!(ring.facts.caller_text.as_deref(), Some("+12025550101"));
        }
    }

    #[test]
    fn without_a_header_there_is_no_forwarder() {
        let ring = ring(
            Carrier::Vonage,
            "",
            r#"{"from":"12025550101","to":"12025550102","uuid":"u-1"}"#,
        );
        assert_eq!(forwarder(&ring), None);
    }

    #[test]
    fn events_are_not_calls() {
        let read = |status: &str| {
            let body = format!(r#"{{"uuid":"u-1","status":"{status}","to":"12025550102","from":"1"}}"#);
            heard(Carrier::Vonage, "", &body)
        };
        assert!(matches!(read("answered"), Ok(Event::Other)));
        for status in ["completed", "unanswered", "disconnected"] {
            assert!(matches!(read(status), Ok(Event::Ended { .. })), "{status}");
        }
    }
}
