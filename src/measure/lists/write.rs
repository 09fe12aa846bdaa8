//! Writing lists.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{Format, ListError, ListedScore, ListedTrial};

/// Writes a list of trials. SRE trials without a label have no `targettype` column.
///
/// # Errors
/// [`ListError::Unlabelled`] when the format needs labels and there are none, [`ListError::Unwritable`].
pub fn write_trials(path: &Path, format: Format, trials: &[ListedTrial]) -> Result<(), ListError> {
    let labelled = trials.iter().all(|trial| trial.target.is_some());
    if !labelled && format != Format::Sre {
        return Err(ListError::Unlabelled);
    }
    to_file(path, |file| {
        if format == Format::Sre {
            writeln!(
                file,
                "modelid\tsegmentid{}",
                if labelled { "\ttargettype" } else { "" }
            )?;
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
                (Format::Sre, _) if labelled => writeln!(file, "{enrolled}\t{test}\t{label}")?,
                (Format::Sre, _) => writeln!(file, "{enrolled}\t{test}")?,
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
    to_file(path, |file| {
        if format == Format::Sre {
            writeln!(file, "modelid\tsegmentid\tLLR")?;
        }
        for ListedScore {
            enrolled,
            test,
            score,
        } in scores
        {
            match format {
                Format::Voxline => writeln!(file, "{enrolled}\t{test}\t{score}\t{score}")?,
                Format::VoxCeleb => writeln!(file, "{score} {enrolled} {test}")?,
                Format::Kaldi => writeln!(file, "{enrolled} {test} {score}")?,
                Format::Sre => writeln!(file, "{enrolled}\t{test}\t{score}")?,
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
