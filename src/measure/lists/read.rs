//! Reading lists.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::super::bootstrap::Paired;
use super::{Format, ListError, ListedScore, ListedTrial};

/// No line of a list is longer; more is not a list, and would fill the memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// The side of an SRE segment that is named as the segment is, and the one whose name ends with it.
pub(super) const FIRST_SIDE: &str = "a";
pub(super) const SECOND_SIDE: &str = "b";

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
                trial(enrolled, &test, label.map(target).transpose()?, None)
            }
        })
    })
}

/// Reads a file of scores.
///
/// # Errors
/// [`ListError`] with the line that is not what the format has there, whose score is no number, or that has another score
/// for a pair of an earlier line: nobody could say which of the two is meant.
pub fn read_scores(path: &Path, format: Format) -> Result<Vec<ListedScore>, ListError> {
    let mut columns = None;
    let (mut scores, mut lines) = (Vec::new(), Vec::new());
    each_numbered_line(path, |line, text| {
        let fields = split(text, format);
        if format == Format::Sre && columns.is_none() {
            columns = Some(SreColumns::of(&fields)?);
            return Ok(());
        }
        let mut is_heard = true;
        let (enrolled, test, score) = match (format, fields.as_slice()) {
            (Format::Voxline, [enrolled, test, "-", raw]) => (*enrolled, Cow::from(*test), *raw),
            (Format::Voxline, [enrolled, test, llr, raw]) => {
                is_heard = [(*llr, 0.0), (*raw, -1.0)]
                    .iter()
                    .any(|(text, unheard)| text.parse::<f64>() != Ok(*unheard));
                (*enrolled, Cow::from(*test), *llr)
            }
            (Format::VoxCeleb, [score, enrolled, test]) => (*enrolled, Cow::from(*test), *score),
            (Format::Kaldi, [enrolled, test, score] | [enrolled, test, score, _]) => {
                (*enrolled, Cow::from(*test), *score)
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
            test: test.into_owned(),
            score: number(score)?,
            is_heard,
        });
        lines.push(line);
        Ok(())
    })?;
    refuse_two_scores(path, &scores, &lines)?;
    Ok(scores)
}

/// Refuses scores, each with its line, of which two are of one pair and are not the same.
fn refuse_two_scores(path: &Path, scores: &[ListedScore], lines: &[usize]) -> Result<(), ListError> {
    let mut given: HashMap<(&str, &str), (f64, usize)> = HashMap::new();
    for (one, line) in scores.iter().zip(lines) {
        let ListedScore {
            enrolled,
            test,
            score,
            ..
        } = one;
        let (other, earlier) = *given
            .entry((enrolled.as_str(), test.as_str()))
            .or_insert((*score, *line));
        if other != *score {
            return Err(ListError::Line {
                path: path.to_owned(),
                line: *line,
                what: format!(
                    "{enrolled} against {test} has {score} here and {other} in line {earlier}: one score a pair is wanted, \
                     so give the scores of each condition in a file of their own"
                ),
            });
        }
    }
    Ok(())
}

/// Puts scores to their trials, in the order of the trials, with speakers numbered: all names that target trials join are
/// one speaker's, whether of models and their tests or of recordings in pairs. Scores of no trial are passed over. Gives
/// the trials and how many speakers there are.
///
/// # Errors
/// [`ListError::Unscored`] when a trial has no score, [`ListError::Unlabelled`] when the list has no labels.
pub fn join(trials: &[ListedTrial], scores: &[ListedScore]) -> Result<(Vec<Paired>, usize), ListError> {
    let by_sides: HashMap<(&str, &str), f64> = scores
        .iter()
        .map(|one| ((one.enrolled.as_str(), one.test.as_str()), one.score))
        .collect();
    let (speakers, count) = speakers(trials);
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
            enrolled: speakers[sides.0],
            tested: speakers[sides.1],
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
        None => Ok((paired, count)),
    }
}

/// The number of each name's speaker, in the order of their first mention, and how many speakers there are. Names that
/// target trials join are one speaker's, however many such trials lie between them: of pairs of recordings (VoxCeleb) no
/// single one joins all of a speaker's.
fn speakers(trials: &[ListedTrial]) -> (HashMap<&str, u32>, usize) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    // Each name leads to an earlier one of the same speaker, and the first of them to itself.
    let mut leads: Vec<usize> = Vec::new();
    for trial in trials {
        let [enrolled, test] = [&trial.enrolled, &trial.test].map(|name| {
            let place = *places.entry(name.as_str()).or_insert(leads.len());
            if place == leads.len() {
                leads.push(place);
            }
            place
        });
        if trial.target == Some(true) {
            let (one, other) = (first_of(&mut leads, enrolled), first_of(&mut leads, test));
            leads[one.max(other)] = one.min(other);
        }
    }
    let mut numbers: Vec<u32> = Vec::with_capacity(leads.len());
    let mut count = 0;
    for place in 0..leads.len() {
        let first = first_of(&mut leads, place);
        numbers.push(if first == place { count } else { numbers[first] });
        count += u32::from(first == place);
    }
    let numbered = places.into_iter().map(|(name, place)| (name, numbers[place]));
    (numbered.collect(), count as usize)
}

/// The first name of a name's speaker; the way there is made shorter for whoever asks next.
fn first_of(leads: &mut [usize], mut place: usize) -> usize {
    while leads[place] != place {
        leads[place] = leads[leads[place]];
        place = leads[place];
    }
    place
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

    /// Model and test. Side `a`, which a recording of one channel has too, is named as its segment is; any other side is
    /// `segment:side`, as two people may be on one call.
    fn sides<'a>(&self, fields: &[&'a str]) -> Result<(&'a str, Cow<'a, str>), String> {
        let segment = Self::field(fields, self.segment)?;
        let side = self.side.map(|at| Self::field(fields, at)).transpose()?;
        let test = match side.map(str::to_lowercase).as_deref() {
            None | Some("" | FIRST_SIDE) => Cow::from(segment),
            Some(other) => Cow::from(format!("{segment}:{other}")),
        };
        Ok((Self::field(fields, self.model)?, test))
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
    each_numbered_line(path, |_, text| take(text))
}

/// As [`each_line`], with the line's number, from 1.
fn each_numbered_line(
    path: &Path,
    mut take: impl FnMut(usize, &str) -> Result<(), String>,
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
        // A mark of the byte order, which spreadsheets write, is no part of the first name.
        let text = text
            .strip_prefix('\u{feff}')
            .filter(|_| line == 1)
            .unwrap_or(text);
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            take(line, text).map_err(fault)?;
        }
    }
}
