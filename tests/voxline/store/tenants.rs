//! Tenants and narrowed keys: what one access sees of the store, and that it is nothing else.

use super::*;
use voxline::store::{AuditSearch, ImportRow};

/// A tenant with a number of its own.
async fn tenant(store: &Store, name: &str, nth: u32) -> (TenantId, DialedNumber) {
    let tenant = store.add_tenant(name).await.unwrap().id;
    let number = number(nth);
    store.add_number_of(tenant, &number, None, None).await.unwrap();
    (tenant, number)
}

/// What a key of the tenant sees, for these numbers or all.
async fn access(store: &Store, tenant: TenantId, numbers: Option<&[&DialedNumber]>) -> Access {
    let numbers = numbers.map(|numbers| numbers.iter().map(|&number| number.clone()).collect());
    let new = NewKey {
        tenant,
        scopes: BTreeSet::from([Scope::Admin]),
        numbers,
        name: None,
    };
    let (token, _) = store.create_key(new).await.unwrap();
    store.key_for(&token).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_store_of_before_is_the_default_tenants() {
    let deployment = TestDeployment::new().await;
    let (store, first) = (&deployment.store, number(1));
    store.add_number(&first, None, None).await.unwrap();
    let ana = deployment.user("Ana", &first).await.id;
    store
        .put_verdict(&CallRecord {
            number: first.clone(),
            ..call("CA1", 1, 10)
        })
        .await
        .unwrap();
    let tenants = store.tenants().await.unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!(
        (tenants[0].id, tenants[0].name.as_str()),
        (TenantId::DEFAULT, "default")
    );
    assert_eq!((tenants[0].numbers, tenants[0].users), (1, 1));
    let operator = Access::operator();
    assert_eq!(store.seen_user(&operator, ana).await.unwrap().id, ana);
    assert_eq!(store.seen_numbers(&operator).await.unwrap().len(), 1);
    let calls = store
        .calls(&operator, &CallSearch::default(), 9, None)
        .await
        .unwrap();
    assert_eq!(calls.len(), 1);
}

#[tokio::test]
async fn an_access_sees_nothing_of_another_tenant() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, first) = tenant(store, "One", 1).await;
    let (two, second) = tenant(store, "Two", 2).await;
    let ana = deployment.user("Ana", &first).await.id;
    let bob = deployment.user("Bob", &second).await.id;
    for (id, number) in [("CA1", &first), ("CB1", &second)] {
        let record = CallRecord {
            number: number.clone(),
            ..call(id, 1, 10)
        };
        store.put_verdict(&record).await.unwrap();
    }
    let (of_one, of_two) = (access(store, one, None).await, access(store, two, None).await);
    for (own, mine, other, theirs, number) in [
        (&of_one, ana, &of_two, bob, &first),
        (&of_two, bob, &of_one, ana, &second),
    ] {
        assert_eq!(store.seen_user(own, mine).await.unwrap().id, mine);
        assert!(matches!(
            store.seen_user(own, theirs).await,
            Err(StoreError::UnknownUser(_))
        ));
        assert!(matches!(
            store.own_user(own, theirs).await,
            Err(StoreError::UnknownUser(_))
        ));
        store.require_number(own, number).await.unwrap();
        assert!(matches!(
            store.require_number(other, number).await,
            Err(StoreError::UnknownNumber(_))
        ));
        let numbers = store.seen_numbers(own).await.unwrap();
        assert_eq!(
            numbers.iter().map(|known| &known.number).collect::<Vec<_>>(),
            [number]
        );
        let calls = store.calls(own, &CallSearch::default(), 9, None).await.unwrap();
        assert_eq!(
            calls.iter().map(|call| &call.number).collect::<Vec<_>>(),
            [number]
        );
        assert_eq!(store.seen_keys(own).await.unwrap().len(), 1);
    }
    // Another tenant's call as the place to go on from says nothing of when it was.
    let after = "CB1".parse().unwrap();
    let page = store
        .calls(&of_one, &CallSearch::default(), 9, Some(&after))
        .await
        .unwrap();
    assert!(page.is_empty());
    // A user is never put on another tenant's number, by whoever asks.
    let patch = UserPatch {
        numbers: Some(vec![first.clone(), second.clone()]),
        ..UserPatch::default()
    };
    let refused = store.update_user(ana, patch).await;
    assert!(matches!(refused, Err(StoreError::UnknownNumber(number)) if number == second));
}

#[tokio::test]
async fn a_narrowed_key_sees_its_numbers_and_changes_only_who_is_on_no_other() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, first) = tenant(store, "One", 1).await;
    let second = number(2);
    store.add_number_of(one, &second, None, None).await.unwrap();
    let ana = deployment.user("Ana", &first).await.id;
    let bob = deployment.user("Bob", &second).await.id;
    let both = deployment.user("Cleo", &first).await.id;
    let patch = UserPatch {
        numbers: Some(vec![first.clone(), second.clone()]),
        ..UserPatch::default()
    };
    store.update_user(both, patch).await.unwrap();
    let narrow = access(store, one, Some(&[&first])).await;
    assert_eq!(store.own_user(&narrow, ana).await.unwrap().id, ana);
    assert!(matches!(
        store.seen_user(&narrow, bob).await,
        Err(StoreError::UnknownUser(_))
    ));
    assert_eq!(
        store.seen_user(&narrow, both).await.unwrap().numbers,
        std::slice::from_ref(&first)
    );
    assert!(matches!(
        store.own_user(&narrow, both).await,
        Err(StoreError::UserElsewhere(_))
    ));
    assert_eq!(store.seen_numbers(&narrow).await.unwrap().len(), 1);
    assert_eq!(store.seen_keys(&narrow).await.unwrap().len(), 1, "its own");
    let wide = access(store, one, None).await;
    assert_eq!(store.seen_keys(&wide).await.unwrap().len(), 2);
    assert_eq!(
        store.seen_keys(&narrow).await.unwrap().len(),
        1,
        "none that is for more"
    );
    let none = access(store, one, Some(&[])).await;
    assert!(store.seen_numbers(&none).await.unwrap().is_empty());
    assert!(matches!(
        store.seen_user(&none, ana).await,
        Err(StoreError::UnknownUser(_))
    ));
}

#[tokio::test]
async fn a_key_is_for_numbers_of_its_own_tenant() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, _) = tenant(store, "One", 1).await;
    let (_, second) = tenant(store, "Two", 2).await;
    let new = NewKey {
        tenant: one,
        scopes: BTreeSet::from([Scope::Enroll]),
        numbers: Some(BTreeSet::from([second])),
        name: None,
    };
    assert!(matches!(
        store.create_key(new.clone()).await,
        Err(StoreError::UnknownNumber(_))
    ));
    assert!(store.keys().await.unwrap().is_empty(), "nothing is left of it");
    let nobodys = NewKey {
        tenant: TenantId::fresh(),
        numbers: None,
        ..new
    };
    assert!(matches!(
        store.create_key(nobodys).await,
        Err(StoreError::UnknownTenant(_))
    ));
}

#[tokio::test]
async fn a_tenant_goes_with_all_that_is_its_and_its_numbers_come_back_as_new() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, first) = tenant(store, "One", 1).await;
    let ana = deployment.user("Ana", &first).await.id;
    let record = CallRecord {
        number: first.clone(),
        ..call("CA1", 1, 10)
    };
    store.put_verdict(&record).await.unwrap();
    let old = access(store, one, Some(&[&first])).await;
    assert!(matches!(
        store.remove_tenant(one).await,
        Err(StoreError::TenantHasUsers { users: 1, .. })
    ));
    store.remove_user(ana).await.unwrap();
    let version = store.roster_version(&first).await.unwrap();
    store.remove_tenant(one).await.unwrap();
    assert_eq!(store.access_of(old.key().unwrap()).await.unwrap(), None);
    assert_eq!(store.tenants().await.unwrap().len(), 1);

    let (two, _) = tenant(store, "Two", 1).await;
    assert!(
        store.roster_version(&first).await.unwrap() > version,
        "no copy of the old roster fits"
    );
    let new = access(store, two, None).await;
    assert!(
        store
            .calls(&new, &CallSearch::default(), 9, None)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.call(&"CA1".parse().unwrap()).await.unwrap(), None);
    assert!(matches!(
        store.remove_tenant(TenantId::DEFAULT).await,
        Err(StoreError::TenantStays)
    ));
    assert!(matches!(
        store.add_tenant("Two").await,
        Err(StoreError::TenantExists(_))
    ));
}

#[tokio::test]
async fn a_tenants_keys_end_first_and_its_calls_go_some_at_a_time() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, first) = tenant(store, "One", 1).await;
    for nth in 0..120 {
        let record = CallRecord {
            number: first.clone(),
            ..call(&format!("c{nth}"), 1, nth)
        };
        store.put_verdict(&record).await.unwrap();
    }
    let key = access(store, one, None).await;
    let (refuse, allow) = if store.is_shared() {
        (
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER refuse BEFORE DELETE ON calls FOR EACH ROW WHEN (OLD.call_id = 'c119') \
             EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON calls",
        )
    } else {
        (
            "CREATE TRIGGER refuse BEFORE DELETE ON calls WHEN OLD.call_id = 'c119' \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
            "DROP TRIGGER refuse",
        )
    };
    deployment.raw(refuse).await;
    assert!(store.remove_tenant(one).await.is_err());
    assert_eq!(store.access_of(key.key().unwrap()).await.unwrap(), None);
    for left in ["SELECT verdict FROM calls", "SELECT verdict FROM verdicts"] {
        assert_eq!(deployment.blobs(left).await.len(), 20, "{left}");
    }
    deployment.raw(allow).await;
    store.remove_tenant(one).await.unwrap();
    for left in ["SELECT verdict FROM calls", "SELECT verdict FROM verdicts"] {
        assert!(deployment.blobs(left).await.is_empty(), "{left}");
    }
}

/// Another tenant's keys are unreadable here: nothing asks for them. The names are more than are opened at a time.
#[tokio::test]
async fn a_search_by_name_opens_the_names_of_its_own_tenant_alone() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (_, second) = tenant(store, "Two", 2).await;
    let bob = deployment.user("Bob Sought", &second).await.id;
    let own = deployment.number(1).await;
    let rows: Vec<_> = (0..600)
        .map(|nth| ImportRow {
            line: nth,
            user: new_user(&format!("User {nth}"), &own),
            region: None,
        })
        .collect();
    let operator = Access::operator();
    assert!(store.import_users(&operator, &rows, false).await.unwrap().written);
    let ana = deployment.user("Ana Sought", &own).await.id;
    let wreck = if store.is_shared() {
        format!("UPDATE keyring_users SET wrapped = '\\x00'::bytea WHERE user_id = '{bob}'")
    } else {
        let keyring = deployment.file().with_file_name("keyring.db");
        let keyring = keyring.display();
        format!(
            "ATTACH DATABASE '{keyring}' AS ring; UPDATE ring.keyring_users SET wrapped = x'00' WHERE user_id = '{bob}'"
        )
    };
    deployment.raw(&wreck).await;
    assert!(store.user(bob).await.is_err(), "their key is unreadable");
    let mut wanted = UsersWanted {
        name: Some("sought".to_owned()),
        limit: 1,
        ..UsersWanted::default()
    };
    let (found, more) = store.voices(&operator, &wanted, &model()).await.unwrap();
    assert_eq!((found.len(), found[0].user.id, more), (1, ana, false));
    wanted.name = Some("USER 59".to_owned());
    wanted.limit = 5;
    let (found, more) = store.voices(&operator, &wanted, &model()).await.unwrap();
    let names: Vec<&str> = found.iter().map(|found| found.user.name.as_str()).collect();
    assert_eq!(
        (names.as_slice(), more),
        (
            ["User 59", "User 590", "User 591", "User 592", "User 593"].as_slice(),
            true
        )
    );
    wanted.after = found.last().map(|found| found.user.id);
    let (found, more) = store.voices(&operator, &wanted, &model()).await.unwrap();
    let last = found.last().map(|found| found.user.name.as_str());
    assert_eq!((found.len(), last, more), (5, Some("User 598"), true));
}

/// A row with a phone of its own line and a PIN.
fn row(line: u64, name: &str, number: &DialedNumber, digits: &str) -> ImportRow {
    ImportRow {
        line,
        user: NewUser {
            phones: vec![phone(u32::try_from(line).unwrap())],
            pin: Some(pin(digits)),
            ..new_user(name, number)
        },
        region: None,
    }
}

#[tokio::test]
async fn an_import_with_pins_is_answered_of_another_company_as_of_nobody() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, _) = tenant(store, "One", 1).await;
    let (_, theirs) = tenant(store, "Two", 2).await;
    store.add_user(row(1, "Bob", &theirs, "4821").user).await.unwrap();
    let (own, nobodys) = (access(store, one, None).await, number(9));
    let hashes = store.pin_hashes();
    for dry_run in [true, false] {
        let mut told = Vec::new();
        for number in [&theirs, &nobodys] {
            // Their PIN with their phone and with another, and a PIN that nobody has.
            let rows = [row(1, "Bob", number, "4821"), row(2, "Eve", number, "0000")];
            let other = [row(3, "Eve", number, "4821")];
            for rows in [&rows[..], &other] {
                let report = store.import_users(&own, rows, dry_run).await.unwrap();
                assert!(!report.written);
                let faults = report.faults.into_iter();
                let faults = faults.map(|fault| fault.fault.replace(&format!("{number:?}"), "it"));
                told.push(faults.collect::<Vec<_>>());
            }
        }
        assert_eq!(told[..2], told[2..]);
        assert_eq!((told[0].len(), told[1].len()), (2, 1));
    }
    assert_eq!(store.pin_hashes(), hashes, "no PIN was looked at");
}

#[tokio::test]
async fn an_import_tells_of_ten_taken_pins_and_is_accounted_for() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let (one, number) = tenant(store, "One", 1).await;
    let machine = Access::of_tenant(one);
    let own = access(store, one, None).await;
    let digits = |nth: u64| format!("{:04}", 1_000 + nth);
    let known: Vec<_> = (0..12)
        .map(|nth| row(nth, "User", &number, &digits(nth)))
        .collect();
    assert!(store.import_users(&machine, &known, false).await.unwrap().written);
    let asked: Vec<_> = (0..12)
        .map(|nth| row(100 + nth, "Eve", &number, &digits(nth)))
        .collect();
    let (taken, locked) = (StoreError::PinTaken.to_string(), "none can be set there until");
    let told = store.import_users(&own, &asked, true).await.unwrap().faults;
    assert!(told[..10].iter().all(|fault| fault.fault == taken), "{told:?}");
    assert!(told[10..].iter().all(|fault| fault.fault.contains(locked)));
    assert_eq!(told.len(), 12);
    let log = store.audit_after(&AuditSearch::default(), 1000, 0).await.unwrap();
    let told = log
        .iter()
        .filter(|entry| entry.act == "pin.set" && entry.outcome == "taken");
    assert_eq!(told.count(), 10);

    // Nothing is learnt of a free PIN either, by whichever way; who is here already is left as they are.
    let free = row(200, "Eve", &number, "9999");
    let refused = store.add_user(free.user.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::PinsLocked { .. })),
        "{refused:?}"
    );
    let rows = [&known[..], &[free]].concat();
    let report = store.import_users(&own, &rows, false).await.unwrap();
    assert_eq!((report.unchanged, report.faults.len()), (12, 1));

    // On the machine itself all that stands against a table is told at once.
    let report = store.import_users(&machine, &asked, true).await.unwrap();
    assert!(report.faults.iter().all(|fault| fault.fault == taken));
    assert_eq!(report.faults.len(), 12);
}
