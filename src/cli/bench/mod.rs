//! `voxline bench`.

mod bar;
mod gates;
mod saving;
mod text;

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::config::Config;
use crate::decision::{Calibration, Policy};
use crate::measure::{
    Benchmark, Condition, Cost, Draws, Figures, Format, Init, Kind, ListedScore, ListedTrial, MetricError,
    Paired, Prepared, Protocol, Trials, bootstrap, init, join, read_scores, read_trials, run as run_protocol,
    write_scores, write_trials,
};

use super::chosen::{Chosen, chosen_model, threads};
use super::fault::{Usage, as_typed, whole};
use super::output::Output;

pub(super) use bar::Bar;
use text::{figures_text, text};

/// What stands under `voxline bench --help`.
const AFTER_HELP: &str = "\
Conditions, several joined with + in the order in which they happen:
  clean            nothing
  phone, alaw      8 kHz, 300 to 3400 Hz, mu-law or A-law
  gsm              the same band in GSM 06.10 full rate (13 kbit/s)
  amr[:KBPS]       the same band in AMR narrow-band at 4.75 to 12.2 kbit/s [12.2]
  opus:KBPS        Opus for voice at 6 to 64 kbit/s
  noise:SNR[:DIR]  noise SNR dB below the recording: recordings from DIR, or white noise
  reverb           a room of random size
  loss:PERCENT     20-ms packets lost in bursts
  far              20 dB further from the microphone
As in noise:10:../noise+phone: a noisy room, then a telephone. The spelling of protocol files is understood too:
opus-6k, noise-10db.

DIR gets report.html, metrics.json, details.json, curves.json and scores.tsv (model, path, log-likelihood ratio, cosine; every trial in
order, and once more for each further condition; bench score takes one condition at a time). Results of an earlier run
there are replaced, all of them.

Embeddings are kept between runs, in files that only their owner can read. They are voiceprints, biometric data
of the people in the recordings: delete the folder when they are no longer needed, or say --no-cache.";

/// Measure how good it is
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = AFTER_HELP)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    protocol: Option<RunArgs>,
    #[command(subcommand)]
    command: Option<BenchCommand>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The protocol folder
    #[arg(long, value_name = "DIR")]
    protocol: PathBuf,
    /// Where the results go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What happens to the tests instead of what the protocol says; may be given several times
    #[arg(long = "condition", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// The speaker model [default: the one in use]
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// The calibration to decide by, fitted for that model [default: the model's own]
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Threads, each with its own models [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Seed of conditions, rosters and intervals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How often speakers are drawn for the intervals; fewer when there are very many trials
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    replicates: usize,
    /// Write every word on every call as the service would have said it, with its ratios, into words.jsonl
    #[arg(long)]
    words: bool,
    /// Do not score the parts without speech
    #[arg(long)]
    no_leakage: bool,
    /// Compose calls of two voices too, so many of each kind: a phone handed on, short turns, two people at once; and
    /// calls of one as long. In details.json and report.html
    #[arg(long, value_name = "CALLS", num_args = 0..=1, default_missing_value = "200")]
    handover: Option<usize>,
    /// Keep embeddings in this folder [default: bench-cache in the data folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Keep nothing between runs
    #[arg(long)]
    no_cache: bool,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Make the lists of a protocol from a folder with a folder of recordings for each speaker
    Init(InitArgs),
    /// Judge scores that any system made of any trial list
    Score(ScoreArgs),
    /// Count what the gate of enrolment says of good recordings: what it costs
    Gates(gates::GatesArgs),
    /// Write a trial list or a score file in another format
    Convert(ConvertArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// The folder that holds the speakers' folders; the lists are written into it
    dir: PathBuf,
    /// Recordings to enrol each speaker with; the others are tests
    #[arg(long, value_name = "N", default_value_t = 3)]
    enroll: usize,
    /// The most speakers on one number
    #[arg(long, value_name = "N", default_value_t = 10)]
    roster: usize,
    /// Who only calls
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Replace lists that are there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct ScoreArgs {
    /// The trials with their labels
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// voxline, voxceleb, kaldi or sre
    #[arg(long, value_name = "FORMAT", default_value = "voxline")]
    key_format: Format,
    /// The scores
    #[arg(long, value_name = "FILE")]
    scores: PathBuf,
    /// voxline, voxceleb, kaldi or sre [default: as the key]
    #[arg(long, value_name = "FORMAT")]
    score_format: Option<Format>,
    /// The scores are natural-log likelihood ratios: judge their calibration too
    #[arg(long)]
    ratios: bool,
    /// Prior of a target for the detection costs
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    p_target: f64,
    /// How often speakers are drawn for the intervals; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    replicates: usize,
}

#[derive(Debug, Args)]
struct ConvertArgs {
    /// The file
    file: PathBuf,
    /// Its format: voxline, voxceleb, kaldi or sre
    #[arg(long, value_name = "FORMAT")]
    from: Format,
    /// The format to write
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// It holds scores, not trials
    #[arg(long)]
    scores: bool,
}

pub(super) async fn run(args: BenchArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    match (args.command, args.protocol) {
        (Some(BenchCommand::Init(args)), _) => make_lists(&args, output)?,
        (Some(BenchCommand::Score(args)), _) => judge_scores(&args, output)?,
        (Some(BenchCommand::Gates(args)), _) => gates::run(&args, config, output).await?,
        (Some(BenchCommand::Convert(args)), _) => convert(&args, output)?,
        (None, Some(args)) => return bench(args, config, output).await,
        (None, None) => {
            let why = "--protocol and --out are needed, or init, score, gates or convert";
            return Err(Usage(why.to_owned()).into());
        }
    }
    Ok(true)
}

fn make_lists(args: &InitArgs, output: Output) -> anyhow::Result<()> {
    as_typed(
        args.enroll > 0 && args.roster > 0,
        "--enroll and --roster are at least 1",
    )?;
    let how = Init {
        enroll: args.enroll,
        roster: args.roster,
        seed: args.seed,
        force: args.force,
    };
    let made = init(&args.dir, how)?;
    output.result(&made, || {
        format!(
            "{} speakers enrolled and {} who only call: {} trials and {} searches in {}",
            made.enrolled,
            made.strangers,
            made.trials,
            made.searches,
            args.dir.display()
        )
    })
}

fn judge_scores(args: &ScoreArgs, output: Output) -> anyhow::Result<()> {
    let cost = Cost::at(args.p_target).map_err(|fault| Usage(format!("--p-target: {fault}")))?;
    let trials = read_trials(&args.key, args.key_format)?;
    let scores = read_scores(&args.scores, args.score_format.unwrap_or(args.key_format))?;
    let kind = if args.ratios {
        Kind::Ratios
    } else {
        Kind::Similarities
    };
    let judged = judge(&trials, &scores, kind, cost, args.replicates)?;
    output.result(&judged, || figures_text(&judged.figures, cost, judged.eer_ci95))
}

fn convert(args: &ConvertArgs, output: Output) -> anyhow::Result<()> {
    let lines = if args.scores {
        let read = read_scores(&args.file, args.from)?;
        write_scores(&args.out, args.to, &read)?;
        read.len()
    } else {
        let read = read_trials(&args.file, args.from)?;
        write_trials(&args.out, args.to, &read)?;
        read.len()
    };
    output.result(&serde_json::json!({ "lines": lines }), || {
        format!("{lines} lines in {}", args.out.display())
    })
}

/// Runs a protocol; false when its results could not be written, which are told all the same.
async fn bench(args: RunArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let protocol = Protocol::read(&args.protocol)?;
    let Chosen { card, models } = chosen_model(args.model.as_deref(), config).await?;
    let own = card.calibration();
    let chosen = args.calibration.clone().or_else(|| own.exists().then_some(own));
    let calibration = chosen.map(|file| Calibration::load(&file, &card)).transpose()?;
    let (enroll, tests) = conditions(&args, &protocol)?;
    let cache = args.cache.unwrap_or_else(|| config.data_dir.join("bench-cache"));
    let threads = threads(args.threads);
    let kept = |calibration: &Calibration| config.board.policy.meeting_its_target(calibration);
    let policy = Policy {
        minimum_speech: card.minimum_net_speech(),
        ..calibration.as_ref().map_or(config.board.policy, kept)
    };
    let bench = Benchmark {
        models: &models,
        calibration,
        policy,
        enroll,
        tests,
        threads,
        seed: args.seed,
        replicates: args.replicates,
        leakage: !args.no_leakage,
        words: args.words,
        handover: args.handover.unwrap_or(0),
        limits: config.board.limits,
        cache: (!args.no_cache).then_some(cache),
    };
    saving::check(&args.out)?;
    let outcome = run_protocol(&bench, &protocol, &Bar::new())?;
    let saved = saving::save(&args.out, &protocol, &outcome);
    let out = saved.is_ok().then_some(args.out.as_path());
    output.result(&outcome.metrics, || text(&protocol, &outcome, out))?;
    if let Err(fault) = &saved {
        Output::complain(&whole(fault));
    }
    Ok(saved.is_ok())
}

/// What happens to the enrolments, and to the tests.
fn conditions(args: &RunArgs, protocol: &Protocol) -> anyhow::Result<(Prepared, Vec<Prepared>)> {
    let settings = args.protocol.join("protocol.toml");
    let own = |text: &str| {
        text.parse::<Condition>()
            .with_context(|| settings.display().to_string())
    };
    let enroll = own(&protocol.enroll.condition)?;
    let tests = if args.conditions.is_empty() {
        vec![own(&protocol.test.condition)?]
    } else {
        args.conditions.clone()
    };
    let tests = tests
        .into_iter()
        .map(Condition::prepare)
        .collect::<Result<Vec<_>, _>>()?;
    Ok((enroll.prepare()?, tests))
}

/// Figures of scores from outside.
#[derive(serde::Serialize)]
struct Judged {
    #[serde(flatten)]
    figures: Figures,
    eer_ci95: Option<[f64; 2]>,
}

/// As `bench` judges its own: what could not be heard comes last among the others, and costs as a ratio what it says.
fn judge(
    trials: &[ListedTrial],
    scores: &[ListedScore],
    kind: Kind,
    cost: Cost,
    replicates: usize,
) -> anyhow::Result<Judged> {
    let (mut paired, speakers) = join(trials, scores)?;
    let mut figures = figures_of(&paired, kind, cost)?;
    if scores.iter().any(|one| !one.is_heard) {
        let ranked: Vec<ListedScore> = scores.iter().map(ListedScore::ranked).collect();
        (paired, _) = join(trials, &ranked)?;
        figures = Figures {
            cllr: figures.cllr,
            min_cllr: figures.min_cllr,
            ..figures_of(&paired, kind, cost)?
        };
    }
    let draws = Draws { replicates, seed: 1 };
    let intervals = if replicates > 0 {
        bootstrap(&paired, speakers, cost, draws)?
    } else {
        None
    };
    Ok(Judged {
        figures,
        eer_ci95: intervals.map(|found| found.eer),
    })
}

fn figures_of(paired: &[Paired], kind: Kind, cost: Cost) -> Result<Figures, MetricError> {
    let of = |target| {
        let of_kind = paired.iter().filter(|one| one.target == target);
        of_kind.map(|one| one.score).collect()
    };
    Ok(Figures::of(&Trials::new(of(true), of(false))?, kind, cost))
}
