//! What a caller's speech is compared with, to tell a recording that is played.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a caller's speech is compared with, to tell a recording that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayRule {
    /// Nothing, and nothing is kept for it.
    Off,
    /// The recordings that the number's users enrolled with.
    #[default]
    Enrolments,
    /// Those, and the latest calls that they were recognised on.
    Calls,
}
