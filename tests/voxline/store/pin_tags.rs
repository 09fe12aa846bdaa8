//! How the users of a PIN are found: by one hash, and as the slow way finds them.

use voxline::store::ImportRow;

use super::pins::{ana_and_bob, with_pin};
use super::*;
use crate::support::Rng;

/// Everybody on `number` whose own hash says that it is their PIN.
async fn slow_way(store: &Store, number: &DialedNumber, pin: &Pin) -> Vec<UserId> {
    let mut found = Vec::new();
    for user in store.users_of(number).await.unwrap() {
        if store.pin_is_of(user.id, pin).await.unwrap() {
            found.push(user.id);
        }
    }
    found.sort();
    found
}

fn rows(number: &DialedNumber, pins: impl Iterator<Item = String>) -> Vec<ImportRow> {
    let row = |(line, digits): (u64, String)| ImportRow {
        line,
        user: NewUser {
            phones: vec![phone(u32::try_from(line).unwrap())],
            ..with_pin(&format!("user {line}"), number, &digits)
        },
        region: None,
    };
    (1..).zip(pins).map(row).collect()
}

/// Takes all tags and salts away, as in a store from before there were any.
async fn forget_tags(deployment: &TestDeployment) {
    deployment
        .raw("UPDATE memberships SET pin_tag = NULL; UPDATE numbers SET pin_salt = NULL")
        .await;
}

#[tokio::test]
async fn a_try_on_a_number_of_many_users_is_one_hash_whosever_pin_it_is() {
    let deployment = TestDeployment::new().await;
    let number = number(1);
    let all = rows(&number, (0..12).map(|nth| format!("{:04}", 1_000 + nth * 7)));
    let report = deployment
        .store
        .import_users(&Access::operator(), &all, false)
        .await
        .unwrap();
    assert_eq!((report.added, &report.faults[..]), (12, &[][..]));
    let mut found = BTreeSet::new();
    for digits in ["1000", "1042", "1077", "0000"] {
        let before = deployment.store.pin_hashes();
        let users = deployment
            .store
            .users_by_pin(&number, &pin(digits))
            .await
            .unwrap();
        assert_eq!(deployment.store.pin_hashes() - before, 1, "{digits}");
        assert_eq!(users.len(), usize::from(digits != "0000"), "{digits}");
        found.extend(users);
    }
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn a_pin_that_came_unseen_costs_a_hash_more_until_it_is_first_given() {
    let deployment = TestDeployment::new().await;
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    let ana = deployment
        .store
        .add_user(with_pin("Ana", &one, "1111"))
        .await
        .unwrap();
    let both = UserPatch {
        numbers: Some(vec![one.clone(), two.clone()]),
        ..UserPatch::default()
    };
    deployment.store.update_user(ana.id, both).await.unwrap();
    let bob = deployment
        .store
        .add_user(with_pin("Bob", &two, "2222"))
        .await
        .unwrap();
    let equal = deployment.store.add_user(with_pin("Carl", &two, "1111")).await;
    assert!(matches!(equal, Err(StoreError::PinTaken)), "{equal:?}");
    // Not less for whose PIN was seen, nor for nobody's, nor at the first right one.
    for (digits, user, hashes) in [
        ("9999", None, 2),
        ("2222", Some(bob.id), 2),
        ("1111", Some(ana.id), 2),
        ("1111", Some(ana.id), 1),
        ("2222", Some(bob.id), 1),
        ("9999", None, 1),
    ] {
        let before = deployment.store.pin_hashes();
        assert_eq!(
            deployment.store.users_by_pin(&two, &pin(digits)).await.unwrap(),
            Vec::from_iter(user),
            "{digits}"
        );
        assert_eq!(deployment.store.pin_hashes() - before, hashes, "{digits}");
    }
}

#[tokio::test]
async fn a_store_without_tags_finds_the_same_users_and_no_pin_twice() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = ana_and_bob(&deployment, &number).await;
    forget_tags(&deployment).await;
    let equal = deployment.store.add_user(with_pin("Carl", &number, "1111")).await;
    assert!(matches!(equal, Err(StoreError::PinTaken)), "{equal:?}");
    forget_tags(&deployment).await;
    let news = rows(&number, ["3333", "2222"].map(str::to_owned).into_iter());
    for dry_run in [true, false] {
        let report = deployment
            .store
            .import_users(&Access::operator(), &news, dry_run)
            .await
            .unwrap();
        let lines: Vec<u64> = report.faults.iter().map(|fault| fault.line).collect();
        assert_eq!((lines, report.written), (vec![2], false));
    }
    for (digits, user) in [("1111", Some(ana.id)), ("2222", Some(bob.id)), ("3333", None)] {
        assert_eq!(
            deployment
                .store
                .users_by_pin(&number, &pin(digits))
                .await
                .unwrap(),
            Vec::from_iter(user),
            "{digits}"
        );
    }
    let before = deployment.store.pin_hashes();
    deployment
        .store
        .users_by_pin(&number, &pin("2222"))
        .await
        .unwrap();
    assert_eq!(deployment.store.pin_hashes() - before, 1);
}

/// Users come, go, move and change their PINs at random, and stores grow old: whoever is found is whom the hashes
/// of all users say, on each number by itself.
#[tokio::test]
async fn the_fast_way_finds_exactly_whom_the_slow_way_finds() {
    random_history(PinRule::Unique).await;
}

#[tokio::test]
async fn all_who_share_a_pin_are_found_and_nobody_else() {
    random_history(PinRule::Shared).await;
}

async fn random_history(rule: PinRule) {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let seed = u64::from_le_bytes(seed);
    println!("seed {seed}");
    let (mut rng, shares) = (Rng::new(seed), rule == PinRule::Shared);
    let mut deployment = TestDeployment::new().await;
    deployment.store = deployment.store.with_pin_rule(rule);
    let numbers = [
        deployment.number(1).await,
        deployment.number(2).await,
        deployment.number(3).await,
    ];
    let pins = ["1111", "2222", "3333", "4444"];
    let mut users: Vec<UserId> = Vec::new();
    for step in 0..16 {
        let number = numbers[rng.throw(3)].clone();
        let digits = pins[rng.throw(4)];
        let somebody = (!users.is_empty()).then(|| users[rng.throw(users.len())]);
        let (kind, first) = (rng.throw(8), rng.throw(3));
        let changed = match (kind, somebody) {
            (0, Some(user)) => {
                deployment.store.remove_user(user).await.unwrap();
                users.retain(|one| *one != user);
                Ok(None)
            }
            (1, Some(_)) => {
                forget_tags(&deployment).await;
                Ok(None)
            }
            (2..=4, Some(user)) => {
                let pin = [PinChange::Keep, PinChange::Set(pin(digits)), PinChange::Clear];
                let patch = UserPatch {
                    numbers: (kind > 2).then(|| numbers[first..].to_vec()),
                    pin: pin[rng.throw(3)].clone(),
                    ..UserPatch::default()
                };
                deployment.store.update_user(user, patch).await.map(|_| None)
            }
            _ => {
                let new = with_pin("User", &number, digits);
                deployment.store.add_user(new).await.map(|user| Some(user.id))
            }
        };
        match changed {
            Ok(added) => users.extend(added),
            Err(StoreError::PinTaken | StoreError::PinNeeded | StoreError::PinsLocked { .. }) if !shares => {}
            Err(fault) => panic!("seed {seed}, step {step}: {fault}"),
        }
        let digits = pin(pins[rng.throw(4)]);
        for number in &numbers {
            let slow = slow_way(&deployment.store, number, &digits).await;
            let fast = deployment.store.users_by_pin(number, &digits).await.unwrap();
            assert_eq!(fast, slow, "seed {seed}, step {step}, {number:?}");
            assert!(shares || fast.len() < 2, "seed {seed}, step {step}, {number:?}");
        }
    }
}

#[tokio::test]
async fn of_a_removed_user_and_of_a_pin_given_up_no_tag_is_left() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = ana_and_bob(&deployment, &number).await;
    let tags = deployment
        .blobs("SELECT pin_tag FROM memberships WHERE pin_tag IS NOT NULL ORDER BY user_id")
        .await;
    assert_eq!(tags.len(), 2);
    let held = deployment.at_rest().await;
    assert!(
        tags.iter().all(|tag| holds(&held, tag)),
        "the search finds what is there"
    );
    let none = UserPatch {
        pin: PinChange::Clear,
        ..UserPatch::default()
    };
    deployment.store.update_user(bob.id, none).await.unwrap();
    assert!(
        deployment
            .store
            .users_by_pin(&number, &pin("2222"))
            .await
            .unwrap()
            .is_empty()
    );
    let receipt = deployment.store.remove_user(ana.id).await.unwrap();
    assert_eq!(receipt.overwritten, deployment.overwrites());
    let left = deployment.at_rest().await;
    assert!(!tags.iter().any(|tag| holds(&left, tag)));
}

#[tokio::test]
async fn a_shared_pin_is_one_hash_and_stays_shared_when_pins_are_unique() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let sharing = deployment.store.clone().with_pin_rule(PinRule::Shared);
    let ana = sharing.add_user(with_pin("Ana", &number, "1111")).await.unwrap();
    let news = rows(&number, ["1111", "1111"].map(str::to_owned).into_iter());
    assert_eq!(
        sharing
            .import_users(&Access::operator(), &news, false)
            .await
            .unwrap()
            .added,
        2
    );
    let before = deployment.store.pin_hashes();
    let found = deployment
        .store
        .users_by_pin(&number, &pin("1111"))
        .await
        .unwrap();
    assert_eq!((found.len(), deployment.store.pin_hashes() - before), (3, 1));
    assert!(found.contains(&ana.id));
    let another = deployment.store.add_user(with_pin("Bob", &number, "1111")).await;
    assert!(matches!(another, Err(StoreError::PinTaken)), "{another:?}");
    let repeated = rows(&number, ["2222", "2222"].map(str::to_owned).into_iter());
    let operator = Access::operator();
    let again = deployment.store.import_users(&operator, &repeated, true);
    // Both are here already by their phones; what a file itself repeats is told all the same.
    assert_eq!(again.await.unwrap().faults.len(), 1);
}

#[tokio::test]
async fn an_import_hashes_every_pin_before_it_takes_the_write_lock() {
    let deployment = TestDeployment::new().await;
    if deployment.has_no_file() {
        return;
    }
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    let store = &deployment.store;
    let ana = store.add_user(with_pin("Ana", &one, "1111")).await.unwrap();
    let both = UserPatch {
        numbers: Some(vec![one, two.clone()]),
        ..UserPatch::default()
    };
    store.update_user(ana.id, both).await.unwrap();
    let news = rows(&two, ["2222", "3333", "4444"].map(str::to_owned).into_iter());
    let mut lock = deployment.sqlite().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let before = store.pin_hashes();
    let hashed = async {
        // Of each PIN its own, that of its number, and that of Ana, whose PIN came there unseen.
        while store.pin_hashes() - before < 3 * 3 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let unlocked = async {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), hashed).await;
        lock.close().await.unwrap();
        waited
    };
    let operator = Access::operator();
    let (report, waited) = tokio::join!(store.import_users(&operator, &news, true), unlocked);
    waited.unwrap();
    assert!(report.unwrap().faults.is_empty());
    assert_eq!(store.pin_hashes() - before, 3 * 3);
}
