//! The store's laws on PostgreSQL.

use super::*;

/// A deployment on PostgreSQL.
type TestDeployment = super::TestDeployment<OnPostgres>;

#[path = "audit.rs"]
mod audit;
#[path = "beside.rs"]
mod beside;
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
#[path = "server.rs"]
mod server;
#[path = "sealing.rs"]
mod sealing;
#[path = "sharing.rs"]
mod sharing;
#[path = "tenants.rs"]
mod tenants;
#[path = "taking_over.rs"]
mod taking_over;
#[path = "users.rs"]
mod users;
