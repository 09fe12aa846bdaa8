//! `voxline models`.

mod listing;

mod fetching;
mod recommending;
mod switching;

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::Config;
use crate::switchboard::{installed, models_dir};
use crate::voiceprint::ModelId;

use super::opening::{active_model, store};
use super::output::Output;
use fetching::{AFTER_PULL, PullArgs};
use listing::{line, list, listed};

pub(super) use listing::check;

/// What stands under `voxline models switch --help`.
const AFTER_SWITCH: &str = "\
Exit status 1 also when nothing was switched because somebody would have to enrol again: the answer lists them.
Cut short at any moment, the old model stays in use; the same command goes on where it stopped.";

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models with state, size, hash and licence
    List,
    /// Load a model, check it against its card and run it once
    Check {
        /// The model [default: the one in use]
        id: Option<String>,
    },
    /// Fetch a public model, check it by size and SHA-256, and install it
    #[command(after_help = AFTER_PULL)]
    Pull(PullArgs),
    /// Install a model from an ONNX file, by the metadata inside it (the keys of sherpa-onnx)
    Add {
        /// The file
        #[arg(value_name = "FILE.onnx")]
        file: PathBuf,
        /// What to call it [default: the file's name]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Change the model: kept recordings are heard again, and the old one serves until that is done
    #[command(after_help = AFTER_SWITCH)]
    Switch {
        /// The model, which must be installed and have a calibration
        id: String,
        /// Switch even if some users must enrol again before the new model knows them
        #[arg(long)]
        leave_behind: bool,
    },
    /// Say which model is best for telephone calls, of those installed and those that could be pulled
    Recommend,
}

pub(super) async fn run(command: ModelsCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        ModelsCommand::Pull(args) => fetching::pull(&args, config, output).await,
        ModelsCommand::Add { file, id } => fetching::add(&file, id, config, output).await,
        ModelsCommand::Switch { id, leave_behind } => {
            let store = store(config).await?;
            switching::switch(&id, leave_behind, config, &store, output).await
        }
        ModelsCommand::Recommend => recommending::recommend(config, output),
        ModelsCommand::List => {
            let (models, faults) = list(&models_dir(&config.board)?, &active_model(config).await)?;
            output.result(&models, || match models.as_slice() {
                [] => "no models; `make provision` in the project fetches them".to_owned(),
                models => models.iter().map(line).collect::<Vec<_>>().join("\n"),
            })?;
            for fault in &faults {
                Output::complain(&fault.to_string());
            }
            Ok(faults.is_empty())
        }
        ModelsCommand::Check { id } => {
            let found = installed(&config.board)?;
            let active = active_model(config).await;
            let id = id.map_or_else(|| active.clone(), ModelId::new);
            let card = found.card(&id)?;
            check(&found, &card)?;
            let listed = listed(&card, &active);
            output.result(&listed, || {
                format!("{}\n  loads, and is what its card says", line(&listed))
            })?;
            Ok(true)
        }
    }
}
