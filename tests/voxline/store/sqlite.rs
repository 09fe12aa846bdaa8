//! The store's laws on SQLite.

use super::*;

/// A deployment on SQLite.
type TestDeployment = super::TestDeployment<OnSqlite>;

#[path = "audit.rs"]
mod audit;
#[path = "backed_up_keys.rs"]
mod backed_up_keys;
#[path = "backups.rs"]
mod backups;
#[path = "calls.rs"]
mod calls;
#[path = "concurrency.rs"]
mod concurrency;
#[path = "enrolments.rs"]
mod enrolments;
#[path = "erasure.rs"]
mod erasure;
#[path = "erasure_in_calls.rs"]
mod erasure_in_calls;
#[path = "file.rs"]
mod file;
#[path = "fingerprints.rs"]
mod fingerprints;
#[path = "invites.rs"]
mod invites;
#[path = "keys.rs"]
mod keys;
#[path = "keyring.rs"]
mod keyring;
#[path = "models.rs"]
mod models;
#[path = "new_versions.rs"]
mod new_versions;
#[path = "numbers.rs"]
mod numbers;
#[path = "pin_tags.rs"]
mod pin_tags;
#[path = "people.rs"]
mod people;
#[path = "pins.rs"]
mod pins;
#[path = "relays.rs"]
mod relays;
#[path = "retention.rs"]
mod retention;
#[path = "rosters.rs"]
mod rosters;
#[path = "sealing.rs"]
mod sealing;
#[path = "sharing.rs"]
mod sharing;
#[path = "tenants.rs"]
mod tenants;
#[path = "users.rs"]
mod users;
