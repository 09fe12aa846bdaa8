//! The store's laws on SQLite.

use super::*;

/// A deployment on SQLite.
type TestDeployment = super::TestDeployment<OnSqlite>;

#[path = "calls.rs"]
mod calls;
#[path = "concurrency.rs"]
mod concurrency;
#[path = "enrolments.rs"]
mod enrolments;
#[path = "erasure.rs"]
mod erasure;
#[path = "file.rs"]
mod file;
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
#[path = "sealing.rs"]
mod sealing;
#[path = "sharing.rs"]
mod sharing;
#[path = "users.rs"]
mod users;
