//! The keys of `store`.

use std::path::Path;

use secrecy::SecretString;

use super::sources::Reader;
use crate::store::StoreSettings;

/// The keys, with what each is for.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "store.url",
        "PostgreSQL's address where that is the system of record (default: SQLite in the data folder)",
    ),
    (
        "store.pepper",
        "the key of the PINs in 64 hexadecimal digits (default: the file pepper.key in the data folder)",
    ),
];

/// Both: an address may hold a password.
pub(super) const SECRETS: &[&str] = &["store.url", "store.pepper"];

/// Where the system of record is.
pub(super) fn read(read: &mut Reader, data_dir: &Path) -> StoreSettings {
    let settings = StoreSettings {
        path: data_dir.join("voxline.db"),
        postgres: read.text("store.url").map(SecretString::from),
        pepper: read.text("store.pepper").map(SecretString::from),
    };
    if let Some((key, why)) = settings.fault() {
        read.fault(key, why.to_owned());
    }
    settings
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
