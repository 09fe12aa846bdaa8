//! Making a backup while others read and write the store.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::copying::{copied, create, failed, found};
use super::fault::BackupFault;
use super::lost_keys::{keys_in, refuse_lost_keys};
use super::manifest::{BackupFile, DATABASE, KEYRING, Manifest, RECORDINGS, is_secret};
use super::opened::{connect, damaged_or, has_table};
use super::partial::{Partial, blocking};
use crate::store::database::sqlite;
use crate::store::erased::{self, ErasedId};
use crate::store::files::folder_of;
use crate::store::values::{now, read_u64, sha256};
use crate::store::{StoreError, StoreSettings};

/// What was backed up.
#[derive(Debug, Clone, Serialize)]
pub struct Backup {
    /// The folder it lies in.
    pub path: PathBuf,
    /// What is in it.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// What whoever keeps it should know.
    pub notes: Vec<String>,
}

/// Backs the store up into the new folder `to`, with its key files where `keys` says so, while others use it.
///
/// # Errors
/// [`BackupFault`]; then `to` is not there.
pub async fn back_up(settings: &StoreSettings, to: &Path, keys: bool) -> Result<Backup, BackupFault> {
    let partial = Partial::begin(to)?;
    let taken = match &settings.postgres {
        None => of_sqlite(settings, &partial, keys).await,
        Some(_) => of_what_lies_beside(settings, &partial, keys).await,
    };
    let (mut manifest, mut notes) = taken?;
    if keys && settings.pepper.is_some() {
        notes.push("store.pepper is in the configuration and not in the backup: keep it as well".into());
    }
    if !keys {
        notes.push(
            "the key files are not in it: without them no PIN is right and no kept recording is heard".into(),
        );
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    let path = partial.finish(&manifest).await?;
    Ok(Backup {
        path,
        manifest,
        notes,
    })
}

/// SQLite's file and what lies beside it. The rows are read first: whatever they speak of lies beside them by then.
async fn of_sqlite(
    settings: &StoreSettings,
    partial: &Partial,
    keys: bool,
) -> Result<(Manifest, Vec<String>), BackupFault> {
    let store = settings.path.as_path();
    if !store.is_file() {
        return Err(BackupFault::NoStore {
            path: store.to_owned(),
        });
    }
    let mut manifest = Manifest::new(now(), "SQLite", keys);
    let before = if keys {
        keys_in(&folder_of(store).join(KEYRING)).await?
    } else {
        HashSet::new()
    };
    let mut live = connect(store).await?;
    let copy = partial.folder.join(DATABASE);
    let mut kept = copied_by_sqlite(&mut live, store, &copy).await?;
    manifest.migrations = migrations(&mut kept).await?;
    beside(settings, partial, &mut manifest).await?;
    manifest.files.extend(keyring(store, partial, keys).await?);
    if !before.is_empty() {
        let after = keys_in(&partial.folder.join(KEYRING)).await?;
        refuse_lost_keys(&mut kept, &before, &after).await?;
    }
    let mut notes = Vec::new();
    notes.extend(recordings(store, partial, &mut manifest, &mut live, &mut kept).await?);
    notes.extend(keys_that_do_not_fit(store, &mut kept).await?);
    let list = erased(&mut live).await?;
    kept.close().await?;
    live.close().await?;
    let folder = partial.folder.clone();
    let files = blocking(move || {
        File::open(&copy)
            .and_then(|file| file.sync_all())
            .map_err(failed(&copy))?;
        let path = folder.join(erased::FILE);
        create(&path).map_err(failed(&path))?;
        erased::add_to(&path, &list).map_err(failed(&path))?;
        [DATABASE, erased::FILE]
            .map(|name| found(&folder, Path::new(name)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    });
    manifest.files.extend(files.await?);
    Ok((manifest, notes))
}

/// Copies a database of SQLite's while others use it, and reads every page of the copy.
async fn copied_by_sqlite(
    live: &mut SqliteConnection,
    from: &Path,
    to: &Path,
) -> Result<SqliteConnection, BackupFault> {
    create(to).map_err(failed(to))?;
    // One read transaction, beside which others write; freed pages are not copied. The other way, SQLite's online
    // backup, begins anew whenever another process writes.
    let vacuumed = sqlx::query("VACUUM INTO $1")
        .bind(to.display().to_string())
        .execute(live)
        .await;
    vacuumed.map_err(|fault| damaged_or(fault, from))?;
    let mut copy = connect(to).await?;
    sqlite::check_pages_by(&mut copy, to).await?;
    Ok(copy)
}

/// The wrapped keys of an encrypted store. They are read after the rows: a key is there before what it seals.
async fn keyring(store: &Path, partial: &Partial, wanted: bool) -> Result<Option<BackupFile>, BackupFault> {
    let (from, to) = (folder_of(store).join(KEYRING), partial.folder.join(KEYRING));
    if !wanted || !from.is_file() {
        return Ok(None);
    }
    let mut live = connect(&from).await?;
    copied_by_sqlite(&mut live, &from, &to).await?.close().await?;
    live.close().await?;
    let folder = partial.folder.clone();
    let synced = blocking(move || {
        File::open(&to)
            .and_then(|file| file.sync_all())
            .map_err(failed(&to))?;
        found(&folder, Path::new(KEYRING))
    });
    Ok(Some(synced.await?))
}

/// What lies beside a store in PostgreSQL.
async fn of_what_lies_beside(
    settings: &StoreSettings,
    partial: &Partial,
    keys: bool,
) -> Result<(Manifest, Vec<String>), BackupFault> {
    let store = settings.path.as_path();
    let mut manifest = Manifest::new(now(), "PostgreSQL", keys);
    let notes = vec![
        "the database itself is not in it: back it up with pg_dump, at the same time or later".to_owned(),
    ];
    beside(settings, partial, &mut manifest).await?;
    let (from, to) = (folder_of(store), partial.folder.clone());
    let files = blocking(move || {
        let mut files: Vec<_> = copied(&from, &to, Path::new(erased::FILE))?.into_iter().collect();
        let folder = from.join(RECORDINGS);
        if folder.is_dir() {
            make_recordings(&to)?;
            for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
                let name = entry.map_err(failed(&folder))?.file_name();
                if Path::new(&name)
                    .extension()
                    .is_some_and(|ending| ending == "sealed")
                {
                    files.extend(copied(&from, &to, &Path::new(RECORDINGS).join(name))?);
                }
            }
        }
        Ok(files)
    });
    manifest.files.extend(files.await?);
    Ok((manifest, notes))
}

/// Copies the secrets, where they are wanted; the master key never, whatever it is called.
async fn beside(
    settings: &StoreSettings,
    partial: &Partial,
    manifest: &mut Manifest,
) -> Result<(), BackupFault> {
    if !manifest.keys {
        return Ok(());
    }
    let (from, to) = (folder_of(&settings.path), partial.folder.clone());
    let master = settings.master_key_file.clone();
    let files = blocking(move || {
        let mut files = Vec::new();
        let master = master.and_then(|path| path.canonicalize().ok());
        for entry in std::fs::read_dir(&from).map_err(failed(&from))? {
            let entry = entry.map_err(failed(&from))?;
            let name = entry.file_name();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let is_master = master.is_some() && entry.path().canonicalize().ok() == master;
            if is_file && !is_master && name != KEYRING && name.to_str().is_some_and(is_secret) {
                files.extend(copied(&from, &to, Path::new(&name))?);
            }
        }
        Ok(files)
    });
    manifest.files.extend(files.await?);
    Ok(())
}

fn make_recordings(to: &Path) -> Result<(), BackupFault> {
    let folder = to.join(RECORDINGS);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(failed(&folder))
}

/// Copies the recordings that the copied rows speak of. One that was erased in the meantime loses its row in the copy.
async fn recordings(
    store: &Path,
    partial: &Partial,
    manifest: &mut Manifest,
    live: &mut SqliteConnection,
    kept: &mut SqliteConnection,
) -> Result<Option<String>, BackupFault> {
    if !has_table(kept, "recordings").await? {
        return Ok(None);
    }
    let rows: Vec<(String,)> = sqlx::query_as("SELECT clip_id FROM recordings ORDER BY clip_id")
        .fetch_all(&mut *kept)
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    make_recordings(&partial.folder)?;
    let (from, to) = (folder_of(store), partial.folder.clone());
    let (files, missing) = blocking(move || {
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for (clip,) in rows {
            let name = Path::new(RECORDINGS).join(format!("{clip}.sealed"));
            match copied(&from, &to, &name)? {
                Some(file) => files.push(file),
                None => missing.push(clip),
            }
        }
        Ok((files, missing))
    })
    .await?;
    manifest.files.extend(files);
    let mut lost = 0;
    for clip in missing {
        let still: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM recordings WHERE clip_id = $1")
            .bind(&clip)
            .fetch_optional(&mut *live)
            .await?;
        if still.is_some() {
            lost += 1;
            continue;
        }
        let forget = sqlx::query("DELETE FROM recordings WHERE clip_id = $1").bind(&clip);
        forget.execute(&mut *kept).await?;
    }
    Ok((lost > 0).then(|| format!("{lost} kept recordings are missing in the store itself")))
}

/// Which key files are not those that the store was made with.
async fn keys_that_do_not_fit(store: &Path, kept: &mut SqliteConnection) -> Result<Vec<String>, BackupFault> {
    let mut notes = Vec::new();
    for (fact, file) in [("pepper_sha256", "pepper.key"), ("audio_key_sha256", "audio.key")] {
        let known: Option<(Vec<u8>,)> = sqlx::query_as("SELECT value FROM facts WHERE name = $1")
            .bind(fact)
            .fetch_optional(&mut *kept)
            .await?;
        let there = std::fs::read(folder_of(store).join(file)).ok();
        if let (Some((known,)), Some(there)) = (known, there)
            && known != sha256(&there)
        {
            notes.push(format!("{file} is not the one that this store was made with"));
        }
    }
    Ok(notes)
}

/// What the store as it is now says was erased.
async fn erased(live: &mut SqliteConnection) -> Result<Vec<ErasedId>, BackupFault> {
    if !has_table(live, "erased").await? {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT kind, id FROM erased ORDER BY at, kind, id")
        .fetch_all(live)
        .await?;
    let known = rows.iter().filter_map(|(kind, id)| ErasedId::of_parts(kind, id));
    Ok(known.collect())
}

async fn migrations(kept: &mut SqliteConnection) -> Result<u64, BackupFault> {
    if !has_table(kept, "_sqlx_migrations").await? {
        return Err(BackupFault::Store(StoreError::Unreadable {
            what: "file of tables",
        }));
    }
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(kept)
        .await?;
    Ok(read_u64(count, "migration count")?)
}
