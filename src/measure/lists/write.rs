//! Writing lists.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::read::{FIRST_SIDE, SECOND_SIDE};
use super::{Format, ListError, ListedScore, ListedTrial};

/// The segments of SRE lists, with a column for their sides where any test is the second of its segment.
struct Segments {
    has_sides: bool,
}

impl Segments {
    fn of<'a>(mut tests: impl Iterator<Item = &'a String>) -> Self {
        Self {
            has_sides: tests.any(|test| second_side(test).is_some()),
        }
    }

    fn header(&self) -> &'static str {
        if self.has_sides {
            "modelid\tsegmentid\tside"
        } else {
            "modelid\tsegmentid"
        }
    }

    fn columns(&self, test: &str) -> String {
        match second_side(test) {
            Some(segment) => format!("{segment}\t{SECOND_SIDE}"),
            None if self.has_sides => format!("{test}\t{FIRST_SIDE}"),
            None => test.to_owned(),
        }
    }
}

/// The segment whose second side a test is; none where it is not.
fn second_side(test: &str) -> Option<&str> {
    test.strip_suffix(SECOND_SIDE)?.strip_suffix(':')
}

/// Writes a list of trials. SRE trials without a label have no `targettype` column.
///
/// # Errors
/// [`ListError::Unlabelled`] when the format needs labels and there are none, [`ListError::Unwritable`].
pub fn write_trials(path: &Path, format: Format, trials: &[ListedTrial]) -> Result<(), ListError> {
    let labelled = trials.iter().all(|trial| trial.target.is_some());
    if !labelled && format != Format::Sre {
        return Err(ListError::Unlabelled);
    }
    let segments = Segments::of(trials.iter().map(|trial| &trial.test));
    to_file(path, |file| {
        if format == Format::Sre {
            let label = if labelled { "\ttargettype" } else { "" };
            writeln!(file, "{}{label}", segments.header())?;
        }
        for trial in trials {
            let (enrolled, test, same) = (&trial.enrolled, &trial.test, trial.target.unwrap_or_default());
            let label = if same { "target" } else { "nontarget" };
            match (format, &trial.condition) {
                (Format::Voxline, Some(condition)) => {
                    writeln!(file, "{enrolled}\t{test}\t{label}\t{condition}")?;
                }
                (Format::Voxline, None) => writeln!(file, "{enrolled}\t{test}\t{label}")?,
                (Format::VoxCeleb, _) => writeln!(file, "{} {enrolled} {test}", u8::from(same))?,
                (Format::Kaldi, _) => writeln!(file, "{enrolled} {test} {label}")?,
                (Format::Sre, _) if labelled => {
                    writeln!(file, "{enrolled}\t{}\t{label}", segments.columns(test))?;
                }
                (Format::Sre, _) => writeln!(file, "{enrolled}\t{}", segments.columns(test))?,
            }
        }
        Ok(())
    })
}

/// Writes scores. In the `voxline` format they stand in both columns: nothing is known of what they were made of.
///
/// # Errors
/// [`ListError::Unwritable`].
pub fn write_scores(path: &Path, format: Format, scores: &[ListedScore]) -> Result<(), ListError> {
    let segments = Segments::of(scores.iter().map(|one| &one.test));
    to_file(path, |file| {
        if format == Format::Sre {
            writeln!(file, "{}\tLLR", segments.header())?;
        }
        for ListedScore {
            enrolled,
            test,
            score,
            ..
        } in scores
        {
            match format {
                Format::Voxline => writeln!(file, "{enrolled}\t{test}\t{score}\t{score}")?,
                Format::VoxCeleb => writeln!(file, "{score} {enrolled} {test}")?,
                Format::Kaldi => writeln!(file, "{enrolled} {test} {score}")?,
                Format::Sre => writeln!(file, "{enrolled}\t{}\t{score}", segments.columns(test))?,
            }
        }
        Ok(())
    })
}

/// Makes or replaces a file by what `fill` writes.
pub(in super::super) fn to_file(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), ListError> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        fill(&mut file)?;
        file.flush()
    };
    write().map_err(|cause| ListError::Unwritable {
        path: path.to_owned(),
        cause,
    })
}
