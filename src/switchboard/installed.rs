//! The files a deployment runs on: found, checked, and ready for a policy.

use std::path::{Path, PathBuf};

use crate::decision::{Calibration, Policy};
use crate::engine::Models;
use crate::voiceprint::{Card, CountermeasureCard, CountermeasureError, ModelId};

use super::error::OpenError;
use super::home;
use super::settings::BoardSettings;

/// The files a deployment runs on, found but not yet loaded.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The folder of the models' cards.
    pub models_dir: PathBuf,
    /// The shared library of ONNX Runtime.
    pub library: PathBuf,
    /// The folder of the countermeasure's card, where one is to be used.
    pub countermeasure: Option<PathBuf>,
}

/// Finds the models' folder and ONNX Runtime.
///
/// # Errors
/// [`OpenError::Missing`] saying what was looked for, where, and how to get it.
pub fn installed(settings: &BoardSettings) -> Result<Installed, OpenError> {
    Ok(Installed {
        models_dir: models_dir(settings)?,
        library: library(settings)?,
        countermeasure: settings.countermeasure.clone(),
    })
}

/// Finds the models' folder.
///
/// # Errors
/// [`OpenError::Missing`].
pub fn models_dir(settings: &BoardSettings) -> Result<PathBuf, OpenError> {
    home::models(settings.models_dir.as_deref()).map_err(|looked_in| OpenError::Missing {
        what: "the folder with the models' cards",
        looked_in,
        flag: "--models-dir",
    })
}

/// Finds ONNX Runtime.
///
/// # Errors
/// [`OpenError::Missing`].
pub fn library(settings: &BoardSettings) -> Result<PathBuf, OpenError> {
    home::library(settings.ort_lib.as_deref()).map_err(|looked_in| OpenError::Missing {
        what: "ONNX Runtime",
        looked_in,
        flag: "--ort-lib",
    })
}

impl Installed {
    /// The card of a speaker model.
    ///
    /// # Errors
    /// [`OpenError::Card`] when there is no such model or its card is not valid, [`OpenError::OtherName`]
    /// when the card is another model's.
    pub fn card(&self, model: &ModelId) -> Result<Card, OpenError> {
        let card = Card::read(&self.models_dir.join(model.as_str()))?;
        if card.id() != model {
            let (folder, named) = (model.clone(), card.id().clone());
            return Err(OpenError::OtherName { folder, named });
        }
        Ok(card)
    }

    /// The engine's files for a model, each checked against its hash.
    ///
    /// # Errors
    /// [`OpenError::Card`] or [`OpenError::Countermeasure`] when a file is missing or another than its card describes.
    pub fn models(&self, card: &Card) -> Result<Models, OpenError> {
        card.check_files()?;
        let vad_graph = checked_graph(&self.models_dir.join("silero_vad"))?;
        let segmentation_graph = checked_graph(&self.models_dir.join("segmentation"))?;
        Ok(Models {
            library: self.library.clone(),
            vad_graph,
            segmentation_graph,
            card: card.clone(),
            countermeasure: self.countermeasure()?,
        })
    }

    /// The countermeasure's card, where one is to be used; its graph is checked against its hash.
    ///
    /// # Errors
    /// [`CountermeasureError`] when there is none in the folder, or its card is not valid or of another file.
    pub fn countermeasure(&self) -> Result<Option<CountermeasureCard>, CountermeasureError> {
        let Some(folder) = &self.countermeasure else {
            return Ok(None);
        };
        CountermeasureCard::read(folder).map(Some)
    }
}

/// A model's calibration, with what a policy comes to under it.
#[derive(Debug, Clone)]
pub struct Usable {
    /// Scores to natural-log likelihood ratios.
    pub calibration: Calibration,
    /// The policy, keeping its error target.
    pub policy: Policy,
    /// The largest roster on which somebody can be named.
    pub largest_roster: usize,
}

/// A model's calibration, ready for use under this policy.
///
/// # Errors
/// [`OpenError::Calibration`] when there is none for the model; [`OpenError::NeverNames`] when the policy
/// asks for more than it can give on any roster.
pub fn usable_calibration(card: &Card, policy: &Policy) -> Result<Usable, OpenError> {
    let calibration = Calibration::load(&card.calibration(), card)?;
    let policy = Policy {
        minimum_speech: card.minimum_net_speech(),
        ..policy.meeting_its_target(&calibration)
    };
    let largest_roster = largest_roster(&policy, &calibration);
    if largest_roster == 0 {
        let accept = policy.accept;
        return Err(OpenError::NeverNames { accept });
    }
    Ok(Usable {
        calibration,
        policy,
        largest_roster,
    })
}

/// The size of the largest roster on which somebody can be named, however far its strangers reach.
pub(super) fn largest_roster(policy: &Policy, calibration: &Calibration) -> usize {
    let highest = calibration.curve.on_the_widest().highest();
    highest.map_or(0, |highest| policy.largest_roster(highest))
}

/// The graph of a detector that is none of the speaker models, checked against the hash its card gives.
fn checked_graph(folder: &Path) -> Result<PathBuf, OpenError> {
    use crate::voiceprint::{CardError, check_sha256};

    let path = folder.join("card.toml");
    let malformed = |cause: String| CardError::Malformed {
        path: path.clone(),
        cause,
    };
    let text = std::fs::read_to_string(&path).map_err(|cause| malformed(cause.to_string()))?;
    let card: toml::Table = text
        .parse()
        .map_err(|cause: toml::de::Error| malformed(cause.to_string()))?;
    let part = |key| {
        card.get("graph")
            .and_then(|graph| graph.get(key))
            .and_then(toml::Value::as_str)
    };
    let (Some(file), Some(sha256)) = (part("file"), part("sha256")) else {
        return Err(malformed("[graph] needs `file` and `sha256`".to_owned()).into());
    };
    let graph = folder.join(file);
    check_sha256(&graph, sha256)?;
    Ok(graph)
}
