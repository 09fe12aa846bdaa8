//! When a message was made: Vapi's requests overtake one another.

use std::cmp::Ordering;
use std::time::Duration;

/// When a message was made, by its own word.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageTime {
    /// Milliseconds since 1970.
    pub made_ms: Option<i64>,
    /// The turn of the call that it tells of.
    pub turn: Option<i64>,
}

impl MessageTime {
    /// Whether this was made earlier or later than `other`; `None` where nothing tells.
    fn order(self, other: Self) -> Option<Ordering> {
        let by = |own: Option<i64>, other: Option<i64>| match own?.cmp(&other?) {
            Ordering::Equal => None,
            known => Some(known),
        };
        by(self.made_ms, other.made_ms).or_else(|| by(self.turn, other.turn))
    }

    /// Whether it is known to have been made earlier.
    pub(super) fn is_before(self, other: Self) -> bool {
        self.order(other) == Some(Ordering::Less)
    }

    /// Whether it is known to have been made later.
    pub(super) fn is_after(self, other: Self) -> bool {
        self.order(other) == Some(Ordering::Greater)
    }

    /// How long before `later` it was made, where both say.
    pub(super) fn ahead_of(self, later: Self) -> Option<Duration> {
        let milliseconds = later.made_ms?.checked_sub(self.made_ms?)?;
        Some(Duration::from_millis(u64::try_from(milliseconds).ok()?))
    }
}
