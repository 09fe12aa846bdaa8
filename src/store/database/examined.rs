//! Which tables of SQLite's file were found damaged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use metrics::gauge;

/// How many tables have damaged pages.
pub(crate) const DAMAGED_TABLES: &str = "voxline_store_damaged_tables";

/// What was found so far, for all handles of this process.
#[derive(Debug, Default)]
pub(super) struct Examined {
    damaged: Mutex<BTreeSet<String>>,
    /// How many want the readers gone.
    waiting: AtomicUsize,
}

/// While it is there, no page is examined.
pub(super) struct Aside<'a>(&'a Examined);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Examined {
    /// Ends an examination under way and begins none.
    pub fn stand_back(&self) -> Aside<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Aside(self)
    }

    /// Whether an examination may go on: nobody wants the readers gone.
    pub fn goes_on(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Notes what a table was found to be; a change is told once.
    pub fn note(&self, table: &str, whole: bool) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if whole {
            if damaged.remove(table) {
                tracing::warn!(table, "the pages of {table} in the store can be read again");
            }
        } else if damaged.insert(table.to_owned()) {
            tracing::error!(
                table,
                "pages of {table} in the store are damaged: look at the disk, and put the last backup in place"
            );
        }
        gauge!(DAMAGED_TABLES).set(damaged.len() as f64);
    }

    /// Whether damage is known of this table.
    pub fn is_damaged(&self, table: &str) -> bool {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.contains(table)
    }

    /// Whether no damage is known of.
    pub fn is_whole(&self) -> bool {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.is_empty()
    }
}
