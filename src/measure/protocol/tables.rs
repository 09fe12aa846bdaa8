//! A protocol's lists, checked against one another; names become numbers once, here.

use std::collections::HashMap;
use std::path::Path;

use super::super::lists::Format;
use super::super::lists::read::{each_line, each_trial};
use super::ProtocolError;

/// All lists of a protocol. Models, tests, conditions and numbers are named by their place in the lists of
/// names.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The models' names.
    pub models: Vec<String>,
    /// The clips each model is enrolled with.
    pub enrolments: Vec<Vec<Clip>>,
    /// The paths of all tests, of trials and searches.
    pub tests: Vec<String>,
    /// The trials, in the list's order.
    pub trials: Vec<Trial>,
    /// The names of the trials' conditions; the empty name where the list has none.
    pub conditions: Vec<String>,
    /// The searches, in the list's order.
    pub searches: Vec<Searched>,
    /// The dialed numbers, each with the models on its roster.
    pub rosters: Vec<(String, Vec<u32>)>,
    /// The speakers, in the order of their first mention.
    pub speakers: Vec<Speaker>,
    /// Each model's speaker.
    pub model_speakers: Vec<u32>,
    /// Each test's speaker.
    pub test_speakers: Vec<u32>,
}

/// A stretch of a recording to enrol with.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The recording's path, as the list has it.
    pub path: String,
    /// From and to, in seconds; all of it when none.
    pub span: Option<(f64, f64)>,
}

/// One comparison of a recording with a user (ISO/IEC 19795-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Position of the enrolment's model in the protocol's list.
    pub model: u32,
    /// Position of the test in the protocol's list.
    pub test: u32,
    /// Position of the test's condition in the protocol's list.
    pub condition: u16,
    /// Whether the test's speaker is the model's.
    pub target: bool,
}

/// One search of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searched {
    /// Position of the test in the protocol's list.
    pub test: u32,
    /// The caller's model; none for nobody enrolled.
    pub caller: Option<u32>,
    /// The dialed number, by its place among the rosters.
    pub roster: u32,
}

/// What is known of a speaker, where the protocol says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speaker {
    /// Their name in the lists.
    pub name: String,
    /// What they belong to, as in (`sex`, `f`).
    pub groups: Vec<(String, String)>,
}

/// Names and their places.
#[derive(Default)]
struct Names {
    places: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.names.len() as u32;
        self.places.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }

    fn find(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }
}

/// What `speakers.tsv` says.
#[derive(Default)]
struct Told {
    /// The speaker of each model or path that is listed.
    speakers: HashMap<String, String>,
    /// What each speaker belongs to, by any of their lines.
    groups: HashMap<String, Vec<(String, String)>>,
}

impl Told {
    fn read(path: &Path) -> Result<Self, ProtocolError> {
        let mut told = Self::default();
        each_line(path, |text| {
            let mut fields = text.split('\t').map(str::trim);
            let (Some(name), Some(speaker)) = (fields.next(), fields.next()) else {
                return Err("a model or path and its speaker are wanted".to_owned());
            };
            for field in fields {
                let (group, value) = field
                    .split_once('=')
                    .ok_or("groups are wanted as `group=value`")?;
                told.add_group(speaker, group, value)?;
            }
            told.speakers.insert(name.to_owned(), speaker.to_owned());
            Ok(())
        })?;
        Ok(told)
    }

    fn add_group(&mut self, speaker: &str, group: &str, value: &str) -> Result<(), String> {
        let groups = self.groups.entry(speaker.to_owned()).or_default();
        match groups.iter().find(|(name, _)| name == group) {
            Some((_, other)) if other != value => Err(format!(
                "{speaker} is said to be {group}={value} here and {group}={other} in an earlier line: give a speaker one \
                 value of a group"
            )),
            Some(_) => Ok(()),
            None => {
                groups.push((group.to_owned(), value.to_owned()));
                Ok(())
            }
        }
    }
}

impl Tables {
    /// Reads the lists of a protocol folder.
    ///
    /// # Errors
    /// [`ProtocolError`] with the list and line that is wrong.
    pub fn read(folder: &Path) -> Result<Self, ProtocolError> {
        let (mut models, mut tests) = (Names::default(), Names::default());
        let mut tables = Self {
            enrolments: enrolments(folder, &mut models)?,
            ..Self::default()
        };
        tables.read_trials(&folder.join("trials.tsv"), &models, &mut tests)?;
        let search = folder.join("search.tsv");
        if search.exists() {
            let mut numbers = Names::default();
            tables.read_rosters(&folder.join("rosters.tsv"), &models, &mut numbers)?;
            tables.read_searches(&search, &models, &numbers, &mut tests)?;
        }
        (tables.models, tables.tests) = (models.names, tests.names);
        tables.read_speakers(&folder.join("speakers.tsv"))?;
        Ok(tables)
    }

    fn read_trials(&mut self, path: &Path, models: &Names, tests: &mut Names) -> Result<(), ProtocolError> {
        let mut conditions = Names::default();
        each_trial(path, Format::Voxline, |listed| {
            let condition = conditions.place(listed.condition.as_deref().unwrap_or_default());
            let model = models.find(&listed.enrolled);
            self.trials.push(Trial {
                model: model.ok_or_else(|| not_enrolled(&listed.enrolled))?,
                test: tests.place(&listed.test),
                condition: u16::try_from(condition).map_err(|_| "more than 65535 conditions")?,
                target: listed.target.unwrap_or_default(),
            });
            Ok(())
        })?;
        self.conditions = conditions.names;
        if self.trials.is_empty() {
            return Err(ProtocolError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(())
    }

    fn read_rosters(
        &mut self,
        path: &Path,
        models: &Names,
        numbers: &mut Names,
    ) -> Result<(), ProtocolError> {
        each_line(path, |text| {
            let [number, model] = columns(text)?;
            let model = models.find(model).ok_or_else(|| not_enrolled(model))?;
            let place = numbers.place(number) as usize;
            if place == self.rosters.len() {
                self.rosters.push((number.to_owned(), Vec::new()));
            }
            let roster = &mut self.rosters[place].1;
            if roster.contains(&model) {
                return Err("the model is on this roster already".to_owned());
            }
            roster.push(model);
            Ok(())
        })?;
        Ok(())
    }

    fn read_searches(
        &mut self,
        path: &Path,
        models: &Names,
        numbers: &Names,
        tests: &mut Names,
    ) -> Result<(), ProtocolError> {
        each_line(path, |text| {
            let [test, caller, number] = columns(text)?;
            let caller = match caller {
                "-" => None,
                name => Some(models.find(name).ok_or_else(|| not_enrolled(name))?),
            };
            let roster = numbers
                .find(number)
                .ok_or_else(|| format!("{number} has no roster in rosters.tsv"))?;
            let on_it = caller.is_none_or(|caller| self.rosters[roster as usize].1.contains(&caller));
            if !on_it {
                return Err(format!(
                    "the caller is not on the roster of {number}: write - for nobody on it"
                ));
            }
            self.searches.push(Searched {
                test: tests.place(test),
                caller,
                roster,
            });
            Ok(())
        })?;
        Ok(())
    }

    fn read_speakers(&mut self, path: &Path) -> Result<(), ProtocolError> {
        let Told {
            speakers: told,
            groups,
        } = if path.exists() {
            Told::read(path)?
        } else {
            Told::default()
        };
        let mut owners = vec![None; self.tests.len()];
        let same = self.trials.iter().filter(|trial| trial.target);
        same.for_each(|trial| owners[trial.test as usize] = Some(trial.model));
        for search in &self.searches {
            owners[search.test as usize] = owners[search.test as usize].or(search.caller);
        }
        let mut names = Names::default();
        let mut place = |name: &str, otherwise: &str, speakers: &mut Vec<Speaker>| {
            let speaker = told.get(name).map_or(otherwise, String::as_str);
            let place = names.place(speaker);
            if place as usize == speakers.len() {
                speakers.push(Speaker {
                    name: speaker.to_owned(),
                    groups: groups.get(speaker).cloned().unwrap_or_default(),
                });
            }
            place
        };
        for model in &self.models {
            self.model_speakers.push(place(model, model, &mut self.speakers));
        }
        for (test, owner) in self.tests.iter().zip(owners) {
            let folder = test.rsplit_once('/').map_or(test.as_str(), |(folder, _)| folder);
            let speaker = match owner {
                Some(model) if !told.contains_key(test) => self.model_speakers[model as usize],
                _ => place(test, folder, &mut self.speakers),
            };
            self.test_speakers.push(speaker);
        }
        Ok(())
    }
}

fn enrolments(folder: &Path, models: &mut Names) -> Result<Vec<Vec<Clip>>, ProtocolError> {
    let path = folder.join("enroll.tsv");
    let mut enrolments: Vec<Vec<Clip>> = Vec::new();
    each_line(&path, |text| {
        let fields: Vec<&str> = text.split('\t').map(str::trim).collect();
        let (model, clip, span) = match fields.as_slice() {
            [model, clip] => (*model, *clip, None),
            [model, clip, start, end] => (*model, *clip, Some(span(start, end)?)),
            _ => {
                return Err(
                    "a model and a path are wanted, or both with a start and an end in seconds".to_owned(),
                );
            }
        };
        let place = models.place(model) as usize;
        if place == enrolments.len() {
            enrolments.push(Vec::new());
        }
        enrolments[place].push(Clip {
            path: clip.to_owned(),
            span,
        });
        Ok(())
    })?;
    if enrolments.is_empty() {
        return Err(ProtocolError::Empty { path });
    }
    Ok(enrolments)
}

fn span(start: &str, end: &str) -> Result<(f64, f64), String> {
    let parse = |text: &str| {
        text.parse::<f64>()
            .map_err(|_| format!("seconds are wanted, there is {text:?}"))
    };
    let (start, end) = (parse(start)?, parse(end)?);
    if start >= 0.0 && start < end && end.is_finite() {
        Ok((start, end))
    } else {
        Err(format!(
            "a start before its end is wanted, there is {start} to {end}"
        ))
    }
}

fn columns<const N: usize>(text: &str) -> Result<[&str; N], String> {
    let fields: Vec<&str> = text.split('\t').map(str::trim).collect();
    let found = fields.len();
    fields
        .try_into()
        .map_err(|_| format!("{N} columns are wanted, there are {found}"))
}

fn not_enrolled(model: &str) -> String {
    format!("{model:?} has no line in enroll.tsv")
}
