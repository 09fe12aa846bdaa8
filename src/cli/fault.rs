//! What a fault looks like from outside: one message, and an exit status.

use std::process::ExitCode;

use tracing::Level;

use crate::reply::CertificateFault;
use crate::settings::Faults;
use crate::store::{InvalidPin, StoreError};
use crate::switchboard::{BoardError, OpenError};
use crate::vapi::{AccountFault, NotReady};

use super::log;
use super::output::Output;

/// What was typed is wrong by itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// Refuses what was typed unless it `is_right`.
///
/// # Errors
/// [`Usage`] that says why.
pub(super) fn as_typed(is_right: bool, why: impl Into<String>) -> Result<(), Usage> {
    if is_right { Ok(()) } else { Err(Usage(why.into())) }
}

/// Prints a fault where both a person and a program find it, and gives the exit status. That of a service (`serving`) is a
/// line of its log where the log is all of stderr.
pub(super) fn report(output: Output, fault: &anyhow::Error, serving: bool) -> ExitCode {
    if let Some(StoreError::Database(details)) = store_fault(fault) {
        tracing::error!(?details, "the database refused the operation");
    }
    let said = whole(fault);
    if serving && log::is_json() {
        log::say(Level::ERROR, &said);
    } else {
        Output::complain(&said);
    }
    if output.is_json() {
        // Nothing is left to do if even this cannot be printed.
        let _ = Output::json_line(&serde_json::json!({ "error": said }));
    }
    if is_usage(fault) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// A fault with its causes, leaving out those that a message above them already quotes.
pub(super) fn whole(fault: &anyhow::Error) -> String {
    let mut said = fault.to_string();
    for cause in fault.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Whether what was typed is wrong by itself, whatever the store and the files hold.
fn is_usage(fault: &anyhow::Error) -> bool {
    let malformed = matches!(
        store_fault(fault),
        Some(StoreError::BadText { .. } | StoreError::TooMany { .. } | StoreError::NoConsent)
    );
    let too_many = matches!(fault.downcast_ref(), Some(BoardError::TooManyClips { .. }));
    let not_ready = matches!(fault.downcast_ref(), Some(AccountFault::NotReady(_)));
    malformed
        || too_many
        || not_ready
        || fault.is::<Usage>()
        || fault.is::<InvalidPin>()
        || fault.is::<Faults>()
        || fault.is::<NotReady>()
        || fault.is::<CertificateFault>()
}

/// The store's fault behind a fault, however it came here.
fn store_fault(fault: &anyhow::Error) -> Option<&StoreError> {
    let bare = fault.downcast_ref::<StoreError>();
    let asked = fault.downcast_ref::<BoardError>().and_then(|fault| match fault {
        BoardError::Store(fault) => Some(fault),
        _ => None,
    });
    let opened = fault.downcast_ref::<OpenError>().and_then(|fault| match fault {
        OpenError::Store(fault) => Some(fault),
        _ => None,
    });
    bare.or(asked).or(opened)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_that_is_already_quoted_is_not_said_twice() {
        let quoting = anyhow::Error::msg("no room").context("it failed (no room): make some");
        assert_eq!(whole(&quoting), "it failed (no room): make some");
        let plain = Err::<(), _>(anyhow::Error::msg("no room")).context("it failed");
        assert_eq!(whole(&plain.unwrap_err()), "it failed: no room");
    }
}
