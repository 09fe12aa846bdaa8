//! How many identifications a key may ask for of one number: whoever tries voices on a number until one is taken for
//! somebody's needs very many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::units::{DialedNumber, KeyId};

/// The time in which they are counted.
const SPELL: Duration = Duration::from_secs(60);
/// From so many entries on, old ones are forgotten at every count.
const TIDY_FROM: usize = 1_000;

/// The identifications of the last minute, by key and number. There are no more entries than pairs of the two that were
/// let in.
#[derive(Default)]
pub(super) struct Quotas(Mutex<HashMap<(KeyId, DialedNumber), Spent>>);

struct Spent {
    since: Instant,
    times: u32,
}

impl Quotas {
    /// Counts an identification, of which at most `most` are had a minute.
    ///
    /// # Errors
    /// How long until there is another.
    pub fn spend(&self, key: KeyId, number: &DialedNumber, most: u32, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |spent: &Spent| now.saturating_duration_since(spent.since) < SPELL;
        if all.len() >= TIDY_FROM {
            all.retain(|_, spent| lasts(spent));
        }
        let begun = || Spent { since: now, times: 0 };
        let spent = all.entry((key, number.clone())).or_insert_with(begun);
        if !lasts(spent) {
            *spent = begun();
        }
        if spent.times >= most {
            return Err(SPELL.saturating_sub(now.saturating_duration_since(spent.since)));
        }
        spent.times += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_of_one_number_a_minute() {
        let (quotas, key, start) = (Quotas::default(), KeyId::fresh(), Instant::now());
        let (one, other) = ("+12025550101".parse().unwrap(), "+12025550102".parse().unwrap());
        for _ in 0..3 {
            quotas.spend(key, &one, 3, start).unwrap();
        }
        assert_eq!(quotas.spend(key, &one, 3, start), Err(SPELL));
        quotas.spend(key, &other, 3, start).unwrap();
        quotas.spend(KeyId::fresh(), &one, 3, start).unwrap();
        quotas.spend(key, &one, 3, start + SPELL).unwrap();
    }

    #[test]
    fn what_is_remembered_is_a_minutes() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        let number = "+12025550101".parse().unwrap();
        for _ in 0..2 * TIDY_FROM {
            quotas.spend(KeyId::fresh(), &number, 1, start).unwrap();
        }
        quotas.spend(KeyId::fresh(), &number, 1, start + SPELL).unwrap();
        assert_eq!(quotas.0.lock().unwrap().len(), 1);
    }
}
