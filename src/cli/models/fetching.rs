//! `voxline models pull` and `voxline models add`.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::config::Config;
use crate::hub::{
    Arrived, Catalogue, DownloadProgress, DownloadTimeouts, Entry, Mirror, Pull, add as add_file,
    pull as fetch,
};
use crate::onnx::Runtime;
use crate::switchboard::{Installed, installed};
use crate::voiceprint::ModelId;

use super::super::opening::active_model;
use super::super::output::Output;
use super::listing::{Listed, line, listed};

/// What stands under `voxline models pull --help`.
pub(super) const AFTER_PULL: &str = "\
A download that was cut short goes on where it stopped when the same command is given again. HTTPS_PROXY,
HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured, though not for addresses of this machine; so are SSL_CERT_FILE and
SSL_CERT_DIR.";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PullArgs {
    /// The model, as `models recommend` names it, or a catalogue entry of your own (FILE.toml)
    #[arg(value_name = "ID")]
    pub id: String,
    /// Fetch the file from below this address, or copy it from this folder
    #[arg(long, value_name = "URL|DIR")]
    pub mirror: Option<String>,
    /// Give a source up when for so long next to nothing came
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub stall: u64,
    /// Ask each source again so many times
    #[arg(long, value_name = "TIMES", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
}

/// What a model came to that was fetched or added.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether it was there before.
    already: bool,
    /// Where it came from, when it came now.
    from: Option<String>,
    /// What to know before using it in a product.
    licence_note: Option<String>,
    /// Whether it has a calibration: without one it never names anybody and cannot be switched to.
    calibrated: bool,
    #[serde(flatten)]
    model: Listed,
}

pub(super) async fn pull(args: &PullArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let entry = Catalogue::embedded()?.find(&args.id)?;
    let mirror = args.mirror.as_deref().map(Mirror::parse).transpose()?;
    let (found, runtime) = ready(config)?;
    announce(&entry, output);
    let asked = Pull {
        entry: &entry,
        models: &found.models_dir,
        runtime: &runtime,
        mirror: mirror.as_ref(),
        timeouts: DownloadTimeouts {
            stall: Duration::from_secs(args.stall),
            retries: args.retries,
        },
    };
    let bar = Output::bytes(entry.file.bytes);
    let mut tell = |told: DownloadProgress| match told {
        DownloadProgress::Bytes { done, total } => {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
        }
        DownloadProgress::Note(_) if output.is_json() => {}
        DownloadProgress::Note(text) => bar.suspend(|| Output::note(&text)),
    };
    let arrived = fetch(&asked, &mut tell).await;
    bar.finish_and_clear();
    report(arrived?, Some(&entry), &active_model(config).await, output)
}

pub(super) async fn add(
    file: &Path,
    id: Option<String>,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    let id = match id {
        Some(id) => id,
        None => id_of(file).context("the file's name makes no id: give one with --id")?,
    };
    let (found, runtime) = ready(config)?;
    let arrived = add_file(file, &ModelId::new(id), &found.models_dir, &runtime)?;
    report(arrived, None, &active_model(config).await, output)
}

/// A model is installed only after it has run, so ONNX Runtime comes first.
fn ready(config: &Config) -> anyhow::Result<(Installed, Runtime)> {
    let found = installed(&config.board)?;
    let runtime = Runtime::load(&found.library)?;
    Ok((found, runtime))
}

/// The licence is seen before anything is fetched.
fn announce(entry: &Entry, output: Output) {
    if output.is_json() {
        return;
    }
    let size = match entry.file.bytes {
        Some(bytes) => indicatif::DecimalBytes(bytes).to_string(),
        None => format!(
            "size not published, at most {}",
            indicatif::DecimalBytes(entry.file.limit())
        ),
    };
    let licence = &entry.licence;
    Output::note(&format!(
        "{}: {} ({size})\nlicence: {}; {}",
        entry.id, entry.description, licence.name, licence.note
    ));
}

fn report(arrived: Arrived, entry: Option<&Entry>, in_use: &ModelId, output: Output) -> anyhow::Result<bool> {
    let Arrived { card, from } = arrived;
    let report = Report {
        already: from.is_none(),
        from,
        licence_note: entry.map(|entry| entry.licence.note.clone()),
        calibrated: card.calibration().is_file(),
        model: listed(&card, in_use),
    };
    output.result(&report, || {
        let word = if report.already {
            "already installed"
        } else {
            "installed"
        };
        let uncalibrated = if report.calibrated {
            String::new()
        } else {
            format!(
                "\n    it has no calibration yet, so it cannot name anybody: fit one and put it at {}",
                card.calibration().display()
            )
        };
        format!("{}\n{}{uncalibrated}", output.strong(word), line(&report.model))
    })?;
    Ok(true)
}

/// A file's name as an id: lower case, and `-` for what an id cannot have.
fn id_of(file: &Path) -> Option<String> {
    let stem = file.file_stem()?.to_str()?.to_lowercase();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let id: String = stem
        .chars()
        .map(|letter| if fits(letter) { letter } else { '-' })
        .collect();
    let id = id.trim_start_matches(['.', '_', '-']);
    (!id.is_empty()).then(|| id.chars().take(64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_becomes_an_id() {
        let id = |name: &str| id_of(Path::new(name));
        assert_eq!(id("a/My Model++.onnx").as_deref(), Some("my-model--"));
        assert_eq!(id("_.x.onnx").as_deref(), Some("x"));
        assert_eq!(id("___.onnx"), None);
    }
}
