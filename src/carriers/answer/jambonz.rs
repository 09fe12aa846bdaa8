//! jambonz's verbs: listen in the background to the caller alone, and dial.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{Document, Plan};
use crate::carriers::Carrier;

pub(super) fn document(plan: &Plan) -> Document {
    let mut verbs = Vec::new();
    if let Some(stream) = plan.stream(Carrier::Jambonz) {
        let mut listen = json!({
            "enable": true,
            "url": stream.url,
            // The caller alone.
            "mixType": "mono",
            "sampleRate": 8_000,
            "passDtmf": true,
            "bidirectionalAudio": {"enabled": false},
            "metadata": {"call_token": stream.token, "number": plan.leg.dialed.as_e164()},
        });
        if let Some(login) = &plan.settings.proofs.jambonz_login {
            let password = login.password.expose_secret();
            listen["wsAuth"] = json!({"username": login.username, "password": password});
        }
        verbs.push(json!({"verb": "config", "listen": listen}));
    }
    let headers = plan.forward().headers(&plan.leg).into_iter();
    let headers: Map<String, Value> = headers
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let mut target = json!({"type": "sip", "sipUri": plan.forward().address(plan.leg.dialed)});
    if let Some((name, password)) = &plan.forward().login {
        target["auth"] = json!({"username": name, "password": password.expose_secret()});
    }
    verbs.push(json!({"verb": "dial", "target": [target], "headers": headers}));
    Document {
        media_type: "application/json",
        text: Value::Array(verbs).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use super::*;

    #[test]
    fn the_caller_is_heard_in_the_background_of_a_dial_with_our_headers() {
        let verbs: Value = serde_json::from_str(&document(Carrier::Jambonz, "7a0b", Some("tok"))).unwrap();
        let listen = &verbs[0]["listen"];
        assert_eq!(listen["url"], "wss://id.example.com/media/jambonz");
        assert_eq!(
            listen["metadata"],
            json!({"call_token": "tok", "number": "+12025550102"})
        );
        assert_eq!(
            (&listen["mixType"], &listen["passDtmf"]),
            (&json!("mono"), &json!(true))
        );
        let dial = &verbs[1];
        assert_eq!(dial["target"][0]["sipUri"], "sip:+12025550102@sip.vapi.ai");
        assert_eq!(
            dial["headers"],
            json!({"X-Forwarded-From": "+12025550103", "X-Fwd-Call": "7a0b"})
        );
    }
}
