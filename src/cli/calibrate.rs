//! `voxline calibrate`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use time::OffsetDateTime;

use crate::config::Config;
use crate::decision::{Calibration, Policy, Similarity};
use crate::measure::{
    Benchmark, Checked, Condition, Fit, Fitting, Part, Pipeline, Protocol, calibrate, check,
    write_trial_table,
};
use crate::voiceprint::Card;

use super::bench::Bar;
use super::chosen::{Chosen, chosen_model, threads};
use super::fault::as_typed;
use super::output::Output;

/// What calls are put through when nothing else is asked for: both bandwidths, the commonest lines, and noise
/// in a quarter of the narrow-band calls.
const USUAL: [&str; 5] = ["clean", "phone", "alaw", "opus:6", "noise:20+phone"];

/// What stands under `voxline calibrate --help`.
const AFTER_HELP: &str = "\
Fit on people whom the model never heard, and not on those it is judged by. Tests of seven seconds or so are best:
each is looked at on its way, as a live call is. Put FILE into the model's folder as calibration.toml to use it.

--check holds the calibration in use against the protocol instead: exit status 1 when it does not fit (when it costs
more than 0.05 bits over the best one on the same trials).";

/// Fit or check a calibration
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CalibrateArgs {
    /// The protocol folder; may be given several times: the lines are fitted on the trials of all, the rest on the
    /// first's
    #[arg(long = "protocol", value_name = "DIR", required = true)]
    protocols: Vec<PathBuf>,
    /// A protocol folder of real calls, heard as they were recorded; may be given several times
    #[arg(long = "recorded", value_name = "DIR")]
    recorded: Vec<PathBuf>,
    /// As --recorded, for a protocol whose enrolments are of the very calls that are its tests: its target trials are not
    /// fitted on, since nobody is as like themselves on another day; may be given several times
    #[arg(long = "same-call", value_name = "DIR")]
    same_call: Vec<PathBuf>,
    /// Where the calibration goes
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["check", "trials"],
        conflicts_with = "check"
    )]
    out: Option<PathBuf>,
    /// Fit nothing, and write every checkpoint of every trial as a line: cosine, speech, noise, codec and, with --cohort, how
    /// like others both sides are. Similarities only, no voiceprints
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "out"])]
    trials: Option<PathBuf>,
    /// The protocol folder whose enrolments are those others
    #[arg(long, value_name = "DIR", requires = "trials")]
    cohort: Option<PathBuf>,
    /// Check the calibration in use
    #[arg(long)]
    check: bool,
    /// What happens to the calls; may be given several times, each counts the same [default: clean, phone, alaw,
    /// opus:6, noise:20+phone; with --check: what the protocol says]
    #[arg(long = "condition", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// The speaker model [default: the one in use]
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Its name [default: the model's with the day]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// What it is fitted on, in words [default: the protocol's description]
    #[arg(long, value_name = "TEXT")]
    on: Option<String>,
    /// Fit the lines on trials among these speakers alone, a name a line: those whom the model never heard
    #[arg(long, value_name = "FILE")]
    speakers: Option<PathBuf>,
    /// Effective prior of a target: where the ratios have to be right
    #[arg(long, value_name = "P", default_value_t = 0.005)]
    prior: f64,
    /// Fit a line of the cosine itself, not of Fisher's z of it
    #[arg(long)]
    plain_cosine: bool,
    /// Fit with regard to how like each other the users of each roster are, so that the ratios of one line hold on
    /// another
    #[arg(long, conflicts_with_all = ["check", "trials"])]
    roster_reach: bool,
    /// Threads, each with its own models [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Seed of conditions and rosters
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep embeddings between runs in this folder; they are biometric data [default: keep none]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

pub(super) async fn run(args: CalibrateArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    as_typed(
        args.prior > 0.0 && args.prior < 1.0,
        "--prior lies between 0 and 1",
    )?;
    let given = args.protocols.len() + args.recorded.len() + args.same_call.len();
    as_typed(!args.check || given == 1, "--check takes one --protocol")?;
    let (protocol, more) = protocols(&args)?;
    let chosen = chosen_model(args.model.as_deref(), config).await?;
    let bench = benchmark(&args, config, &chosen, &protocol)?;
    if args.check {
        let checked = check(&bench, &protocol, &Bar::new())?;
        output.result(&checked, || text(&checked))?;
        return Ok(checked.fits);
    }
    match &args.trials {
        Some(path) => write_trials(&bench, &args, protocol, more, path, output)?,
        None => fit(&bench, &args, &protocol, &more, &chosen.card, output)?,
    }
    Ok(true)
}

/// The first protocol, and all that is fitted on beside it.
fn protocols(args: &CalibrateArgs) -> anyhow::Result<(Protocol, Vec<Part>)> {
    let mut protocols = args.protocols.iter().map(|folder| Protocol::read(folder));
    let protocol = protocols.next().context("--protocol is needed")??;
    let part = |protocol: Result<Protocol, _>, is_recorded, is_same_call| {
        protocol.map(|protocol| Part {
            protocol,
            is_recorded,
            is_same_call,
        })
    };
    let recorded = args.recorded.iter().map(|folder| (folder, false));
    let recorded = recorded.chain(args.same_call.iter().map(|folder| (folder, true)));
    let more = protocols
        .map(|read| part(read, false, false))
        .chain(recorded.map(|(folder, is_same_call)| part(Protocol::read(folder), true, is_same_call)))
        .collect::<Result<Vec<_>, _>>()?;
    for Part { protocol: other, .. } in &more {
        ensure!(
            other.enroll.condition == protocol.enroll.condition,
            "the protocols {} and {} enrol under different conditions",
            protocol.name,
            other.name
        );
    }
    Ok((protocol, more))
}

/// What the trials are scored by: the product, on the protocol's own enrolment and the chosen conditions.
fn benchmark<'a>(
    args: &CalibrateArgs,
    config: &Config,
    Chosen { card, models }: &'a Chosen,
    protocol: &Protocol,
) -> anyhow::Result<Benchmark<'a>> {
    let calibration = if args.check {
        Some(Calibration::load(&card.calibration(), card.id(), card.sha256())?)
    } else {
        None
    };
    let conditions = conditions(args, protocol)?;
    let tests = conditions
        .into_iter()
        .map(Condition::prepare)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Benchmark {
        models,
        calibration,
        policy: Policy {
            minimum_speech: card.minimum_net_speech(),
            ..config.board.policy
        },
        pipeline: Pipeline::Product,
        enroll: protocol.enroll.condition.parse::<Condition>()?.prepare()?,
        tests,
        threads: threads(args.threads),
        seed: args.seed,
        replicates: 0,
        leakage: false,
        words: false,
        handover: 0,
        limits: config.board.limits,
        cache: args.cache.clone(),
    })
}

/// Writes every trial's score and what is known of it, for whoever fits elsewhere.
fn write_trials(
    bench: &Benchmark<'_>,
    args: &CalibrateArgs,
    protocol: Protocol,
    more: Vec<Part>,
    path: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let cohort = args.cohort.as_deref().map(Protocol::read).transpose()?;
    let speakers = args.speakers.as_ref().map(names).transpose()?;
    let more = more.into_iter().map(|part| part.protocol);
    let protocols: Vec<Protocol> = std::iter::once(protocol).chain(more).collect();
    let progress = Bar::new();
    let lines = write_trial_table(
        bench,
        &protocols,
        cohort.as_ref(),
        speakers.as_ref(),
        path,
        &progress,
    )?;
    output.result(&serde_json::json!({ "lines": lines }), || {
        format!("{lines} lines in {}", path.display())
    })
}

/// Fits a calibration and writes it.
fn fit(
    bench: &Benchmark<'_>,
    args: &CalibrateArgs,
    protocol: &Protocol,
    more: &[Part],
    card: &Card,
    output: Output,
) -> anyhow::Result<()> {
    let fitting = fitting(args, protocol, card)?;
    let fitted = calibrate(bench, protocol, more, &fitting, &Bar::new())?;
    let calibration = &fitted.calibration;
    if let Some(fault) = calibration.fault() {
        anyhow::bail!("the fit makes no sense: {fault}; are the labels right, and the speakers many enough?");
    }
    let out = args.out.as_deref().context("--out is needed")?;
    let written = "# Written by `voxline calibrate`; models/calibration/README.md says how. Do not edit.\n";
    write_whole(out, &format!("{written}{}", toml::to_string(calibration)?))
        .with_context(|| format!("{} cannot be written", out.display()))?;
    output.result(&fitted, || {
        let Calibration { id, curve, .. } = calibration;
        let voices = match (fitted.voices_fitted, calibration.voices) {
            (true, _) => "",
            (_, Some(_)) => {
                "\ntoo few calls are long enough to fit when speech is of two voices: that is as in the calibration in use"
            }
            (_, None) => {
                "\ntoo few calls are long enough to fit when speech is of two voices: it does not tell, and a name stands long \
                 after the phone was handed on"
            }
        };
        format!(
            "{id} in {}: {} target trials{voices}\non the trials it was fitted on, and so too good:\n{}",
            out.display(),
            curve.target_trials,
            text(&fitted.figures)
        )
    })
}

/// Writes beside the file and renames: it may be the calibration in use, of which half stops the service from starting.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let mut file = File::create(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let done = written.and_then(|()| std::fs::rename(&beside, path));
    done.inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

fn conditions(args: &CalibrateArgs, protocol: &Protocol) -> anyhow::Result<Vec<Condition>> {
    if !args.conditions.is_empty() {
        return Ok(args.conditions.clone());
    }
    if args.check {
        return Ok(vec![protocol.test.condition.parse()?]);
    }
    Ok(USUAL.iter().map(|one| one.parse()).collect::<Result<_, _>>()?)
}

/// Names of speakers, one a line.
fn names(path: &PathBuf) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

fn fitting(args: &CalibrateArgs, protocol: &Protocol, card: &Card) -> anyhow::Result<Fitting> {
    // A model may get its first calibration here.
    let in_use = Calibration::load(&card.calibration(), card.id(), card.sha256()).ok();
    let date = OffsetDateTime::now_utc().date().to_string();
    let on = args.on.clone().unwrap_or_else(|| protocol.description.clone());
    Ok(Fitting {
        id: args.id.clone().unwrap_or_else(|| format!("{}-{date}", card.id())),
        fitted_on: if on.is_empty() { protocol.name.clone() } else { on },
        date,
        prior: args.prior,
        speakers: args.speakers.as_ref().map(names).transpose()?,
        roster_reach: args.roster_reach,
        voices: in_use.and_then(|calibration| calibration.voices),
        similarity: if args.plain_cosine {
            Similarity::Cosine
        } else {
            Similarity::FisherZ
        },
    })
}

fn text(checked: &Checked) -> String {
    let mut said = format!(
        "{:<24}{:>8}{:>8}{:>8}{:>9}{:>9}{:>9}",
        "calls", "Cllr", "least", "loss", "act DCF", "min DCF", "EER"
    );
    let mut line = |name: &str, fit: &Fit| {
        let _ = write!(
            said,
            "\n{name:<24}{:>8.3}{:>8.3}{:>8.3}{:>9.3}{:>9.3}{:>8.2}%",
            fit.cllr,
            fit.min_cllr,
            fit.loss,
            fit.act_dcf,
            fit.min_dcf,
            100.0 * fit.eer
        );
    };
    for (condition, fits) in &checked.by_condition {
        line(condition, fits);
    }
    if let (Some(one), Some(two)) = (checked.voices_false_alarm, checked.voices_miss) {
        let _ = write!(
            said,
            "\nsingle voices taken for several: {:.1} %; two voices in turn taken for one: {:.1} %",
            100.0 * one,
            100.0 * two
        );
    }
    let word = if checked.fits {
        "fits"
    } else {
        "does not fit: fit it again for these calls"
    };
    let _ = write!(said, "\n{} of {} {word}", checked.calibration, checked.model);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_that_cannot_be_written_leaves_the_one_before_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calibration.toml");
        write_whole(&file, "first").unwrap();
        let beside = folder.path().join("calibration.toml.partial");
        assert!(!beside.exists());
        // Nothing can be written there.
        std::fs::create_dir(&beside).unwrap();
        write_whole(&file, "second").unwrap_err();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
    }
}
