//! Putting a backup in place: checked first, whole or not at all, and without whom was erased since.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::Connection;

use super::copying::{copied, failed, found, sync_folder};
use super::fault::BackupFault;
use super::manifest::{DATABASE, KEYRING, MASTER_KEY, Manifest, RECORDINGS, is_secret};
use super::opened::connect;
use super::partial::blocking;
use crate::store::erased::{self, ErasedId};
use crate::store::secrets::vault;
use crate::store::{ErasedAgain, Store, StoreSettings, files};

/// The folder in the data folder in which everything is made ready.
const STAGING: &str = "restoring";

/// What says who was erased since the backup was made.
#[derive(Debug, Clone, Default)]
pub struct ErasedLists {
    /// Lists beside that of the data folder: `erased.txt` of the store that was lost, and of other nodes.
    pub files: Vec<PathBuf>,
    /// Whether it is known that there is none.
    pub none: bool,
}

/// What was put in place.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The store's file, or where it would be.
    pub path: PathBuf,
    /// The manifest of the backup that was put back.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// What had been erased since, and was erased again.
    pub erased_again: ErasedAgain,
    /// What whoever runs the service should know.
    pub notes: Vec<String>,
}

/// Reads every file of a backup and holds it against its hash.
///
/// # Errors
/// [`BackupFault::NoBackup`], [`BackupFault::Damaged`].
pub async fn check_backup(from: &Path) -> Result<Manifest, BackupFault> {
    let from = from.to_owned();
    blocking(move || {
        let manifest = Manifest::read(&from)?;
        for file in &manifest.files {
            let is = found(&from, &file.path).map_err(|_| missing(&from, &file.path))?;
            if is != *file {
                return Err(altered(&from, &file.path));
            }
        }
        Ok(manifest)
    })
    .await
}

/// Puts the backup `from` in place of a store that `settings` name and that is not there. What `lists` and the data
/// folder's own list name is erased again before the store can be opened.
///
/// # Errors
/// [`BackupFault`]; then no store is there, and the restore can be repeated.
pub async fn restore(
    settings: &StoreSettings,
    from: &Path,
    lists: &ErasedLists,
) -> Result<Restored, BackupFault> {
    let manifest = check_backup(from).await?;
    same_database(settings, &manifest)?;
    let list = read_lists(settings, from, lists)?;
    // PostgreSQL has to be there by now; its tables are put back before the files that they speak of.
    let server = match &settings.postgres {
        Some(_) => Some(Store::connect(settings).await?),
        None => None,
    };
    fold_keyring(&settings.path).await?;
    let (store, source, wanted) = (settings.path.clone(), from.to_owned(), manifest.clone());
    let stage = blocking(move || Stage::fill(&store, &source, &wanted)).await?;
    let erased_again = match server {
        None => {
            let again = ready(&stage, settings, &list).await?;
            blocking(move || stage.put_in_place()).await?;
            again
        }
        Some(server) => {
            blocking(move || stage.put_in_place()).await?;
            let again = server.erase_again(&list).await?;
            server.close().await;
            again
        }
    };
    Ok(Restored {
        notes: notes(settings, &manifest),
        path: settings.path.clone(),
        manifest,
        erased_again,
    })
}

fn notes(settings: &StoreSettings, manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    if !manifest.keys {
        notes.push("the backup has no key files: put yours beside the store before it serves".to_owned());
    }
    if settings.postgres.is_some() {
        notes.push(
            "the database is as pg_restore left it, without whom the list names; start every node anew"
                .to_owned(),
        );
    }
    notes
}

fn same_database(settings: &StoreSettings, manifest: &Manifest) -> Result<(), BackupFault> {
    let (sqlite, postgres) = ("SQLite", "PostgreSQL");
    let configured = if settings.postgres.is_some() {
        postgres
    } else {
        sqlite
    };
    match (manifest.database.as_str(), configured) {
        (backup, configured) if backup == configured => Ok(()),
        ("SQLite", _) => Err(BackupFault::OtherDatabase {
            backup: sqlite,
            configured,
            remedy: "restore it without store.url, and take it over with `voxline store copy`",
        }),
        _ => Err(BackupFault::OtherDatabase {
            backup: postgres,
            configured,
            remedy: "name the server in store.url, with the database that pg_dump saved in it",
        }),
    }
}

/// What was erased by the list of the data folder, those that were given and the backup's own.
fn read_lists(
    settings: &StoreSettings,
    from: &Path,
    lists: &ErasedLists,
) -> Result<BTreeSet<ErasedId>, BackupFault> {
    let beside = erased::list_beside(&settings.path);
    let mut files = lists.files.clone();
    if beside.exists() {
        files.push(beside);
    }
    if files.is_empty() && !lists.none {
        return Err(BackupFault::NoErasedList);
    }
    let own = from.join(erased::FILE);
    if own.exists() {
        files.push(own);
    }
    let mut all = BTreeSet::new();
    for path in files {
        let list = erased::read_list(&path);
        all.extend(list.map_err(|source| BackupFault::ErasedList { path, source })?);
    }
    Ok(all)
}

/// Folds the log of a keyring that lies in the data folder into its file, which alone is taken along and put back.
async fn fold_keyring(store: &Path) -> Result<(), BackupFault> {
    let keyring = files::folder_of(store).join(KEYRING);
    if !keyring.is_file() {
        return Ok(());
    }
    let mut connection = connect(&keyring).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    nobody_has_open(&files::folder_of(store), KEYRING)
}

/// Opens the staged store, which brings it up to this release, reads its pages, and erases what was erased since.
async fn ready(
    stage: &Stage,
    settings: &StoreSettings,
    list: &BTreeSet<ErasedId>,
) -> Result<ErasedAgain, BackupFault> {
    let mut staged = StoreSettings {
        path: stage.folder.join(DATABASE),
        ..settings.clone()
    };
    if staged.master_key.is_none() && staged.master_key_command.is_none() {
        // Where the store will look for it, and so where it is said to be missing.
        let usual = || settings.path.with_file_name(MASTER_KEY);
        staged.master_key_file.get_or_insert_with(usual);
    }
    let store = Store::connect(&staged).await?;
    store.check_pages().await?;
    let again = store.erase_again(list).await?;
    store.close().await;
    Ok(again)
}

/// Everything of a backup, made ready within the data folder. Its lock is that of the store's openers: a service that is
/// started meanwhile waits.
struct Stage {
    folder: PathBuf,
    data: PathBuf,
    _lock: File,
}

impl Stage {
    fn fill(store: &Path, from: &Path, manifest: &Manifest) -> Result<Self, BackupFault> {
        files::make_folder(store).map_err(failed(store))?;
        let lock = files::lock(store).map_err(failed(store))?;
        let data = files::folder_of(store);
        refuse_to_overwrite(&data, manifest)?;
        let folder = data.join(STAGING);
        if folder.exists() {
            // What a restore that was cut off left.
            std::fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        }
        let inside = folder.join(RECORDINGS);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&inside);
        made.map_err(failed(&inside))?;
        for file in &manifest.files {
            let copied = copied(from, &folder, &file.path)?;
            if copied.ok_or_else(|| missing(from, &file.path))? != *file {
                return Err(altered(from, &file.path));
            }
        }
        take_keys_that_are_there(&data, &folder)?;
        Ok(Self {
            folder,
            data,
            _lock: lock,
        })
    }

    /// Moves everything to its place, the database last: without it there is no store.
    fn put_in_place(self) -> Result<(), BackupFault> {
        let mut names = names_in(&self.folder)?;
        names.retain(|name| is_secret(name));
        nobody_has_open(&self.folder, KEYRING)?;
        for name in names {
            // The keyring too: it was made of the one that was there, and has the keys by which rows were sealed anew since,
            // and none of who was erased.
            self.place(Path::new(&name))?;
        }
        let recordings = self.data.join(RECORDINGS);
        let inside = recordings_in(&self.folder.join(RECORDINGS))?;
        if !inside.is_empty() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&recordings);
            made.map_err(failed(&recordings))?;
            let there = recordings_in(&recordings)?;
            if there.iter().all(|name| inside.contains(name)) {
                // What is there is the backup's, and a note of another owner would keep it from ever being swept.
                vault::forget_owners(&self.data.join(DATABASE)).map_err(failed(&recordings))?;
            }
            for name in inside {
                self.place(&Path::new(RECORDINGS).join(name))?;
            }
            sync_folder(&recordings)?;
        }
        self.add_list()?;
        sync_folder(&self.data)?;
        let database = self.folder.join(DATABASE);
        if database.exists() {
            nobody_has_open(&self.folder, DATABASE)?;
            File::open(&database)
                .and_then(|file| file.sync_all())
                .map_err(failed(&database))?;
            self.place(Path::new(DATABASE))?;
            sync_folder(&self.data)?;
        }
        std::fs::remove_dir_all(&self.folder).map_err(failed(&self.folder))
    }

    fn place(&self, name: &Path) -> Result<(), BackupFault> {
        let target = self.data.join(name);
        std::fs::rename(self.folder.join(name), &target).map_err(failed(&target))
    }

    /// The list of the data folder goes on: what it names that the backup never knew stays named.
    fn add_list(&self) -> Result<(), BackupFault> {
        let staged = self.folder.join(erased::FILE);
        if !staged.exists() {
            return Ok(());
        }
        let path = self.data.join(erased::FILE);
        let listed = erased::read_list(&staged).map_err(failed(&staged))?;
        let all: Vec<ErasedId> = listed.into_iter().collect();
        erased::add_to(&path, &all).map_err(failed(&path))
    }
}

/// Refuses a file of SQLite's beside which there is more of it in a log.
fn nobody_has_open(folder: &Path, name: &str) -> Result<(), BackupFault> {
    let log = folder.join(format!("{name}-wal"));
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        let open = std::io::Error::other("something else has it open");
        return Err(failed(&log)(open));
    }
    Ok(())
}

/// What is needed to open the staged store and lies in the data folder already. The master key is read where it lies.
fn take_keys_that_are_there(data: &Path, staged: &Path) -> Result<(), BackupFault> {
    for name in names_in(data)? {
        let name = Path::new(&name);
        let is_key = name == Path::new(KEYRING)
            || name != Path::new(MASTER_KEY) && name.extension().is_some_and(|ending| ending == "key");
        let target = staged.join(name);
        if is_key && (name == Path::new(KEYRING) || !target.exists()) {
            if target.exists() {
                std::fs::remove_file(&target).map_err(failed(&target))?;
            }
            copied(data, staged, name)?;
        }
    }
    Ok(())
}

fn names_in(folder: &Path) -> Result<Vec<String>, BackupFault> {
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let names = entries.flatten().map(|entry| entry.file_name().into_string());
    Ok(names.flatten().collect())
}

/// The recordings in a folder; the note beside them of whose they are is no part of a backup.
fn recordings_in(folder: &Path) -> Result<Vec<String>, BackupFault> {
    let mut names = names_in(folder)?;
    names.retain(|name| name.ends_with(vault::SUFFIX));
    Ok(names)
}

/// What a restore that was cut off put in place already is the same and may stay; everything else may not be written
/// over.
fn refuse_to_overwrite(data: &Path, manifest: &Manifest) -> Result<(), BackupFault> {
    for name in [DATABASE, "voxline.db-wal", "voxline.db-journal"] {
        let path = data.join(name);
        if manifest.database == "SQLite" && path.symlink_metadata().is_ok() {
            return Err(BackupFault::Exists {
                path,
                remedy: "end the service, and move the whole data folder away or name another with --data-dir",
            });
        }
    }
    let kept = data.join(RECORDINGS);
    let recordings = if kept.is_dir() {
        recordings_in(&kept)?
    } else {
        Vec::new()
    };
    let there = names_in(data)?
        .into_iter()
        .filter(|name| is_secret(name))
        .map(PathBuf::from);
    let there = there.chain(recordings.iter().map(|name| Path::new(RECORDINGS).join(name)));
    for name in there {
        let wanted = manifest.files.iter().find(|file| file.path == name);
        let stays = match wanted {
            // A keyring that is there is newer: it has lost the keys of whoever was erased since.
            Some(_) if name == Path::new(KEYRING) => true,
            Some(wanted) => found(data, &name)? == *wanted,
            // A key that the backup was made without.
            None => !name.starts_with(RECORDINGS) || manifest.database == "PostgreSQL",
        };
        if !stays {
            return Err(BackupFault::Exists {
                path: data.join(name),
                remedy: "it is another than the backup's; move it away, or name another data folder",
            });
        }
    }
    Ok(())
}

fn missing(from: &Path, name: &Path) -> BackupFault {
    BackupFault::Damaged {
        path: from.join(name),
        why: "it is missing",
    }
}

fn altered(from: &Path, name: &Path) -> BackupFault {
    BackupFault::Damaged {
        path: from.join(name),
        why: "its SHA-256 is another",
    }
}
