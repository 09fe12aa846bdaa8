//! Whether what a protocol's lists say of people can be true.

use std::collections::HashSet;
use std::path::Path;

use super::super::lists::read::each_line;
use super::{Clip, ListError, Searched, Side, Tables, Trial};

/// Refuses lists that contradict one another, with the line: every figure would be of other people than those who spoke.
pub(super) fn check_people(folder: &Path, tables: &Tables, test: &Side) -> Result<(), ListError> {
    let lists = Lists {
        tables,
        told: told(&folder.join("speakers.tsv"))?,
        test_seconds: if test.max_seconds > 0.0 {
            test.max_seconds
        } else {
            f64::INFINITY
        },
    };
    let trials = tables.trials.iter().map(|trial| lists.fault_of_trial(trial));
    if let Some((nth, what)) = first(trials) {
        refuse(&folder.join("trials.tsv"), nth, &what)?;
    }
    let searches = tables.searches.iter().map(|search| lists.fault_of_search(search));
    match first(searches) {
        Some((nth, what)) => refuse(&folder.join("search.tsv"), nth, &what),
        None => Ok(()),
    }
}

/// The first fault and its place.
fn first(faults: impl Iterator<Item = Option<String>>) -> Option<(usize, String)> {
    faults.enumerate().find_map(|(nth, fault)| Some((nth, fault?)))
}

/// The models and paths whose speaker is told.
fn told(path: &Path) -> Result<HashSet<String>, ListError> {
    let mut told = HashSet::new();
    if path.exists() {
        each_line(path, |text| {
            told.extend(text.split('\t').next().map(|name| name.trim().to_owned()));
            Ok(())
        })?;
    }
    Ok(told)
}

/// The fault of the `nth` line of a list, empty lines apart.
fn refuse(path: &Path, nth: usize, what: &str) -> Result<(), ListError> {
    let mut before = nth;
    each_line(path, |_| match before.checked_sub(1) {
        Some(left) => {
            before = left;
            Ok(())
        }
        None => Err(what.to_owned()),
    })
}

struct Lists<'a> {
    tables: &'a Tables,
    told: HashSet<String>,
    /// Seconds of a test that are heard.
    test_seconds: f64,
}

impl Lists<'_> {
    fn fault_of_trial(&self, trial: &Trial) -> Option<String> {
        let (model, test) = (trial.model as usize, trial.test as usize);
        let tables = self.tables;
        let (name, path) = (&tables.models[model], &tables.tests[test]);
        match (trial.target, self.is_own(model, test)) {
            (true, _) => self.fault_of_own(model, test),
            (false, false) => self.fault_of_stretch(model, test),
            (false, true) if self.is_target_too(trial) => Some(format!(
                "{path} is a target of {name} on another line: it can be one of both"
            )),
            (false, true) => Some(format!(
                "the speaker of {name} and of {path} is {}: either this is a target, or a line in speakers.tsv is wanted that \
                 says whose recording it is",
                self.speaker(tables.model_speakers[model])
            )),
        }
    }

    fn speaker(&self, place: u32) -> &str {
        &self.tables.speakers[place as usize].name
    }

    /// Whether a test is of the model's speaker.
    fn is_own(&self, model: usize, test: usize) -> bool {
        self.tables.model_speakers[model] == self.tables.test_speakers[test]
    }

    /// Why a test cannot be of the model's speaker, as a list has it. Of whom nobody tells anything, several models may be one
    /// person's.
    fn fault_of_own(&self, model: usize, test: usize) -> Option<String> {
        let (name, path) = (&self.tables.models[model], &self.tables.tests[test]);
        let is_told = self.told.contains(name) || self.told.contains(path);
        if !is_told || self.is_own(model, test) {
            return self.fault_of_stretch(model, test);
        }
        Some(format!(
            "the speaker of {name} is {} and that of {path} is {}: this line or one in speakers.tsv is wrong",
            self.speaker(self.tables.model_speakers[model]),
            self.speaker(self.tables.test_speakers[test])
        ))
    }

    fn is_target_too(&self, trial: &Trial) -> bool {
        let mut all = self.tables.trials.iter();
        all.any(|other| other.target && (other.model, other.test) == (trial.model, trial.test))
    }

    fn fault_of_search(&self, search: &Searched) -> Option<String> {
        let tables = self.tables;
        let (test, (number, roster)) = (search.test as usize, &tables.rosters[search.roster as usize]);
        let path = &tables.tests[test];
        let Some(caller) = search.caller else {
            let own = roster.iter().find(|model| self.is_own(**model as usize, test))?;
            return Some(format!(
                "the speaker of {path} has the model {} on the roster of {number}: name it in place of -, or say in speakers.tsv \
                 whose recording it is",
                tables.models[*own as usize]
            ));
        };
        self.fault_of_own(caller as usize, test)
    }

    /// A test of which some is what the model is enrolled with.
    fn fault_of_stretch(&self, model: usize, test: usize) -> Option<String> {
        let (name, path) = (&self.tables.models[model], &self.tables.tests[test]);
        let is_heard = |clip: &Clip| {
            let start = clip.span.map_or(0.0, |(start, _)| start);
            clip.path == *path && start < self.test_seconds
        };
        let mut clips = self.tables.enrolments[model].iter();
        clips.any(is_heard).then(|| {
            format!("{path} is what {name} is enrolled with, or begins with it: other speech is wanted to test with")
        })
    }
}
