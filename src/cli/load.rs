//! `voxline load`.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::config::Config;
use crate::gallery::GalleryChoice;
use crate::measure::{LoadOutcome, LoadSettings, LoadStep, Quantiles, Target, run_load};
use crate::switchboard::installed;
use crate::units::Seconds;

use super::chosen::chosen_model;
use super::common::Common;
use super::fault::{Usage, as_typed};
use super::output::Output;

/// What stands under `voxline load --help`.
pub(super) const AFTER_HELP: &str = "\
Without --server the program starts a service of its own, with the settings that hold here, on a store that is thrown
away; settings with a PostgreSQL store or a gallery in Qdrant are refused. With --server numbers and users of the
protocol are added there, and the users removed again, also after Ctrl-C: use it on a service that nobody depends on.
Steps that came to their end are printed where a later one does not; the exit status is 1 then.

Columns: lag is from the sending of the last frame that an update needed to its coming; hang-up from the end of a call
to its last word; first verdict from a call's first frame to the first name; cpu is the server's processor time a
second of streamed audio and a second of speech; late is how late frames were sent (p95). Times in ms unless said.

The generator shares the machine with the service where both run on one.";

/// What `voxline load` is told.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// How many calls at a time, step by step
    #[arg(
        long,
        value_name = "N,N,...",
        value_delimiter = ',',
        default_value = "1,25,50,100,200,300"
    )]
    calls: Vec<usize>,
    /// How long each call lasts (s)
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    seconds: f64,
    /// Over how long the calls of a step begin (s)
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    ramp: f64,
    /// Dialed numbers that share the calls, the protocol's rosters on each in turn
    #[arg(long, value_name = "N", default_value_t = 2)]
    numbers: usize,
    /// Half-hour recordings that are analysed meanwhile, at a time; each step is made without them first
    #[arg(long, value_name = "N", default_value_t = 0)]
    files: usize,
    /// Let calls follow one another for so long in each step (min), and watch the memory
    #[arg(long, value_name = "MIN")]
    minutes: Option<f64>,
    /// Whose voices: the folder of a benchmark protocol with searches and rosters
    #[arg(long, value_name = "DIR", default_value = "enrollment_samples/protocol")]
    protocol: PathBuf,
    /// Test the service at this address, as in http://127.0.0.1:8080, instead of one of our own
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// API keys of that service with the scope admin, which calls share
    #[arg(
        long,
        value_name = "KEY,KEY,...",
        value_delimiter = ',',
        env = "LOAD_KEYS",
        hide_env_values = true
    )]
    keys: Vec<String>,
}

/// Most calls at a time: their sockets and the server's are files of this machine.
const MOST_CALLS: usize = 5_000;
/// Longest call (s) and longest soak (min).
const LONGEST: f64 = 3_600.0;

pub(super) async fn run(
    args: LoadArgs,
    common: &Common,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    let settings = args.settings(common, config).await?;
    let LoadOutcome { steps, mut faults } = run_load(&settings, &mut |said| Output::note(said)).await?;
    // Without a step there is nothing to print but why there is none.
    let why = (steps.is_empty() && !faults.is_empty()).then(|| faults.remove(0));
    for fault in &faults {
        Output::complain(&fault.to_string());
    }
    if let Some(why) = why {
        return Err(why.into());
    }
    output.result(&steps, || table(&steps))?;
    Ok(faults.is_empty() && steps.iter().all(|step| step.failed == 0))
}

impl LoadArgs {
    async fn settings(self, common: &Common, config: &Config) -> anyhow::Result<LoadSettings> {
        let most = self.calls.iter().max().copied().unwrap_or_default();
        for (flag, value) in [("calls", most), ("files", self.files)] {
            let why = format!("--{flag} takes at most {MOST_CALLS}, not {value}");
            as_typed(value <= MOST_CALLS, why)?;
        }
        as_typed(self.numbers > 0, "--numbers takes 1 or more")?;
        if self.server.is_none() {
            refuse_what_is_of_others(config)?;
        }
        let seconds = |flag: &str, value: f64, least: f64| {
            let fits = (least..=LONGEST).contains(&value);
            let seconds = Seconds::checked(value).filter(|_| fits);
            seconds.ok_or_else(|| Usage(format!("--{flag} takes {least} to {LONGEST}, not {value}")))
        };
        let length = seconds("seconds", self.seconds, 1.0)?;
        let ramp = seconds("ramp", self.ramp, 0.0)?;
        let soak = self.minutes.map(|minutes| seconds("minutes", minutes, 0.1));
        let soak = soak.transpose()?;
        let chosen = chosen_model(Some(config.board.model.as_str()), config).await?;
        let target = match self.server {
            Some(base) => Target::Running {
                base,
                keys: self.keys,
            },
            None => Target::Child {
                program: std::env::current_exe().context("this program does not know where it lies")?,
                arguments: passed_on(common),
            },
        };
        Ok(LoadSettings {
            target,
            protocol: self.protocol,
            calls: self.calls,
            length,
            ramp,
            numbers: self.numbers,
            files: self.files,
            soak: soak.and_then(|minutes| Seconds::checked(60.0 * minutes.get())),
            library: installed(&config.board)?.library,
            vad_graph: chosen.models.vad_graph,
        })
    }
}

/// Refuses to start a service of our own where it would work on a store that the configuration names, or take the port or
/// the certificate of the service that is configured: the data folder alone is another one.
fn refuse_what_is_of_others(config: &Config) -> Result<(), Usage> {
    let others = if config.board.store.postgres.is_some() {
        "the PostgreSQL store of store.url"
    } else if !matches!(config.board.gallery, GalleryChoice::Embedded) {
        "the gallery of gallery.backend"
    } else if config.reply.tls.is_some() {
        "the certificate of tls.certificate, which is not this machine's own address's"
    } else if config.carriers.audiosocket.is_some() {
        "the port of asterisk.audiosocket"
    } else {
        return Ok(());
    };
    Err(Usage(format!(
        "without --server a service of its own would be started with {others}: run it with a configuration that does not name \
         that (--config, and no VOXLINE_* in the environment), or name a service with --server"
    )))
}

/// The flags that a service of our own is to have from us.
fn passed_on(common: &Common) -> Vec<OsString> {
    let mut flags = Vec::new();
    let config = common.config.as_ref().map(|path| path.as_os_str().to_owned());
    let models = common.models_dir.clone().map(OsString::from);
    let library = common.ort_lib.clone().map(OsString::from);
    for (flag, value) in [
        ("--config", config),
        ("--models-dir", models),
        ("--ort-lib", library),
    ] {
        if let Some(value) = value {
            flags.extend([flag.into(), value]);
        }
    }
    flags
}

/// The steps for a person, as a table of Markdown.
fn table(steps: &[LoadStep]) -> String {
    let mut text = String::from(
        "| calls | files | refused | failed | lag p50 | p95 | p99 | hang-up p50 | p95 | first verdict p50 (s) | p95 | \
         right | wrong | missed | undecided | cpu/call-s | cpu/speech-s | peak MB | late |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for step in steps {
        let _ = writeln!(text, "{}", row(step));
    }
    for step in steps {
        if let Some(times) = step.files_times_real_time {
            let _ = writeln!(
                text,
                "\n{} calls: {} files were analysed to their end, {times:.1} times real time",
                step.calls, step.files_done
            );
        }
        if let Some(growth) = step.memory_growth_mb_per_hour {
            let _ = writeln!(
                text,
                "\n{} calls: memory changed by {growth:+.1} MB an hour",
                step.calls
            );
        }
        if let Some(fault) = &step.first_failure {
            let _ = writeln!(text, "\n{} calls: the first that failed: {fault}", step.calls);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn row(step: &LoadStep) -> String {
    let number = |figure: Option<f64>, digits: usize| {
        figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
    };
    let of = |quantiles: &Option<Quantiles>, which: fn(&Quantiles) -> f64, digits| {
        number(quantiles.as_ref().map(which), digits)
    };
    let (lag, end, first) = (&step.decision_lag_ms, &step.hang_up_ms, &step.first_verdict_s);
    let cells = [
        step.calls.to_string(),
        step.files.to_string(),
        step.refused.to_string(),
        step.failed.to_string(),
        of(lag, |them| them.p50, 0),
        of(lag, |them| them.p95, 0),
        of(lag, |them| them.p99, 0),
        of(end, |them| them.p50, 0),
        of(end, |them| them.p95, 0),
        of(first, |them| them.p50, 2),
        of(first, |them| them.p95, 2),
        step.names.right.to_string(),
        step.names.wrong.to_string(),
        step.names.missed.to_string(),
        step.names.undecided.to_string(),
        number(step.cpu_ms_per_call_second, 2),
        number(step.cpu_ms_per_speech_second, 2),
        number(step.peak_memory_mb, 0),
        of(&step.sending_late_ms, |them| them.p95, 0),
    ];
    format!("| {} |", cells.join(" | "))
}
