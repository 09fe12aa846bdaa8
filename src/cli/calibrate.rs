//! `voxline calibrate`.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use time::OffsetDateTime;

use crate::config::Config;
use crate::decision::{Calibration, Policy};
use crate::measure::{Benchmark, Condition, Fitting, Part, Protocol, calibrate, check, write_trial_table};
use crate::voiceprint::Card;

use super::bench::Bar;
use super::chosen::{Chosen, chosen_model, threads};
use super::fault::{as_typed, whole};
use super::fit_text::{fitted_text, text, voices_text};
use super::output::Output;
use super::results::{beside, check_file, discard, put_in_place, write_whole};

/// What calls are put through when nothing else is asked for: both bandwidths, the commonest lines, and noise
/// in a quarter of the narrow-band calls.
const USUAL: [&str; 5] = ["clean", "phone", "alaw", "opus:6", "noise:20+phone"];

/// How many names are told that nobody has.
const SAID_NAMES: usize = 5;

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
    /// The protocol folder, heard under each --condition; may be given several times: the lines are fitted on the trials
    /// of all, the rest on the first's
    #[arg(long = "protocol", value_name = "DIR", required_unless_present = "recorded")]
    protocols: Vec<PathBuf>,
    /// A protocol folder of real calls, heard as they were recorded; may be given several times, and without --protocol
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
    /// Fit nothing, and write every checkpoint of every trial that would be fitted on as a line: cosine, speech, noise and
    /// codec. Similarities only, no voiceprints
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "out"])]
    trials: Option<PathBuf>,
    /// Check the calibration in use
    #[arg(long)]
    check: bool,
    /// What happens to the calls of --protocol; may be given several times, each counts the same [default: clean, phone,
    /// alaw, opus:6, noise:20+phone; with --check: what the protocol says]
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
    /// Fit on these speakers alone, a name a line: those whom the model never heard. Only the bounds of the ratios count
    /// everybody
    #[arg(long, value_name = "FILE")]
    speakers: Option<PathBuf>,
    /// Effective prior of a target: where the ratios have to be right
    #[arg(long, value_name = "P", default_value_t = 0.005)]
    prior: f64,
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
    as_typed(
        args.conditions.is_empty() || !args.protocols.is_empty(),
        "--condition is for the calls of --protocol: those of --recorded are heard as they were recorded",
    )?;
    let (first, more) = protocols(&args)?;
    let chosen = chosen_model(args.model.as_deref(), config).await?;
    let bench = benchmark(&args, config, &chosen, &first.protocol)?;
    if args.check {
        let checked = check(&bench, &first.protocol, &Bar::new())?;
        output.result(&checked, || text(&checked))?;
        return Ok(checked.fits);
    }
    let named = args
        .speakers
        .as_ref()
        .map(|path| names(path, &first.protocol, &more));
    let speakers = named.transpose()?;
    match &args.trials {
        Some(path) => write_trials(&bench, first, more, speakers, path, output),
        None => fit(&bench, &args, &first, &more, speakers, &chosen.card, output),
    }
}

/// The first protocol, and all that is fitted on beside it.
fn protocols(args: &CalibrateArgs) -> anyhow::Result<(Part, Vec<Part>)> {
    let simulated = args.protocols.iter().map(|folder| (folder, false, false));
    let recorded = args.recorded.iter().map(|folder| (folder, true, false));
    let same_call = args.same_call.iter().map(|folder| (folder, true, true));
    let part = |(folder, is_recorded, is_same_call): (&PathBuf, bool, bool)| {
        Protocol::read(folder).map(|protocol| Part {
            protocol,
            is_recorded,
            is_same_call,
        })
    };
    let mut parts = simulated.chain(recorded).chain(same_call).map(part);
    let first = parts.next().context("--protocol or --recorded is needed")??;
    let more = parts.collect::<Result<Vec<_>, _>>()?;
    for Part { protocol: other, .. } in &more {
        ensure!(
            other.enroll.condition == first.protocol.enroll.condition,
            "the protocols {} and {} enrol under different conditions",
            first.protocol.name,
            other.name
        );
    }
    Ok((first, more))
}

/// What the trials are scored by: the product, on the protocol's own enrolment and the chosen conditions.
fn benchmark<'a>(
    args: &CalibrateArgs,
    config: &Config,
    Chosen { card, models }: &'a Chosen,
    protocol: &Protocol,
) -> anyhow::Result<Benchmark<'a>> {
    let calibration = if args.check {
        Some(Calibration::load(&card.calibration(), card)?)
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
    first: Part,
    more: Vec<Part>,
    speakers: Option<BTreeSet<String>>,
    path: &Path,
    output: Output,
) -> anyhow::Result<bool> {
    check_file(path)?;
    let parts: Vec<Part> = std::iter::once(first).chain(more).collect();
    let progress = Bar::new();
    let written = write_trial_table(bench, &parts, speakers.as_ref(), &beside(path), &progress);
    let lines = written
        .map_err(anyhow::Error::from)
        .and_then(|lines| put_in_place(path).map(|()| lines))
        .inspect_err(|_| discard(path))?;
    let said = || format!("{lines} lines in {}", path.display());
    output.result(&serde_json::json!({ "lines": lines }), said)?;
    Ok(true)
}

/// Fits a calibration and writes it; false when it could not be written, and was printed instead.
fn fit(
    bench: &Benchmark<'_>,
    args: &CalibrateArgs,
    first: &Part,
    more: &[Part],
    speakers: Option<BTreeSet<String>>,
    card: &Card,
    output: Output,
) -> anyhow::Result<bool> {
    let out = args.out.as_deref().context("--out is needed")?;
    check_file(out)?;
    let fitting = fitting(args, &first.protocol, speakers, card);
    let fitted = calibrate(bench, first, more, &fitting, &Bar::new())?;
    let calibration = &fitted.calibration;
    if let Some(fault) = calibration.fault() {
        anyhow::bail!("the fit makes no sense: {fault}; are the labels right, and the speakers many enough?");
    }
    let head = "# Written by `voxline calibrate`; models/calibration/README.md says how. Do not edit.\n";
    let written = format!("{head}{}", toml::to_string(calibration)?);
    if let Err(fault) = write_whole(out, &written) {
        // Hours are in it.
        output.result(&fitted, || written)?;
        Output::complain(&whole(&fault));
        return Ok(false);
    }
    output.result(&fitted, || {
        let Calibration { id, curve, .. } = calibration;
        format!(
            "{id} in {}: {} target trials{}\n{}",
            out.display(),
            curve.target_trials,
            voices_text(&fitted),
            fitted_text(&fitted)
        )
    })?;
    Ok(true)
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

/// The names of speakers in a file, one a line.
///
/// # Errors
/// The names that nobody of the protocols has: who is misspelt would be left out without a word.
fn names(path: &Path, first: &Protocol, more: &[Part]) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let names: BTreeSet<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let protocols = std::iter::once(first).chain(more.iter().map(|part| &part.protocol));
    let speakers = protocols.flat_map(|protocol| &protocol.tables.speakers);
    let known: BTreeSet<&str> = speakers.map(|speaker| speaker.name.as_str()).collect();
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    ensure!(
        unknown.is_empty(),
        "{}: {} of {} names are nobody's in these protocols ({}{}): one a line is wanted, as in speakers.tsv, or the name of a \
         model",
        path.display(),
        unknown.len(),
        names.len(),
        unknown[..unknown.len().min(SAID_NAMES)].join(", "),
        if unknown.len() > SAID_NAMES { ", …" } else { "" }
    );
    Ok(names)
}

fn fitting(
    args: &CalibrateArgs,
    protocol: &Protocol,
    speakers: Option<BTreeSet<String>>,
    card: &Card,
) -> Fitting {
    // A model may get its first calibration here.
    let in_use = Calibration::load(&card.calibration(), card).ok();
    let date = OffsetDateTime::now_utc().date().to_string();
    let on = args.on.clone().unwrap_or_else(|| protocol.description.clone());
    Fitting {
        id: args.id.clone().unwrap_or_else(|| format!("{}-{date}", card.id())),
        fitted_on: if on.is_empty() { protocol.name.clone() } else { on },
        date,
        prior: args.prior,
        speakers,
        roster_reach: args.roster_reach,
        voices: in_use.and_then(|calibration| calibration.voices),
    }
}
