//! `voxline models recommend`.

use std::fmt::Write;

use crate::config::Config;
use crate::hub::{Catalogue, Choice, Recommendation, recommend as order};
use crate::onnx::Runtime;
use crate::switchboard::{library, models_dir};

use super::super::output::Output;
use super::listing::cards;

pub(super) fn recommend(config: &Config, output: Output) -> anyhow::Result<bool> {
    let catalogue = Catalogue::embedded()?;
    // Without models or runtime, what could be pulled is still worth knowing.
    let installed = match models_dir(&config.board) {
        Ok(folder) => cards(&folder)?.0,
        Err(_) => Vec::new(),
    };
    let runtime = library(&config.board)
        .ok()
        .and_then(|library| Runtime::load(&library).ok());
    let spinner = Output::spinner("measuring the installed models");
    let recommendation = order(&catalogue, &installed, runtime.as_ref());
    spinner.finish_and_clear();
    output.result(&recommendation, || text(&recommendation, output))?;
    Ok(true)
}

fn text(recommendation: &Recommendation, output: Output) -> String {
    let mut text = String::new();
    if let Some(best) = recommendation.choices.first() {
        let _ = writeln!(
            text,
            "best for telephone calls: {}",
            output.strong(best.id.as_str())
        );
        if !best.installed {
            let _ = writeln!(text, "  get it with: voxline models pull {}", best.id);
        }
        if !best.calibrated {
            let _ = writeln!(
                text,
                "  it needs a calibration before it can name anybody (models/README.md)"
            );
        }
    }
    if let Some(ready) = &recommendation.best_ready {
        let _ = writeln!(text, "best that is ready now: {}", output.strong(ready.as_str()));
    }
    let _ = writeln!(text, "ordered by: {}\n", recommendation.ordered_by);
    let _ = writeln!(
        text,
        "{:24}{:14}{:>10}{:>12}{:>13}  {:22}telephone, measured here",
        "model", "state", "size", "ms/s speech", "Vox1-O EER", "licence"
    );
    for choice in &recommendation.choices {
        let _ = writeln!(text, "{}", row(choice));
    }
    text.trim_end().to_owned()
}

fn row(choice: &Choice) -> String {
    let state = match (choice.installed, choice.calibrated) {
        (true, true) => "ready",
        (true, false) => "uncalibrated",
        (false, _) => "can be pulled",
    };
    let dash = || "-".to_owned();
    let size = choice
        .bytes
        .map_or_else(dash, |bytes| indicatif::DecimalBytes(bytes).to_string());
    let speed = choice
        .ms_per_speech_second
        .map_or_else(dash, |ms| format!("{ms:.1}"));
    let published = choice.published.iter().find(|figure| figure.set == "VoxCeleb1-O");
    let eer = published.map_or_else(dash, |figure| format!("{} %", figure.eer_percent));
    let trained = choice.telephone.iter().map(|on| format!("trained on {on}"));
    let measured = choice
        .measured
        .iter()
        .map(|figure| format!("{} EER {} %", figure.protocol, figure.eer_percent));
    let phone: Vec<String> = trained.chain(measured).collect();
    format!(
        "{:24}{state:14}{size:>10}{speed:>12}{eer:>13}  {:22}{}",
        choice.id.as_str(),
        choice.licence,
        phone.join("; ")
    )
    .trim_end()
    .to_owned()
}
