//! Reading lists.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::super::bootstrap::Paired;
use super::{Format, ListError, ListedScore, ListedTrial};

/// No line of a list is longer; more is not a list, and would fill the memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// Reads a list of trials. Empty lines are passed over.
///
/// # Errors
/// [`ListError`] with the line that is not what the format has there.
pub fn read_trials(path: &Path, format: Format) -> Result<Vec<ListedTrial>, ListError> {
    let mut trials = Vec::new();
    each_trial(path, format, |trial| {
        trials.push(trial);
        Ok(())
    })?;
    Ok(trials)
}

/// Gives `take` each trial of a list; what it finds wrong with one gets the file's name and the line's number.
pub(in super::super) fn each_trial(
    path: &Path,
    format: Format,
    mut take: impl FnMut(ListedTrial) -> Result<(), String>,
) -> Result<(), ListError> {
    let mut columns = None;
    each_line(path, |text| {
        let fields = split(text, format);
        if format == Format::Sre && columns.is_none() {
            columns = Some(SreColumns::of(&fields)?);
            return Ok(());
        }
        take(match format {
            Format::Voxline | Format::Kaldi => {
                let [enrolled, test, label, rest @ ..] = fields.as_slice() else {
                    return Err(wanted("a model, a test and `target` or `nontarget`", &fields));
                };
                let most = usize::from(format == Format::Voxline);
                if rest.len() > most {
                    return Err(wanted("no more columns", &fields));
                }
                trial(enrolled, test, Some(target(label)?), rest.first().copied())
            }
            Format::VoxCeleb => {
                let [label, enrolled, test] = fields.as_slice() else {
                    return Err(wanted("`1` or `0` and two recordings", &fields));
                };
                let same = match *label {
                    "1" => true,
                    "0" => false,
                    other => return Err(format!("`1` or `0` is wanted, there is {other:?}")),
                };
                trial(enrolled, test, Some(same), None)
            }
            Format::Sre => {
                let columns = columns.as_ref().ok_or("a header is wanted")?;
                let label = columns
                    .label
                    .map(|at| SreColumns::field(&fields, at))
                    .transpose()?;
                let (enrolled, test) = columns.sides(&fields)?;
                trial(enrolled, test, label.map(target).transpose()?, None)
            }
        })
    })
}

/// Reads a file of scores.
///
/// # Errors
/// [`ListError`] with the line that is not what the format has there, or whose score is no number.
pub fn read_scores(path: &Path, format: Format) -> Result<Vec<ListedScore>, ListError> {
    let mut columns = None;
    let mut scores = Vec::new();
    each_line(path, |text| {
        let fields = split(text, format);
        if format == Format::Sre && columns.is_none() {
            columns = Some(SreColumns::of(&fields)?);
            return Ok(());
        }
        let (enrolled, test, score) = match (format, fields.as_slice()) {
            (Format::Voxline, [enrolled, test, "-", raw]) => (*enrolled, *test, *raw),
            (Format::Voxline, [enrolled, test, llr, _raw]) => (*enrolled, *test, *llr),
            (Format::VoxCeleb, [score, enrolled, test]) => (*enrolled, *test, *score),
            (Format::Kaldi, [enrolled, test, score] | [enrolled, test, score, _]) => {
                (*enrolled, *test, *score)
            }
            (Format::Sre, _) => {
                let columns = columns.as_ref().ok_or("a header is wanted")?;
                let at = columns.llr.ok_or("the header has no LLR")?;
                let (enrolled, test) = columns.sides(&fields)?;
                (enrolled, test, SreColumns::field(&fields, at)?)
            }
            (Format::Voxline, _) => return Err(wanted("a model, a test, a ratio and a raw score", &fields)),
            (Format::VoxCeleb, _) => return Err(wanted("a score and two recordings", &fields)),
            (Format::Kaldi, _) => return Err(wanted("two recordings and a score", &fields)),
        };
        scores.push(ListedScore {
            enrolled: enrolled.to_owned(),
            test: test.to_owned(),
            score: number(score)?,
        });
        Ok(())
    })?;
    Ok(scores)
}

/// Puts scores to their trials, in the order of the trials, with speakers numbered by the names of the
/// models (a test's speaker is the model it is a target of, or nobody else). Scores of no trial are passed
/// over. Gives the trials and how many speakers there are.
///
/// # Errors
/// [`ListError::Unscored`] when a trial has no score, [`ListError::Unlabelled`] when the list has no labels.
pub fn join(trials: &[ListedTrial], scores: &[ListedScore]) -> Result<(Vec<Paired>, usize), ListError> {
    let by_sides: HashMap<(&str, &str), f64> = scores
        .iter()
        .map(|one| ((one.enrolled.as_str(), one.test.as_str()), one.score))
        .collect();
    let mut speakers = Speakers::of(trials);
    let mut paired = Vec::with_capacity(trials.len());
    let (mut missing, mut first) = (0, None);
    for trial in trials {
        let sides = (trial.enrolled.as_str(), trial.test.as_str());
        let Some(score) = by_sides.get(&sides) else {
            missing += 1;
            first.get_or_insert(trial);
            continue;
        };
        paired.push(Paired {
            score: *score,
            enrolled: speakers.of_model(sides.0),
            tested: speakers.of_test(sides.1),
            target: trial.target.ok_or(ListError::Unlabelled)?,
        });
    }
    match first {
        Some(first) => Err(ListError::Unscored {
            missing,
            trials: trials.len(),
            enrolled: first.enrolled.clone(),
            test: first.test.clone(),
        }),
        None => Ok((paired, speakers.count())),
    }
}

/// Numbers speakers: a model by its name, a test by the model it is a target of.
struct Speakers<'a> {
    numbers: HashMap<&'a str, u32>,
    owners: HashMap<&'a str, &'a str>,
}

impl<'a> Speakers<'a> {
    fn of(trials: &'a [ListedTrial]) -> Self {
        let same = trials.iter().filter(|trial| trial.target == Some(true));
        Self {
            numbers: HashMap::new(),
            owners: same
                .map(|trial| (trial.test.as_str(), trial.enrolled.as_str()))
                .collect(),
        }
    }

    fn of_model(&mut self, name: &'a str) -> u32 {
        // A model that is itself a test elsewhere (VoxCeleb pairs recordings) is one speaker there too.
        let owner = self.owners.get(name).copied().unwrap_or(name);
        let next = self.numbers.len() as u32;
        *self.numbers.entry(owner).or_insert(next)
    }

    fn of_test(&mut self, name: &'a str) -> u32 {
        let owner = self.owners.get(name).copied().unwrap_or(name);
        self.of_model(owner)
    }

    fn count(&self) -> usize {
        self.numbers.len()
    }
}

/// The columns of an SRE file, by its header.
struct SreColumns {
    model: usize,
    segment: usize,
    side: Option<usize>,
    label: Option<usize>,
    llr: Option<usize>,
}

impl SreColumns {
    fn of(header: &[&str]) -> Result<Self, String> {
        let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let needed = |name: &str| {
            place(name).ok_or_else(|| format!("a header with `{name}` is wanted, there is {header:?}"))
        };
        Ok(Self {
            model: needed("modelid")?,
            segment: needed("segmentid")?,
            side: place("side"),
            label: place("targettype"),
            llr: place("LLR"),
        })
    }

    fn field<'a>(fields: &[&'a str], at: usize) -> Result<&'a str, String> {
        fields
            .get(at)
            .copied()
            .ok_or_else(|| wanted("as many columns as the header has", fields))
    }

    /// Model and segment; a segment's side belongs to its name, as two people may be on one call.
    fn sides<'a>(&self, fields: &[&'a str]) -> Result<(&'a str, &'a str), String> {
        if let Some(at) = self.side {
            Self::field(fields, at)?;
        }
        Ok((
            Self::field(fields, self.model)?,
            Self::field(fields, self.segment)?,
        ))
    }
}

fn trial(enrolled: &str, test: &str, target: Option<bool>, condition: Option<&str>) -> ListedTrial {
    ListedTrial {
        enrolled: enrolled.to_owned(),
        test: test.to_owned(),
        target,
        condition: condition.map(str::to_owned),
    }
}

/// The fields of a line: by tabs where names may hold spaces, by blanks elsewhere.
fn split(text: &str, format: Format) -> Vec<&str> {
    match format {
        Format::Voxline | Format::Sre => text.split('\t').map(str::trim).collect(),
        Format::VoxCeleb | Format::Kaldi => text.split_whitespace().collect(),
    }
}

fn target(label: &str) -> Result<bool, String> {
    match label {
        "target" | "tgt" => Ok(true),
        "nontarget" | "imp" => Ok(false),
        other => Err(format!("`target` or `nontarget` is wanted, there is {other:?}")),
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(score) if !score.is_nan() => Ok(score),
        Ok(_) => Err(
            "the score is not a number: a trial that could not be scored gets the lowest score".to_owned(),
        ),
        Err(_) => Err(format!("a score is wanted, there is {text:?}")),
    }
}

fn wanted(what: &str, fields: &[&str]) -> String {
    format!("{what} wanted, there are {} columns", fields.len())
}

/// Does `take` to each line that is not empty; its fault gets the file's name and the line's number.
pub(in super::super) fn each_line(
    path: &Path,
    mut take: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), ListError> {
    let unreadable = |cause| ListError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        line += 1;
        let fault = |what: String| ListError::Line {
            path: path.to_owned(),
            line,
            what,
        };
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == LONGEST_LINE && bytes.last() != Some(&b'\n') {
            return Err(fault(format!("the line is longer than {LONGEST_LINE} bytes")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| fault("the line is not UTF-8".to_owned()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            take(text).map_err(fault)?;
        }
    }
}
