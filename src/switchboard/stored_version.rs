//! Versions of a call's verdict, as they are known to be recorded.

use time::{Duration, OffsetDateTime};

use crate::store::{MadeOver, Store};

/// How many numbers of versions a call that is taken up leaves out. Words that say nothing new are given out and not recorded,
/// and their numbers must not come again: some twice as many as a stream has checkpoints.
pub(super) const VERSIONS_LEFT_OUT: u64 = 64;

/// Which version of a call's verdict is the latest that is known to be stored, or to be on its way there.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredVersion {
    pub number: u64,
    /// When it was reached.
    pub at: OffsetDateTime,
}

impl StoredVersion {
    /// Whether this is the version `known`, or one before it.
    pub fn is_known_by(self, known: Option<Self>) -> bool {
        // The store keeps microseconds.
        let is_same = |known: Self| (self.at - known.at).abs() < Duration::microseconds(1);
        known.is_some_and(|known| {
            self.number < known.number || (self.number == known.number && is_same(known))
        })
    }
}

/// What a version is made over, where this is the latest that is known. A store that nobody shares has no others.
pub(super) fn made_over(known: Option<StoredVersion>, store: &Store) -> MadeOver {
    match known {
        _ if !store.is_shared() => MadeOver::Any,
        None => MadeOver::Nothing,
        Some(known) => MadeOver::Version(known.number, known.at),
    }
}
