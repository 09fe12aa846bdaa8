//! `voxline doctor`: every dependency, its state, and the remedy.

use serde::Serialize;

use crate::config::{Config, GalleryChoice};
use crate::decision::Calibration;
use crate::gallery::{Gallery, QdrantGallery};
use crate::onnx::Runtime;
use crate::store::Store;
use crate::switchboard::{Installed, installed};
use crate::voiceprint::Card;

use super::models;
use super::output::Output;

/// One thing that was examined.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    /// `ok`, `absent` (nothing wrong, not made yet) or `wrong`.
    state: &'static str,
    /// Version and place, or what is wrong and the remedy.
    detail: String,
}

pub(super) async fn run(config: &Config, output: Output) -> anyhow::Result<bool> {
    let mut findings = vec![store(config).await, gallery(config).await];
    findings.extend(inference(config));
    let well = findings.iter().all(|finding| finding.state != "wrong");
    let report =
        serde_json::json!({ "ok": well, "version": env!("CARGO_PKG_VERSION"), "findings": findings });
    output.result(&report, || {
        let line = |found: &Finding| {
            format!(
                "{:7}{:18}{}",
                output.strong(found.state),
                found.what,
                found.detail
            )
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(well)
}

async fn store(config: &Config) -> Finding {
    let (what, path) = ("store", config.data_dir.join("voxline.db"));
    if !path.exists() {
        let detail = format!("{} is made when something is first kept in it", path.display());
        return Finding {
            what,
            state: "absent",
            detail,
        };
    }
    let examine = async {
        let store = Store::open(&path).await?;
        store.check_pages().await?;
        store.check().await
    };
    match examine.await {
        Ok(health) => {
            let privacy = if health.folder_private {
                ""
            } else {
                "; others may enter its folder: chmod 700 it"
            };
            ok(
                what,
                format!("SQLite {} at {}{privacy}", health.sqlite, path.display()),
            )
        }
        Err(fault) => wrong(what, &fault),
    }
}

async fn gallery(config: &Config) -> Finding {
    let what = "gallery";
    let GalleryChoice::Qdrant(settings) = &config.gallery else {
        return ok(what, "embedded, in this process".to_owned());
    };
    match QdrantGallery::connect(settings.clone()) {
        Ok(qdrant) => match qdrant.ready().await {
            Ok(()) => ok(what, format!("Qdrant at {}", settings.url)),
            Err(fault) => wrong(what, &fault),
        },
        Err(fault) => wrong(what, &fault),
    }
}

fn inference(config: &Config) -> Vec<Finding> {
    let found = match installed(config) {
        Ok(found) => found,
        Err(fault) => return vec![wrong("installation", &fault)],
    };
    let runtime = match Runtime::load(&found.library) {
        Ok(runtime) => ok(
            "ONNX Runtime",
            format!("{} at {}", runtime.version(), found.library.display()),
        ),
        Err(fault) => wrong("ONNX Runtime", &fault),
    };
    let mut findings = vec![runtime];
    match found.card(&config.model) {
        Ok(card) => findings.extend([model(&found, &card), calibration(&card)]),
        Err(fault) => findings.push(wrong("speaker model", &fault)),
    }
    findings
}

fn model(found: &Installed, card: &Card) -> Finding {
    match models::check(found, card) {
        Ok(()) => ok(
            "speaker model",
            format!("{} ({}), with Silero VAD", card.id(), card.source()),
        ),
        Err(fault) => Finding {
            what: "speaker model",
            state: "wrong",
            detail: format!("{fault:#}"),
        },
    }
}

fn calibration(card: &Card) -> Finding {
    match Calibration::load(&card.calibration(), card.id(), card.sha256()) {
        Ok(calibration) => ok(
            "calibration",
            format!("{}: {}", calibration.id, calibration.fitted_on),
        ),
        Err(fault) => wrong("calibration", &fault),
    }
}

fn ok(what: &'static str, detail: String) -> Finding {
    Finding {
        what,
        state: "ok",
        detail,
    }
}

fn wrong(what: &'static str, fault: &dyn std::error::Error) -> Finding {
    Finding {
        what,
        state: "wrong",
        detail: fault.to_string(),
    }
}
