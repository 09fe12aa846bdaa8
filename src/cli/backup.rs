//! `voxline backup` and `voxline restore`.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use crate::config::Config;
use crate::store::{
    Act, Backup, ErasedLists, Layout, Manifest, NewAudit, Restored, Store, back_up, check_backup, restore,
};

use super::opening::store;
use super::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// The folder that is made for it, for its owner alone
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Leave the key files out: pepper.key, audio.key and their like. Keep them elsewhere
    #[arg(long)]
    without_keys: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The backup's folder
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Only read the backup and hold every file against its hash
    #[arg(long)]
    check: bool,
    /// A list of what was erased: erased.txt of the store that was lost; several times for several nodes
    #[arg(long, value_name = "FILE")]
    erased: Vec<PathBuf>,
    /// There is no such list: whoever was erased after the backup comes back
    #[arg(long, conflicts_with = "erased")]
    without_erased: bool,
}

pub(super) async fn back_up_to(args: BackupArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let spinner = Output::spinner("backing up");
    let backup = back_up(&config.board.store, &args.to, !args.without_keys).await;
    spinner.finish_and_clear();
    let mut backup: Backup = backup?;
    let noted = note_in_audit(&backup, config).await;
    if !noted.with_context(|| format!("{} is whole, but not in the audit log", backup.path.display()))? {
        let note =
            "not in the audit log: the store is of another release, whose tables a backup leaves as they are";
        backup.notes.push(note.to_owned());
    }
    output.result(&backup, || {
        let (path, manifest) = (backup.path.display(), &backup.manifest);
        format!("{path} is whole and was read back: {}", in_words(manifest))
    })?;
    tell(output, &backup.notes);
    Ok(true)
}

/// `false` where the store is of another release: opening it would bring its tables up to this one, under a service that is
/// not.
async fn note_in_audit(backup: &Backup, config: &Config) -> anyhow::Result<bool> {
    if Store::layout(&config.board.store).await? != Layout::Current {
        return Ok(false);
    }
    let what = json!({ "recordings": backup.manifest.recordings(), "keys": backup.manifest.keys });
    let made = NewAudit::new(Act::StoreBackup).detail(what);
    store(config).await?.audit(&[made]).await?;
    Ok(true)
}

pub(super) async fn restore_from(args: RestoreArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    if args.check {
        let manifest = check_backup(&args.from).await?;
        output.result(&manifest, || {
            format!(
                "{} is as it was written: {}",
                args.from.display(),
                in_words(&manifest)
            )
        })?;
        return Ok(true);
    }
    let lists = ErasedLists {
        files: args.erased,
        none: args.without_erased,
    };
    let spinner = Output::spinner("restoring");
    let restored = restore(&config.board.store, &args.from, &lists).await;
    spinner.finish_and_clear();
    let restored: Restored = restored?;
    output.result(&restored, || {
        let again = restored.erased_again;
        format!(
            "{} is in place: {}; erased again: {} users, {} enrolments; revoked again: {} keys",
            restored.path.display(),
            in_words(&restored.manifest),
            again.users,
            again.enrollments,
            again.keys
        )
    })?;
    tell(output, &restored.notes);
    Ok(true)
}

fn in_words(manifest: &Manifest) -> String {
    format!(
        "{} of {}, {} files, {:.1} MB, {} recordings",
        manifest.database,
        manifest.made_at,
        manifest.files.len(),
        manifest.bytes() as f64 / 1e6,
        manifest.recordings()
    )
}

/// What is beside the result; in JSON it is part of it.
fn tell(output: Output, notes: &[String]) {
    if !output.is_json() {
        for note in notes {
            Output::note(note);
        }
    }
}
