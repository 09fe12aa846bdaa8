//! Users and the rules of numbers and phones.

use super::*;

#[tokio::test]
async fn a_user_is_shown_as_the_contract_says_and_without_the_pin() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = NewUser {
        phones: vec![phone(2), phone(1), phone(2)],
        pin: Some(pin("48213579")),
        ..new_user("  Ana ", &number)
    };
    let user = deployment.store.add_user(new).await.unwrap();
    let shown = serde_json::to_value(&user).unwrap();
    assert_eq!(shown["name"], "Ana");
    assert_eq!(shown["numbers"], json!(["+12025550101"]));
    assert_eq!(shown["phones"], json!(["+14155552002", "+14155552001"]));
    assert_eq!(
        (&shown["exclusive"], &shown["enrolled"]),
        (&json!(false), &json!(false))
    );
    assert!(shown["created_at"].as_str().unwrap().ends_with('Z'));
    assert!(!shown.to_string().contains("48213579") && !shown.to_string().contains("argon2"));
    deployment.enrol(user.id, 1).await;
    assert!(deployment.store.user(user.id).await.unwrap().unwrap().enrolled);
    assert_eq!(
        deployment.store.users_of(&number).await.unwrap()[0].created_at,
        user.created_at
    );
}

#[tokio::test]
async fn an_exclusive_number_belongs_to_exactly_one_user() {
    let deployment = TestDeployment::new().await;
    let (own, shared) = (deployment.number(1).await, deployment.number(2).await);
    let alone = |name, number: &DialedNumber| NewUser {
        exclusive: true,
        ..new_user(name, number)
    };
    let ana = deployment.store.add_user(alone("Ana", &own)).await.unwrap();
    assert!(ana.exclusive);
    for intruder in [new_user("Bob", &own), alone("Bob", &own)] {
        let refused = deployment.store.add_user(intruder).await;
        assert!(matches!(refused, Err(StoreError::NumberIsExclusive(_))));
    }
    let bob = deployment.user("Bob", &shared).await;
    let refused = deployment.store.add_user(alone("Carl", &shared)).await;
    assert!(matches!(refused, Err(StoreError::NumberHasUsers(_))));
    let patch = UserPatch {
        numbers: Some(vec![shared.clone(), own.clone()]),
        ..UserPatch::default()
    };
    let refused = deployment.store.update_user(bob.id, patch).await;
    assert!(matches!(refused, Err(StoreError::NumberIsExclusive(_))));
    // Nothing of what was refused is there, and a number left is free again.
    assert_eq!(
        deployment.store.user(bob.id).await.unwrap().unwrap().numbers,
        [shared]
    );
    deployment.store.remove_user(ana.id).await.unwrap();
    deployment.store.add_user(alone("Dora", &own)).await.unwrap();
}

#[tokio::test]
async fn a_phone_points_to_one_user_of_a_number_and_may_be_anothers_elsewhere() {
    let deployment = TestDeployment::new().await;
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    let with_phone = |name, number: &DialedNumber| NewUser {
        phones: vec![phone(1)],
        ..new_user(name, number)
    };
    let ana = deployment.store.add_user(with_phone("Ana", &one)).await.unwrap();
    let refused = deployment.store.add_user(with_phone("Bob", &one)).await;
    assert!(matches!(refused, Err(StoreError::PhoneTaken { .. })));
    let bob = deployment.store.add_user(with_phone("Bob", &two)).await.unwrap();
    assert_eq!(
        deployment.store.user_by_phone(&one, &phone(1)).await.unwrap(),
        Some(ana.id)
    );
    assert_eq!(
        deployment.store.user_by_phone(&two, &phone(1)).await.unwrap(),
        Some(bob.id)
    );
    let patch = UserPatch {
        numbers: Some(vec![one.clone(), two.clone()]),
        ..UserPatch::default()
    };
    let refused = deployment.store.update_user(bob.id, patch).await;
    assert!(matches!(refused, Err(StoreError::PhoneTaken { .. })));
    let patch = UserPatch {
        numbers: Some(vec![two.clone(), one.clone()]),
        phones: Some(vec![phone(3)]),
        ..UserPatch::default()
    };
    let moved = deployment.store.update_user(bob.id, patch).await.unwrap();
    assert_eq!((moved.numbers, moved.phones), (vec![one, two], vec![phone(3)]));
}

#[tokio::test]
async fn names_phones_and_numbers_have_bounds() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    for name in ["", "  ", "a\tb", &"x".repeat(201)] {
        let refused = deployment.store.add_user(new_user(name, &number)).await;
        assert!(
            matches!(refused, Err(StoreError::BadText { .. })),
            "{name:?} passed"
        );
    }
    deployment.user(&"é".repeat(200), &number).await;
    let many = NewUser {
        phones: (0..21).map(phone).collect(),
        ..new_user("Ana", &number)
    };
    assert!(matches!(
        deployment.store.add_user(many).await,
        Err(StoreError::TooMany { max: 20, .. })
    ));
    let ana = deployment.user("Ana", &number).await;
    let nowhere = UserPatch {
        numbers: Some(vec![]),
        ..UserPatch::default()
    };
    assert!(matches!(
        deployment.store.update_user(ana.id, nowhere).await,
        Err(StoreError::NoNumber)
    ));
    let nobody = deployment
        .store
        .update_user(UserId::fresh(), UserPatch::default())
        .await;
    assert!(matches!(nobody, Err(StoreError::UnknownUser(_))));
}

#[tokio::test]
async fn a_phone_is_found_in_any_stored_spelling_and_is_one_users_alone() {
    for (stored, calls) in [
        ("+525512345678", "+5215512345678"),
        ("+5491123456789", "+541123456789"),
        ("+541123456789", "+5491123456789"),
        ("+390612345678", "+39612345678"),
        ("+5511981234567", "+551181234567"),
        ("+551171234567", "+5511971234567"),
        ("+2250707123456", "+22507123456"),
        ("+78121234567", "+78121234567"),
    ] {
        let deployment = TestDeployment::new().await;
        let number = deployment.number(1).await;
        let new = NewUser {
            phones: vec![stored.parse().unwrap()],
            ..new_user("Ana", &number)
        };
        let ana = deployment.store.add_user(new).await.unwrap();
        // As it was given.
        assert_eq!(ana.phones[0].as_e164(), stored);
        let found = deployment
            .store
            .user_by_phone(&number, &calls.parse().unwrap())
            .await;
        assert_eq!(found.unwrap(), Some(ana.id), "{calls} of {stored}");
        let twin = NewUser {
            phones: vec![calls.parse().unwrap()],
            ..new_user("Bob", &number)
        };
        let refused = deployment.store.add_user(twin).await;
        assert!(
            matches!(refused, Err(StoreError::PhoneTaken { .. })),
            "{calls} of {stored}"
        );
    }
}

/// More searches than there are connections, each through many names.
#[tokio::test]
async fn a_search_for_a_name_leaves_connections_to_whoever_else_reads() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    deployment.user("Ana", &number).await;
    // Nobody's: a name that no key opens is passed over.
    deployment
        .raw(
            "INSERT INTO users (id, name, created_at) WITH RECURSIVE n (n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000) \
             SELECT 'x' || n, (SELECT name FROM users LIMIT 1), '2026-01-01T00:00:00.000000Z' FROM n",
        )
        .await;
    let store = &deployment.store;
    let (operator, model) = (Access::operator(), model());
    let wanted = UsersWanted {
        name: Some("nobody".to_owned()),
        limit: 10,
        ..UsersWanted::default()
    };
    let searches = (0..12).map(|_| Box::pin(store.voices(&operator, &wanted, &model)));
    tokio::select! {
        biased;
        _ = futures_util::future::select_all(searches) => panic!("a search was waited for"),
        found = store.number(&number) => assert!(found.unwrap().is_some()),
    }
}
