//! `voxline store`.

use clap::Subcommand;

use crate::store::{Renewal, Store};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Change the master key, while the service runs or not; the old one opens nothing afterwards
    RotateKey {
        /// Also change the keys of the data: every row is encrypted anew, and no older backup can be read any more
        #[arg(long)]
        data_keys: bool,
    },
}

pub(super) async fn run(command: StoreCommand, store: &Store, output: Output) -> anyhow::Result<bool> {
    let StoreCommand::RotateKey { data_keys } = command;
    let keys_wrapped = store.change_master_key().await?;
    let users_sealed = if data_keys {
        store.change_data_keys().await?
    } else {
        0
    };
    let done = Renewal {
        keys_wrapped,
        users_sealed,
    };
    output.result(&done, || {
        let sealed = if data_keys {
            format!("; the data of {users_sealed} users is encrypted anew: take a backup now, no older one can be read")
        } else {
            String::new()
        };
        format!("the new master key wraps {keys_wrapped} keys{sealed}")
    })?;
    Ok(true)
}
