//! `voxline bench gates`: how often good recordings are refused, and for what.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::config::Config;
use crate::engine::Analyst;
use crate::measure::Condition;
use crate::onnx::Runtime;
use crate::samples::{RATE, load};
use crate::switchboard::{gate_alone, usable_calibration};
use crate::verdict::StreamSession;

use super::super::chosen::{Chosen, chosen_model};
use super::super::output::Output;

#[derive(Debug, Args)]
pub(super) struct GatesArgs {
    /// Recordings, one a line: each is taken for an enrolment of its own
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The folder that the paths of the list start from [default: the list's]
    #[arg(long, value_name = "DIR")]
    audio: Option<PathBuf>,
    /// What happens to the recordings
    #[arg(long, value_name = "CONDITION", default_value = "clean")]
    condition: Condition,
    /// The speaker model [default: the one in use]
    #[arg(long, value_name = "ID")]
    model: Option<String>,
}

/// What the gate said.
#[derive(Debug, Default, Serialize)]
struct Gated {
    recordings: usize,
    refused: usize,
    /// Recordings each issue was raised against; some are advice and refuse nothing.
    issues: BTreeMap<String, usize>,
}

pub(super) async fn run(args: &GatesArgs, config: &Config, output: Output) -> anyhow::Result<()> {
    let list = std::fs::read_to_string(&args.list).with_context(|| args.list.display().to_string())?;
    let folder = args
        .audio
        .clone()
        .or_else(|| args.list.parent().map(PathBuf::from))
        .unwrap_or_default();
    let Chosen { card, models } = chosen_model(args.model.as_deref(), config).await?;
    let calibration = usable_calibration(&card, &config.board.policy)?.calibration;
    let condition = args.condition.clone().prepare()?;
    let mut analyst = Analyst::load(&Runtime::load(&models.library)?, &models)?;
    let paths: Vec<&str> = list
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let bar = Output::bar(paths.len());
    let mut gated = Gated::default();
    for (at, path) in paths.iter().enumerate() {
        let bytes = std::fs::read(folder.join(path)).with_context(|| (*path).to_owned())?;
        let clip = load(bytes, None, &config.board.limits).with_context(|| (*path).to_owned())?;
        let samples = condition.apply(&clip.samples, at as u64)?;
        let mut listener = StreamSession::new(RATE, 1, None, &[])?;
        listener.push(&mut analyst, &samples)?;
        let look = listener.finish(&mut analyst)?;
        let (issues, acceptable) = gate_alone(path, look, &calibration, config.board.enrolment_speech);
        gated.recordings += 1;
        gated.refused += usize::from(!acceptable);
        for issue in issues {
            let code = serde_json::to_value(issue.code)?;
            *gated
                .issues
                .entry(code.as_str().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    output.result(&gated, || {
        let mut said = format!("{} of {} recordings refused", gated.refused, gated.recordings);
        for (code, count) in &gated.issues {
            let _ = write!(said, "\n  {code:<20}{count:>6}");
        }
        said
    })
}
