//! How much of uploads is in memory at a time. Places alone would let in sixty-four of the largest.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Kind, Problem};

/// So many of the largest upload are in memory at a time, and as many smaller ones as take no more.
const LARGEST_AT_ONCE: u64 = 8;
/// What room is counted in: bytes.
const UNIT: u64 = 64 * 1024;

/// Room for uploads.
pub(super) struct UploadRoom {
    free: Arc<Semaphore>,
    /// Units of the largest.
    largest: u32,
}

/// Room that an upload has; given back when dropped.
pub(super) struct TakenRoom {
    _units: OwnedSemaphorePermit,
}

impl UploadRoom {
    /// Room for uploads of up to `largest` bytes.
    pub fn new(largest: u64) -> Self {
        let largest = u32::try_from(largest.div_ceil(UNIT)).unwrap_or(u32::MAX / LARGEST_AT_ONCE as u32);
        let all = (largest as usize).saturating_mul(LARGEST_AT_ONCE as usize);
        Self {
            free: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            largest,
        }
    }

    /// Room for an upload that says that it has `bytes`; for one that does not say, as for the largest.
    ///
    /// # Errors
    /// A problem, with a time to come back, when others take it.
    pub fn take(&self, bytes: Option<u64>) -> Result<TakenRoom, Problem> {
        let stated = bytes.and_then(|bytes| u32::try_from(bytes.div_ceil(UNIT)).ok());
        let units = stated.map_or(self.largest, |units| units.clamp(1, self.largest));
        let taken = Arc::clone(&self.free).try_acquire_many_owned(units);
        taken.map(|units| TakenRoom { _units: units }).map_err(|_| {
            let detail = "as much is being uploaded as there is memory for; ask again in 2 s";
            Problem::new(Kind::Busy, detail).retry_after(2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_of_the_largest_fit_or_more_smaller_ones_and_room_comes_back() {
        let room = UploadRoom::new(10 * UNIT);
        let mut taken: Vec<_> = (0..8).map(|_| room.take(Some(10 * UNIT)).ok().unwrap()).collect();
        assert!(room.take(Some(1)).is_err() && room.take(None).is_err());
        taken.pop();
        // One that does not say how long it is may be the largest.
        let unknown = room.take(None).ok().unwrap();
        assert!(room.take(Some(1)).is_err());
        drop(unknown);
        let small: Vec<_> = (0..10).map(|_| room.take(Some(UNIT - 1)).ok().unwrap()).collect();
        assert!(room.take(Some(1)).is_err());
        drop((small, taken));
        assert!(room.take(Some(10 * UNIT)).is_ok());
    }
}
