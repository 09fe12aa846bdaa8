//! Telnyx's Call Control: commands instead of a document.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Plan;
use crate::carriers::Carrier;
use crate::evidence::{Region, normalise};

/// A command to a call: `POST /calls/{call_control_id}/actions/{name}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What to do.
    pub name: &'static str,
    /// The command's body, as Telnyx's API takes it.
    pub body: Value,
    /// Whether the caller is put through without it: it may not keep them waiting.
    pub optional: bool,
}

/// Answers the call; nothing else can be commanded before. `answer` would fork too, but takes neither our parameters
/// nor a token.
pub(super) fn at_ringing(plan: &Plan) -> Vec<Command> {
    vec![Command {
        name: "answer",
        body: json!({ "command_id": format!("{}-answer", plan.leg.call.as_str()) }),
        optional: false,
    }]
}

/// Forks the answered call, if there is a stream, and hands it on. The commands' ids keep a webhook that comes twice
/// from doing it twice.
pub(super) fn at_answer(plan: &Plan) -> Vec<Command> {
    fork(plan).into_iter().chain([transfer(plan)]).collect()
}

fn fork(plan: &Plan) -> Option<Command> {
    let stream = plan.stream(Carrier::Telnyx)?;
    Some(Command {
        name: "streaming_start",
        body: json!({
            "command_id": format!("{}-stream", plan.leg.call.as_str()),
            "stream_url": stream.url,
            "stream_track": "inbound_track",
            // A call in HD would come as G.722, which Telnyx makes PCMU of where it can.
            "stream_codec": "PCMU",
            "custom_parameters": [
                {"name": "call_token", "value": stream.token},
                {"name": "number", "value": plan.leg.dialed.as_e164()},
            ],
        }),
        optional: true,
    })
}

fn transfer(plan: &Plan) -> Command {
    let headers = plan.forward().headers(&plan.leg).into_iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut body = json!({
        "command_id": format!("{}-transfer", plan.leg.call.as_str()),
        "to": plan.forward().address(plan.leg.dialed),
        "custom_headers": headers,
    });
    // Left out, it is the number that was dialed: the business would seem to call itself.
    match plan.caller.and_then(|text| normalise(text, Region::UNKNOWN)) {
        Some(caller) => body["from"] = caller.as_e164().into(),
        None => body["privacy"] = "id".into(),
    }
    if let Some((name, password)) = &plan.forward().login {
        body["sip_auth_username"] = name.as_str().into();
        body["sip_auth_password"] = password.expose_secret().into();
    }
    Command {
        name: "transfer",
        body,
        optional: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{with_caller, with_plan};

    #[test]
    fn a_call_is_answered_forked_and_transferred_with_header_and_caller() {
        let (ringing, answered) = with_plan("v2:c", Some("tok"), |plan| {
            (plan.commands_at_ringing(), plan.commands_at_answer())
        });
        assert_eq!(ringing[0].name, "answer");
        // Telnyx's `answer` takes no parameters of ours, so a token there would be lost.
        assert_eq!(ringing[0].body, json!({"command_id": "v2:c-answer"}));
        let names: Vec<_> = answered
            .iter()
            .map(|command| (command.name, command.optional))
            .collect();
        assert_eq!(names, [("streaming_start", true), ("transfer", false)]);
        let (fork, transfer) = (&answered[0].body, &answered[1].body);
        assert_eq!(fork["stream_url"], "wss://id.example.com/media/telnyx");
        assert_eq!(fork["stream_codec"], "PCMU");
        assert_eq!(
            fork["custom_parameters"][0],
            json!({"name": "call_token", "value": "tok"})
        );
        let header = json!({"name": "X-Forwarded-From", "value": "+12025550103"});
        assert_eq!(transfer["custom_headers"][0], header);
        assert_eq!(
            (&transfer["from"], &transfer["privacy"]),
            (&json!("+12025550101"), &json!(null))
        );
        let plain = with_plan("v2:c", None, |plan| plan.commands_at_answer());
        assert_eq!(plain, [answered[1].clone()]);
    }

    #[test]
    fn a_withheld_caller_stays_withheld_and_never_becomes_the_dialed_number() {
        for caller in [
            None,
            Some("anonymous"),
            Some("+266696687"),
            Some("sip:restricted@h"),
        ] {
            let commands = with_caller(caller, |plan| plan.commands_at_answer());
            let transfer = &commands.last().unwrap().body;
            assert_eq!(
                (&transfer["from"], &transfer["privacy"]),
                (&json!(null), &json!("id")),
                "{caller:?}"
            );
        }
    }
}
