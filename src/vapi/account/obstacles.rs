//! What stands in the way of applying: things of somebody else's that would have to be taken from them.

use serde_json::Value;

use crate::vapi::settings::VapiMode;
use crate::vapi::wanted::Plan;

use super::id;
use super::owner::{self, Owners};
use super::read::{kept_route, text};
use super::step::{State, Step};
use super::walk::{Walk, tool_name};

/// One of them.
pub(super) struct Obstacle {
    /// What is said of it.
    pub step: Step,
    /// Whether it stands in the way also of whoever takes over.
    pub stays: bool,
}

impl Walk<'_> {
    /// Everything that stands in the way.
    pub(super) fn obstacles(&self, plan: &Plan) -> Vec<Obstacle> {
        let mut found = Vec::new();
        for wanted in &plan.tools {
            if let Some(tool) = self.our_tool(wanted) {
                self.server_of(&tool_name(wanted), tool, &mut found);
            }
        }
        if self.settings.mode == VapiMode::Assistant {
            for id in plan.assistants.iter().filter_map(|wanted| wanted.id.as_deref()) {
                if let Some(assistant) = self.account.assistant(id) {
                    self.server_of(&format!("assistant {id}"), assistant, &mut found);
                }
            }
        }
        for wanted in &plan.numbers {
            let what = format!("number {}", wanted.number.as_e164());
            for number in self.account.of_number(&wanted.number, &self.settings.sip_numbers) {
                self.server_of(&what, number, &mut found);
                let takes = self.settings.assistant_for(Some(&wanted.number));
                found.extend(other_assistant(&what, number, takes));
            }
        }
        found
    }

    fn server_of(&self, what: &str, entry: &Value, found: &mut Vec<Obstacle>) {
        if let Some(url) = self.owners.foreign(entry) {
            found.push(Obstacle {
                step: Owners::refusal(what, entry, url),
                stays: false,
            });
        }
        if let Some(header) = self.owners.clash(entry) {
            let remedy = format!(
                "its server sends a header {header} of its own, which would stand in the place of the one by which \
                 Voxline knows Vapi: take it off there, or have webhooks known by another header (vapi.auth = \"hmac\")"
            );
            let step = Step::new(format!("headers of {what}"), State::Foreign).with_id(id(entry));
            found.push(Obstacle {
                step: step.with_remedy(remedy).with_was(owner::shown(entry)),
                stays: true,
            });
        }
    }
}

/// A number whose calls an assistant takes that is not the one its callers would get here.
fn other_assistant(what: &str, number: &Value, takes: Option<&str>) -> Option<Obstacle> {
    if kept_route(number).is_some() {
        return None;
    }
    let assistant = text(number, "assistantId").filter(|assistant| Some(*assistant) != takes)?;
    let instead = takes.map_or_else(|| "none".to_owned(), |takes| format!("assistant {takes}"));
    let remedy = format!(
        "assistant {assistant} takes its calls, and {instead} would from then on. Nothing was changed. To keep it, name \
         it for this number in vapi.assistants; else `voxline vapi apply --take-over`"
    );
    let step = Step::new(format!("calls to {what}"), State::Foreign).with_id(id(number));
    Some(Obstacle {
        step: step.with_remedy(remedy).with_was(owner::shown(number)),
        stays: false,
    })
}
