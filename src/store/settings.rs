//! `[store]` and `[retention]`: where the system of record is, where its keys come from, how long what it keeps is kept.

mod retention;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use crate::settings::SettingsReader;

use super::database::postgres;
use super::files;
use super::pins::given_pepper;
use super::secrets::{MasterSource, keyring, master};

pub(crate) use retention::RetentionSection;

/// Where the system of record is.
#[derive(Debug, Clone, Default)]
pub struct StoreSettings {
    /// SQLite's file. Beside it lie the key files and what is kept of recordings, on PostgreSQL too.
    pub path: PathBuf,
    /// PostgreSQL's address where that is the system of record, as in `postgres://voxline@db.example.com/voxline`.
    pub postgres: Option<SecretString>,
    /// The key of the PINs in 64 hexadecimal digits, where it is not in the file `pepper.key`.
    pub pepper: Option<SecretString>,
    /// Where the master key comes from, if not from the file `master.key`; at most one of the three. Its value in 64
    /// hexadecimal digits, or two such with a space between while it is being changed.
    pub master_key: Option<SecretString>,
    /// A file that holds it.
    pub master_key_file: Option<PathBuf>,
    /// A command line for the shell, which prints it.
    pub master_key_command: Option<String>,
}

impl StoreSettings {
    /// What is wrong with these settings, by the setting's name; no value is in it.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let url = self.postgres.as_ref().map(ExposeSecret::expose_secret);
        if url.is_some_and(|url| postgres::options(url).is_none()) {
            return Some((
                "store.url",
                "is no address of PostgreSQL, as in postgres://user:password@host/database",
            ));
        }
        let pepper = self.pepper.as_ref().map(ExposeSecret::expose_secret);
        if pepper.is_some_and(|text| given_pepper(text).is_none()) {
            return Some((
                "store.pepper",
                "is not 64 hexadecimal digits: `xxd -p -c 64 pepper.key` gives those of a key file",
            ));
        }
        let master = self.master_key.as_ref().map(ExposeSecret::expose_secret);
        if master.is_some_and(|text| master::parse(text).is_err()) {
            return Some((
                "store.master_key",
                "is not 64 hexadecimal digits, nor two such with a space between: `openssl rand -hex 32` makes one",
            ));
        }
        let given = [
            master.is_some(),
            self.master_key_file.is_some(),
            self.master_key_command.is_some(),
        ];
        if given.iter().filter(|given| **given).count() > 1 {
            return Some((
                "store.master_key",
                "is one of three ways to give the master key, with master_key_file and master_key_command: choose one",
            ));
        }
        None
    }

    pub(super) fn master_source(&self) -> MasterSource {
        if let Some(value) = &self.master_key {
            return MasterSource::Value(value.clone());
        }
        if let Some(line) = &self.master_key_command {
            return MasterSource::Command(line.clone());
        }
        let beside = || files::folder_of(&self.path).join(master::FILE);
        MasterSource::File {
            path: self.master_key_file.clone().unwrap_or_else(beside),
            ours: self.master_key_file.is_none(),
        }
    }

    /// Where people find the keyring.
    pub(super) fn shown_keyring(&self) -> PathBuf {
        match self.postgres {
            Some(_) => "the tables keyring_* in PostgreSQL".into(),
            None => keyring::file_of(&self.path),
        }
    }
}

/// The system of record.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSection {
    /// PostgreSQL's address, as in `postgres://voxline@db.example.com/voxline`. Without it: SQLite in the data folder.
    #[schema(format = Password)]
    pub url: Option<String>,
    /// The key of the PINs in 64 hexadecimal digits, the same on all machines. Without it: the file `pepper.key` in the
    /// data folder.
    #[schema(format = Password)]
    pub pepper: Option<String>,
    /// The master key of what is encrypted, in 64 hexadecimal digits; while it is being changed two such, with a space
    /// between. Without it, a file or a command: the file `master.key` in the data folder, made by a new store.
    #[schema(format = Password)]
    pub master_key: Option<String>,
    /// A file that holds the master key, as 32 bytes or 64 hexadecimal digits.
    pub master_key_file: Option<String>,
    /// A command line that prints the master key, as that of a key store; `/bin/sh` runs it.
    pub master_key_command: Option<String>,
}

impl StoreSection {
    /// Where the store and its keys are, `data_dir` being the folder of files that have no setting; what is wrong
    /// with it is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader, data_dir: &Path) -> StoreSettings {
        let settings = StoreSettings {
            path: data_dir.join("voxline.db"),
            postgres: self.url.map(SecretString::from),
            pepper: self.pepper.map(SecretString::from),
            master_key: self.master_key.map(SecretString::from),
            master_key_file: self.master_key_file.map(Into::into),
            master_key_command: self.master_key_command,
        };
        if let Some((key, why)) = settings.fault() {
            read.fault(key, why);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::of_section;

    #[test]
    fn what_is_wrong_with_a_store_is_said_without_its_password() {
        let checked = |text: &str| {
            of_section("store", text, |section: StoreSection, read| {
                section.checked(read, Path::new("data"))
            })
        };
        let url = "url = \"postgres://ana:hunter2@host:port/db\"";
        let faults = checked(url).unwrap_err();
        assert!(
            faults.contains("`store.url`") && !faults.contains("hunter2"),
            "{faults}"
        );
        let url = url.replace(":port", "");
        let faults = checked(&format!("{url}\npepper = \"c0ffee\"")).unwrap_err();
        assert!(
            faults.contains("`store.pepper`") && !faults.contains("c0ffee"),
            "{faults}"
        );
        let shown = format!("{:?}", checked(&url).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
