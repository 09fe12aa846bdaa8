//! A benchmark protocol folder, in the contract's format, scored.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use voxline::decision::Policy;
use voxline::engine::Analyst;
use voxline::samples::{RATE, telephone};
use voxline::units::Seconds;
use voxline::voiceprint::{Bandwidth, Card, Embedding, Voiceprint};

use super::decisions;
use super::metrics::{Search, equal_error, identification};
use super::work::{Bench, listen, samples};

/// What is done to a recording before it becomes a voiceprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Practice {
    /// Nothing: the whole recording, silence and all.
    Whole,
    /// Only the speech in it.
    Vad,
    /// What the product does: only the speech, and wide-band enrolments are stored through a simulated
    /// telephone too, so that a call meets a print of its own kind.
    Product,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Protocol {
    name: String,
    #[serde(rename = "description")]
    _description: String,
    audio: PathBuf,
    enroll: Side,
    test: Side,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    /// Seconds kept of each recording, before anything else; 0 keeps all.
    max_seconds: f64,
    condition: Condition,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Clean,
    Phone,
}

/// What a recording, or the mean of several, gave. No prints: too little speech.
pub struct Heard {
    prints: Vec<(Bandwidth, Embedding)>,
    pub net_speech: Seconds,
}

/// The folder's tables.
struct Tables {
    enrol: Vec<Vec<String>>,
    trials: Vec<Vec<String>>,
    search: Vec<Vec<String>>,
    rosters: Vec<Vec<String>>,
}

/// Every score of a protocol.
pub struct Scores {
    practice: Practice,
    models: BTreeMap<String, Heard>,
    tests: BTreeMap<String, Heard>,
}

impl Scores {
    /// The cosine of a model and a test, with the bandwidth it was found in; `None` when either had too
    /// little speech.
    pub fn cosine(&self, model: &str, path: &str) -> Result<Option<(f64, Bandwidth)>> {
        let model = self
            .models
            .get(model)
            .with_context(|| format!("{model} is not enrolled"))?;
        let test = self
            .tests
            .get(path)
            .with_context(|| format!("{path} was not heard"))?;
        for (bandwidth, probe) in &test.prints {
            let same =
                |print: &&(Bandwidth, Embedding)| self.practice != Practice::Product || print.0 == *bandwidth;
            if let Some((_, print)) = model.prints.iter().find(same) {
                return Ok(Some((f64::from(print.cosine(probe)?.get()), *bandwidth)));
            }
        }
        Ok(None)
    }

    /// What was heard of a test.
    pub fn test(&self, path: &str) -> Option<&Heard> {
        self.tests.get(path)
    }
}

/// Scores the protocol in `folder`, writes the trials to `out` (model, path, label, cosine, net seconds
/// of the test) and prints the error rates.
pub fn run(
    bench: &Bench,
    card: &Card,
    folder: &Path,
    practice: Practice,
    policy: Option<&Policy>,
    out: &Path,
) -> Result<()> {
    let settings = folder.join("protocol.toml");
    let text = std::fs::read_to_string(&settings).with_context(|| settings.display().to_string())?;
    let protocol: Protocol = toml::from_str(&text).with_context(|| settings.display().to_string())?;
    let tables = Tables {
        enrol: table(&folder.join("enroll.tsv"), 2)?,
        trials: table(&folder.join("trials.tsv"), 3)?,
        search: table(&folder.join("search.tsv"), 3)?,
        rosters: table(&folder.join("rosters.tsv"), 2)?,
    };
    let scores = hear_all(bench, &protocol, &folder.join(&protocol.audio), practice, &tables)?;
    let (targets, nontargets) = write_trials(&tables.trials, &scores, out)?;
    let rates = equal_error(&targets, &nontargets);
    let rosters = rosters(&tables.rosters);
    let found = identification(&searches(&tables.search, &rosters, &scores)?, 0.01);
    println!(
        "{} ({practice:?}): EER {:.2} % (hull {:.2} %), top-1 {:.1} %, FNIR at FPIR 1 % {:.1} %, {} of {} \
         tests with too little speech",
        protocol.name,
        100.0 * rates.nearest,
        100.0 * rates.hull,
        100.0 * found.top1,
        100.0 * found.fnir,
        scores
            .tests
            .values()
            .filter(|test| test.prints.is_empty())
            .count(),
        scores.tests.len(),
    );
    if let Some(policy) = policy {
        println!(
            "{}",
            decisions::judge_all(card, policy, &tables.search, &rosters, &scores)?
        );
    }
    Ok(())
}

/// The rows of a tab-separated file, each with at least `columns` columns.
fn table(path: &Path, columns: usize) -> Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
        ensure!(
            row.len() >= columns,
            "{}:{}: {columns} columns are needed",
            path.display(),
            at + 1
        );
        rows.push(row);
    }
    Ok(rows)
}

fn hear_all(
    bench: &Bench,
    protocol: &Protocol,
    audio: &Path,
    practice: Practice,
    tables: &Tables,
) -> Result<Scores> {
    let hear_paths = |what, paths: Vec<&str>, side: Side| -> Result<BTreeMap<String, Heard>> {
        let heard = bench.each(what, &paths, |analyst, path| {
            hear(analyst, &audio.join(path), side, practice)
        })?;
        Ok(paths.into_iter().map(str::to_owned).zip(heard).collect())
    };
    let clips = unique(tables.enrol.iter().map(|row| row[1].as_str()));
    let clips = hear_paths("enrolments", clips, protocol.enroll)?;
    let called = tables.trials.iter().map(|row| row[1].as_str());
    let tests = unique(called.chain(tables.search.iter().map(|row| row[0].as_str())));
    let tests = hear_paths("tests", tests, protocol.test)?;
    let mut models = BTreeMap::new();
    for model in unique(tables.enrol.iter().map(|row| row[0].as_str())) {
        let mine = tables.enrol.iter().filter(|row| row[0] == model);
        let mine: Vec<&Heard> = mine.filter_map(|row| clips.get(&row[1])).collect();
        models.insert(model.to_owned(), mean(&mine)?);
    }
    Ok(Scores {
        practice,
        models,
        tests,
    })
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn hear(analyst: &mut Analyst, path: &Path, side: Side, practice: Practice) -> Result<Heard> {
    let mut sound = samples(path)?;
    if side.max_seconds > 0.0 {
        let most = Seconds::checked(side.max_seconds).context("max_seconds is no span of time")?;
        sound.truncate(RATE.samples(most));
    }
    if matches!(side.condition, Condition::Phone) {
        sound = telephone(&sound);
    }
    if practice == Practice::Whole {
        return Ok(Heard {
            prints: vec![(Bandwidth::Wide, analyst.extractor.embed(&sound)?)],
            net_speech: RATE.seconds(sound.len()),
        });
    }
    let look = listen(analyst, &sound, &[])?
        .pop()
        .context("a stream ends with a look")?;
    let kept = if practice == Practice::Product {
        look.views.len()
    } else {
        1
    };
    let own = |view: Voiceprint| (view.bandwidth, view.embedding);
    Ok(Heard {
        prints: look.views.into_iter().take(kept).map(own).collect(),
        net_speech: look.net_speech,
    })
}

/// The mean of several recordings of one person, for each bandwidth.
fn mean(clips: &[&Heard]) -> Result<Heard> {
    let mut kinds: BTreeMap<Bandwidth, Vec<&Embedding>> = BTreeMap::new();
    for (bandwidth, print) in clips.iter().flat_map(|clip| &clip.prints) {
        kinds.entry(*bandwidth).or_default().push(print);
    }
    let mut prints = Vec::new();
    for (bandwidth, parts) in kinds {
        prints.push((
            bandwidth,
            Embedding::mean(parts.into_iter().map(|part| (part, 1.0)))?,
        ));
    }
    let net_speech = clips
        .iter()
        .fold(Seconds::ZERO, |sum, clip| sum.plus(clip.net_speech));
    Ok(Heard { prints, net_speech })
}

/// Writes every trial, in order. A test without a voiceprint scores as low as can be: no trial is
/// left out of the rates.
fn write_trials(trials: &[Vec<String>], scores: &Scores, out: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
    let file = std::fs::File::create(out).with_context(|| out.display().to_string())?;
    let mut file = BufWriter::new(file);
    let (mut targets, mut nontargets) = (Vec::new(), Vec::new());
    for row in trials {
        let (model, path, label) = (&row[0], &row[1], &row[2]);
        let cosine = scores.cosine(model, path)?.map_or(-1.0, |(cosine, _)| cosine);
        let net = scores.test(path).map_or(0.0, |test| test.net_speech.get());
        writeln!(file, "{model}\t{path}\t{label}\t{cosine:.6}\t{net:.3}")?;
        if label == "target" {
            targets.push(cosine);
        } else {
            nontargets.push(cosine);
        }
    }
    file.flush()?;
    Ok((targets, nontargets))
}

fn rosters(rows: &[Vec<String>]) -> BTreeMap<String, Vec<String>> {
    let mut rosters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        rosters.entry(row[0].clone()).or_default().push(row[1].clone());
    }
    rosters
}

fn searches(
    rows: &[Vec<String>],
    rosters: &BTreeMap<String, Vec<String>>,
    scores: &Scores,
) -> Result<Vec<Search>> {
    let mut searches = Vec::new();
    for row in rows {
        let (path, caller, number) = (&row[0], &row[1], &row[2]);
        let roster = rosters
            .get(number)
            .with_context(|| format!("{number} has no roster"))?;
        let mut best: Option<(f64, &String)> = None;
        for model in roster {
            let cosine = scores.cosine(model, path)?.map_or(-1.0, |(cosine, _)| cosine);
            if best.is_none_or(|(highest, _)| cosine > highest) {
                best = Some((cosine, model));
            }
        }
        let (best, name) = best.with_context(|| format!("the roster of {number} is empty"))?;
        let right = (caller != "-").then(|| name == caller);
        searches.push(Search { best, right });
    }
    Ok(searches)
}
