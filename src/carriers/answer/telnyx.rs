//! Telnyx's Call Control: commands instead of a document.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Plan;
use crate::carriers::Carrier;

/// A command to a call: `POST /calls/{call_control_id}/actions/{name}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What to do.
    pub name: &'static str,
    /// How.
    pub body: Value,
}

impl Command {
    /// The same without the fork; `None` when it had none.
    pub fn without_stream(&self) -> Option<Self> {
        let Self { name, mut body } = self.clone();
        let fields = body.as_object_mut()?;
        fields.remove("stream_url")?;
        for field in ["stream_track", "stream_codec", "custom_parameters"] {
            fields.remove(field);
        }
        Some(Self { name, body })
    }
}

/// Answers the call, with the fork if there is one; nothing else can be commanded before.
pub(super) fn at_ringing(plan: &Plan) -> Vec<Command> {
    let mut body = json!({ "command_id": format!("{}-answer", plan.leg.call.as_str()) });
    if let Some(stream) = plan.stream(Carrier::Telnyx) {
        body["stream_url"] = stream.url.into();
        body["stream_track"] = "inbound_track".into();
        body["stream_codec"] = "PCMU".into();
        body["custom_parameters"] = json!([
            {"name": "call_token", "value": stream.token},
            {"name": "number", "value": plan.leg.dialed.as_e164()},
        ]);
    }
    vec![Command { name: "answer", body }]
}

/// Hands the answered call on. The command's id keeps a webhook that comes twice from doing it twice.
pub(super) fn at_answer(plan: &Plan) -> Vec<Command> {
    let headers = plan.forward().headers(&plan.leg).into_iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut body = json!({
        "command_id": format!("{}-transfer", plan.leg.call.as_str()),
        "to": plan.forward().address(plan.leg.dialed),
        "custom_headers": headers,
    });
    if let Some((name, password)) = &plan.forward().login {
        body["sip_auth_username"] = name.as_str().into();
        body["sip_auth_password"] = password.expose_secret().into();
    }
    vec![Command {
        name: "transfer",
        body,
    }]
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_plan;

    #[test]
    fn a_call_is_answered_with_the_fork_and_transferred_with_the_header() {
        let (ringing, answered) = with_plan("v2:c", Some("tok"), |plan| {
            (plan.commands_at_ringing(), plan.commands_at_answer())
        });
        assert_eq!((ringing[0].name, answered[0].name), ("answer", "transfer"));
        assert_eq!(ringing[0].body["stream_url"], "wss://id.example.com/media/telnyx");
        assert_eq!(ringing[0].body["custom_parameters"][0]["value"], "tok");
        let headers = &answered[0].body["custom_headers"];
        assert_eq!(
            headers[0],
            serde_json::json!({"name": "X-Forwarded-From", "value": "+12025550103"})
        );
        let plain = with_plan("v2:c", None, |plan| plan.commands_at_ringing());
        assert_eq!(ringing[0].without_stream().as_ref(), Some(&plain[0]));
        assert_eq!(plain[0].without_stream(), None);
    }
}
