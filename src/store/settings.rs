//! Where the system of record is, and where its keys come from.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::database::postgres;
use super::files;
use super::pins::given_pepper;
use super::secrets::{MasterSource, keyring, master};

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
