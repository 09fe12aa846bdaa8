//! The command line: the one room that knows flags.
//!
//! [`run`] reads the configuration, does what was asked through the same [`Switchboard`] and [`Store`]
//! as the service, and gives the exit status: 0 done, 1 failed, 2 not understood.

mod args;
mod doctor;
mod keys;
mod models;
mod output;
mod rosters;
mod serve;
mod voices;

pub use args::Args;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, Faults, Sources};
use crate::store::Store;
use crate::switchboard::{OpenError, Switchboard};

use args::{Command, Common};
use output::Output;

/// Does what was typed.
pub fn run(args: Args) -> ExitCode {
    let serving = matches!(args.command, Command::Serve(_));
    start_log(serving);
    let output = Output::new(args.common.json);
    let config = match configure(&args.common, &args.command) {
        Ok(config) => config,
        Err(faults) => return report(output, &faults.into(), ExitCode::from(2)),
    };
    match act(args.command, config, output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => report(output, &fault, ExitCode::FAILURE),
    }
}

fn configure(common: &Common, command: &Command) -> Result<Config, Faults> {
    let mut flags = common.settings();
    match command {
        Command::Serve(serve) => flags.extend(serve.listen.clone().map(|listen| ("listen", listen))),
        // A one-shot command listens to one recording at a time: one thread loads fastest.
        Command::Enroll(_) | Command::Identify(_) => flags.push(("inference.threads", "1".to_owned())),
        _ => {}
    }
    Config::load(&Sources::of_process(common.config.as_deref(), flags)?)
}

/// `Ok(false)` when the command was carried out and its answer is no: a refused enrolment, a sick
/// installation.
fn act(command: Command, config: Config, output: Output) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&config, &args).await,
            Command::Number(command) => rosters::number(command, &store(&config).await?, output).await,
            Command::User(command) => rosters::user(command, &store(&config).await?, output).await,
            Command::Keys(command) => keys::run(command, &store(&config).await?, output).await,
            Command::Enroll(args) => voices::enroll(args, &board(&config).await?, output).await,
            Command::Identify(args) => voices::identify(args, &board(&config).await?, output).await,
            Command::Embed(args) => voices::embed(&args, &config, output),
            Command::Models(command) => models::run(command, &config, output),
            Command::Doctor => doctor::run(&config, output).await,
        }
    })
}

async fn store(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&config.data_dir.join("voxline.db")).await?)
}

async fn board(config: &Config) -> Result<Switchboard, OpenError> {
    Switchboard::open(config).await
}

/// Prints a fault where both a person and a program find it.
fn report(output: Output, fault: &anyhow::Error, status: ExitCode) -> ExitCode {
    eprintln!("voxline: {fault:#}");
    if output.is_json() {
        // Nothing is left to do if even this cannot be printed.
        let _ = Output::json_line(&serde_json::json!({ "error": format!("{fault:#}") }));
    }
    status
}

fn start_log(serving: bool) {
    let usual = if serving {
        "info,ort=warn,sqlx=warn"
    } else {
        "warn,ort=error"
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = log.try_init();
}
