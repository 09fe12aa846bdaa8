//! The command line: the one room that knows flags.
//!
//! [`run`] reads the configuration, does what was asked through the same [switchboard](crate::switchboard::Switchboard) and
//! [store](crate::store::Store) as the service, and gives the exit status: 0 done, 1 failed, 2 not understood.

// In order: a file uses only those above it, and none of its own group.
mod common;
mod opening;
mod output;
mod fit_text;
mod log;
mod phrases;
mod results;

mod chosen;
mod fault;
mod importing;

mod findings;

mod audit;
mod backup;
mod bench;
mod carrier;
mod invites;
mod keys;
mod load;
mod models;
mod number;
mod receipts;
mod retention;
mod rosters;
mod serve;
mod tenants;
mod store_copy;
mod store_keys;
mod stores;
mod vapi;
mod voices;

mod calibrate;
mod doctor;

mod args;

pub use args::Args;

use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;
use crate::reply::ConsentTexts;
use crate::settings::{Fault, Faults, Sources};
use crate::store::{Actor, Provenance};

use args::Command;
use common::Common;
use opening::{board, must_be_as_it_is, store};
use output::Output;

/// Does what was typed.
pub fn run(args: Args) -> ExitCode {
    let output = Output::new(args.common.json);
    let serving = matches!(args.command, Command::Serve(_));
    let config = log::start(serving).and_then(|()| configure(&args.common, &args.command));
    let done = config
        .map_err(anyhow::Error::from)
        .and_then(|config| act(args.command, &args.common, config, output));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => fault::report(output, &fault, serving),
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
    let sources = Sources::of_process(common.config.as_deref(), flags);
    let loaded = Config::load(&sources);
    match command {
        Command::Serve(_) | Command::Doctor => with_consent_texts(loaded, &sources),
        _ => loaded,
    }
}

/// The configuration of a service: what is wrong with its own consent texts stands beside all else that is.
fn with_consent_texts(loaded: Result<Config, Faults>, sources: &Sources) -> Result<Config, Faults> {
    const KEY: &str = "signup.consent_file";
    let checked = Config::given(sources, KEY).map(|file| ConsentTexts::read(Some(Path::new(&file))));
    let Some(Err(fault)) = checked else {
        return loaded;
    };
    let Faults(mut all) = loaded.err().unwrap_or(Faults(Vec::new()));
    all.push(Fault {
        what: format!("`{KEY}`"),
        why: fault.to_string(),
    });
    Err(Faults(all))
}

/// `Ok(false)` when the command was carried out and its answer is no: a refused enrolment, a sick
/// installation.
fn act(command: Command, common: &Common, config: Config, output: Output) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // What the service does is done for others, or by itself.
    let actor = match command {
        Command::Serve(_) => Actor::Service,
        _ => Actor::Cli,
    };
    runtime.block_on(Provenance::new(actor, None).scope(async {
        if command.only_reads() {
            must_be_as_it_is(&config).await?;
        }
        match command {
            Command::Serve(args) => serve::run(&config, &args).await,
            Command::Number(command) => number::run(command, &store(&config).await?, &config, output).await,
            Command::User(command) => rosters::user(command, &store(&config).await?, &config, output).await,
            Command::Carrier(command) => carrier::run(command, &config, output).await,
            Command::Tenant(command) => tenants::run(command, &store(&config).await?, output).await,
            Command::Audit(command) => audit::run(command, &store(&config).await?, output).await,
            Command::Receipt(command) => receipts::run(command, &config, output).await,
            Command::Retention(command) => {
                retention::run(command, &store(&config).await?, &config.board.retention, output).await
            }
            Command::Backup(args) => backup::back_up_to(args, &config, output).await,
            Command::Restore(args) => backup::restore_from(args, &config, output).await,
            Command::Store(command) => stores::run(command, &config, output).await,
            Command::Keys(command) => keys::run(command, &store(&config).await?, output).await,
            Command::Invite(command) => invites::run(command, &store(&config).await?, &config, output).await,
            Command::Enroll(args) => voices::enroll(args, &board(&config).await?, output).await,
            Command::Identify(args) => voices::identify(args, &board(&config).await?, output).await,
            Command::Embed(args) => voices::embed(&args, &config, output).await,
            Command::Models(command) => models::run(command, &config, output).await,
            Command::Vapi(command) => {
                let store = store(&config).await?;
                vapi::run(command, config, &store, output).await
            }
            Command::Bench(args) => bench::run(*args, &config, output).await,
            Command::Load(args) => load::run(*args, common, &config, output).await,
            Command::Calibrate(args) => calibrate::run(*args, &config, output).await,
            Command::Doctor => doctor::run(&config, output).await,
        }
    }))
}
