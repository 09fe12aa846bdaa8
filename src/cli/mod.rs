//! The command line: the one room that knows flags.
//!
//! [`run`] reads the configuration, does what was asked through the same [switchboard](crate::switchboard::Switchboard) and
//! [store](crate::store::Store) as the service, and gives the exit status: 0 done, 1 failed, 2 not understood.

// In order: a file uses only those above it, and none of its own group.
mod opening;
mod output;
mod phrases;

mod chosen;
mod fault;
mod importing;

mod bench;
mod carrier;
mod invites;
mod keys;
mod models;
mod number;
mod rosters;
mod serve;
mod vapi;
mod voices;

mod calibrate;
mod doctor;

mod args;

pub use args::Args;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, Fault, Faults, Sources};

use args::{Command, Common};
use opening::{board, store};
use output::Output;

/// Does what was typed.
pub fn run(args: Args) -> ExitCode {
    let output = Output::new(args.common.json);
    let serving = matches!(args.command, Command::Serve(_));
    let config = start_log(serving).and_then(|()| configure(&args.common, &args.command));
    let done = config
        .map_err(anyhow::Error::from)
        .and_then(|config| act(args.command, config, output));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => fault::report(output, &fault),
    }
}

fn configure(common: &Common, command: &Command) -> Result<Config, Faults> {
    let mut flags = common.settings();
    match command {
        Command::Serve(serve) => {
            flags.extend(serve.listen.clone().map(|listen| ("listen", listen)));
            flags.extend(serve.accuracy.clone().map(|folder| ("accuracy_dir", folder)));
        }
        // A one-shot command listens to one recording at a time: one thread loads fastest.
        Command::Enroll(_) | Command::Identify(_) => flags.push(("inference.threads", "1".to_owned())),
        _ => {}
    }
    Config::load(&Sources::of_process(common.config.as_deref(), flags))
}

/// `Ok(false)` when the command was carried out and its answer is no: a refused enrolment, a sick
/// installation.
fn act(command: Command, config: Config, output: Output) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&config, &args).await,
            Command::Number(command) => number::run(command, &store(&config).await?, &config, output).await,
            Command::User(command) => rosters::user(command, &store(&config).await?, &config, output).await,
            Command::Carrier(command) => carrier::run(command, &config, output).await,
            Command::Keys(command) => keys::run(command, &store(&config).await?, output).await,
            Command::Invite(command) => invites::run(command, &store(&config).await?, &config, output).await,
            Command::Enroll(args) => voices::enroll(args, &board(&config).await?, output).await,
            Command::Identify(args) => voices::identify(args, &board(&config).await?, output).await,
            Command::Embed(args) => voices::embed(&args, &config, output),
            Command::Models(command) => models::run(command, &config, output).await,
            Command::Vapi(command) => {
                let store = store(&config).await?;
                vapi::run(command, config, &store, output).await
            }
            Command::Bench(args) => bench::run(*args, &config, output),
            Command::Calibrate(args) => calibrate::run(*args, &config, output),
            Command::Doctor => doctor::run(&config, output).await,
        }
    })
}

/// The log that was asked for, less what the borrowed decoders say of every byte that they pass over, as an upload
/// of 8 MB would write 192 MB, and the runtime of every node of a graph. What becomes of a recording is in the answer.
fn bounded(asked: &str) -> String {
    format!("{asked},symphonia=off,codec_core=off,ort=warn")
}

/// Starts the log on stderr: `RUST_LOG` says how much of it, and is a setting like any other.
fn start_log(serving: bool) -> Result<(), Faults> {
    let usual = if serving {
        "info,ort=warn,sqlx=warn"
    } else {
        "warn,ort=error"
    };
    let asked = std::env::var_os("RUST_LOG").filter(|asked| !asked.is_empty());
    let asked = asked.map(|asked| asked.to_string_lossy().into_owned());
    let filter = match asked {
        None => EnvFilter::new(bounded(usual)),
        Some(asked) => EnvFilter::try_new(bounded(&asked)).map_err(|cause| {
            Faults(vec![Fault {
                what: "RUST_LOG".to_owned(),
                why: format!("{cause}: give it a level, as in debug, or levels by module, as in {usual}"),
            }])
        })?,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(output::coloured(&std::io::stderr()))
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = log.try_init();
    Ok(())
}
