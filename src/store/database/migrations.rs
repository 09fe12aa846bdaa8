//! The steps by which a store's tables are brought up to date: the files of `migrations/`, built into the program.
//!
//! They are listed here and not by sqlx's macro, for whose sake every build would hold both databases twice.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A migrator of these files of a folder, each with its number.
macro_rules! migrator {
    ($folder:literal, $($version:literal => $name:literal),+ $(,)?) => {
        LazyLock::new(|| {
            Migrator::with_migrations(vec![$(migration(
                $version,
                $name,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name, ".sql")),
            )),+])
        })
    };
}

/// Those of SQLite.
pub(super) static SQLITE: LazyLock<Migrator> = migrator!(
    "migrations",
    1 => "0001_system_of_record",
    2 => "0002_models_and_kept_recordings",
    3 => "0003_identity",
    4 => "0004_webhooks",
    5 => "0005_pin_tags",
    6 => "0006_promises",
    7 => "0007_evidence_of_calls",
    8 => "0008_lines",
    9 => "0009_verdicts",
    10 => "0010_without_lines",
    11 => "0011_caller_is_forwarder",
    12 => "0012_invites",
    13 => "0013_relays",
    14 => "0014_calls_by_number",
    15 => "0015_verdict_users",
    16 => "0016_tenants",
    19 => "0019_audit",
    20 => "0020_retention",
    21 => "0021_opt_out",
    22 => "0022_keys_to_destroy",
    23 => "0023_names_and_phones",
    24 => "0024_what_was_said",
    25 => "0025_erased",
    26 => "0026_fingerprints",
    27 => "0027_more_indexes",
    29 => "0029_between_nodes",
);

/// Those of PostgreSQL.
pub(super) static POSTGRES: LazyLock<Migrator> = migrator!(
    "migrations/postgres",
    1 => "0001_system_of_record",
    16 => "0016_tenants",
    19 => "0019_audit",
    20 => "0020_retention",
    21 => "0021_opt_out",
    22 => "0022_keyring",
    23 => "0023_names_and_phones",
    24 => "0024_what_was_said",
    25 => "0025_erased",
    26 => "0026_fingerprints",
    27 => "0027_more_indexes",
    28 => "0028_call_news",
    29 => "0029_between_nodes",
);

/// A migration as sqlx notes it: described by its file's name behind the number, checked by a hash of its text.
fn migration(version: i64, name: &str, sql: &'static str) -> Migration {
    let (_, described) = name.split_once('_').unwrap_or_default();
    let described = described.replace('_', " ").into();
    Migration::new(
        version,
        described,
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn every_file_of_the_migrations_is_run_as_sqlx_reads_it() {
        for (listed, folder) in [(&SQLITE, "migrations"), (&POSTGRES, "migrations/postgres")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let there = Migrator::new(folder).await.unwrap();
            let told = |migrator: &Migrator| {
                let one = |one: &Migration| {
                    (
                        one.version,
                        one.description.clone(),
                        one.checksum.clone(),
                        one.no_tx,
                    )
                };
                migrator.iter().map(one).collect::<Vec<_>>()
            };
            assert_eq!(told(listed), told(&there));
        }
    }
}
