//! The results of a benchmark in their folder: of one run, whenever it ends.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::results::{beside, check_file, discard, put_in_place, write_beside};
use crate::measure::{Details, Outcome, Place, Protocol, report};
use crate::units::hex;

/// The document by which a folder is a report.
const METRICS: &str = "metrics.json";
const CURVES: &str = "curves.json";
const SCORES: &str = "scores.tsv";
const WORDS: &str = "words.jsonl";

/// `details.json`.
#[derive(Serialize)]
struct WrittenDetails<'a> {
    #[serde(flatten)]
    details: &'a Details,
    /// The SHA-256 of documents beside it, by their names: those of another run are told by it.
    sha256: BTreeMap<&'static str, String>,
}

/// Makes the folder, and finds out whether results can be written into it, before anything is heard.
pub(super) fn check(out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    check_file(&out.join(METRICS))
}

/// Writes the documents and the scores. What lay there is replaced when all of them are written: the figures of the run
/// before go first and those of this one come last, so that a folder with figures never holds files of two runs.
pub(super) fn save(out: &Path, protocol: &Protocol, outcome: &Outcome) -> anyhow::Result<()> {
    let documents = documents(out, protocol, outcome)?;
    let places = || documents.iter().map(move |(name, _)| out.join(name));
    let write = || -> anyhow::Result<()> {
        for (place, (_, text)) in places().zip(&documents) {
            write_beside(&place, text)?;
        }
        Ok(outcome.write_scores(protocol, &beside(&out.join(SCORES)))?)
    };
    write().inspect_err(|_| {
        let all = places().chain([out.join(SCORES)]);
        all.for_each(|place| discard(&place));
    })?;
    for name in [METRICS, WORDS] {
        remove(&out.join(name))?;
    }
    put_in_place(&out.join(SCORES))?;
    places().try_for_each(|place| put_in_place(&place))
}

/// The documents by their names, [`METRICS`] last.
fn documents(
    out: &Path,
    protocol: &Protocol,
    outcome: &Outcome,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let metrics = serde_json::to_string_pretty(&outcome.metrics)? + "\n";
    let curves = serde_json::to_string(&outcome.curves)? + "\n";
    let sum = |text: &str| hex(&Sha256::digest(text));
    let details = WrittenDetails {
        details: &outcome.details,
        sha256: BTreeMap::from([(METRICS, sum(&metrics)), (CURVES, sum(&curves))]),
    };
    let place = Place {
        folder: out,
        protocol,
    };
    let mut documents = vec![
        ("details.json", serde_json::to_string_pretty(&details)? + "\n"),
        (CURVES, curves),
        ("report.html", report(outcome, &place)),
    ];
    if !outcome.words.is_empty() {
        let lines = outcome.words.iter().map(serde_json::to_string);
        documents.push((WORDS, lines.collect::<Result<Vec<_>, _>>()?.join("\n") + "\n"));
    }
    documents.push((METRICS, metrics));
    Ok(documents)
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => {
            Err(fault).with_context(|| format!("{} cannot be replaced", path.display()))
        }
        _ => Ok(()),
    }
}
