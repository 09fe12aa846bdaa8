//! `voxline retention`.

use clap::Subcommand;
use time::Duration;

use crate::store::{RetentionSchedule, RetentionTally, Store};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// Say how long what is kept is kept, and how much of it is older
    Show,
    /// Remove now what is older: a running service does so once an hour
    Run,
}

pub(super) async fn run(
    command: RetentionCommand,
    store: &Store,
    schedule: &RetentionSchedule,
    output: Output,
) -> anyhow::Result<bool> {
    match command {
        RetentionCommand::Show => {
            let due = store.due(schedule).await?;
            output.result(&due, || in_words(schedule, &due))?;
        }
        RetentionCommand::Run => {
            let gone = store.retain(schedule).await?;
            output.result(&gone, || match listed(&gone) {
                None => "nothing is older than it is kept".to_owned(),
                Some(gone) => format!("gone: {gone}"),
            })?;
        }
    }
    Ok(true)
}

/// How long what is kept is kept, and what is due.
pub(super) fn in_words(schedule: &RetentionSchedule, due: &RetentionTally) -> String {
    let kept = |what: &str, kept: Option<Duration>| match kept {
        None => format!("{what} for good"),
        Some(kept) => format!("{what} {} days", kept.whole_days()),
    };
    let kept = [
        kept("calls", schedule.calls),
        kept("their evidence", schedule.evidence),
        kept("recordings", schedule.audio),
        kept("unused voices", schedule.unused_voices),
        kept("the audit log", schedule.audit),
    ];
    let due = listed(due).map_or_else(|| "nothing is older".to_owned(), |due| format!("due: {due}"));
    format!("kept: {}; {due}", kept.join(", "))
}

/// The counts that are not 0.
fn listed(tally: &RetentionTally) -> Option<String> {
    let counts = tally.counts().into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}
