//! Who speaks in a composed call, and when.

use std::collections::BTreeMap;

use super::super::super::protocol::Tables;
use super::super::super::rng::Rng;

/// What a composed call is like. The first voice is a user's of the roster, but in [`Kind::Stranger`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// One voice all the way.
    Alone,
    /// One voice all the way, nobody's on the roster.
    Stranger,
    /// The phone is handed on once.
    Handed,
    /// Two voices take turns, none of them longer than a sentence.
    Turns,
    /// Both at once, the second so many dB below the first.
    Both(f64),
}

/// How far below the first voice the second is, in dB, when both speak at once.
pub(super) const UNDER: [f64; 3] = [0.0, 6.0, 12.0];

/// What a composed call is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    pub kind: Kind,
    /// The speakers of the voices; the same twice when there is one.
    pub people: [u32; 2],
    /// The models of those of them who are on the roster.
    pub models: [Option<u32>; 2],
    /// The recordings of each voice, to be heard one after the other.
    pub recordings: [Vec<u32>; 2],
    /// Whose turn it is for how many seconds of audio. The second's is left out when both speak at once.
    pub turns: Vec<(usize, f64)>,
    /// Seeds the random numbers of the call and its line.
    pub seed: u64,
}

/// The people that calls are cast from.
pub(super) struct SpeakerSampler<'a> {
    tables: &'a Tables,
    /// The tests of each speaker.
    tests: BTreeMap<u32, Vec<u32>>,
    /// Speakers with a model and tests, each with their first model.
    users: Vec<(u32, u32)>,
    /// Speakers with tests who are nobody's model; where there are none, the users.
    strangers: Vec<u32>,
}

impl<'a> SpeakerSampler<'a> {
    /// The people of a protocol. `None` when nobody could hand a phone to anybody: calls need two users at least,
    /// and a third person.
    pub fn of(tables: &'a Tables) -> Option<Self> {
        let mut tests: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (test, speaker) in tables.test_speakers.iter().enumerate() {
            tests.entry(*speaker).or_default().push(test as u32);
        }
        let model_of = |speaker: u32| tables.model_speakers.iter().position(|own| *own == speaker);
        let users: Vec<(u32, u32)> = tests
            .keys()
            .filter_map(|speaker| Some((*speaker, model_of(*speaker)? as u32)))
            .collect();
        let mut strangers: Vec<u32> = tests.keys().copied().collect();
        strangers.retain(|speaker| model_of(*speaker).is_none());
        if strangers.is_empty() {
            strangers = users.iter().map(|(speaker, _)| *speaker).collect();
        }
        let enough = users.len() >= 2 && tests.len() >= 3;
        enough.then_some(Self {
            tables,
            tests,
            users,
            strangers,
        })
    }

    /// So many calls of each kind, the same for the same seed.
    pub fn scripts(&self, calls: usize, seed: u64) -> Vec<Script> {
        let both = UNDER.map(Kind::Both);
        let of_two = [&[Kind::Handed, Kind::Turns][..], &both].concat();
        let of_two = of_two.into_iter().flat_map(|kind| [(kind, false), (kind, true)]);
        let kinds = [(Kind::Alone, true), (Kind::Stranger, false)]
            .into_iter()
            .chain(of_two);
        let mut scripts = Vec::new();
        for (nth, (kind, known)) in kinds.enumerate() {
            for call in 0..calls {
                let seed = seed ^ ((nth * 1_000_003 + call) as u64).wrapping_mul(0x9e37_79b9);
                scripts.push(self.script(kind, known, call, seed));
            }
        }
        scripts
    }

    /// One call; the other voice is a user's as well when it is `known`.
    fn script(&self, kind: Kind, known: bool, call: usize, seed: u64) -> Script {
        let mut rng = Rng::for_task(seed, 1);
        let (first, own) = self.users[rng.below(self.users.len())];
        // Everybody comes about as often; who is the user already cannot be the other.
        let others: Vec<u32> = if known {
            self.users.iter().map(|(speaker, _)| *speaker).collect()
        } else {
            self.strangers.clone()
        };
        let others: Vec<u32> = others.into_iter().filter(|speaker| *speaker != first).collect();
        let second = others[call % others.len()];
        let model_of = |speaker: u32| self.users.iter().find(|(user, _)| *user == speaker);
        let others_model = model_of(second).filter(|_| known).map(|(_, model)| *model);
        let (people, models) = match kind {
            Kind::Alone => ([first, first], [Some(own), None]),
            Kind::Stranger => ([second, second], [None, None]),
            _ => ([first, second], [Some(own), others_model]),
        };
        let recordings = people.map(|speaker| {
            let mut tests = self.tests[&speaker].clone();
            rng.shuffle(&mut tests);
            tests
        });
        Script {
            kind,
            people,
            models,
            recordings,
            turns: turns(kind, &mut rng),
            seed,
        }
    }

    /// The most models that a roster can have beside those of two speakers, and one more.
    pub fn largest_roster(&self) -> usize {
        self.tables.models.len().saturating_sub(1)
    }

    /// A roster of `size` with the script's users and none of its strangers, the rest drawn at random.
    pub fn roster(&self, script: &Script, size: usize, rng: &mut Rng) -> Vec<u32> {
        let mut roster: Vec<u32> = script.models.iter().flatten().copied().collect();
        let speakers = &self.tables.model_speakers;
        let mut others: Vec<u32> = (0..self.tables.models.len() as u32).collect();
        others.retain(|model| !script.people.contains(&speakers[*model as usize]));
        while roster.len() < size && !others.is_empty() {
            roster.push(others.swap_remove(rng.below(others.len())));
        }
        roster
    }
}

/// Seconds of audio of each turn. A call of one voice is as long as calls of two.
fn turns(kind: Kind, rng: &mut Rng) -> Vec<(usize, f64)> {
    let mut between = |low: f64, high: f64| low + (high - low) * rng.unit();
    match kind {
        Kind::Alone | Kind::Stranger => vec![(0, between(8.0, 30.0))],
        Kind::Handed => vec![(0, between(4.0, 18.0)), (1, 14.0)],
        Kind::Turns => (0..10).map(|turn| (turn % 2, between(1.5, 3.0))).collect(),
        Kind::Both(_) => vec![(0, between(8.0, 16.0))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three users with two tests each, and two callers who are nobody's model.
    fn tables() -> Tables {
        Tables {
            models: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            model_speakers: vec![0, 1, 2, 5],
            test_speakers: vec![0, 0, 1, 1, 2, 2, 3, 4],
            ..Tables::default()
        }
    }

    #[test]
    fn a_caller_off_the_roster_is_never_on_it_and_a_user_always() {
        let tables = tables();
        let sampler = SpeakerSampler::of(&tables).unwrap();
        let mut rng = Rng::new(3);
        for script in sampler.scripts(20, 7) {
            let roster = sampler.roster(&script, 3, &mut rng);
            assert_eq!(roster.len(), 3);
            for (speaker, model) in script.people.iter().zip(&script.models) {
                let on_it = roster
                    .iter()
                    .any(|one| tables.model_speakers[*one as usize] == *speaker);
                let alone = script.people[0] == script.people[1] && script.models[0].is_some();
                assert_eq!(on_it, model.is_some() || alone, "{script:?}");
            }
            let heard = script.recordings.iter().zip(&script.people);
            for (recordings, speaker) in heard {
                assert!(
                    recordings
                        .iter()
                        .all(|test| tables.test_speakers[*test as usize] == *speaker)
                );
            }
        }
    }

    #[test]
    fn the_same_seed_casts_the_same_calls_and_everybody_has_their_turn() {
        let tables = tables();
        let sampler = SpeakerSampler::of(&tables).unwrap();
        let scripts = sampler.scripts(6, 1);
        assert_eq!(scripts, sampler.scripts(6, 1));
        assert_ne!(scripts, sampler.scripts(6, 2));
        let strangers: Vec<u32> = scripts
            .iter()
            .filter(|script| script.kind == Kind::Stranger)
            .map(|script| script.people[0])
            .collect();
        assert_eq!(strangers, [3, 4, 3, 4, 3, 4]);
    }

    #[test]
    fn one_user_has_nobody_to_hand_the_phone_to() {
        let lonely = Tables {
            models: vec!["a".to_owned()],
            model_speakers: vec![0],
            test_speakers: vec![0, 1],
            ..Tables::default()
        };
        assert!(SpeakerSampler::of(&lonely).is_none());
    }
}
