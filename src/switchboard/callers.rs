//! Whose numbers callers' numbers are, by the voices that were heard with them.
//!
//! A carrier or PBX that puts the forwarding user's own number into From, and nothing else, leaves no trace in a single
//! call: it looks like the user who calls with their own phone. Over several calls it does not, for the voices are not the
//! user's. So the share of a user's calls in which their number came with their voice says how far that number speaks for
//! them, and where it is not the larger part, not at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, UserId};

/// The calls of a number that are looked back on.
const MOST_CALLS: u32 = 200;
/// How long what was read of a number is good.
const GOOD: Duration = Duration::from_secs(60);
/// How long a number whose calls could not be read is not asked for them again: damage stays, and each time some hundred are
/// deciphered while a call waits.
const GOOD_UNREAD: Duration = Duration::from_secs(30);
/// Numbers whose calls are remembered.
const MOST_NUMBERS: usize = 4_096;

/// In how many calls a user's number came with their voice, and with another.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct VoiceTally {
    own: u32,
    other: u32,
}

impl VoiceTally {
    /// The share of calls with the user's own voice. One such call is granted in advance: whoever was never heard has
    /// given no reason for doubt, and one stranger is one.
    fn share(self) -> f64 {
        f64::from(self.own + 1) / f64::from(self.own + self.other + 1)
    }
}

/// What the calls of a number say of its callers' numbers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct CallerHistory {
    all: VoiceTally,
    of: HashMap<UserId, VoiceTally>,
    /// Whether they could not be read: then there may be reason to doubt anybody's number.
    pub is_unread: bool,
}

impl CallerHistory {
    /// Reads the last words on calls.
    pub fn read<'a>(verdicts: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut history = Self::default();
        verdicts.into_iter().for_each(|verdict| history.add(verdict));
        history
    }

    /// Those that could not be read.
    pub fn unread() -> Self {
        Self {
            is_unread: true,
            ..Self::default()
        }
    }

    fn add(&mut self, verdict: &Value) {
        let Some((user, own)) = heard_with(verdict) else {
            return;
        };
        for heard in [self.of.entry(user).or_default(), &mut self.all] {
            if own { heard.own += 1 } else { heard.other += 1 }
        }
    }

    /// How likely it is that `user` speaks when a call comes from their number, as far as calls before say: those of
    /// this user, or where there are none those of all.
    pub fn share(&self, user: UserId) -> f64 {
        if self.is_unread {
            return 0.0;
        }
        self.of.get(&user).copied().unwrap_or(self.all).share()
    }

    /// What is noted of a number that speaks for the line alone.
    pub const fn doubt(&self) -> &'static str {
        if self.is_unread {
            "earlier calls could not be read: it says nothing of who speaks"
        } else {
            "heard with other voices before: it says nothing of who speaks"
        }
    }
}

/// The user whose number a call came from, and whether the voice was theirs. `None` of calls that say nothing of it:
/// where nobody was heard, somebody never enrolled, or a header said that the call was forwarded.
fn heard_with(verdict: &Value) -> Option<(UserId, bool)> {
    let evidence = verdict["evidence"].as_array()?;
    let of_tier = |tiers: &'static [&'static str]| {
        let items = evidence.iter();
        items.filter(move |item| tiers.contains(&item["tier"].as_str().unwrap_or_default()))
    };
    let told = |item: &Value| !item["user_id"].is_null() || !item["value_hash"].is_null();
    if of_tier(&["T1", "T3"]).any(told) {
        return None;
    }
    let mut callers = of_tier(&["T2"]).filter_map(|item| item["user_id"].as_str());
    let caller: UserId = callers.next()?.parse().ok()?;
    if callers.next().is_some() {
        return None;
    }
    let named: Option<UserId> = verdict["user_id"].as_str().and_then(|user| user.parse().ok());
    match (verdict["outcome"].as_str()?, named) {
        ("identified", Some(user)) => Some((caller, caller == user)),
        // Nobody's voice, and everybody it could be is enrolled.
        ("unknown", _) if verdict["speaker"]["status"] == "third_party" => Some((caller, false)),
        _ => None,
    }
}

/// What was read of numbers lately.
#[derive(Default)]
pub(super) struct Callers {
    read: Mutex<HashMap<DialedNumber, (Instant, Arc<CallerHistory>)>>,
}

impl Callers {
    /// What the calls of `number` say of its callers' numbers; for a while after they turned out to be damaged, that they could
    /// not be read.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn history(
        &self,
        store: &Store,
        number: &DialedNumber,
    ) -> Result<Arc<CallerHistory>, StoreError> {
        if let Some(known) = self.known(number) {
            return Ok(known);
        }
        let verdicts = store.last_words(number, MOST_CALLS).await;
        if matches!(verdicts, Err(StoreError::Unreadable { .. })) {
            self.remember(number, &Arc::new(CallerHistory::unread()));
        }
        let history = Arc::new(CallerHistory::read(&verdicts?));
        self.remember(number, &history);
        Ok(history)
    }

    fn known(&self, number: &DialedNumber) -> Option<Arc<CallerHistory>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let found = read.get(number).filter(|(at, history)| {
            let good = if history.is_unread { GOOD_UNREAD } else { GOOD };
            at.elapsed() < good
        });
        found.map(|(_, history)| Arc::clone(history))
    }

    /// Takes the last word on a call to `number`; what was not read of that number yet will have it.
    pub fn add(&self, number: &DialedNumber, verdict: &Value) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, history)) = read.get_mut(number) {
            Arc::make_mut(history).add(verdict);
        }
    }

    fn remember(&self, number: &DialedNumber, history: &Arc<CallerHistory>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= MOST_NUMBERS {
            read.clear();
        }
        read.insert(number.clone(), (Instant::now(), Arc::clone(history)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(evidence: Value, outcome: &str, user: Option<UserId>, speaker: &str) -> Value {
        json!({"outcome": outcome, "user_id": user, "speaker": {"status": speaker}, "evidence": evidence})
    }

    fn from(user: UserId) -> Value {
        json!([{"tier": "T2", "user_id": user, "value_hash": "h"}, {"tier": "T5", "user_id": null}])
    }

    fn share(calls: &[Value], user: UserId) -> f64 {
        CallerHistory::read(calls).share(user)
    }

    #[test]
    fn a_number_speaks_for_its_user_as_far_as_its_calls_did() {
        let (alice, bob, carol) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
        let own = verdict(from(alice), "identified", Some(alice), "identified");
        let stranger = verdict(from(alice), "unknown", None, "third_party");
        let of_bob = verdict(from(alice), "identified", Some(bob), "identified");
        let near = |share: f64, expected: f64| assert!((share - expected).abs() < 1e-9, "{share}");
        near(share(&[], alice), 1.0);
        near(share(std::slice::from_ref(&stranger), alice), 0.5);
        near(share(&[of_bob.clone(), stranger.clone()], alice), 1.0 / 3.0);
        near(share(&[own.clone(), stranger.clone()], alice), 2.0 / 3.0);
        let mut usual = vec![own; 19];
        usual.push(stranger.clone());
        near(share(&usual, alice), 20.0 / 21.0);
        // Whoever has no calls of their own is taken as the number's callers are.
        near(share(&[stranger.clone(), stranger], carol), 1.0 / 3.0);
    }

    #[test]
    fn a_number_whose_calls_could_not_be_read_is_asked_for_them_again() {
        let number: DialedNumber = "+12025550101".parse().unwrap();
        let callers = Callers::default();
        callers.remember(&number, &Arc::new(CallerHistory::unread()));
        assert!(callers.known(&number).is_some_and(|known| known.is_unread));
        if let Some((at, _)) = callers.read.lock().unwrap().get_mut(&number) {
            *at = at.checked_sub(GOOD_UNREAD).unwrap();
        }
        assert!(callers.known(&number).is_none());
    }

    #[test]
    fn calls_that_say_nothing_of_it_do_not_count() {
        let (alice, bob) = (UserId::fresh(), UserId::fresh());
        let forwarded = json!([{"tier": "T1", "user_id": alice}, {"tier": "T2", "user_id": alice}]);
        let calls = [
            verdict(forwarded, "unknown", None, "third_party"),
            verdict(
                json!([{"tier": "T2", "user_id": null}]),
                "unknown",
                None,
                "third_party",
            ),
            verdict(from(alice), "inconclusive", None, "claimed"),
            // She never enrolled: no voice can be hers.
            verdict(from(alice), "unknown", None, "claimed"),
            verdict(from(alice), "unknown", None, "inconclusive"),
            json!({"outcome": "unknown"}),
            json!(null),
        ];
        assert_eq!(CallerHistory::read(&calls), CallerHistory::default());
        // Evidence that names nobody and no number is none of a forwarding.
        let note =
            json!([{"tier": "T1", "user_id": null, "value_hash": null}, {"tier": "T2", "user_id": bob}]);
        let calls = [verdict(note, "unknown", None, "third_party")];
        assert_ne!(CallerHistory::read(&calls), CallerHistory::default());
    }
}
