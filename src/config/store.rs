//! `[store]`: the system of record.

use std::path::Path;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::reader::SettingsReader;
use crate::store::StoreSettings;

/// The system of record.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreSection {
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
    use crate::config::{Config, Sources};

    #[test]
    fn what_is_wrong_with_a_store_is_said_without_its_password() {
        let file = "[store]\nurl = \"postgres://ana:hunter2@host:port/db\"";
        let mut sources = Sources {
            file: Some(("voxline.toml".into(), file.to_owned())),
            ..Sources::default()
        };
        let faults = Config::load(&sources).unwrap_err().to_string();
        assert!(
            faults.contains("`store.url`") && !faults.contains("hunter2"),
            "{faults}"
        );
        sources.file = Some((
            "voxline.toml".into(),
            file.replace(":port", "") + "\npepper = \"c0ffee\"",
        ));
        let faults = Config::load(&sources).unwrap_err().to_string();
        assert!(
            faults.contains("`store.pepper`") && !faults.contains("c0ffee"),
            "{faults}"
        );
        sources.file = Some(("voxline.toml".into(), file.replace(":port", "")));
        let shown = format!("{:?}", Config::load(&sources).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
