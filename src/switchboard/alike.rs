//! Users of one number whose voices are alike, by the same calibration that decides on calls.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;
use tokio::sync::TryAcquireError;
use utoipa::ToSchema;

use super::error::BoardError;
use super::gallery_cache::mean_print;
use super::roster::error_target_of;
use super::view::View;
use crate::decision::{Calibration, Curve, Outcome, Policy, RosterReach};
use crate::engine::Busy;
use crate::store::RosterEntry;
use crate::units::{DialedNumber, Llr, NotFinite, UserId};
use crate::verdict::scoring::{self, HeardVoice, Likeness};
use crate::voiceprint::{ModelId, Voiceprint};

/// The most comparisons of one request: a second or so of one core at 256 dimensions.
const MOST_COMPARISONS: usize = 2_000_000;
/// The most pairs that are shown.
const MOST_SHOWN: usize = 100;
/// How many are held while others are found.
const MOST_HELD: usize = 4096;
/// How long to wait while another comparison runs.
const WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// How alike two voices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlikeAs {
    /// Likelier one person than two, and not surely: calls of one may be *ambiguous*, or be taken for the other.
    Near,
    /// A call in the one voice would be named after the other: one person with two users, or two who cannot be told
    /// apart here.
    OnePerson,
}

/// A user by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedUser {
    /// Id of the user.
    #[schema(value_type = String, format = "uuid")]
    pub id: UserId,
    /// Their name; null for who may know no names.
    pub name: Option<String>,
}

/// Two users whose voices are alike.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlikePair {
    /// Who, the earlier user first.
    #[schema(value_type = Vec<NamedUser>)]
    pub users: [NamedUser; 2],
    /// How alike the two voices are.
    pub alike: AlikeAs,
    /// The natural-log likelihood ratio of one person against two, the higher of both directions.
    pub llr: f64,
}

/// The voices of a number that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlikeVoices {
    /// The most alike first, at most 100.
    pub pairs: Vec<AlikePair>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Whose voices were compared with everybody's: so many users.
    pub compared: usize,
    /// Users of the number with a voice.
    pub enrolled: usize,
    /// Where a further request goes on; null when everybody was compared.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub next: Option<UserId>,
}

impl AlikeVoices {
    /// The same by ids alone.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        self.pairs
            .iter_mut()
            .flat_map(|pair| &mut pair.users)
            .for_each(|user| user.name = None);
        self
    }
}

/// A user with their voice, as calls are compared with it.
struct Voiced {
    user: UserId,
    name: String,
    print: Voiceprint,
}

impl View<'_> {
    /// The users of a number whose voices are alike: those after `after` compared with everybody, as far as one
    /// request may. One comparison runs at a time.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; [`BoardError::Busy`] while another one runs.
    pub async fn alike(
        &self,
        number: &DialedNumber,
        after: Option<UserId>,
    ) -> Result<AlikeVoices, BoardError> {
        self.require(number).await?;
        let turn = std::sync::Arc::clone(&self.board.comparing).try_acquire_owned();
        let turn = turn.map_err(|fault| match fault {
            TryAcquireError::NoPermits => BoardError::Busy(Busy {
                retry_after: WAIT,
                why: crate::engine::Full::Places,
            }),
            TryAcquireError::Closed => BoardError::Analysis("comparisons have ended".to_owned()),
        })?;
        let known = self.board.store.number(number).await?;
        let known = known.ok_or_else(|| BoardError::UnknownNumber(number.clone()))?;
        let active_model = self.board.active_model();
        let model = active_model.card.id().clone();
        let policy = active_model.policy_of(&error_target_of(&known));
        let entries = self.board.store.roster(number, &model).await?;
        let calibration = active_model.calibration.clone();
        let work = tokio::task::spawn_blocking(move || {
            let found = compare(entries, &model, after, MOST_COMPARISONS, &calibration, &policy);
            drop(turn);
            found
        });
        let found = work.await;
        found.map_err(|_| BoardError::Analysis("a comparison of voices ended early".to_owned()))?
    }
}

fn compare(
    entries: Vec<RosterEntry>,
    model: &ModelId,
    after: Option<UserId>,
    most: usize,
    calibration: &Calibration,
    policy: &Policy,
) -> Result<AlikeVoices, BoardError> {
    let mut voiced = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(mean) = mean_print(&entry, model)? {
            voiced.push(Voiced {
                user: entry.user,
                name: entry.name,
                print: mean.print,
            });
        }
    }
    let voices: Vec<_> = voiced.iter().map(|one| &one.print.embedding).collect();
    let reach = RosterReach::of(&voices).map_err(|fault| BoardError::Analysis(fault.to_string()))?;
    let curve = calibration.curve.on(reach);
    let first = voiced.partition_point(|one| after.is_some_and(|after| one.user <= after));
    let most = (most / voiced.len().max(1)).max(1);
    let probes = first..voiced.len().min(first + most);
    let next = (probes.end < voiced.len()).then(|| voiced[probes.end - 1].user);
    let compared = probes.len();
    let mut held = Held::default();
    for at in probes {
        against_everybody(at, &voiced, &curve, policy, &mut held)
            .map_err(|fault| BoardError::Analysis(fault.to_string()))?;
    }
    let (pairs, more) = held.best(&voiced);
    Ok(AlikeVoices {
        pairs,
        more,
        compared,
        enrolled: voiced.len(),
        next,
    })
}

/// One user's voice as if it called, looked for among the others.
fn against_everybody(
    at: usize,
    voiced: &[Voiced],
    curve: &Curve,
    policy: &Policy,
    held: &mut Held,
) -> Result<(), NotFinite> {
    let own = &voiced[at];
    let places = || (0..voiced.len()).filter(|place| *place != at);
    let likeness = |place: usize| {
        let other = &voiced[place];
        Ok(Likeness {
            user: other.user,
            cosine: own.print.embedding.cosine(&other.print.embedding)?,
            enrolled_speech: other.print.net_speech,
            enrolled_over: other.print.bandwidth,
        })
    };
    let others = places().map(likeness).collect::<Result<Vec<_>, NotFinite>>()?;
    if others.is_empty() {
        return Ok(());
    }
    let moment = HeardVoice::of_print(Some(&own.print));
    let named = match scoring::judge_once(&moment, &others, curve, policy)? {
        Some(Outcome::Identified(user)) => Some(user),
        _ => None,
    };
    let llrs = scoring::llrs(&moment, own.print.net_speech, &others, curve)?;
    for (place, (user, llr)) in places().zip(llrs) {
        if named == Some(user) {
            held.take(at, place, AlikeAs::OnePerson, llr);
        } else if llr.get() >= 0.0 {
            held.take(at, place, AlikeAs::Near, llr);
        }
    }
    Ok(())
}

/// Pairs by their places on the roster, bounded in number.
#[derive(Default)]
struct Held {
    pairs: HashMap<(usize, usize), (AlikeAs, Llr)>,
    dropped: bool,
}

impl Held {
    fn take(&mut self, one: usize, other: usize, alike: AlikeAs, llr: Llr) {
        let pair = (one.min(other), one.max(other));
        let known = self.pairs.entry(pair).or_insert((alike, llr));
        *known = (known.0.max(alike), known.1.max(llr));
        if self.pairs.len() > MOST_HELD {
            let mut all: Vec<_> = self.pairs.drain().collect();
            all.sort_unstable_by_key(|(pair, (alike, llr))| (Reverse((*alike, *llr)), *pair));
            all.truncate(MOST_HELD / 2);
            self.pairs = all.into_iter().collect();
            self.dropped = true;
        }
    }

    /// The most alike, and whether there were more.
    fn best(self, voiced: &[Voiced]) -> (Vec<AlikePair>, bool) {
        let mut all: Vec<_> = self.pairs.into_iter().collect();
        all.sort_unstable_by_key(|(pair, (alike, llr))| (Reverse((*alike, *llr)), *pair));
        let more = self.dropped || all.len() > MOST_SHOWN;
        let named = |place: usize| NamedUser {
            id: voiced[place].user,
            name: Some(voiced[place].name.clone()),
        };
        let shown = all
            .into_iter()
            .take(MOST_SHOWN)
            .map(|((one, other), (alike, llr))| AlikePair {
                users: [named(one), named(other)],
                alike,
                llr: llr.get(),
            });
        (shown.collect(), more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;
    use crate::voiceprint::{Bandwidth, Embedding};

    /// Users whose voices point into these directions.
    fn roster(degrees: &[f32]) -> Vec<RosterEntry> {
        let entry = |degrees: &f32| {
            let print = Voiceprint {
                embedding: Embedding::at_degrees(*degrees),
                model: ModelId::new("m"),
                bandwidth: Bandwidth::Wide,
                net_speech: Seconds::new(12.0),
            };
            RosterEntry {
                user: UserId::fresh(),
                name: degrees.to_string(),
                clips: vec![print],
            }
        };
        degrees.iter().map(entry).collect()
    }

    fn compared(entries: &[RosterEntry], after: Option<UserId>, most: usize) -> AlikeVoices {
        let policy = Policy::default();
        compare(
            entries.to_vec(),
            &ModelId::new("m"),
            after,
            most,
            &Calibration::straight(25.0, -15.0),
            &policy,
        )
        .unwrap()
    }

    fn names(found: &AlikeVoices) -> Vec<(String, AlikeAs)> {
        let pair = |pair: &AlikePair| {
            let names = pair.users.each_ref().map(|user| user.name.clone().unwrap());
            (names.join(" "), pair.alike)
        };
        found.pairs.iter().map(pair).collect()
    }

    #[test]
    fn one_voice_twice_is_one_person_and_others_are_near_or_not_told_of() {
        let found = compared(&roster(&[0.0, 5.0, 90.0, 142.0]), None, 1_000);
        // Cosines of 0.996 and of 0.62; all others are far below the 0.6 at which the ratio is nought.
        assert_eq!(
            names(&found),
            [
                ("0 5".to_owned(), AlikeAs::OnePerson),
                ("90 142".to_owned(), AlikeAs::Near)
            ]
        );
        assert_eq!(
            (found.compared, found.enrolled, found.next, found.more),
            (4, 4, None, false)
        );
    }

    #[test]
    fn a_large_roster_is_compared_in_parts_that_together_miss_no_pair() {
        let entries = roster(&[0.0, 90.0, 180.0, 270.0, 3.0, 93.0, 183.0]);
        let whole = names(&compared(&entries, None, 1_000));
        assert_eq!(whole.len(), 3);
        let (mut after, mut parts, mut requests) = (None, Vec::new(), 0);
        loop {
            // Two voices at a time with seven.
            let part = compared(&entries, after, 15);
            assert!(part.compared <= 2, "{part:?}");
            parts.extend(names(&part));
            requests += 1;
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(requests, 4);
        assert!(whole.iter().all(|pair| parts.contains(pair)), "{parts:?}");
    }

    #[test]
    fn the_pairs_that_are_shown_and_held_are_bounded_and_the_most_alike() {
        let directions: Vec<f32> = (0..120_u8).map(|at| f32::from(at) / 100.0).collect();
        let found = compared(&roster(&directions), None, 1_000_000);
        assert_eq!((found.pairs.len(), found.more), (MOST_SHOWN, true));
        assert!(
            found
                .pairs
                .is_sorted_by(|a, b| (a.alike, a.llr) >= (b.alike, b.llr))
        );
    }

    #[test]
    fn nobody_and_somebody_alone_are_like_nobody() {
        for entries in [roster(&[]), roster(&[10.0])] {
            let found = compared(&entries, None, 1_000);
            assert_eq!((found.pairs.len(), found.next), (0, None));
        }
    }
}
