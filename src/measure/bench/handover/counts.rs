//! Composed calls, counted.

use super::super::super::bootstrap::Draws;
use super::super::super::condition::Prepared;
use super::super::super::wait::Wait;
use super::super::calls::Followed;
use super::super::heard::HeardRecording;
use super::super::score::user_id;
use super::figures::{Alone, Handed, Handover, Looking, Stood, Told};
use super::shares::{Counted, share};
use super::speaker_sampler::{Kind, Script, UNDER};
use crate::decision::Outcome;
use crate::units::UserId;

/// A composed call as it was heard.
pub(super) struct Played {
    pub heard: HeardRecording,
    /// Seconds of speech before the second voice began.
    pub before_s: Option<f64>,
}

/// Seconds of the second voice's speech after which it is asked what stands.
const AFTER: [f64; 5] = [1.6, 3.2, 4.8, 6.4, 9.6];

/// What stood in a call, by whose name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    First,
    Second,
    Others,
    Unknown,
    Inconclusive,
}

impl Word {
    fn of(outcome: Outcome, [first, second]: [Option<UserId>; 2]) -> Self {
        match outcome {
            Outcome::Identified(user) if Some(user) == first => Self::First,
            Outcome::Identified(user) if Some(user) == second => Self::Second,
            Outcome::Identified(_) => Self::Others,
            Outcome::Unknown => Self::Unknown,
            Outcome::Inconclusive(_) => Self::Inconclusive,
        }
    }
}

fn users(script: &Script) -> [Option<UserId>; 2] {
    script.models.map(|model| model.map(user_id))
}

type Words = Vec<([u32; 2], Word)>;

/// Two voices, the second a stranger's or a user's: which of two counts it goes to.
fn side(script: &Script) -> usize {
    usize::from(script.models[1].is_some())
}

/// The composed calls of a condition.
#[derive(Default)]
pub(super) struct Counts {
    handed: [HandedCounts; 2],
    turns: [Words; 2],
    both: [[Words; 2]; UNDER.len()],
    told_turns: Vec<Counted>,
    told_both: [Vec<Counted>; UNDER.len()],
    alone: Words,
    taken_for_two: Vec<Counted>,
    taken_back: Vec<Counted>,
}

#[derive(Default)]
struct HandedCounts {
    named: Vec<Counted>,
    after: [Words; AFTER.len()],
    ever_others: Vec<Counted>,
}

impl HandedCounts {
    fn add(&mut self, script: &Script, before: f64, call: &Followed) {
        let (people, users) = (script.people, users(script));
        let word = |net: f64| Word::of(call.standing(net), users);
        let all = call.words.iter().map(|(_, said)| Word::of(*said, users));
        self.ever_others
            .push((people, all.into_iter().any(|word| word == Word::Others)));
        let named = word(before) == Word::First;
        self.named.push((people, named));
        let end = call.words.last().map_or(0.0, |(net, _)| *net);
        for (words, after) in self.after.iter_mut().zip(AFTER) {
            if named && before + after <= end {
                words.push((people, word(before + after)));
            }
        }
    }
}

impl Counts {
    /// Counts a call that was followed.
    pub(super) fn add(&mut self, script: &Script, played: &Played, call: &Followed) {
        let (people, users) = (script.people, users(script));
        let ended = (people, Word::of(call.ended, users));
        match script.kind {
            Kind::Stranger => {}
            Kind::Handed => {
                // A call in which the second voice never came to speak is of one voice.
                if let Some(before) = played.before_s {
                    self.handed[side(script)].add(script, before, call);
                }
            }
            Kind::Turns => {
                self.turns[side(script)].push(ended);
                self.told_turns.push((people, call.several));
            }
            Kind::Both(under) => {
                if let Some(at) = UNDER.iter().position(|db| *db == under) {
                    self.both[at][side(script)].push(ended);
                    self.told_both[at].push((people, call.several));
                }
            }
            Kind::Alone => {
                self.alone.push(ended);
                self.taken_for_two.push((people, call.several));
                if let Some(own) = users[0].filter(|own| call.first_named(*own).is_some()) {
                    self.taken_back.push((people, call.taken_back(own)));
                }
            }
        }
    }

    /// What was counted as shares, with intervals over the people.
    pub(super) fn into_figures(
        self,
        condition: &Prepared,
        roster: usize,
        speakers: usize,
        draws: Draws,
    ) -> Handover {
        let stood = |words: &Words| stood(words, speakers, draws);
        let share = |calls: &[Counted]| share(calls, speakers, draws);
        let handed = self.handed.map(|counts| Handed {
            named: share(&counts.named),
            after: AFTER.into_iter().zip(counts.after.iter().map(stood)).collect(),
            ever_others: share(&counts.ever_others),
        });
        Handover {
            condition: condition.condition().to_string(),
            roster,
            handed,
            turns: self.turns.each_ref().map(stood),
            both: UNDER
                .into_iter()
                .zip(self.both.iter().map(|sides| sides.each_ref().map(stood)))
                .collect(),
            told: Told {
                turns: share(&self.told_turns),
                both: UNDER
                    .into_iter()
                    .zip(self.told_both.iter().map(|calls| share(calls)))
                    .collect(),
            },
            alone: Alone {
                ended: stood(&self.alone),
                taken_for_two: share(&self.taken_for_two),
                taken_back: share(&self.taken_back),
            },
            looking: Vec::new(),
        }
    }
}

fn stood(words: &Words, speakers: usize, draws: Draws) -> Stood {
    let of = |word: Word| {
        let calls: Vec<Counted> = words
            .iter()
            .map(|(people, said)| (*people, *said == word))
            .collect();
        share(&calls, speakers, draws)
    };
    Stood {
        first: of(Word::First),
        second: of(Word::Second),
        others: of(Word::Others),
        unknown: of(Word::Unknown),
        inconclusive: of(Word::Inconclusive),
    }
}

/// Calls of one voice on rosters of one size.
#[derive(Default)]
pub(super) struct CheckpointCounts {
    stranger_once: Vec<Counted>,
    stranger_flat: Vec<Counted>,
    stranger: Vec<Counted>,
    right: Vec<Counted>,
    wrong: Vec<Counted>,
    taken_back: Vec<Counted>,
    waits: Vec<Option<f64>>,
}

impl CheckpointCounts {
    /// Counts a call of one voice that was followed.
    pub(super) fn add(&mut self, script: &Script, call: &Followed) {
        let people = script.people;
        let Some(own) = users(script)[0] else {
            let once = matches!(call.once, Outcome::Identified(_));
            self.stranger_once.push((people, once));
            self.stranger_flat.push((people, call.flat.is_some()));
            self.stranger.push((people, call.ever_misnamed(None)));
            return;
        };
        let wait = call.first_named(own);
        self.waits.push(wait);
        self.right.push((people, wait.is_some()));
        self.wrong.push((people, call.ever_misnamed(Some(own))));
        if wait.is_some() {
            self.taken_back.push((people, call.taken_back(own)));
        }
    }

    /// What was counted as shares, with intervals over the people.
    pub(super) fn into_figures(self, roster: usize, speakers: usize, draws: Draws) -> Looking {
        let share = |calls: &[Counted]| share(calls, speakers, draws);
        Looking {
            roster,
            stranger_once: share(&self.stranger_once),
            stranger_flat: share(&self.stranger_flat),
            stranger: share(&self.stranger),
            right: share(&self.right),
            wrong: share(&self.wrong),
            taken_back: share(&self.taken_back),
            wait: Wait::of(&self.waits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;

    const NOBODY: Outcome = Outcome::Inconclusive(Reason::SeveralVoices);

    fn script(models: [Option<u32>; 2]) -> Script {
        Script {
            kind: Kind::Handed,
            people: [0, 1],
            models,
            recordings: [vec![0], vec![1]],
            turns: Vec::new(),
            seed: 0,
        }
    }

    fn call(words: &[(f64, Outcome)]) -> Followed {
        Followed {
            ended: words[words.len() - 1].1,
            once: NOBODY,
            flat: None,
            words: words.to_vec(),
            several: false,
        }
    }

    #[test]
    fn a_name_counts_as_standing_until_another_word_is_said() {
        let named = Outcome::Identified(user_id(3));
        let mut counts = HandedCounts::default();
        let said = call(&[
            (2.0, named),
            (6.0, named),
            (8.0, NOBODY),
            (10.0, Outcome::Unknown),
        ]);
        counts.add(&script([Some(3), None]), 5.0, &said);
        let words: Vec<Vec<Word>> = counts
            .after
            .iter()
            .map(|words| words.iter().map(|(_, word)| *word).collect())
            .collect();
        let wanted = [Word::First, Word::Inconclusive, Word::Inconclusive];
        assert_eq!(words[..3], wanted.map(|word| vec![word]));
        // The call ends five seconds after the change: later moments have nothing to say.
        assert!(words[3].is_empty() && words[4].is_empty());
        assert_eq!(counts.named, [([0, 1], true)]);
    }

    #[test]
    fn a_call_without_a_first_name_shows_not_how_long_one_stands() {
        let mut counts = HandedCounts::default();
        let others = Outcome::Identified(user_id(7));
        counts.add(
            &script([Some(3), Some(4)]),
            3.0,
            &call(&[(4.0, others), (9.0, NOBODY)]),
        );
        assert_eq!((counts.named[0].1, counts.ever_others[0].1), (false, true));
        assert!(counts.after.iter().all(Vec::is_empty));
    }
}
