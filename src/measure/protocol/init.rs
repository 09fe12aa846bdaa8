//! A protocol folder from recordings that lie in one folder a speaker.

use std::io::Write;
use std::path::Path;

use super::super::lists::write::to_file;
use super::super::rng::Rng;
use super::{FILES, ListError, ProtocolError};

/// How the lists are made.
#[derive(Debug, Clone, Copy)]
pub struct Init {
    /// Recordings of each speaker that they are enrolled with; the others are tests.
    pub enroll: usize,
    /// The most models on one roster.
    pub roster: usize,
    /// Who is a stranger.
    pub seed: u64,
    /// Whether lists that are there are replaced.
    pub force: bool,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Speakers that are enrolled.
    pub enrolled: usize,
    /// Speakers that only call.
    pub strangers: usize,
    /// Number of trials.
    pub trials: usize,
    /// Number of searches.
    pub searches: usize,
}

struct Speaker {
    name: String,
    files: Vec<String>,
    number: Option<usize>,
}

/// Makes the lists of a protocol in `folder` from the recordings in `folder/speaker/`: all tests against all
/// models, and each test searched on its speaker's number and on the next one. A quarter of the speakers are never
/// enrolled and only call.
///
/// # Errors
/// [`ProtocolError`] when there are too few speakers, or lists that are not to be replaced.
pub fn init(folder: &Path, how: Init) -> Result<Made, ProtocolError> {
    let existing = FILES
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists());
    if let Some(path) = existing
        && !how.force
    {
        return Err(ProtocolError::Exists { path });
    }
    let mut speakers = speakers(folder)?;
    let files = how.enroll + 1;
    let fit = speakers
        .iter()
        .filter(|speaker| speaker.files.len() >= files)
        .count();
    if fit < 2 {
        return Err(ProtocolError::TooFewSpeakers {
            folder: folder.to_owned(),
            speakers: fit,
            files,
        });
    }
    place(&mut speakers, how, fit);
    let numbers = speakers
        .iter()
        .filter_map(|speaker| speaker.number)
        .max()
        .map_or(0, |last| last + 1);
    write(folder, &speakers, numbers, how)
}

/// Puts enrolled speakers on numbers; those with too few recordings, and a quarter of the others, only call.
fn place(speakers: &mut [Speaker], how: Init, fit: usize) {
    let mut rng = Rng::new(how.seed);
    let mut to_leave_out = fit / 4;
    let (mut left, mut placed) = (fit, 0);
    for speaker in speakers
        .iter_mut()
        .filter(|speaker| speaker.files.len() > how.enroll)
    {
        // Selection sampling (Knuth, volume 2, algorithm S): exactly so many, each as likely.
        if rng.below(left) < to_leave_out {
            to_leave_out -= 1;
        } else {
            speaker.number = Some(placed / how.roster.max(1));
            placed += 1;
        }
        left -= 1;
    }
}

fn write(folder: &Path, speakers: &[Speaker], numbers: usize, how: Init) -> Result<Made, ProtocolError> {
    let enrolled: Vec<&Speaker> = speakers
        .iter()
        .filter(|speaker| speaker.number.is_some())
        .collect();
    write_sides(folder)?;
    to_file(&folder.join("enroll.tsv"), |file| {
        enrolled.iter().try_for_each(|speaker| {
            let mut clips = speaker.files[..how.enroll].iter();
            clips.try_for_each(|path| writeln!(file, "{}\t{path}", speaker.name))
        })
    })?;
    to_file(&folder.join("rosters.tsv"), |file| {
        let mut placed = enrolled
            .iter()
            .filter_map(|speaker| Some((speaker, speaker.number?)));
        placed.try_for_each(|(speaker, place)| writeln!(file, "{}\t{}", number(place), speaker.name))
    })?;
    to_file(&folder.join("speakers.tsv"), |file| {
        speakers.iter().try_for_each(|speaker| {
            let mut all = speaker.files.iter();
            all.try_for_each(|path| writeln!(file, "{path}\t{}", speaker.name))
        })
    })?;
    Ok(Made {
        enrolled: enrolled.len(),
        strangers: speakers.len() - enrolled.len(),
        trials: write_trials(folder, speakers, &enrolled, how.enroll)?,
        searches: write_searches(folder, speakers, numbers, how.enroll)?,
    })
}

/// The dialed number at this place: those set apart for fiction, 555-0100 to 555-0199 of every area.
fn number(place: usize) -> String {
    format!("+1{}55501{:02}", 202 + place / 100, place % 100)
}

/// What a speaker is not enrolled with.
fn tests(speaker: &Speaker, enroll: usize) -> &[String] {
    let skipped = if speaker.number.is_some() { enroll } else { 0 };
    &speaker.files[skipped..]
}

/// Writes `protocol.toml`: how both sides of a trial are heard.
fn write_sides(folder: &Path) -> Result<(), ListError> {
    to_file(&folder.join("protocol.toml"), |file| {
        let name = folder
            .file_name()
            .map_or("calls".into(), |name| name.to_string_lossy());
        writeln!(file, "name = {}", toml::Value::from(&*name))?;
        writeln!(
            file,
            "description = \"made by voxline bench init from folders of recordings\"\naudio = \".\"\n"
        )?;
        writeln!(
            file,
            "# max_seconds = 0 keeps all; conditions as in voxline bench --help"
        )?;
        writeln!(file, "[enroll]\nmax_seconds = 0\ncondition = \"clean\"\n")?;
        writeln!(file, "[test]\nmax_seconds = 0\ncondition = \"clean\"")
    })
}

/// Writes every test against every model; how many.
fn write_trials(
    folder: &Path,
    speakers: &[Speaker],
    enrolled: &[&Speaker],
    enroll: usize,
) -> Result<usize, ListError> {
    let mut trials = 0;
    to_file(&folder.join("trials.tsv"), |file| {
        for speaker in speakers {
            for path in tests(speaker, enroll) {
                for model in enrolled {
                    let label = if model.name == speaker.name {
                        "target"
                    } else {
                        "nontarget"
                    };
                    writeln!(file, "{}\t{path}\t{label}", model.name)?;
                    trials += 1;
                }
            }
        }
        Ok(())
    })?;
    Ok(trials)
}

/// Writes every test as a call to its speaker's number and to the next one; how many.
fn write_searches(
    folder: &Path,
    speakers: &[Speaker],
    numbers: usize,
    enroll: usize,
) -> Result<usize, ListError> {
    let mut searches = 0;
    to_file(&folder.join("search.tsv"), |file| {
        for speaker in speakers {
            for path in tests(speaker, enroll) {
                let own = speaker.number;
                if let Some(own) = own {
                    writeln!(file, "{path}\t{}\t{}", speaker.name, number(own))?;
                    searches += 1;
                }
                let other = own.map_or(0, |own| (own + 1) % numbers);
                if own != Some(other) {
                    writeln!(file, "{path}\t-\t{}", number(other))?;
                    searches += 1;
                }
            }
        }
        Ok(())
    })?;
    Ok(searches)
}

/// The folders of `folder` with the recordings in each, both in the order of their names.
fn speakers(folder: &Path) -> Result<Vec<Speaker>, ListError> {
    let mut speakers = Vec::new();
    for name in names(folder)? {
        let own = folder.join(&name);
        if !own.is_dir() {
            continue;
        }
        let recording = |file: &String| {
            let ending = Path::new(file)
                .extension()
                .and_then(|ending| ending.to_str())
                .map(str::to_lowercase);
            matches!(
                ending.as_deref(),
                Some("wav" | "flac" | "mp3" | "ogg" | "opus" | "webm")
            )
        };
        let files: Vec<String> = names(&own)?
            .into_iter()
            .filter(recording)
            .map(|file| format!("{name}/{file}"))
            .collect();
        if !files.is_empty() {
            speakers.push(Speaker {
                name,
                files,
                number: None,
            });
        }
    }
    Ok(speakers)
}

/// The names in a folder that a list can hold: Unicode without tabs and line ends.
fn names(folder: &Path) -> Result<Vec<String>, ListError> {
    let unreadable = |cause| ListError::Unreadable {
        path: folder.to_owned(),
        cause,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let usable = name
            .to_str()
            .filter(|name| !name.starts_with('.') && !name.contains(['\t', '\n', '\r']));
        names.extend(usable.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
