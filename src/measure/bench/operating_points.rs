//! How calls end at several acceptances, on rosters drawn at random.

use super::super::protocol::{Protocol, Tables};
use super::super::rng::Rng;
use super::benchmark::Benchmark;
use super::calls::Follower;
use super::error::BenchError;
use super::everybody::Voices;
use super::fitting::rounded;
use super::heard::Print;
use super::score::user_id;
use crate::decision::{Calibration, OperatingPoint, Outcome, Policy};

/// The sizes of roster that operating points are measured on; the smallest are what a small site has.
const ROSTERS: [usize; 5] = [2, 3, 5, 20, 50];

/// Rosters of each size that each caller meets.
const DRAWS: usize = 4;

/// The acceptances that are tried.
const ACCEPTS: [f64; 10] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

/// How calls end at each acceptance, on rosters drawn at random: each caller with their own enrolment among
/// others', and on a roster without it. None where there are too few models for any roster: nothing was measured.
pub(super) fn operating_points(
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    voices: &Voices,
    models: &[Option<Print>],
    calibration: &Calibration,
) -> Result<Vec<OperatingPoint>, BenchError> {
    let sizes = sizes(&protocol.tables);
    if sizes.is_empty() {
        return Ok(Vec::new());
    }
    let mut points = Vec::new();
    for accept in ACCEPTS {
        let policy = Policy {
            accept,
            ..bench.policy
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
                models,
            };
            let ends = rostered(bench, protocol, voices, follower, *size)?;
            let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
            worst.false_accept = worst.false_accept.max(share(ends.stranger_named, ends.strangers));
            worst.wrong_name = worst.wrong_name.max(share(ends.wrong, ends.enrolled));
            worst.right_name = worst.right_name.min(share(ends.right, ends.enrolled));
        }
        points.push(OperatingPoint {
            accept,
            false_accept: rounded(worst.false_accept),
            wrong_name: rounded(worst.wrong_name),
            right_name: rounded(worst.right_name),
        });
    }
    Ok(points)
}

/// The sizes at which every caller finds a roster of others.
fn sizes(tables: &Tables) -> Vec<usize> {
    let others = |speaker: &u32| tables.model_speakers.iter().filter(|own| *own != speaker).count();
    let fewest = tables.test_speakers.iter().map(others).min().unwrap_or(0);
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
    bench: &Benchmark<'_>,
    protocol: &Protocol,
    voices: &Voices,
    follower: Follower<'_>,
    size: usize,
) -> Result<Ends, BenchError> {
    let tables = &protocol.tables;
    let mut ends = Ends::default();
    for tests in &voices.tests {
        for (test, heard) in tests.iter().enumerate() {
            let speaker = tables.test_speakers[test];
            let of_speaker = |model: &u32| tables.model_speakers[*model as usize] == speaker;
            let (own, mut others): (Vec<u32>, Vec<u32>) =
                (0..follower.models.len() as u32).partition(of_speaker);
            let mut rng = Rng::for_task(bench.seed, test as u64);
            for _ in 0..DRAWS {
                rng.draw(&mut others, size);
                let named = |roster: &[u32]| {
                    let followed = follower.follow(roster, heard);
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
mod tests {
    use super::*;

    fn tables(model_speakers: &[u32], test_speakers: &[u32]) -> Tables {
        Tables {
            model_speakers: model_speakers.to_vec(),
            test_speakers: test_speakers.to_vec(),
            ..Tables::default()
        }
    }

    #[test]
    fn a_size_is_tried_where_every_caller_finds_so_many_others() {
        let six = [0, 1, 2, 3, 4, 5];
        assert_eq!(sizes(&tables(&six, &six)), [2, 3, 5]);
        assert_eq!(sizes(&tables(&six[..5], &six[..5])), [2, 3]);
        // Who has two of the six models finds four others.
        assert_eq!(sizes(&tables(&[0, 0, 1, 2, 3, 4], &[0, 1, 9])), [2, 3]);
    }

    #[test]
    fn two_users_make_no_roster_without_one_of_them() {
        assert!(sizes(&tables(&[0, 1], &[0, 1])).is_empty());
        assert!(sizes(&tables(&[0, 1, 2], &[])).is_empty());
    }
}
