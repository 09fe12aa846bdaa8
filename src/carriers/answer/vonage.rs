//! Vonage's NCCO. A WebSocket is a leg of the call and not a fork of it, and actions follow one another: the
//! caller is heard alone first, and handed on when we close the WebSocket.

use serde_json::{Map, Value, json};

use super::{Document, Plan};
use crate::carriers::Carrier;
use crate::evidence::{Region, normalise};

pub(super) fn document(plan: &Plan) -> Document {
    let mut actions = Vec::new();
    let screening = plan.settings.vonage_screening.as_ref();
    if let (Some(screening), Some(stream)) = (screening, plan.stream(Carrier::Vonage)) {
        if !screening.prompt.is_empty() {
            actions.push(json!({"action": "talk", "text": screening.prompt}));
        }
        let mut websocket = json!({
            "action": "connect",
            "from": digits(plan.leg.dialed.as_e164()),
            "endpoint": [{
                "type": "websocket",
                "uri": stream.url,
                "content-type": "audio/l16;rate=16000",
                // At most 512 bytes in all; a call's id has up to 128.
                "headers": {
                    "call_token": stream.token,
                    "call_id": plan.leg.call.as_str(),
                    "number": plan.leg.dialed.as_e164(),
                },
            }],
        });
        if plan.settings.proofs.vonage.is_some() {
            // Then the handshake is signed as webhooks are.
            websocket["endpoint"][0]["authorization"] = json!({"type": "vonage"});
        }
        actions.push(websocket);
    }
    // Vonage puts `X-` before the names.
    let headers = plan.forward().headers(&plan.leg).into_iter();
    let headers: Map<String, Value> = headers
        .map(|(name, value)| (name.trim_start_matches("X-").to_owned(), value.into()))
        .collect();
    let mut forward = json!({
        "action": "connect",
        "endpoint": [{
            "type": "sip",
            "uri": plan.forward().address(plan.leg.dialed),
            "headers": headers,
        }],
    });
    // Of who withheld their number there is none, and no other may stand for it: on Vapi all of them would be one caller.
    if let Some(caller) = plan.caller.and_then(|text| normalise(text, Region::UNKNOWN)) {
        forward["from"] = digits(caller.as_e164()).into();
    }
    actions.push(forward);
    Document {
        media_type: "application/json",
        text: Value::Array(actions).to_string(),
    }
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{document, with_caller, with_plan};
    use super::*;

    #[test]
    fn the_handshake_is_signed_where_it_can_be_verified() {
        let authorization = |secret: Option<&str>| {
            with_plan("u-1", Some("tok"), |plan| {
                let mut settings = plan.settings.clone();
                settings.proofs.vonage = secret.map(Into::into);
                let plan = Plan {
                    settings: &settings,
                    leg: plan.leg.clone(),
                    ..*plan
                };
                let actions: Value = serde_json::from_str(&super::document(&plan).text).unwrap();
                actions[1]["endpoint"][0]["authorization"].clone()
            })
        };
        assert_eq!(authorization(Some("secret")), json!({"type": "vonage"}));
        assert_eq!(authorization(None), Value::Null);
    }

    #[test]
    fn the_caller_is_heard_first_and_then_handed_on() {
        let actions: Value = serde_json::from_str(&document(Carrier::Vonage, "u-1", Some("tok"))).unwrap();
        let kinds: Vec<_> = actions
            .as_array()
            .unwrap()
            .iter()
            .map(|action| &action["action"])
            .collect();
        assert_eq!(kinds, ["talk", "connect", "connect"]);
        assert_eq!(actions[1]["endpoint"][0]["headers"]["call_id"], "u-1");
        assert_eq!(
            actions[2]["endpoint"][0]["headers"]["Forwarded-From"],
            "+12025550103"
        );
        assert_eq!(actions[2]["from"], "12025550101");
    }

    #[test]
    fn a_withheld_callers_ncco_is_from_nobody() {
        for caller in [
            None,
            Some("anonymous"),
            Some("Restricted"),
            Some("sip:unknown@h"),
            Some("sip:anonymous@10.0.0.5"),
            Some("+266696687"),
            Some("7001"),
        ] {
            let shown = with_caller(caller, |plan| super::document(plan).text);
            let actions: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(actions[2].get("from"), None, "{caller:?}");
        }
    }
}
