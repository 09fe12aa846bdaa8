//! What a file may cost.

use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// What a file may cost: both are checked before decoding where the header tells, and while decoding
/// where it does not (or lies).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest input, in bytes.
    pub max_bytes: u64,
    /// The longest audio.
    pub max_duration: Seconds,
}

impl Default for Limits {
    /// 64 MiB and half an hour.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_duration: Seconds::new(1_800.0),
        }
    }
}
