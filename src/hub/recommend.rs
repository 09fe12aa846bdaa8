//! Which model for telephone calls: those that are here and those that could be, in one order.

use std::cmp::Ordering;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::onnx::Runtime;
use crate::units::Seconds;
use crate::voiceprint::{Card, ModelId};

use super::catalogue::{Catalogue, Entry, Published};
use super::install::{noise, try_out};

/// Speech that the speed is measured on.
const SPEED_SPEECH: Seconds = Seconds::new(5.0);
const SPEED_SAMPLES: usize = 80_000;

/// Runs of which the fastest counts: what else the machine does only ever makes one slower.
const SPEED_RUNS: usize = 5;

/// The published figure models are compared by: the one most of them have.
const COMPARED_BY: &str = "VoxCeleb1-O";

/// What this project measured of a model, from `figures.toml` in the model's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The protocol, as in `dev-phone-3s`.
    pub protocol: String,
    /// Equal error rate in percent.
    pub eer_percent: f64,
    /// On what and how.
    pub note: String,
}

/// What stands in a model's `figures.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    /// Telephone speech it was trained on.
    telephone: Option<String>,
    #[serde(default)]
    measured: Vec<Measured>,
}

/// One model that could be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The model's id.
    pub id: ModelId,
    /// Whether it is here.
    pub installed: bool,
    /// Whether it has a calibration: without one it never names anybody.
    pub calibrated: bool,
    /// Its size in bytes, where known.
    pub bytes: Option<u64>,
    /// Its licence, as its card has it.
    pub licence: String,
    /// What to know before using it in a product.
    pub licence_note: Option<String>,
    /// Milliseconds of work for a second of speech, measured now on one thread of this machine.
    pub ms_per_speech_second: Option<f64>,
    /// Telephone speech it was trained on.
    pub telephone: Option<String>,
    /// What others published.
    pub published: Vec<Published>,
    /// What this project measured on telephone audio.
    pub measured: Vec<Measured>,
}

/// All choices, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The best of all.
    pub best: Option<ModelId>,
    /// The best of those that can be used now: installed and calibrated.
    pub best_ready: Option<ModelId>,
    /// How they were put in order.
    pub ordered_by: &'static str,
    /// Every model that could be used, the best first.
    pub choices: Vec<Choice>,
}

/// The order, in words.
const ORDERED_BY: &str = "what was measured here on telephone calls, by its EER; then trained on telephone speech before \
                          not, and by published EER on VoxCeleb1-O, models without one last. Published figures are of \
                          wide-band interviews and say little about calls";

/// Puts what is installed and what could be pulled in order for telephone calls. With a runtime, the speed
/// of what is installed is measured.
pub fn recommend(catalogue: &Catalogue, installed: &[Card], runtime: Option<&Runtime>) -> Recommendation {
    let here = installed.iter().map(|card| {
        let entry = catalogue
            .entries()
            .iter()
            .find(|entry| entry.file.sha256 == card.sha256());
        of_card(card, entry, runtime)
    });
    let elsewhere = catalogue
        .entries()
        .iter()
        .filter(|entry| !installed.iter().any(|card| card.sha256() == entry.file.sha256));
    let mut choices: Vec<Choice> = here.chain(elsewhere.map(of_entry)).collect();
    choices.sort_by(by_merit);
    let ready = |choice: &&Choice| choice.installed && choice.calibrated;
    Recommendation {
        best: choices.first().map(|choice| choice.id.clone()),
        best_ready: choices.iter().find(ready).map(|choice| choice.id.clone()),
        ordered_by: ORDERED_BY,
        choices,
    }
}

/// The better one first.
fn by_merit(a: &Choice, b: &Choice) -> Ordering {
    let measured = || mean_measured(a).total_cmp(&mean_measured(b));
    let named = || a.id.cmp(&b.id);
    measured()
        .then_with(|| rank(a).total_cmp(&rank(b)))
        .then_with(named)
}

/// Lower is better: percent of published EER, and a hundred more for a model that has never met a telephone.
fn rank(choice: &Choice) -> f64 {
    let figures = choice.published.iter().filter(|figure| figure.set == COMPARED_BY);
    let published = figures.map(|figure| figure.eer_percent).reduce(f64::min);
    published.unwrap_or(99.0) + if choice.telephone.is_some() { 0.0 } else { 100.0 }
}

/// The mean EER that this project measured; nothing measured is the worst.
fn mean_measured(choice: &Choice) -> f64 {
    let total: f64 = choice.measured.iter().map(|figure| figure.eer_percent).sum();
    if choice.measured.is_empty() {
        f64::INFINITY
    } else {
        total / choice.measured.len() as f64
    }
}

fn of_entry(entry: &Entry) -> Choice {
    Choice {
        id: entry.id.clone(),
        installed: false,
        calibrated: false,
        bytes: entry.file.bytes,
        licence: entry.licence.name.clone(),
        licence_note: Some(entry.licence.note.clone()),
        ms_per_speech_second: None,
        telephone: entry.telephone.as_ref().map(|known| known.trained_on.clone()),
        published: entry.published.clone(),
        measured: Vec::new(),
    }
}

fn of_card(card: &Card, entry: Option<&Entry>, runtime: Option<&Runtime>) -> Choice {
    let figures = figures(&card.calibration().with_file_name("figures.toml"));
    let known = entry.and_then(|entry| entry.telephone.as_ref());
    Choice {
        id: card.id().clone(),
        installed: true,
        calibrated: card.calibration().is_file(),
        bytes: Some(card.files().iter().filter_map(|(_, size)| *size).sum()),
        licence: card.licence().to_owned(),
        licence_note: entry.map(|entry| entry.licence.note.clone()),
        ms_per_speech_second: runtime.and_then(|runtime| speed(runtime, card)),
        telephone: known.map(|known| known.trained_on.clone()).or(figures.telephone),
        published: entry.map_or_else(Vec::new, |entry| entry.published.clone()),
        measured: figures.measured,
    }
}

/// What is written down of a model; nothing where there is no such file or it is not one.
fn figures(path: &Path) -> Figures {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str(&text).unwrap_or_else(|fault| {
        tracing::warn!("{} is not valid and is not shown: {fault}", path.display());
        Figures::default()
    })
}

/// Milliseconds of work a second of speech; `None` for a model that does not run.
fn speed(runtime: &Runtime, card: &Card) -> Option<f64> {
    card.check_files().ok()?;
    let mut extractor = try_out(runtime, card).ok()?;
    let speech = noise(SPEED_SAMPLES);
    let mut fastest = f64::INFINITY;
    for _ in 0..SPEED_RUNS {
        let started = Instant::now();
        extractor.embed(&speech).ok()?;
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    Some(fastest * 1e3 / SPEED_SPEECH.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_trained_on_telephones_beats_better_figures_on_interviews() {
        let order = recommend(&Catalogue::embedded().unwrap(), &[], None);
        assert_eq!(order.best.as_ref().map(ModelId::as_str), Some("titanet-large"));
        assert_eq!(order.best_ready, None, "nothing is installed");
        let figures: Vec<f64> = order.choices.iter().map(rank).collect();
        assert!(figures.is_sorted(), "{figures:?}");
    }

    #[test]
    fn what_was_measured_on_calls_comes_before_what_was_published() {
        let catalogue = Catalogue::embedded().unwrap();
        let choice = |id: &str, measured: &[f64]| Choice {
            id: ModelId::new(id),
            measured: measured
                .iter()
                .map(|eer| Measured {
                    protocol: "dev".to_owned(),
                    eer_percent: *eer,
                    note: String::new(),
                })
                .collect(),
            ..of_entry(&catalogue.entries()[0])
        };
        let mut choices = [
            choice("a", &[]),
            choice("b", &[4.3, 4.3]),
            choice("c", &[2.9, 2.9]),
        ];
        choices.sort_by(by_merit);
        assert_eq!(choices.map(|choice| choice.id.to_string()), ["c", "b", "a"]);
    }
}
