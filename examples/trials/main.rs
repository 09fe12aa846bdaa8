//! Scores trials with the product's own ears: decoder, speech detector, simulated telephone, speaker
//! model, and the decision.
//!
//! `--protocol DIR` scores a benchmark protocol folder and prints its error rates; `--speakers LIST`
//! makes the trials that a calibration is fitted on. `models/calibration/README.md` says how the two are
//! used.

mod decisions;
mod fit;
mod metrics;
mod protocol;
mod work;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Parser};
use voxline::config::{Config, Sources};
use voxline::switchboard::installed;

use work::Bench;

/// Score trials with the product's own ears.
#[derive(Debug, Parser)]
#[command(group(ArgGroup::new("what").required(true).args(["protocol", "speakers"])))]
struct Args {
    /// A benchmark protocol folder to score.
    #[arg(long, value_name = "DIR")]
    protocol: Option<PathBuf>,
    /// A list of recordings, one a line and one a speaker, to make calibration trials of.
    #[arg(long, value_name = "LIST", requires = "audio")]
    speakers: Option<PathBuf>,
    /// With `--speakers`: recordings of people who are never enrolled and only ever call.
    #[arg(long, value_name = "LIST", requires = "speakers")]
    callers: Option<PathBuf>,
    /// The folder that the paths of the lists start from.
    #[arg(long, value_name = "DIR")]
    audio: Option<PathBuf>,
    /// With `--protocol`: what is done to a recording before it becomes a voiceprint.
    #[arg(long, value_enum, default_value_t = protocol::Practice::Whole)]
    practice: protocol::Practice,
    /// With `--protocol`: also judge its searches by the model's calibration, and print how they end.
    #[arg(long)]
    decide: bool,
    /// With `--decide`: the posterior that names somebody.
    #[arg(long, default_value_t = decisions::USUAL.accept)]
    accept: f64,
    /// With `--decide`: the share of callers expected to be nobody enrolled.
    #[arg(long, default_value_t = decisions::USUAL.unknown_share)]
    unknown_share: f64,
    /// With `--decide`: seconds of speech after which a caller who was not named is unknown.
    #[arg(long, default_value_t = decisions::USUAL.enough_speech)]
    enough_speech: f64,
    /// The speaker model.
    #[arg(long, default_value = "voxline-phone-1")]
    model: String,
    /// Threads, each with its own models.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where the scores go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(args.threads > 0, "--threads must be at least 1");
    let config = Config::load(&Sources::of_process(None, vec![("model", args.model.clone())]))?;
    let found = installed(&config)?;
    let card = found.card(&config.model)?;
    let bench = Bench {
        models: found.models(&card)?,
        threads: args.threads,
    };
    if let Some(folder) = &args.protocol {
        let policy = args
            .decide
            .then(|| decisions::policy(&card, args.accept, args.unknown_share, args.enough_speech))
            .transpose()?;
        return protocol::run(&bench, &card, folder, args.practice, policy.as_ref(), &args.out);
    }
    let speakers = args
        .speakers
        .as_deref()
        .context("--protocol or --speakers is needed")?;
    let audio = args
        .audio
        .as_deref()
        .context("--audio is needed with --speakers")?;
    fit::run(&bench, speakers, args.callers.as_deref(), audio, &args.out)
}
