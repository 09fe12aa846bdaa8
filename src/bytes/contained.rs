//! Calls into borrowed readers and decoders, none of which promises never to panic on hostile bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is said of a decoder that panicked.
pub(super) const DECODER: &str = "its decoder gave up on it";

/// What is said of a reader that panicked.
pub(super) const READER: &str = "its reader gave up on it";

/// What `call` gives, or `panicked` where it panics: what it worked on is not to be called again then.
///
/// # Errors
/// The call's own, and `panicked`.
pub(super) fn contained<T>(panicked: &str, call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(panicked.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_is_an_error_like_any_other() {
        let outcome: Result<(), String> = contained(READER, || panic!("as a borrowed reader might"));
        assert_eq!(outcome, Err("its reader gave up on it".into()));
    }
}
