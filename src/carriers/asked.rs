//! Calls whose callers were asked for a PIN, and wait to be handed on.
//!
//! What the first webhook of such a call said has to be known when the second comes: not every field of a ringing call is
//! repeated. And a webhook that is sent twice must not count a PIN twice. Both are kept in memory only: after a restart
//! the second webhook is taken for the first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::{CallId, PhoneNumber};

/// The most calls that are remembered at a time; the oldest give way.
const MOST: usize = 10_000;

/// How long a call is remembered: longer than any prompt and the carrier's repetitions take.
const LIFETIME: Duration = Duration::from_secs(600);

/// The calls whose callers were asked.
#[derive(Default)]
pub struct Asked {
    calls: Mutex<HashMap<CallId, Remembered>>,
}

struct Remembered {
    forwarded: Option<PhoneNumber>,
    answered: bool,
    expires: Instant,
}

/// What is known of a call whose caller answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether it is the first answer.
    pub first: bool,
    /// The number that forwarded the call.
    pub forwarded: Option<PhoneNumber>,
}

impl Asked {
    /// Remembers that the caller of `call`, which `forwarded` forwarded, is being asked.
    pub fn ask(&self, call: &CallId, forwarded: Option<&PhoneNumber>) {
        self.remember(call, forwarded.cloned(), false);
    }

    /// What is remembered of a call whose caller answered.
    pub fn answer(&self, call: &CallId) -> Answered {
        if let Some(known) = self.calls().get_mut(call) {
            let first = !std::mem::replace(&mut known.answered, true);
            return Answered {
                first,
                forwarded: known.forwarded.clone(),
            };
        }
        self.remember(call, None, true);
        Answered {
            first: true,
            forwarded: None,
        }
    }

    fn remember(&self, call: &CallId, forwarded: Option<PhoneNumber>, answered: bool) {
        let now = Instant::now();
        let mut calls = self.calls();
        if calls.len() >= MOST {
            calls.retain(|_, known| known.expires > now);
        }
        if calls.len() >= MOST {
            let oldest = calls.iter().min_by_key(|(_, known)| known.expires);
            let oldest = oldest.map(|(call, _)| call.clone());
            oldest.and_then(|call| calls.remove(&call));
        }
        let entry = Remembered {
            forwarded,
            answered,
            expires: now + LIFETIME,
        };
        // A webhook that comes twice asks once.
        calls.entry(call.clone()).or_insert(entry);
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Remembered>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_first_once_and_the_forwarder_is_known_each_time() {
        let asked = Asked::default();
        let call: CallId = "CA1".parse().unwrap();
        let forwarder: PhoneNumber = "+12025550103".parse().unwrap();
        asked.ask(&call, Some(&forwarder));
        let answer = |first| Answered {
            first,
            forwarded: Some(forwarder.clone()),
        };
        assert_eq!(asked.answer(&call), answer(true));
        // The first webhook again, late.
        asked.ask(&call, None);
        assert_eq!(asked.answer(&call), answer(false));
    }

    #[test]
    fn a_call_that_is_not_remembered_answers_once_too() {
        let asked = Asked::default();
        let call: CallId = "CA2".parse().unwrap();
        let firsts = [(); 3].map(|()| asked.answer(&call).first);
        assert_eq!(firsts, [true, false, false]);
    }

    #[test]
    fn however_many_calls_ring_memory_is_bounded() {
        let asked = Asked::default();
        for nth in 0..MOST + 10 {
            asked.ask(&format!("CA{nth}").parse().unwrap(), None);
        }
        assert_eq!(asked.calls().len(), MOST);
    }
}
