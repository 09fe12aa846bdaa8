//! How a protocol's searches end when the product decides them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};
use voxline::decision::{Calibration, Evidence, Outcome, Policy, decide};
use voxline::units::{Cosine, Llr, Seconds, UserId};
use voxline::voiceprint::Card;

use super::protocol::Scores;

/// The settings of a policy that are tried.
pub struct Tried {
    pub accept: f64,
    pub unknown_share: f64,
    pub enough_speech: f64,
}

/// The product's own.
pub const USUAL: Tried = Tried {
    accept: 0.97,
    unknown_share: 0.5,
    enough_speech: 6.0,
};

/// The product's policy for this model, with what is tried put in.
pub fn policy(card: &Card, accept: f64, unknown_share: f64, enough_speech: f64) -> Result<Policy> {
    Ok(Policy {
        accept,
        unknown_share,
        enough_speech: Seconds::checked(enough_speech).context("--enough-speech is no span of time")?,
        minimum_speech: card.minimum_net_speech(),
        ..Policy::default()
    })
}

/// How searches ended, by whether the caller is on the roster.
#[derive(Default)]
pub struct Ends {
    enrolled: Counts,
    others: Counts,
}

#[derive(Default)]
struct Counts {
    right: usize,
    wrong: usize,
    unknown: usize,
    inconclusive: usize,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<14}{:>7}{:>12}{:>12}{:>10}{:>14}",
            "", "calls", "right name", "wrong name", "unknown", "inconclusive"
        )?;
        for (name, counts) in [("enrolled", &self.enrolled), ("not enrolled", &self.others)] {
            let Counts {
                right,
                wrong,
                unknown,
                inconclusive,
            } = counts;
            let calls = right + wrong + unknown + inconclusive;
            let share = |part: &usize| 100.0 * *part as f64 / calls.max(1) as f64;
            writeln!(
                f,
                "  {name:<14}{calls:>7}{:>10.1} %{:>10.1} %{:>8.1} %{:>12.1} %",
                share(right),
                share(wrong),
                share(unknown),
                share(inconclusive),
            )?;
        }
        Ok(())
    }
}

/// Decides every search: path, caller or `-`, number.
pub fn judge_all(
    card: &Card,
    policy: &Policy,
    searches: &[Vec<String>],
    rosters: &BTreeMap<String, Vec<String>>,
    scores: &Scores,
) -> Result<Ends> {
    let calibration = Calibration::load(&card.calibration(), card.id(), card.sha256())?;
    let mut ends = Ends::default();
    for row in searches {
        let (path, caller, number) = (&row[0], &row[1], &row[2]);
        let net_speech = scores.test(path).map_or(Seconds::ZERO, |test| test.net_speech);
        let (mut names, mut ratios) = (BTreeMap::new(), Vec::new());
        for model in rosters
            .get(number)
            .with_context(|| format!("{number} has no roster"))?
        {
            let Some((cosine, bandwidth)) = scores.cosine(model, path)? else {
                continue;
            };
            let llr: Llr = calibration
                .curve(bandwidth)
                .llr(Cosine::new(cosine as f32)?, net_speech)?;
            let user = UserId::fresh();
            names.insert(user, model);
            ratios.push((user, llr));
        }
        let evidence = Evidence {
            ratios: &ratios,
            net_speech,
            poor_audio: false,
        };
        let counts = if caller == "-" {
            &mut ends.others
        } else {
            &mut ends.enrolled
        };
        match decide(&evidence, policy)?.outcome {
            Outcome::Identified(user) if names.get(&user) == Some(&caller) => counts.right += 1,
            Outcome::Identified(_) => counts.wrong += 1,
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Inconclusive(_) => counts.inconclusive += 1,
        }
    }
    Ok(ends)
}
