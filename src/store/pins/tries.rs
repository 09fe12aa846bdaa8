//! How often a PIN may be tried. Every try counts as wrong from before it is checked until it was found right,
//! so that neither tries side by side nor a crash in between give one away.

use time::{Duration, OffsetDateTime};

use super::locks::{Count, Counted, Scope, forget_old, read_count, write_count};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::query;
use crate::store::{Pin, Store, StoreError};
use crate::units::{CallId, DialedNumber, UserId};

/// How many tries are had before what they have in common is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinLimits {
    /// Wrong PINs of one caller, and for one user.
    pub each: u32,
    /// Wrong PINs on one dialed number, whoever calls: what somebody has who forges another caller each time.
    pub number: u32,
    /// How long a lock holds, and how long a wrong PIN is remembered.
    pub lockout: Duration,
}

/// A PIN that is tried on a call.
#[derive(Debug, Clone)]
pub struct PinTry {
    /// The dialed number.
    pub number: DialedNumber,
    /// Whoever tries the PIN: a number, or a call without one.
    pub caller: PinCaller,
    /// The user other evidence of this call points to, that not anybody can make.
    pub claimed: Option<UserId>,
}

impl PinTry {
    /// The user against whom the try counts. Whoever withholds their number is bounded with all who do so, and calls
    /// through whichever line they like: they would lock its user out.
    fn counts_against(&self) -> Option<UserId> {
        match self.caller {
            PinCaller::Number(_) => self.claimed,
            PinCaller::Withheld(_) => None,
        }
    }
}

/// Who tries a PIN, as far as they can be told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinCaller {
    /// The caller's number in a form that cannot be read: a keyed hash.
    Number(String),
    /// Somebody without a number. They are told apart by their calls alone, for if all of them were one, a single
    /// prankster would lock them all out. A new call then gives new tries, as a forged number does; so callers
    /// without one have half of the dialed number's tries together, and the other half stays for the rest.
    Withheld(CallId),
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinAttempt {
    /// It is this user's.
    Right(UserId),
    /// It is the PIN of these users of the number: two or more share it.
    Shared(Vec<UserId>),
    /// It is nobody's on the number; so many more tries are had now.
    Wrong {
        /// Attempts that are left.
        left: u32,
    },
    /// No PIN is looked at until then.
    Locked {
        /// The end of the lock.
        until: OffsetDateTime,
    },
}

impl Store {
    /// Tries `pin` on a call: finds out whose it is on the dialed number, within `limits`. The work does not
    /// depend on whose it is, nor on whether it is anybody's.
    ///
    /// # Errors
    /// [`StoreError`] when the store or the key file of the PINs cannot be used; the try counts all the same.
    pub async fn try_pin(
        &self,
        attempt: &PinTry,
        pin: &Pin,
        limits: &PinLimits,
    ) -> Result<PinAttempt, StoreError> {
        let scopes = scopes(attempt, limits);
        let left = match self.count_try(&scopes, limits).await? {
            Ok(left) => left,
            Err(until) => {
                self.account_for(attempt, "locked").await?;
                return Ok(PinAttempt::Locked { until });
            }
        };
        let users = self.users_by_pin(&attempt.number, pin).await?;
        if users.is_empty() {
            let outcome = if left == 0 { "wrong, locked now" } else { "wrong" };
            self.account_for(attempt, outcome).await?;
            return Ok(PinAttempt::Wrong { left });
        }
        let own: Vec<Scope> = users.iter().map(|user| user_scope(*user, limits)).collect();
        // Whoever has guessed at this user's PIN before, from elsewhere, has locked it for everybody, and so for
        // whoever shares it: without one of them it would name the others.
        let mut locks = Vec::new();
        for (user, scope) in users.iter().zip(&own) {
            if attempt.counts_against() != Some(*user) {
                locks.extend(self.locked(scope).await?);
            }
        }
        if let Some(until) = locks.into_iter().max() {
            self.account_for(attempt, "locked").await?;
            return Ok(PinAttempt::Locked { until });
        }
        self.forgive(&scopes, &own, attempt, &users).await?;
        Ok(match users[..] {
            [user] => PinAttempt::Right(user),
            _ => PinAttempt::Shared(users),
        })
    }

    /// Counts a try in every scope, unless one is locked: then it says until when.
    async fn count_try(
        &self,
        scopes: &[Scope],
        limits: &PinLimits,
    ) -> Result<Result<u32, OffsetDateTime>, StoreError> {
        let mut tx = self.write().await?;
        let now = self.lock_time(&mut tx, true).await?;
        let mut counts = Vec::with_capacity(scopes.len());
        for scope in scopes {
            counts.push(read_count(&mut tx, scope).await?);
        }
        let locks = counts.iter().flatten().filter_map(|count| count.locked_until);
        if let Some(until) = locks.filter(|until| *until > now).max() {
            return Ok(Err(self.on_the_wall(until, now)));
        }
        forget_old(&mut tx, Counted::Tries, limits.lockout, now).await?;
        let mut left = u32::MAX;
        for (scope, count) in scopes.iter().zip(counts) {
            let count = Count::after(count, scope.limit, limits.lockout, now);
            left = left.min(scope.limit.saturating_sub(count.failures));
            write_count(&mut tx, scope, &count).await?;
        }
        tx.commit().await?;
        Ok(Ok(left))
    }

    /// Takes a try back that was right: whoever's PIN it is begins anew, everything else loses the one.
    /// What a caller guessed wrong before stays counted, or whoever has a PIN could guess at all others.
    async fn forgive(
        &self,
        scopes: &[Scope],
        own: &[Scope],
        attempt: &PinTry,
        users: &[UserId],
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for scope in scopes {
            query(
                "UPDATE pin_locks SET failures = CASE WHEN failures > 1 THEN failures - 1 ELSE 0 END, \
                 locked_until = NULL \
                 WHERE scope = $1 AND subject = $2",
            )
            .bind(scope.name)
            .bind(&scope.subject)
            .execute(&mut tx)
            .await?;
        }
        for scope in own {
            query("DELETE FROM pin_locks WHERE scope = $1 AND subject = $2")
                .bind(scope.name)
                .bind(&scope.subject)
                .execute(&mut tx)
                .await?;
        }
        let told = match users {
            [user] => tried(attempt, "right").on(*user),
            _ => tried(attempt, "shared"),
        };
        append(&mut tx, &told).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tells the audit log of a try that named nobody, before whoever tried is told.
    async fn account_for(&self, attempt: &PinTry, outcome: &str) -> Result<(), StoreError> {
        self.audit(&[tried(attempt, outcome)]).await
    }
}

/// An entry on a try, and whom the call's other evidence points to.
fn tried(attempt: &PinTry, outcome: &str) -> NewAudit {
    NewAudit::new(Act::PinTry)
        .on(attempt.claimed)
        .object(attempt.number.masked())
        .outcome(outcome)
}

fn scopes(attempt: &PinTry, limits: &PinLimits) -> Vec<Scope> {
    let number = attempt.number.as_e164();
    let mut scopes = vec![Scope {
        name: "number",
        subject: number.to_owned(),
        limit: limits.number,
    }];
    let caller = |subject| Scope {
        name: "caller",
        subject,
        limit: limits.each,
    };
    match &attempt.caller {
        PinCaller::Number(hash) => scopes.push(caller(format!("{number} {hash}"))),
        PinCaller::Withheld(call) => {
            scopes.push(caller(format!("{number} withheld {}", call.as_str())));
            scopes.push(Scope {
                name: "withheld",
                subject: number.to_owned(),
                limit: limits.number.div_ceil(2),
            });
        }
    }
    scopes.extend(attempt.counts_against().map(|user| user_scope(user, limits)));
    scopes
}

fn user_scope(user: UserId, limits: &PinLimits) -> Scope {
    Scope {
        name: "user",
        subject: user.to_string(),
        limit: limits.each,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::store::NewUser;
    use crate::store::database::clock::{Clock, Readings};

    /// A store whose clocks are set by hand: the wall's in hours, and minutes since the machine's start.
    async fn store(folder: &tempfile::TempDir) -> (Store, Arc<Mutex<(i64, i64)>>) {
        let hands = Arc::new(Mutex::new((100, 0)));
        let read = Arc::clone(&hands);
        let mut store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
        store.clock = Clock::reading(move || {
            let (hours, minutes) = *read.lock().unwrap();
            Readings {
                wall: OffsetDateTime::UNIX_EPOCH + Duration::hours(hours),
                since_boot: Some(("one".to_owned(), Duration::minutes(minutes))),
            }
        });
        (store, hands)
    }

    const LIMITS: PinLimits = PinLimits {
        each: 3,
        number: 50,
        lockout: Duration::minutes(15),
    };

    fn with_pin(number: &DialedNumber) -> NewUser {
        NewUser {
            name: "Ana".into(),
            number: number.clone(),
            phones: vec![],
            pin: Some("4821".parse().unwrap()),
            exclusive: false,
        }
    }

    #[tokio::test]
    async fn a_short_lockout_of_tries_forgets_no_pin_that_was_found_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (store, hands) = store(&folder).await;
        let number: DialedNumber = "+12025550101".parse().unwrap();
        store.add_number(&number, Some("US"), None).await.unwrap();
        store.add_user(with_pin(&number)).await.unwrap();
        for _ in 0..9 {
            let refused = store.add_user(with_pin(&number)).await.unwrap_err();
            assert!(matches!(refused, StoreError::PinTaken), "{refused:?}");
        }
        *hands.lock().unwrap() = (100, 2);
        let attempt = PinTry {
            number: number.clone(),
            caller: PinCaller::Number("a caller".to_owned()),
            claimed: None,
        };
        let short = PinLimits {
            lockout: Duration::minutes(1),
            ..LIMITS
        };
        store
            .try_pin(&attempt, &"0000".parse().unwrap(), &short)
            .await
            .unwrap();
        // The tenth, and no more.
        assert!(store.add_user(with_pin(&number)).await.is_err());
        let refused = store.add_user(with_pin(&number)).await.unwrap_err();
        assert!(matches!(refused, StoreError::PinsLocked { .. }), "{refused:?}");
    }

    #[tokio::test]
    async fn a_clock_that_jumps_frees_no_lockout_early_and_extends_none() {
        let folder = tempfile::tempdir().unwrap();
        let (store, hands) = store(&folder).await;
        let number: DialedNumber = "+12025550101".parse().unwrap();
        store.add_number(&number, Some("US"), None).await.unwrap();
        let ana = store.add_user(with_pin(&number)).await.unwrap().id;
        let attempt = PinTry {
            number,
            caller: PinCaller::Number("a caller".to_owned()),
            claimed: None,
        };
        let tried = async |pin: &str| {
            store
                .try_pin(&attempt, &pin.parse().unwrap(), &LIMITS)
                .await
                .unwrap()
        };
        for pin in ["0000", "1111", "2222"] {
            assert!(matches!(tried(pin).await, PinAttempt::Wrong { .. }));
        }
        // Far ahead, far back, and where it was: fourteen minutes are fourteen minutes.
        for (hours, minutes) in [(100, 0), (100_000, 1), (0, 7), (100, 14)] {
            *hands.lock().unwrap() = (hours, minutes);
            let PinAttempt::Locked { until } = tried("4821").await else {
                panic!("freed {minutes} minutes after the lockout began, at {hours} hours");
            };
            // What a person is told is by the clock that they see.
            let left = until - (OffsetDateTime::UNIX_EPOCH + Duration::hours(hours));
            assert_eq!(left, Duration::minutes(15 - minutes));
        }
        for hours in [0, 100_000] {
            *hands.lock().unwrap() = (hours, 16);
            assert_eq!(tried("4821").await, PinAttempt::Right(ana), "at {hours} hours");
        }
    }
}
