//! `voxline vapi`: what Vapi's side must look like, bringing it there, and putting it back.

use std::fmt::Write;

use anyhow::Context;
use clap::Subcommand;

use crate::carriers::VapiRegion;
use crate::config::Config;
use crate::store::{Act, NewAudit, Store, StoreError};
use crate::units::DialedNumber;
use crate::vapi::{
    AccountFault, Api, AppliedHere, Plan, State, Step, VapiSettings, apply, check, forget_backends,
    note_backends, plan, undo,
};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum VapiCommand {
    /// Print the exact assistant, tool and number settings of this deployment; secrets are hidden
    Plan,
    /// Make and change what is not as planned; what is stays untouched
    Apply {
        #[command(flatten)]
        side: VapiSide,
        /// Take numbers and assistants from the backend that has them now; what was there is kept for `undo`
        #[arg(long)]
        take_over: bool,
    },
    /// Say what is not as planned, who gets messages first, and how to put it right; nothing is written
    Check(VapiSide),
    /// Put everything back as it was before `apply`
    Undo {
        #[command(flatten)]
        side: VapiSide,
        /// Put back also what somebody changed since
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct VapiSide {
    /// Vapi's API [default: vapi.api_url, or the one of vapi.region]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

pub(super) async fn run(
    command: VapiCommand,
    mut config: Config,
    store: &Store,
    output: Output,
) -> anyhow::Result<bool> {
    let known = store.numbers().await?;
    let numbers: Vec<DialedNumber> = known.into_iter().map(|known| known.number).collect();
    let (done, noted) = match command {
        VapiCommand::Plan => {
            let plan = plan(&config.vapi, &numbers, None, false)?;
            output.result(&plan, || in_words(&plan))?;
            return Ok(true);
        }
        VapiCommand::Apply { side, take_over } => {
            let api = open(&side, &mut config.vapi)?;
            let done = apply(&config.vapi, &api, &numbers, take_over).await;
            // Also of what was done in part.
            let audited = account_for(store, "apply", &done).await;
            let noted = note_backends(&config.vapi, store).await;
            (done, audited.and(noted))
        }
        VapiCommand::Check(side) => {
            let api = open(&side, &mut config.vapi)?;
            let done = check(&config.vapi, &config.carriers, &api, &numbers).await;
            (done, Ok(()))
        }
        VapiCommand::Undo { side, force } => {
            let api = open(&side, &mut config.vapi)?;
            // What cannot be read `undo` says itself.
            let before = AppliedHere::read(&config.vapi).unwrap_or_default();
            let done = undo(&config.data_dir, &config.vapi.api_url, &api, force).await;
            let audited = account_for(store, "undo", &done).await;
            let noted = forget_backends(&config.vapi, store, &before).await;
            (done, audited.and(noted))
        }
    };
    tell(done, noted, output)
}

/// Says what was done on Vapi's side, or why it was not, before whatever went wrong in noting it here.
fn tell(
    done: Result<Vec<Step>, AccountFault>,
    noted: Result<(), StoreError>,
    output: Output,
) -> anyhow::Result<bool> {
    let steps = match (done, &noted) {
        (Ok(steps), _) => steps,
        (Err(fault), Ok(())) => return Err(fault.into()),
        (Err(fault), Err(besides)) => {
            let said = format!("{fault}; nor could what was done be noted in the store: {besides}");
            return Err(anyhow::Error::from(fault).context(said));
        }
    };
    output.result(&steps, || steps_in_words(&steps))?;
    noted.context("what was done is not noted in the store")?;
    Ok(steps.iter().all(|step| step.state.is_settled()))
}

/// Tells the audit log what was done to Vapi's account, also where it was done in part.
async fn account_for<E>(store: &Store, what: &str, done: &Result<Vec<Step>, E>) -> Result<(), StoreError> {
    let entry = NewAudit::new(Act::VapiChange).object(what);
    let entry = match done {
        Ok(steps) => entry.detail(serde_json::json!({ "steps": steps.len() })),
        Err(_) => entry.outcome("failed"),
    };
    store.audit(&[entry]).await
}

/// The API that is asked.
fn open(side: &VapiSide, settings: &mut VapiSettings) -> anyhow::Result<Api> {
    if let Some(url) = &side.base_url {
        url.trim_end_matches('/').clone_into(&mut settings.api_url);
        settings.region = VapiRegion::of_address(url).unwrap_or(settings.region);
    }
    Ok(Api::open(settings)?.patient())
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
            State::Restored => "restored",
            State::Removed => "removed",
            State::Kept => "kept",
            State::Foreign => "foreign",
            State::Changed => "changed",
        };
        let id = step.id.as_ref().map_or_else(String::new, |id| format!("  {id}"));
        let remedy = step
            .remedy
            .as_ref()
            .map_or_else(String::new, |remedy| format!("\n         {remedy}"));
        let was = step
            .was
            .as_ref()
            .map_or_else(String::new, |was| format!("\n         was: {was}"));
        format!("{state:<8} {}{id}{remedy}{was}", step.what)
    });
    lines.collect::<Vec<_>>().join("\n")
}
