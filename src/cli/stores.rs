//! `voxline store`.

use clap::Subcommand;

use crate::config::Config;

use super::opening::store;
use super::output::Output;
use super::store_copy::{self, CopyArgs};
use super::store_keys;

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Take a store over from SQLite into an empty database of PostgreSQL; end the service first
    Copy(CopyArgs),
    /// Change the master key, while the service runs or not; the old one opens nothing afterwards. Whoever writes waits
    /// meanwhile, some 0.1 s for each 1000 users
    RotateKey {
        /// Also change the keys of the data: every row is encrypted anew, and no older backup can be read any more
        #[arg(long)]
        data_keys: bool,
    },
}

pub(super) async fn run(command: StoreCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        StoreCommand::Copy(args) => store_copy::run(args, config, output).await,
        StoreCommand::RotateKey { data_keys } => {
            store_keys::rotate(data_keys, &store(config).await?, output).await
        }
    }
}
