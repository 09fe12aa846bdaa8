//! `voxline store copy`.

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::store::{StoreSettings, copy_store};

use super::fault::Usage;
use super::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct CopyArgs {
    /// PostgreSQL's address, as in postgres://voxline@db.example.com/voxline
    // No name of a setting, which the configuration would look for.
    #[arg(long, env = "COPY_TO", hide_env_values = true, value_name = "ADDRESS")]
    to: SecretString,
}

pub(super) async fn run(args: CopyArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let target = StoreSettings {
        postgres: Some(args.to.clone()),
        ..config.board.store.clone()
    };
    if let Some((_, why)) = target.fault() {
        return Err(Usage(format!("--to {why}")).into());
    }
    if config.board.store.postgres.is_some() || !config.board.store.path.exists() {
        anyhow::bail!(
            "the configuration names no store in SQLite: --data-dir is the folder with voxline.db, and store.url is unset"
        );
    }
    let spinner = Output::spinner("taking over");
    let copied = copy_store(&config.board.store, args.to.expose_secret()).await;
    spinner.finish_and_clear();
    let copied = copied?;
    output.result(&serde_json::json!({ "tables": copied }), || {
        let line = |table: &crate::store::CopiedTable| format!("{:>9}  {}", table.rows, table.table);
        copied.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    if !output.is_json() {
        Output::note(
            "Every row was read back and is the same. Now set store.url on every node; store.pepper is the same as \
             pepper.key (`xxd -p -c 64 pepper.key`), the master key too, and recordings/ stays where it is.",
        );
    }
    Ok(true)
}
