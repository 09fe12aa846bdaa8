//! The machine's clocks: the one that people set, and the one that only goes on.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::store::values::now;

/// What the machine's clocks show.
#[derive(Debug, Clone)]
pub(in crate::store) struct Readings {
    /// The clock that can be set.
    pub wall: OffsetDateTime,
    /// Which start of the machine it is, and how long ago; `None` where that cannot be told.
    pub since_boot: Option<(String, Duration)>,
}

/// Reads the clocks.
#[derive(Clone)]
pub(in crate::store) struct Clock(Arc<dyn Fn() -> Readings + Send + Sync>);

impl Default for Clock {
    fn default() -> Self {
        Self::reading(|| Readings {
            wall: now(),
            since_boot: since_boot(),
        })
    }
}

impl Clock {
    /// A clock that shows what `read` gives.
    pub fn reading(read: impl Fn() -> Readings + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// What the clocks show now.
    pub fn read(&self) -> Readings {
        (self.0)()
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Option<(String, Duration)> {
    let boot = procfs::sys::kernel::random::boot_id().ok()?;
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanoseconds = i32::try_from(since.tv_nsec).ok()?;
    Some((boot.trim().to_owned(), Duration::new(since.tv_sec, nanoseconds)))
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<(String, Duration)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_the_machines_start_goes_on() {
        let (boot, first) = since_boot().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (same, second) = since_boot().unwrap();
        assert_eq!(boot, same);
        assert!(second - first >= Duration::milliseconds(20), "{first} {second}");
    }
}
