//! `voxline models switch`.

use std::fmt::Write;

use crate::config::Config;
use crate::store::Store;
use crate::switchboard::{SwitchReport, switch_model};
use crate::voiceprint::ModelId;

use super::super::output::Output;

/// `Ok(false)` when the switch was not made: somebody would have been left behind.
pub(super) async fn switch(
    id: &str,
    leave_behind: bool,
    config: &Config,
    store: &Store,
    output: Output,
) -> anyhow::Result<bool> {
    let bar = Output::bar(0);
    let mut tell = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let to = ModelId::new(id);
    let report = switch_model(&config.board, store, &to, leave_behind, &mut tell).await;
    bar.finish_and_clear();
    let report = report?;
    output.result(&report, || text(&report, output))?;
    Ok(report.switched)
}

fn text(report: &SwitchReport, output: Output) -> String {
    let SwitchReport { from, to, .. } = report;
    let word = if report.switched {
        "switched"
    } else {
        "not switched"
    };
    let mut text = format!("{}: {from} to {to}", output.strong(word));
    let _ = write!(
        text,
        "\n  {} kept recordings heard again",
        report.recordings_heard
    );
    if report.switched {
        text.push_str("\n  a running service takes the model up within seconds");
    }
    if report.must_reenroll.is_empty() {
        return text;
    }
    let count = report.must_reenroll.len();
    let _ = write!(text, "\n  must enrol again before {to} knows them: {count}");
    for user in &report.must_reenroll {
        let _ = write!(text, "\n    {}  {}: {}", user.user_id, user.name, user.reason);
    }
    if !report.switched {
        let _ = write!(
            text,
            "\n  {from} goes on serving; `voxline models switch {to} --leave-behind` switches all the same, and \
             they are unknown callers until they enrol again"
        );
    }
    text
}
