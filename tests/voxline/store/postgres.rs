//! The store's laws on PostgreSQL.

use super::*;

/// A deployment on PostgreSQL.
type TestDeployment = super::TestDeployment<OnPostgres>;

#[path = "calls.rs"]
mod calls;
#[path = "concurrency.rs"]
mod concurrency;
#[path = "enrolments.rs"]
mod enrolments;
#[path = "erasure.rs"]
mod erasure;
#[path = "invites.rs"]
mod invites;
#[path = "keys.rs"]
mod keys;
#[path = "models.rs"]
mod models;
#[path = "numbers.rs"]
mod numbers;
#[path = "pins.rs"]
mod pins;
#[path = "relays.rs"]
mod relays;
#[path = "rosters.rs"]
mod rosters;
#[path = "server.rs"]
mod server;
#[path = "sealing.rs"]
mod sealing;
#[path = "sharing.rs"]
mod sharing;
#[path = "users.rs"]
mod users;
