//! `voxline doctor`: every dependency, its state, and the remedy.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use time::OffsetDateTime;

use crate::config::Config;
use crate::decision::{Calibration, Policy};
use crate::gallery::{Gallery, GalleryChoice, QdrantGallery};
use crate::onnx::Runtime;
use crate::reply::Certificate;
use crate::store::{Health, Layout, RetentionTally, Store, StoreError};
use crate::switchboard::{Installed, Usable, library, models_dir, usable_calibration};
use crate::voiceprint::{Card, Countermeasure, CountermeasureCard, ModelId};

use super::findings::{Finding, named_files, ok, own_promises, wrong};
use super::models;
use super::opening::{KEY_REMEDY, OTHER_RELEASE, active_model};
use super::output::Output;
use super::retention::in_words;

/// The whole examination.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing is wrong.
    ok: bool,
    version: &'static str,
    findings: Vec<Finding>,
}

pub(super) async fn run(config: &Config, output: Output) -> anyhow::Result<bool> {
    let mut findings = vec![
        store(config).await,
        retention(config).await,
        gallery(config).await,
    ];
    let model = active_model(config).await;
    findings.extend(inference(config, &model));
    findings.push(countermeasure(config));
    findings.push(tls(config));
    findings.extend(named_files(config));
    findings.extend(own_promises(config, &model).await);
    let report = Report {
        ok: findings.iter().all(|finding| finding.state != "wrong"),
        version: env!("CARGO_PKG_VERSION"),
        findings,
    };
    output.result(&report, || {
        // Padded before it is made bold: the codes for bold have no width.
        let line = |found: &Finding| {
            let state = output.strong(&format!("{:8}", found.state));
            format!("{state}{:16}{}", found.what, found.detail)
        };
        report.findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(report.ok)
}

async fn store(config: &Config) -> Finding {
    let (what, path) = ("store", &config.board.store.path);
    match Store::layout(&config.board.store).await {
        Ok(Layout::Current) => {}
        Ok(Layout::None) => {
            let place = match &config.board.store.postgres {
                None => path.display().to_string(),
                Some(_) => "what store.url names".to_owned(),
            };
            return Finding {
                what,
                state: "absent",
                detail: format!("{place} is made when something is first kept in it"),
            };
        }
        Ok(Layout::Other) => {
            return Finding {
                what,
                state: "warn",
                detail: OTHER_RELEASE.to_owned(),
            };
        }
        Err(fault) => return wrong(what, fault),
    }
    examined(config).await
}

/// A store of this release, every page of it.
async fn examined(config: &Config) -> Finding {
    let (what, path) = ("store", &config.board.store.path);
    let examine = async {
        let store = Store::connect(&config.board.store).await?;
        store.check_pages().await?;
        store.check().await
    };
    match examine.await {
        Ok(Health {
            key_for_others: Some(key),
            ..
        }) => Finding {
            what,
            state: "wrong",
            detail: format!(
                "others may read or write the master key {}: {KEY_REMEDY}",
                key.display()
            ),
        },
        Ok(health) => {
            let privacy = if health.folder_private {
                ""
            } else {
                "; others may enter its folder: chmod 700 it"
            };
            let (database, path) = (health.database, path.display());
            let place = match &config.board.store.postgres {
                None => format!("at {path}"),
                Some(_) => format!("as store.url says, its key files beside {path}"),
            };
            ok(what, format!("{database} {place}{privacy}"))
        }
        Err(fault) => wrong(what, fault),
    }
}

/// How long what is kept is kept, and what is older.
async fn retention(config: &Config) -> Finding {
    let what = "retention";
    let due = async {
        match Store::layout(&config.board.store).await? {
            Layout::None => return Ok(Some((RetentionTally::default(), None))),
            Layout::Current => {}
            Layout::Other => return Ok(None),
        }
        let store = Store::connect(&config.board.store).await?;
        let due = store.due(&config.board.retention).await?;
        Ok::<_, StoreError>(Some((due, store.clock_in_doubt().await?)))
    };
    match due.await {
        Ok(None) => Finding {
            what,
            state: "absent",
            detail: "not looked at: the store is of another release".to_owned(),
        },
        Ok(Some((due, None))) => ok(what, in_words(&config.board.retention, &due)),
        Ok(Some((due, Some(last)))) => Finding {
            what,
            state: "warn",
            detail: format!(
                "{}; no service removes anything, as this machine's clock is {} days after the last run ({last}): set it right, or \
                 if it is right give `voxline retention run`",
                in_words(&config.board.retention, &due),
                (OffsetDateTime::now_utc() - last).whole_days()
            ),
        },
        Err(fault) => wrong(what, fault),
    }
}

async fn gallery(config: &Config) -> Finding {
    let what = "gallery";
    let GalleryChoice::Qdrant(settings) = &config.board.gallery else {
        return ok(what, "embedded, in this process".to_owned());
    };
    match QdrantGallery::connect(settings.clone()) {
        Ok(qdrant) => match qdrant.ready().await {
            Ok(()) => ok(what, format!("Qdrant at {}", settings.url)),
            Err(fault) => wrong(what, fault),
        },
        Err(fault) => wrong(what, fault),
    }
}

/// The certificate, and whether it is time to renew it.
fn tls(config: &Config) -> Finding {
    let what = "TLS";
    let Some(files) = &config.reply.tls else {
        return Finding {
            what,
            state: "absent",
            detail:
                "served in the clear; a proxy in front may speak it, or tls.certificate and tls.key are set"
                    .to_owned(),
        };
    };
    match Certificate::read(files) {
        Ok(certificate) => {
            let ((begins, ends), now) = (certificate.period(), OffsetDateTime::now_utc());
            let days = (ends - now).whole_days();
            let path = files.certificate.display();
            let (state, remedy) = match (certificate.lasts(now), ends > now) {
                (true, _) => ("ok", ""),
                (false, true) => ("wrong", ": renew it"),
                (false, false) => ("wrong", ": it is over, renew it"),
            };
            let detail =
                format!("the certificate in {path} is good from {begins} until {ends} ({days} days){remedy}");
            Finding { what, state, detail }
        }
        Err(fault) => wrong(what, fault),
    }
}

/// The runtime and the models, each by itself: a missing one does not hide what is wrong with another.
fn inference(config: &Config, model_id: &ModelId) -> Vec<Finding> {
    let (runtime, library) = match runtime(config) {
        Ok((finding, library)) => (finding, Some(library)),
        Err(fault) => (wrong("ONNX Runtime", fault), None),
    };
    let card = models_dir(&config.board).and_then(|folder| {
        let card = Card::read(&folder.join(model_id.as_str()))?;
        Ok((folder, card))
    });
    match card {
        Ok((models_dir, card)) => {
            let found = library.map(|library| Installed {
                models_dir,
                library,
                countermeasure: None,
            });
            vec![
                runtime,
                model(found.as_ref(), &card),
                calibration(&card, &config.board.policy),
            ]
        }
        Err(fault) => vec![runtime, wrong("speaker model", fault)],
    }
}

fn runtime(config: &Config) -> anyhow::Result<(Finding, PathBuf)> {
    let library = library(&config.board)?;
    let version = Runtime::load(&library)?.version();
    let detail = format!("{version} at {}", library.display());
    Ok((ok("ONNX Runtime", detail), library))
}

fn model(found: Option<&Installed>, card: &Card) -> Finding {
    let what = "speaker model";
    let Some(found) = found else {
        return match card.check_files() {
            Ok(()) => Finding {
                what,
                state: "absent",
                detail: format!(
                    "{}: its files are right; it loads once ONNX Runtime does",
                    card.id()
                ),
            },
            Err(fault) => wrong(what, fault),
        };
    };
    match models::check(found, card) {
        Ok(()) => ok(
            what,
            format!("{} ({}), with Silero VAD", card.id(), card.source()),
        ),
        Err(fault) => wrong(what, fault),
    }
}

/// What hears whether speech is spoofed, loaded and run once.
fn countermeasure(config: &Config) -> Finding {
    let what = "countermeasure";
    let Some(folder) = &config.board.countermeasure else {
        let detail = "none: synthesised voices, and recordings nobody heard before, are not told from people";
        return Finding {
            what,
            state: "absent",
            detail: detail.to_owned(),
        };
    };
    let tried = || -> anyhow::Result<CountermeasureCard> {
        let card = CountermeasureCard::read(folder)?;
        Countermeasure::load(&Runtime::load(&library(&config.board)?)?, &card)?;
        Ok(card)
    };
    match tried() {
        Ok(card) => {
            let (id, bound) = (card.id(), card.spoofed_from());
            let detail =
                format!("{id}: no voice names a caller whose speech it gives a ratio of {bound} or more");
            ok(what, detail)
        }
        Err(fault) => wrong(what, fault),
    }
}

fn calibration(card: &Card, policy: &Policy) -> Finding {
    let what = "calibration";
    match usable_calibration(card, policy) {
        Ok(usable) => {
            let remarks = remarks(&usable);
            Finding {
                what,
                state: if remarks.is_empty() { "ok" } else { "warn" },
                detail: comes_to(&usable) + &remarks,
            }
        }
        Err(fault) => wrong(what, fault),
    }
}

/// What an operator may think of the calibration and is not so.
fn remarks(
    Usable {
        calibration, policy, ..
    }: &Usable,
) -> String {
    let mut said = String::new();
    if calibration.belies(policy) {
        said += "; more errors were measured there than the error target allows: calibrate on calls of your own, or ask for more \
                 with decision.accept";
    }
    match calibration.voices {
        None => {
            said += "; it does not tell two voices apart: after a phone was handed on, the first name stands long";
        }
        Some(test) if test.misses_much() => {
            let _ = write!(
                said,
                "; it takes {:.0} % of two voices in turn for one: after a phone was handed on, the first name may stand long",
                100.0 * test.miss
            );
        }
        Some(_) => {}
    }
    said
}

/// What the policy comes to under the calibration, in words.
fn comes_to(usable: &Usable) -> String {
    let Usable {
        calibration,
        policy,
        largest_roster,
    } = usable;
    let Calibration { id, fitted_on, .. } = calibration;
    let accept = policy.accept;
    let measured = calibration.at(policy).map_or_else(String::new, |point| {
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        format!(
            "; at {} it gave {} of the callers on no roster a name, {} of those on one another's, {} their own",
            point.accept,
            percent(point.false_accept),
            percent(point.wrong_name),
            percent(point.right_name)
        )
    });
    format!(
        "{id}: names callers at a probability of {accept:.4}, on rosters of up to {largest_roster}{measured}; \
         fitted on {fitted_on}"
    )
}
