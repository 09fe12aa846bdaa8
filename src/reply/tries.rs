//! How often links are tried.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::units::InviteId;

use super::problem::{Kind, Problem};

/// How often a link's recordings are listened to in [`SPELL`]: far more than anybody needs to read some sentences.
const MOST_TRIES: u32 = 30;
/// The time in which tries are counted.
const SPELL: Duration = Duration::from_secs(600);
/// How many of a link's recordings are listened to at a time: one on its way, and one being sent.
const MOST_AT_A_TIME: u32 = 2;

/// How often links were tried lately. Only links that are good are counted, so there are no more entries than
/// those.
#[derive(Default, Clone)]
pub(super) struct Tries(Arc<Mutex<HashMap<InviteId, Tried>>>);

struct Tried {
    since: Instant,
    times: u32,
    now: u32,
}

/// One try; over when dropped.
pub(super) struct Try {
    tries: Tries,
    invite: InviteId,
}

impl Drop for Try {
    fn drop(&mut self) {
        self.tries.end(self.invite);
    }
}

impl Tries {
    /// Counts a try of a link.
    ///
    /// # Errors
    /// [`Kind::TooManyTries`].
    pub fn of(&self, invite: InviteId) -> Result<Try, Problem> {
        self.begin(invite, Instant::now())?;
        Ok(Try {
            tries: self.clone(),
            invite,
        })
    }

    fn begin(&self, invite: InviteId, now: Instant) -> Result<(), Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, tried| tried.now > 0 || now.duration_since(tried.since) < SPELL);
        let tried = all.entry(invite).or_insert(Tried {
            since: now,
            times: 0,
            now: 0,
        });
        if now.duration_since(tried.since) >= SPELL {
            (tried.since, tried.times) = (now, 0);
        }
        let wait = if tried.times >= MOST_TRIES {
            SPELL.saturating_sub(now.duration_since(tried.since)).as_secs()
        } else if tried.now >= MOST_AT_A_TIME {
            2
        } else {
            tried.times += 1;
            tried.now += 1;
            return Ok(());
        };
        let detail = "this link was tried too often in a short time: wait a little";
        Err(Problem::new(Kind::TooManyTries, detail).retry_after(wait))
    }

    fn end(&self, invite: InviteId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tried) = all.get_mut(&invite) {
            tried.now = tried.now.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_tried_so_often_and_then_again_after_a_while() {
        let (tries, link) = (Tries::default(), InviteId::fresh());
        let start = Instant::now();
        for _ in 0..MOST_TRIES {
            tries.begin(link, start).unwrap();
            tries.end(link);
        }
        let refused = tries.begin(link, start).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyTries);
        tries.begin(InviteId::fresh(), start).unwrap();
        tries.begin(link, start + SPELL).unwrap();
    }

    #[test]
    fn no_link_has_many_tries_at_a_time_and_old_ones_are_forgotten() {
        let (tries, link) = (Tries::default(), InviteId::fresh());
        let start = Instant::now();
        for _ in 0..MOST_AT_A_TIME {
            tries.begin(link, start).unwrap();
        }
        assert!(tries.begin(link, start).is_err());
        tries.end(link);
        tries.begin(link, start).unwrap();
        for _ in 0..100 {
            let other = InviteId::fresh();
            tries.begin(other, start).unwrap();
            tries.end(other);
        }
        tries.begin(InviteId::fresh(), start + SPELL).unwrap();
        assert_eq!(tries.0.lock().unwrap().len(), 2);
    }
}
