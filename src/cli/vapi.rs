//! `voxline vapi`: what Vapi's side must look like, and bringing it there.

use std::fmt::Write;

use crate::config::Config;
use crate::store::Store;
use crate::units::DialedNumber;
use crate::vapi::{Api, Plan, State, Step, plan, walk};

use super::args::VapiCommand;
use super::output::Output;

pub(super) async fn run(
    command: VapiCommand,
    mut config: Config,
    store: &Store,
    output: Output,
) -> anyhow::Result<bool> {
    let numbers: Vec<DialedNumber> = store
        .numbers()
        .await?
        .into_iter()
        .map(|known| known.number)
        .collect();
    let (base_url, write) = match command {
        VapiCommand::Plan => {
            let plan = plan(&config, &numbers, None, false)?;
            output.result(&plan, || in_words(&plan))?;
            return Ok(true);
        }
        VapiCommand::Apply(side) => (side.base_url, true),
        VapiCommand::Check(side) => (side.base_url, false),
    };
    if let Some(url) = base_url {
        config.vapi.api_url = url.trim_end_matches('/').to_owned();
    }
    let api = Api::open(&config.vapi)?;
    let steps = walk(&config, &api, &numbers, write).await??;
    output.result(&steps, || steps_in_words(&steps))?;
    Ok(steps
        .iter()
        .all(|step| !matches!(step.state, State::Differs | State::Missing)))
}

/// The plan for a person: what to set where, and the prompt.
fn in_words(plan: &Plan) -> String {
    let mut text = format!("webhooks go to {}\n", plan.events_url);
    let mut part = |title: &str, document: &serde_json::Value| {
        let shown = serde_json::to_string_pretty(document).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = write!(text, "\n{title}\n{shown}\n");
    };
    if let Some(credential) = &plan.credential {
        part("credential (POST /credential)", credential);
    }
    for tool in &plan.tools {
        part("tool (POST /tool)", tool);
    }
    for assistant in &plan.assistants {
        let title = match &assistant.id {
            Some(id) => {
                format!("assistant {id} (PATCH /assistant/{id}); its model's toolIds name the tools above")
            }
            None => "an assistant of its own (POST /assistant): vapi.assistant_id names none yet".to_owned(),
        };
        part(&title, &assistant.settings);
    }
    for number in &plan.numbers {
        part(
            &format!("number {} (PATCH /phone-number/…)", number.number.as_e164()),
            &number.settings,
        );
    }
    if plan.numbers.is_empty() {
        text.push_str("\nno numbers: add yours with `voxline number add`\n");
    }
    let _ = write!(text, "\nprompt: add this to every assistant's\n{}", plan.prompt);
    text
}

fn steps_in_words(steps: &[Step]) -> String {
    let lines = steps.iter().map(|step| {
        let state = match step.state {
            State::Ok => "ok",
            State::Created => "created",
            State::Updated => "updated",
            State::Differs => "differs",
            State::Missing => "missing",
        };
        let id = step.id.as_ref().map_or_else(String::new, |id| format!("  {id}"));
        let remedy = step
            .remedy
            .as_ref()
            .map_or_else(String::new, |remedy| format!("\n         {remedy}"));
        format!("{state:<8} {}{id}{remedy}", step.what)
    });
    lines.collect::<Vec<_>>().join("\n")
}
