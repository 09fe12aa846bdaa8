//! Random requests by the keys of several companies, each held against what its key may see.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use time::{Duration, OffsetDateTime};
use voxline::store::{Access, CallSearch, NewInvite, Scope, Store, StoreError, UserPatch, UsersWanted};
use voxline::switchboard::{BoardError, Switchboard};
use voxline::units::{CallId, DialedNumber, TenantId, UserId};

use super::harness::Service;
use super::tenants::{access, call, key, new_user};
use crate::support::Rng;

/// A user of the random deployment, as the law has it.
struct Known {
    id: UserId,
    tenant: usize,
    numbers: BTreeSet<DialedNumber>,
}

/// A deployment of companies that share a service, and what is known of it.
struct Deployment {
    board: Arc<Switchboard>,
    numbers: Vec<(DialedNumber, usize)>,
    users: Vec<Known>,
    calls: Vec<(CallId, DialedNumber)>,
    keys: Vec<(Access, usize)>,
}

const TENANTS: usize = 4;
const NUMBERS_EACH: usize = 3;
const USERS_EACH: usize = 4;
const KEYS_EACH: usize = 4;

impl Deployment {
    async fn new(service: &Service, rng: &mut Rng) -> Self {
        let store = service.board.store();
        let mut all = Self {
            board: Arc::clone(&service.board),
            numbers: Vec::new(),
            users: Vec::new(),
            calls: Vec::new(),
            keys: Vec::new(),
        };
        for tenant in 0..TENANTS {
            let id = match tenant {
                0 => TenantId::DEFAULT,
                _ => store.add_tenant(&format!("tenant {tenant}")).await.unwrap().id,
            };
            all.fill(store, id, tenant, rng).await;
        }
        all
    }

    async fn fill(&mut self, store: &Store, id: TenantId, tenant: usize, rng: &mut Rng) {
        let mut own = Vec::new();
        for nth in 0..NUMBERS_EACH {
            let number: DialedNumber = format!("+120255501{tenant}{nth}").parse().unwrap();
            store.add_number_of(id, &number, None, None).await.unwrap();
            for person in 0..USERS_EACH {
                let name = format!("user {tenant} {nth} {person}");
                let user = store.add_user(new_user(&name, &number)).await.unwrap().id;
                let call_id = format!("call-{tenant}-{nth}-{person}");
                store
                    .put_verdict(&call(&call_id, &number, user, rng.throw(1000) as i64))
                    .await
                    .unwrap();
                self.calls.push((call_id.parse().unwrap(), number.clone()));
                self.users.push(Known {
                    id: user,
                    tenant,
                    numbers: BTreeSet::from([number.clone()]),
                });
            }
            self.numbers.push((number.clone(), tenant));
            own.push(number);
        }
        for nth in 0..KEYS_EACH {
            let some: Vec<DialedNumber> = own.iter().filter(|_| rng.throw(2) == 0).cloned().collect();
            let numbers = (nth > 0).then_some(&some[..]);
            let token = key(store, id, &[Scope::Admin], numbers).await;
            self.keys.push((access(store, &token).await, tenant));
        }
    }

    fn sees_number(&self, key: usize, number: &DialedNumber) -> bool {
        let (access, tenant) = &self.keys[key];
        let owner = self.numbers.iter().find(|(known, _)| known == number);
        owner.is_some_and(|(_, owner)| owner == tenant)
            && access
                .narrowed_to()
                .is_none_or(|numbers| numbers.contains(number))
    }

    /// The numbers of a user that a key sees.
    fn sight(&self, key: usize, user: &Known) -> BTreeSet<DialedNumber> {
        let of_tenant = user.tenant == self.keys[key].1;
        let numbers = user
            .numbers
            .iter()
            .filter(|number| of_tenant && self.sees_number(key, number));
        numbers.cloned().collect()
    }

    /// Carries out one random request and holds what comes of it against what is known.
    async fn request(&mut self, rng: &mut Rng) {
        let key = rng.throw(self.keys.len());
        let number = self.numbers[rng.throw(self.numbers.len())].0.clone();
        let user = rng.throw(self.users.len());
        match rng.throw(10) {
            0 => self.lists(key).await,
            1 => self.of_number(key, &number).await,
            2 | 3 => self.of_user(key, user, rng).await,
            4 => self.searches_calls(key, &number, user, rng).await,
            5 => self.of_call(key, rng.throw(self.calls.len())).await,
            6 => self.health(key, &number, user, rng).await,
            7 => self.moves(key, user, rng).await,
            8 => self.renames(key, user).await,
            _ => self.enrols(key, user).await,
        }
    }

    async fn lists(&self, key: usize) {
        let (access, tenant) = &self.keys[key];
        let view = self.board.view(access);
        let listed: Vec<DialedNumber> = view
            .numbers()
            .await
            .unwrap()
            .into_iter()
            .map(|n| n.number)
            .collect();
        let expected = self.numbers.iter().map(|(number, _)| number);
        let expected: Vec<DialedNumber> = expected
            .filter(|number| self.sees_number(key, number))
            .cloned()
            .collect();
        assert_eq!(listed, expected);
        let progress = view.progress().await.unwrap();
        let seen = self
            .users
            .iter()
            .filter(|user| !self.sight(key, user).is_empty())
            .count();
        assert_eq!(progress.users, seen as u64);
        for known in view.keys().await.unwrap() {
            let of = self
                .keys
                .iter()
                .find(|(access, _)| access.key() == Some(known.id));
            assert!(of.is_some_and(|(_, of)| of == tenant));
            assert!(
                access.narrowed_to().is_none()
                    || known.numbers.is_some_and(|n| n.iter().all(|n| access.covers(n)))
            );
        }
        assert!(view.live_calls(10).await.unwrap().is_empty());
    }

    async fn of_number(&self, key: usize, number: &DialedNumber) {
        let view = self.board.view(&self.keys[key].0);
        let said = view.users_of(number).await;
        if !self.sees_number(key, number) {
            assert!(is_unknown_number(&said.unwrap_err(), number));
            assert!(is_unknown_number(&view.number(number).await.unwrap_err(), number));
            let none = view.ended_calls::<Value>(Some(number), Duration::WEEK, OffsetDateTime::UNIX_EPOCH);
            assert!(is_unknown_number(&none.await.unwrap_err(), number));
            let added = view.add_user(new_user("Mallory", number)).await;
            assert!(is_unknown_number(&added.unwrap_err(), number));
            return;
        }
        assert_eq!(view.number(number).await.unwrap().number, *number);
        let said: Vec<(UserId, BTreeSet<DialedNumber>)> = said
            .unwrap()
            .into_iter()
            .map(|user| (user.id, user.numbers.into_iter().collect()))
            .collect();
        let on = self.users.iter().filter(|user| user.numbers.contains(number));
        let expected: BTreeSet<_> = on.map(|user| (user.id, self.sight(key, user))).collect();
        assert_eq!(said.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    async fn of_user(&self, key: usize, user: usize, rng: &mut Rng) {
        let view = self.board.view(&self.keys[key].0);
        let known = &self.users[user];
        let sight = self.sight(key, known);
        let seen = match rng.throw(5) {
            0 => view.user(known.id).await.map(|user| {
                assert_eq!(user.numbers.into_iter().collect::<BTreeSet<_>>(), sight);
            }),
            1 => view.enrolments_of(known.id).await.map(drop),
            2 => view.invites_of(known.id).await.map(|invites| {
                assert!(invites.iter().all(|invite| self.sees_number(key, &invite.number)));
            }),
            3 => of_store(view.consents_of(known.id).await.map(drop)),
            _ => of_store(view.health_of(known.id).await.map(|health| {
                assert_eq!(health.user.numbers.into_iter().collect::<BTreeSet<_>>(), sight);
            })),
        };
        match seen {
            Ok(()) => assert!(!sight.is_empty()),
            Err(StoreError::UnknownUser(_)) => assert!(sight.is_empty()),
            Err(fault) => panic!("{fault}"),
        }
    }

    async fn searches_calls(&self, key: usize, number: &DialedNumber, user: usize, rng: &mut Rng) {
        let view = self.board.view(&self.keys[key].0);
        let after = &self.calls[rng.throw(self.calls.len())];
        let before = (rng.throw(3) == 0).then_some(&after.0);
        let search = CallSearch {
            number: (rng.throw(3) == 0).then(|| number.clone()),
            user: (rng.throw(3) == 0).then(|| self.users[user].id),
            ..CallSearch::default()
        };
        let found = view.calls(&search, 100, before).await.unwrap();
        assert!(found.iter().all(|call| self.sees_number(key, &call.number)));
        if before.is_some() && !self.sees_number(key, &after.1) {
            assert!(
                found.is_empty(),
                "a call that is not seen is no place to go on from"
            );
        }
        if search == CallSearch::default() && before.is_none() {
            let seen = self
                .calls
                .iter()
                .filter(|(_, number)| self.sees_number(key, number))
                .count();
            assert_eq!(found.len(), seen);
        }
        let ended = view.ended_calls::<Value>(None, Duration::WEEK, OffsetDateTime::UNIX_EPOCH);
        let seen = self
            .calls
            .iter()
            .filter(|(_, number)| self.sees_number(key, number))
            .count();
        assert_eq!(ended.await.unwrap().len(), seen);
    }

    async fn of_call(&self, key: usize, call: usize) {
        let view = self.board.view(&self.keys[key].0);
        let (id, number) = &self.calls[call];
        let sees = self.sees_number(key, number);
        assert_eq!(view.call_record(id).await.unwrap().is_some(), sees);
        assert_eq!(view.versions_of(id).await.unwrap().is_some(), sees);
    }

    async fn health(&self, key: usize, number: &DialedNumber, user: usize, rng: &mut Rng) {
        let view = self.board.view(&self.keys[key].0);
        let wanted = UsersWanted {
            number: (rng.throw(2) == 0).then(|| number.clone()),
            name: (rng.throw(2) == 0).then(|| "user".to_owned()),
            after: (rng.throw(2) == 0).then(|| self.users[user].id),
            limit: 1 + rng.throw(100),
        };
        match view.health(&wanted).await {
            Ok((found, _)) => {
                assert!(wanted.number.is_none_or(|number| self.sees_number(key, &number)));
                for health in found {
                    let known = self
                        .users
                        .iter()
                        .find(|known| known.id == health.user.id)
                        .unwrap();
                    let numbers: BTreeSet<_> = health.user.numbers.into_iter().collect();
                    assert_eq!(numbers, self.sight(key, known));
                    assert!(!numbers.is_empty());
                }
            }
            Err(fault) => assert!(!self.sees_number(key, number) && is_unknown_number(&fault, number)),
        }
    }

    /// Puts a user on random numbers, of whichever tenant.
    async fn moves(&mut self, key: usize, user: usize, rng: &mut Rng) {
        let numbers: BTreeSet<DialedNumber> = (0..=rng.throw(2))
            .map(|_| self.numbers[rng.throw(self.numbers.len())].0.clone())
            .collect();
        let patch = UserPatch {
            numbers: Some(numbers.iter().cloned().collect()),
            ..UserPatch::default()
        };
        let known = &self.users[user];
        let (id, sight) = (known.id, self.sight(key, known));
        let may = sight == known.numbers && numbers.iter().all(|number| self.sees_number(key, number));
        let sees_part = !sight.is_empty() && sight != known.numbers;
        let done = self.board.view(&self.keys[key].0).update_user(id, patch).await;
        match of_store(done.map(drop)) {
            Ok(()) => {
                assert!(may);
                self.users[user].numbers = numbers;
            }
            Err(StoreError::UserElsewhere(_)) => assert!(sees_part),
            Err(StoreError::UnknownUser(_)) => assert!(sight.is_empty()),
            Err(StoreError::UnknownNumber(_)) => assert!(!may),
            Err(fault) => panic!("{fault}"),
        }
    }

    async fn renames(&self, key: usize, user: usize) {
        let known = &self.users[user];
        let name = format!("user {} again", known.tenant);
        let patch = UserPatch {
            name: Some(name),
            ..UserPatch::default()
        };
        let sight = self.sight(key, known);
        let done = self
            .board
            .view(&self.keys[key].0)
            .update_user(known.id, patch)
            .await;
        let done = of_store(done.map(drop));
        Self::judge_write(known, &sight, done);
    }

    /// What enrols or erases a voice.
    async fn enrols(&self, key: usize, user: usize) {
        let known = &self.users[user];
        let sight = self.sight(key, known);
        let view = self.board.view(&self.keys[key].0);
        let new = NewInvite {
            user: known.id,
            number: None,
            language: None,
            lifetime: Duration::HOUR,
        };
        let done = match view.create_invite(new).await {
            // Too many by now, or on several numbers: that it may is all that is asked here.
            Err(StoreError::TooMany { .. } | StoreError::NumberNeeded(_)) => Ok(()),
            done => done.map(drop),
        };
        Self::judge_write(known, &sight, done);
        let done = of_store(view.remove_enrolments(known.id).await.map(drop));
        Self::judge_write(known, &sight, done);
    }

    fn judge_write(known: &Known, sight: &BTreeSet<DialedNumber>, done: Result<(), StoreError>) {
        match done {
            Ok(()) => assert_eq!(*sight, known.numbers),
            Err(StoreError::UserElsewhere(_)) => assert!(!sight.is_empty() && *sight != known.numbers),
            Err(StoreError::UnknownUser(_)) => assert!(sight.is_empty()),
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn of_store<T>(done: Result<T, BoardError>) -> Result<T, StoreError> {
    done.map_err(|fault| match fault {
        BoardError::Store(fault) => fault,
        BoardError::UnknownUser(user) => StoreError::UnknownUser(user),
        BoardError::UnknownNumber(number) => StoreError::UnknownNumber(number),
        fault => panic!("{fault}"),
    })
}

fn is_unknown_number(fault: &BoardError, number: &DialedNumber) -> bool {
    match fault {
        BoardError::UnknownNumber(named) | BoardError::Store(StoreError::UnknownNumber(named)) => {
            named == number
        }
        _ => false,
    }
}

/// `VOXLINE_TEST_REQUESTS` says how many requests; the usual ones take some seconds.
#[tokio::test]
async fn no_random_request_shows_or_changes_what_its_key_does_not_see() {
    let requests = std::env::var("VOXLINE_TEST_REQUESTS").ok();
    let requests: usize = requests.map_or(4_000, |text| text.parse().unwrap());
    let service = Service::start().await;
    let mut rng = Rng::new(16);
    let mut deployment = Deployment::new(&service, &mut rng).await;
    let begun = std::time::Instant::now();
    for _ in 0..requests {
        deployment.request(&mut rng).await;
    }
    eprintln!("{requests} requests in {:.1} s", begun.elapsed().as_secs_f64());
}
