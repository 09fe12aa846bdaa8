//! What `voxline doctor` finds: in general, and of what settings and numbers name that `serve` refuses or goes without.

use serde::Serialize;

use crate::config::Config;
use crate::store::{Layout, Number, NumberPatch, Store};
use crate::switchboard::{OpenError, check_error_target, models_dir, passport_roots};
use crate::vapi::{check_capture, check_saved};
use crate::voiceprint::{Card, ModelId};

use super::fault::whole;

/// One thing that was examined.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub what: &'static str,
    /// `ok`, `absent` (not there or not tried, and not itself at fault), `warn` (works, but not as one may think) or `wrong`.
    pub state: &'static str,
    /// Version and place, or what is wrong and the remedy.
    pub detail: String,
}

pub(super) fn ok(what: &'static str, detail: String) -> Finding {
    Finding {
        what,
        state: "ok",
        detail,
    }
}

pub(super) fn wrong(what: &'static str, fault: impl Into<anyhow::Error>) -> Finding {
    Finding {
        what,
        state: "wrong",
        detail: whole(&fault.into()),
    }
}

/// The files and folders that settings name besides models and certificate; nothing of those that none names.
pub(super) fn named_files(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(path) = &config.board.identity.passport_roots {
        let what = "PASSporT roots";
        found.push(match passport_roots(&config.board) {
            Ok(_) => ok(what, format!("in {}", path.display())),
            Err(fault) => wrong(what, fault),
        });
    }
    if let Some(folder) = &config.vapi.capture_dir {
        let what = "Vapi captures";
        found.push(match check_capture(folder) {
            Ok(()) => ok(what, format!("into {}", folder.display())),
            Err(fault) => wrong(what, fault),
        });
    }
    // What there was on Vapi's side is no setting: it is said where it cannot be read.
    if let Err(fault) = check_saved(&config.vapi) {
        found.push(wrong("Vapi's backends", fault));
    }
    found
}

/// Numbers that promise something of their own, and whether anybody on them can still be named: what they promise was
/// looked at when it was set, by the model and the settings of then. `None` where there are none or it cannot be said.
pub(super) async fn own_promises(config: &Config, model: &ModelId) -> Option<Finding> {
    if Store::layout(&config.board.store).await.ok()? != Layout::Current {
        return None;
    }
    let store = Store::connect(&config.board.store).await.ok()?;
    let is_own = |number: &Number| number.max_false_accept.is_some() || number.max_wrong_name.is_some();
    let numbers = store.numbers().await.ok()?;
    let own: Vec<Number> = numbers.into_iter().filter(is_own).collect();
    let card = Card::read(&models_dir(&config.board).ok()?.join(model.as_str())).ok()?;
    let broken: Vec<String> = own
        .iter()
        .filter_map(|number| {
            let checked = check_error_target(&card, &config.board.policy, number, &NumberPatch::default());
            match checked {
                Err(fault @ OpenError::NeverNames { .. }) => {
                    Some(format!("{}: {fault}", number.number.as_e164()))
                }
                // Whatever else is wrong with the calibration is said of the calibration.
                _ => None,
            }
        })
        .collect();
    let what = "numbers";
    if own.is_empty() {
        None
    } else if broken.is_empty() {
        Some(ok(what, format!("{} promise something of their own", own.len())))
    } else {
        Some(Finding {
            what,
            state: "wrong",
            detail: format!(
                "nobody on them can be named any more ({}); or ask for less with `voxline number set`",
                broken.join("; ")
            ),
        })
    }
}
