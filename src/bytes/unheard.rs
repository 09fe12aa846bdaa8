//! What of a file was not heard, and why.

use std::fmt;

use super::error::Clock;
use crate::units::Seconds;

/// Audio of a file that was not read. Its message names how much, where it lies and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unheard {
    /// Byte offset of where it begins.
    pub at: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// How long it lasts, where that can be told.
    pub length: Option<Seconds>,
    /// Why it was not heard.
    pub why: &'static str,
}

impl Unheard {
    /// Both of two, as one: the first one's place and reason.
    pub(super) fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self {
                bytes: one.bytes + other.bytes,
                length: one.length.zip(other.length).map(|(one, two)| one.plus(two)),
                ..one
            }),
            (one, other) => one.or(other),
        }
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Some(length) => write!(f, "{} of audio", Clock(length))?,
            None => write!(f, "{} bytes", self.bytes)?,
        }
        write!(f, " from byte {} on were not heard: {}", self.at, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_was_not_heard_is_said_in_time_where_it_can_be_told() {
        let mut unheard = Unheard {
            at: 44,
            bytes: 16_000,
            length: Some(Seconds::new(1.0)),
            why: "so",
        };
        assert_eq!(
            unheard.to_string(),
            "0:00:01 of audio from byte 44 on were not heard: so"
        );
        unheard.length = None;
        assert_eq!(
            unheard.to_string(),
            "16000 bytes from byte 44 on were not heard: so"
        );
    }
}
