//! Telnyx's Call Control: commands instead of a document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Plan;
use crate::carriers::Carrier;
use crate::evidence::{Region, normalise};
use crate::units::CallId;

/// A command to a call: `POST /calls/{call_control_id}/actions/{name}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What to do.
    pub name: &'static str,
    /// The command's body, as Telnyx's API takes it.
    pub body: Value,
    /// Whether the caller is put through without it: it may not keep them waiting.
    pub optional: bool,
    /// What is commanded in its place where Telnyx refuses it.
    pub instead: Option<Box<Command>>,
}

impl Command {
    /// Ends the call. However often it is commanded, it is done once.
    pub fn hangup(call: &CallId) -> Self {
        Self {
            name: "hangup",
            body: json!({ "command_id": format!("{}-hangup", call.as_str()) }),
            optional: false,
            instead: None,
        }
    }
}

/// Answers the call; nothing else can be commanded before. `answer` would fork too, but takes neither our parameters
/// nor a token.
pub(super) fn at_ringing(plan: &Plan) -> Vec<Command> {
    vec![Command {
        name: "answer",
        body: json!({ "command_id": format!("{}-answer", plan.leg.call.as_str()) }),
        optional: false,
        instead: None,
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
        instead: None,
    })
}

/// Hands the call on. An account may not be allowed to show the caller's number; refused with it, the transfer is tried
/// without. An answered caller is not left in silence: refused again, the call is ended, and the network's treatment of a
/// line that is busy has its turn.
fn transfer(plan: &Plan) -> Command {
    // Without `from` it is the number that was dialed: the business would seem to call itself.
    let mut body = transfer_body(plan, "hidden");
    body["privacy"] = "id".into();
    let hidden = transferred(body, Command::hangup(plan.leg.call));
    let Some(caller) = plan.caller.and_then(|text| normalise(text, Region::UNKNOWN)) else {
        return hidden;
    };
    let mut body = transfer_body(plan, "transfer");
    body["from"] = caller.as_e164().into();
    transferred(body, hidden)
}

fn transferred(body: Value, instead: Command) -> Command {
    Command {
        name: "transfer",
        body,
        optional: false,
        instead: Some(Box::new(instead)),
    }
}

/// The command without who calls. A command with the id of one before it would not be done.
fn transfer_body(plan: &Plan, id: &str) -> Value {
    let headers = plan.forward().headers(&plan.leg).into_iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut body = json!({
        "command_id": format!("{}-{id}", plan.leg.call.as_str()),
        "to": plan.forward().address(plan.leg.dialed),
        "custom_headers": headers,
        // What Telnyx tells of the new leg says by this whose it is.
        "target_leg_client_state": STANDARD.encode(plan.leg.call.as_str()),
    });
    if let Some((name, password)) = &plan.forward().login {
        body["sip_auth_username"] = name.as_str().into();
        body["sip_auth_password"] = password.expose_secret().into();
    }
    body
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
        assert_eq!(transfer["target_leg_client_state"], "djI6Yw==");
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

    #[test]
    fn a_refused_transfer_goes_without_the_caller_and_then_is_ended() {
        let commands = with_plan("v2:c", None, |plan| plan.commands_at_answer());
        let mut command = &commands[0];
        let (mut ids, mut steps) = (Vec::new(), Vec::new());
        loop {
            ids.push(command.body["command_id"].clone());
            steps.push((command.name, command.body.get("from").is_some()));
            match &command.instead {
                Some(instead) => command = instead,
                None => break,
            }
        }
        assert_eq!(
            steps,
            [("transfer", true), ("transfer", false), ("hangup", false)]
        );
        ids.sort_by_key(ToString::to_string);
        ids.dedup();
        assert_eq!(ids.len(), 3, "Telnyx does nothing for an id that it has seen");
        let hidden = commands[0].instead.as_deref().unwrap();
        assert_eq!(hidden.body["privacy"], "id");
        assert_eq!(hidden.body["custom_headers"], commands[0].body["custom_headers"]);
    }
}
