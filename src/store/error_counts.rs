//! How often the database refused, by kind, for the metrics.

use super::StoreError;

/// Operations that the store's database refused.
pub(crate) const STORE_ERRORS: &str = "voxline_store_errors_total";

/// The kinds of refusals.
pub(crate) const STORE_ERROR_KINDS: [&str; 4] = ["busy", "full", "damaged", "other"];

/// Counts a refusal, and gives it on.
pub(super) fn counted(fault: StoreError) -> StoreError {
    let [busy, full, damaged, other] = STORE_ERROR_KINDS;
    let kind = match fault {
        StoreError::Busy => busy,
        StoreError::DiskFull => full,
        StoreError::Unreadable { .. } | StoreError::Damaged { .. } => damaged,
        _ => other,
    };
    metrics::counter!(STORE_ERRORS, "kind" => kind).increment(1);
    fault
}
