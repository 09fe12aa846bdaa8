//! How calls end at several acceptances, on rosters drawn at random.

use std::collections::BTreeSet;

use super::super::protocol::Tables;
use super::super::rng::Rng;
use super::calls::Follower;
use super::error::BenchError;
use super::fitting::rounded;
use super::heard_protocol::HeardProtocol;
use super::score::user_id;
use crate::decision::{Calibration, OperatingPoint, Outcome, Policy};

/// The sizes of roster that operating points are measured on; the smallest are what a small site has.
const ROSTERS: [usize; 5] = [2, 3, 5, 20, 50];

/// Rosters of each size that each caller meets.
const DRAWS: usize = 4;

/// The acceptances that are tried.
const ACCEPTS: [f64; 10] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

/// How calls ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// At each acceptance; none where there are too few models for any roster: nothing was measured.
    pub points: Vec<OperatingPoint>,
    /// Whose calls they were.
    pub callers: u64,
    /// Those of them who have a model.
    pub users: u64,
}

impl Measured {
    /// The worst of what this protocol and others show. The callers are those of the first that shows anything.
    pub fn worst(self, others: &[Self]) -> Self {
        let shown = others.iter().find(|other| !other.points.is_empty());
        let mut worst = match shown {
            Some(other) if self.points.is_empty() => other.clone(),
            _ => self,
        };
        for point in others.iter().flat_map(|other| &other.points) {
            let same = worst.points.iter_mut().find(|own| own.accept == point.accept);
            if let Some(own) = same {
                own.false_accept = own.false_accept.max(point.false_accept);
                own.wrong_name = own.wrong_name.max(point.wrong_name);
                own.right_name = own.right_name.min(point.right_name);
            }
        }
        worst
    }
}

/// Who of a protocol counts, in its order.
struct Counted {
    tests: Vec<usize>,
    models: Vec<u32>,
}

impl Counted {
    fn of(tables: &Tables, counts: impl Fn(u32) -> bool) -> Self {
        let tests = 0..tables.test_speakers.len();
        let models = 0..tables.model_speakers.len() as u32;
        Self {
            tests: tests.filter(|test| counts(tables.test_speakers[*test])).collect(),
            models: models
                .filter(|model| counts(tables.model_speakers[*model as usize]))
                .collect(),
        }
    }

    /// How many people call, and how many of them have a model. Whose a recording in no folder is, nobody says where no list
    /// does: all such are one caller's.
    fn people(&self, tables: &Tables) -> (u64, u64) {
        let users: BTreeSet<u32> = self
            .models
            .iter()
            .map(|model| tables.model_speakers[*model as usize])
            .collect();
        let caller = |test: &usize| {
            let speaker = tables.test_speakers[*test];
            let is_told = tables.speakers[speaker as usize].name != tables.tests[*test];
            (is_told || users.contains(&speaker)).then_some(speaker)
        };
        let callers: BTreeSet<Option<u32>> = self.tests.iter().map(caller).collect();
        let enrolled = callers
            .iter()
            .flatten()
            .filter(|caller| users.contains(*caller))
            .count();
        (callers.len() as u64, enrolled as u64)
    }
}

/// How calls end at each acceptance, on rosters drawn at random: each caller with their own enrolment among
/// others', and on a roster without it. Callers and rosters are of those who count.
pub(super) fn operating_points(
    heard: &HeardProtocol<'_>,
    calibration: &Calibration,
) -> Result<Measured, BenchError> {
    let tables = &heard.protocol.tables;
    let counted = Counted::of(tables, |speaker| heard.counts(speaker));
    let (callers, users) = counted.people(tables);
    let mut measured = Measured {
        points: Vec::new(),
        callers,
        users,
    };
    let sizes = sizes(tables, &counted);
    if sizes.is_empty() {
        return Ok(measured);
    }
    for accept in ACCEPTS {
        let policy = Policy {
            accept,
            ..heard.bench.policy
        };
        let mut worst = OperatingPoint {
            accept,
            false_accept: 0.0,
            wrong_name: 0.0,
            right_name: 1.0,
        };
        for size in &sizes {
            let follower = Follower {
                calibration,
                policy: &policy,
                models: &heard.models,
            };
            let ends = rostered(heard, &counted, follower, *size)?;
            let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
            worst.false_accept = worst.false_accept.max(share(ends.stranger_named, ends.strangers));
            worst.wrong_name = worst.wrong_name.max(share(ends.wrong, ends.enrolled));
            worst.right_name = worst.right_name.min(share(ends.right, ends.enrolled));
        }
        measured.points.push(OperatingPoint {
            accept,
            false_accept: rounded(worst.false_accept),
            wrong_name: rounded(worst.wrong_name),
            right_name: rounded(worst.right_name),
        });
    }
    Ok(measured)
}

/// The sizes at which every caller finds a roster of others.
fn sizes(tables: &Tables, counted: &Counted) -> Vec<usize> {
    let others = |test: &usize| {
        let caller = tables.test_speakers[*test];
        let models = counted.models.iter();
        models
            .filter(|model| tables.model_speakers[**model as usize] != caller)
            .count()
    };
    let fewest = counted.tests.iter().map(others).min().unwrap_or(0);
    ROSTERS.into_iter().filter(|size| *size <= fewest).collect()
}

#[derive(Default)]
struct Ends {
    strangers: usize,
    stranger_named: usize,
    enrolled: usize,
    right: usize,
    wrong: usize,
}

fn rostered(
    heard: &HeardProtocol<'_>,
    counted: &Counted,
    follower: Follower<'_>,
    size: usize,
) -> Result<Ends, BenchError> {
    let tables = &heard.protocol.tables;
    let mut ends = Ends::default();
    for tests in &heard.voices.tests {
        for (nth, test) in counted.tests.iter().copied().enumerate() {
            let speaker = tables.test_speakers[test];
            let of_speaker = |model: &u32| tables.model_speakers[*model as usize] == speaker;
            let (own, mut others): (Vec<u32>, Vec<u32>) =
                counted.models.iter().copied().partition(of_speaker);
            let mut rng = Rng::for_task(heard.bench.seed, nth as u64);
            for _ in 0..DRAWS {
                rng.draw(&mut others, size);
                let named = |roster: &[u32]| {
                    let followed = follower.follow(roster, &tests[test]);
                    followed
                        .map(|call| call.ended)
                        .map_err(|cause| BenchError::Score {
                            model: "a roster drawn at random".to_owned(),
                            test: tables.tests[test].clone(),
                            cause,
                        })
                };
                let roster = &mut others[..size];
                ends.strangers += 1;
                ends.stranger_named += usize::from(matches!(named(roster)?, Outcome::Identified(_)));
                if let Some(own) = own.first() {
                    let kept = std::mem::replace(&mut roster[0], *own);
                    let ended = named(roster)?;
                    roster[0] = kept;
                    ends.enrolled += 1;
                    ends.right += usize::from(ended == Outcome::Identified(user_id(*own)));
                    ends.wrong +=
                        usize::from(matches!(ended, Outcome::Identified(user) if user != user_id(*own)));
                }
            }
        }
    }
    Ok(ends)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::protocol::Speaker;
    use super::super::benchmark::tests::{benchmark, models};
    use super::super::heard::{Print, Prints};
    use super::super::heard_protocol::tests::{heard, protocol, recording};
    use super::*;
    use crate::voiceprint::{Bandwidth, Embedding};

    /// A model and a test of each of these; of ten people, or as many as there are tests.
    pub(in super::super) fn tables(model_speakers: &[u32], test_speakers: &[u32]) -> Tables {
        let speaker = |nth: usize| Speaker {
            name: format!("s{nth}"),
            groups: Vec::new(),
        };
        Tables {
            models: model_speakers.iter().map(ToString::to_string).collect(),
            tests: (0..test_speakers.len()).map(|nth| format!("{nth}.wav")).collect(),
            speakers: (0..test_speakers.len().max(10)).map(speaker).collect(),
            model_speakers: model_speakers.to_vec(),
            test_speakers: test_speakers.to_vec(),
            ..Tables::default()
        }
    }

    fn sizes_of(model_speakers: &[u32], test_speakers: &[u32]) -> Vec<usize> {
        let tables = tables(model_speakers, test_speakers);
        sizes(&tables, &Counted::of(&tables, |_| true))
    }

    #[test]
    fn a_size_is_tried_where_every_caller_finds_so_many_others() {
        let six = [0, 1, 2, 3, 4, 5];
        assert_eq!(sizes_of(&six, &six), [2, 3, 5]);
        assert_eq!(sizes_of(&six[..5], &six[..5]), [2, 3]);
        // Who has two of the six models finds four others.
        assert_eq!(sizes_of(&[0, 0, 1, 2, 3, 4], &[0, 1, 9]), [2, 3]);
    }

    #[test]
    fn two_users_make_no_roster_without_one_of_them() {
        assert!(sizes_of(&[0, 1], &[0, 1]).is_empty());
        assert!(sizes_of(&[0, 1, 2], &[]).is_empty());
    }

    #[test]
    fn callers_of_whom_nobody_says_who_they_are_count_as_one() {
        let mut tables = tables(&[0, 1], &[0, 1, 2, 3, 4, 4]);
        // As it is read where no list says whose they are, and they lie in no folder.
        tables.speakers[2].name.clone_from(&tables.tests[2]);
        tables.speakers[3].name.clone_from(&tables.tests[3]);
        assert_eq!(Counted::of(&tables, |_| true).people(&tables), (4, 2));
        assert_eq!(Counted::of(&tables, |one| one > 1).people(&tables), (2, 0));
    }

    /// What is measured of people whose voices lie 60 degrees apart, each of whom calls 20 degrees off, where these count.
    fn measured(people: &[u32], counted: &[u32]) -> Measured {
        let models = models();
        let bench = benchmark(&models);
        let places: Vec<u32> = (0..people.len() as u32).collect();
        let print = |degrees: u32| Print {
            voice: Embedding::at_degrees(degrees as f32),
            net_s: 12.0,
            over: Bandwidth::Narrow,
        };
        let test = |who: &u32| Prints {
            at_s: 12.0,
            print: Some(print(60 * who + 20)),
            ..Prints::default()
        };
        let protocol = protocol(tables(&places, &places));
        let heard = HeardProtocol {
            models: people.iter().map(|who| Some(print(60 * who))).collect(),
            counted: people.iter().map(|who| counted.contains(who)).collect(),
            ..heard(
                &bench,
                &protocol,
                people
                    .iter()
                    .map(|who| recording(vec![test(who)], Vec::new()))
                    .collect(),
            )
        };
        operating_points(&heard, &Calibration::straight(25.0, -9.0)).unwrap()
    }

    #[test]
    fn what_is_measured_is_measured_on_those_alone_who_count() {
        let (six, four) = ([0, 1, 2, 3, 4, 5], [1, 2, 4, 5]);
        let (all, named, alone) = (
            measured(&six, &six),
            measured(&six, &four),
            measured(&four, &four),
        );
        assert_eq!((named.callers, named.users), (4, 4));
        assert_eq!(named, alone);
        assert_ne!(named.points, all.points);
    }

    #[test]
    fn the_worst_is_of_every_protocol_also_where_the_first_shows_nothing() {
        let of = |callers, false_accept| Measured {
            points: vec![OperatingPoint {
                accept: 0.5,
                false_accept,
                wrong_name: 0.0,
                right_name: 1.0 - false_accept,
            }],
            callers,
            users: 2,
        };
        let nothing = Measured {
            points: Vec::new(),
            callers: 99,
            users: 2,
        };
        let worst = nothing.clone().worst(&[of(7, 0.1), nothing.clone(), of(8, 0.2)]);
        assert_eq!((worst.callers, worst.points), (7, of(0, 0.2).points));
        let worst = of(5, 0.3).worst(&[nothing.clone(), of(8, 0.2)]);
        assert_eq!((worst.callers, worst.points), (5, of(0, 0.3).points));
        assert!(nothing.clone().worst(&[]).points.is_empty());
    }
}
