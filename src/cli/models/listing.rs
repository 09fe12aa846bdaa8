//! The installed models, as they are listed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::hub::try_out;
use crate::onnx::Runtime;
use crate::switchboard::Installed;
use crate::voiceprint::{Card, CardError, ModelId};

/// Folders of models that tell where speech is and how many speak: their cards are of another kind.
const DETECTORS: [&str; 2] = ["silero_vad", "segmentation"];

/// A model as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub id: ModelId,
    /// `ready`, `missing` (a file is not there) or `damaged` (a file is not the card's).
    pub state: &'static str,
    /// Bytes of all its files that are there.
    pub bytes: u64,
    pub sha256: String,
    pub licence: String,
    pub dimension: usize,
    pub description: String,
    pub source: String,
    /// Whether it is the one in use.
    pub in_use: bool,
    /// What is wrong, when something is.
    pub fault: Option<String>,
}

/// Loads a model as the service would and embeds some noise with it.
pub fn check(found: &Installed, card: &Card) -> anyhow::Result<()> {
    let models = found.models(card)?;
    try_out(&Runtime::load(&models.library)?, card)?;
    Ok(())
}

/// The speaker models of a folder, and the cards in it that cannot be read.
pub(super) fn list(folder: &Path, in_use: &ModelId) -> anyhow::Result<(Vec<Listed>, Vec<CardError>)> {
    let (cards, faults) = cards(folder)?;
    Ok((cards.iter().map(|card| listed(card, in_use)).collect(), faults))
}

/// The cards of a folder's speaker models, and what is wrong with those that cannot be read.
pub(super) fn cards(folder: &Path) -> anyhow::Result<(Vec<Card>, Vec<CardError>)> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
        .retain(|path| path.join("card.toml").exists() && !DETECTORS.iter().any(|name| path.ends_with(name)));
    let (mut cards, mut faults) = (Vec::new(), Vec::new());
    for path in folders {
        match Card::read(&path) {
            Ok(card) => cards.push(card),
            Err(fault) => faults.push(fault),
        }
    }
    Ok((cards, faults))
}

/// What is said of a model, beside the one in use.
pub(super) fn listed(card: &Card, in_use: &ModelId) -> Listed {
    let fault = card.check_files().err();
    Listed {
        id: card.id().clone(),
        state: match &fault {
            None => "ready",
            Some(CardError::Unreadable { .. }) => "missing",
            Some(_) => "damaged",
        },
        bytes: card.files().iter().filter_map(|(_, size)| *size).sum(),
        sha256: card.sha256().to_owned(),
        licence: card.licence().to_owned(),
        dimension: card.dimension(),
        description: card.description().to_owned(),
        source: card.source(),
        in_use: card.id() == in_use,
        fault: fault.map(|fault| fault.to_string()),
    }
}

/// It in a line or two.
pub(super) fn line(model: &Listed) -> String {
    let mark = if model.in_use { "*" } else { " " };
    let size = indicatif::HumanBytes(model.bytes);
    let fault = model
        .fault
        .as_ref()
        .map(|fault| format!("\n    {fault}"))
        .unwrap_or_default();
    format!(
        "{mark} {}  {}  {size}  {}  {}\n    sha256 {}  from {}{fault}",
        model.id, model.state, model.licence, model.description, model.sha256, model.source
    )
}
