//! What an Asterisk's dialplan tells of a call before it streams it: a form that `CURL()` posts, of our own making.

use super::{ControlStyle, Event, Fields, Ring, WebhookFault, call, dialed, is_over};
use crate::carriers::attributes::Attributes;
use crate::evidence::Source;
use crate::units::CallId;

pub(super) fn read(fields: Fields) -> Result<Event, WebhookFault> {
    let told = Attributes::of(fields.0);
    if told.status().is_some_and(is_over) {
        return Ok(Event::Ended {
            call: call(told.call(), "call")?,
        });
    }
    let id = match told.call() {
        Some(id) => call(Some(id), "call")?,
        None => CallId::fresh(),
    };
    Ok(Event::Ringing(Box::new(Ring {
        call: id,
        dialed: dialed(told.dialed(), "dialed")?,
        facts: told.facts(Source::Asterisk),
        control: ControlStyle::Document,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{forwarder, heard, ring};
    use super::*;
    use crate::carriers::Carrier;

    #[test]
    fn a_dialplans_form_names_call_number_caller_and_forwarder() {
        let form = "call=1796000000.5&dialed=%2B12025550102&caller=%2B12025550101\
            &diversion=%3Csip%3A%2B12025550103%40pbx.example%3E%3Breason%3Dno-answer&history_info=";
        for ring in [
            ring(Carrier::Asterisk, "", form),
            ring(Carrier::Asterisk, form, ""),
        ] {
            assert_eq!(
                (ring.call.as_str(), ring.dialed.as_e164()),
                ("1796000000.5", "+12025550102")
            );
            assert_eq!(forwarder(&ring), Some(("+12025550103".to_owned(), "diversion")));
            assert_eq!(ring.facts.caller_text.as_deref(), Some("+12025550101"));
        }
    }

    #[test]
    fn a_dialplan_sends_every_line_of_a_header() {
        for (lines, place) in [
            (
                "history_info=<sip:%2B12025550103@ims?Privacy=none>;index=1,\
                 <sip:%2B12025550102@ims;cause=302>;index=1.1;mp=1",
                "history_info",
            ),
            (
                "diversion=\"Line 1020\" <sip:1020@pbx>;reason=no-answer,<sip:%2B12025550103@h>;reason=no-answer",
                "diversion",
            ),
        ] {
            let form = format!("call=1.5&dialed=%2B12025550102&{lines}");
            let ring = ring(Carrier::Asterisk, "", &form);
            assert_eq!(
                forwarder(&ring),
                Some(("+12025550103".to_owned(), place)),
                "{lines}"
            );
        }
    }

    #[test]
    fn a_call_without_an_id_gets_one_and_without_a_number_there_is_none() {
        assert!(
            !ring(Carrier::Asterisk, "", "dialed=12025550102")
                .call
                .as_str()
                .is_empty()
        );
        let read = |form: &str| heard(Carrier::Asterisk, "", form);
        let said = read("call=1.5&caller=%2B12025550101");
        assert!(matches!(said, Err(WebhookFault::Missing("dialed"))), "{said:?}");
        let said = read("dialed=reception");
        assert!(
            matches!(said, Err(WebhookFault::NotANumber("dialed"))),
            "{said:?}"
        );
        assert!(matches!(
            read("call=1.5&status=completed"),
            Ok(Event::Ended { .. })
        ));
    }
}
