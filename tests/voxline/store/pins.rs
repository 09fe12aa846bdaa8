//! PINs and their key file.

use super::*;

pub fn with_pin(name: &str, number: &DialedNumber, digits: &str) -> NewUser {
    NewUser {
        pin: Some(pin(digits)),
        ..new_user(name, number)
    }
}

/// Ana with the PIN 1111 and Bob with 2222.
pub async fn ana_and_bob(deployment: &TestDeployment, number: &DialedNumber) -> (User, User) {
    let ana = deployment.store.add_user(with_pin("Ana", number, "1111")).await;
    let bob = deployment.store.add_user(with_pin("Bob", number, "2222")).await;
    (ana.unwrap(), bob.unwrap())
}

#[tokio::test]
async fn a_pin_is_one_users_on_a_number_and_the_refusal_does_not_say_whose() {
    let deployment = TestDeployment::new().await;
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    let ana = deployment
        .store
        .add_user(with_pin("Ana", &one, "4821"))
        .await
        .unwrap();
    let refusal = deployment
        .store
        .add_user(with_pin("Bob", &one, "4821"))
        .await
        .unwrap_err();
    assert!(matches!(refusal, StoreError::PinTaken));
    assert!(!refusal.to_string().contains("Ana") && !refusal.to_string().contains(&ana.id.to_string()));
    let bob = deployment
        .store
        .add_user(with_pin("Bob", &one, "4822"))
        .await
        .unwrap();
    let carl = deployment
        .store
        .add_user(with_pin("Carl", &two, "4821"))
        .await
        .unwrap();
    assert_eq!(
        deployment.store.users_by_pin(&one, &pin("4821")).await.unwrap(),
        [ana.id]
    );
    assert_eq!(
        deployment.store.users_by_pin(&one, &pin("4822")).await.unwrap(),
        [bob.id]
    );
    assert_eq!(
        deployment.store.users_by_pin(&two, &pin("4821")).await.unwrap(),
        [carl.id]
    );
    assert!(
        deployment
            .store
            .users_by_pin(&two, &pin("4822"))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(deployment.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
    assert!(!deployment.store.pin_is_of(ana.id, &pin("4822")).await.unwrap());
}

#[tokio::test]
async fn after_ten_taken_pins_on_a_number_no_more_are_learnt_for_a_while() {
    let deployment = TestDeployment::new().await;
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    deployment
        .store
        .add_user(with_pin("Ana", &one, "4821"))
        .await
        .unwrap();
    for _ in 0..10 {
        let refusal = deployment.store.add_user(with_pin("Bob", &one, "4821")).await;
        assert!(matches!(refusal, Err(StoreError::PinTaken)), "{refusal:?}");
    }
    for digits in ["4821", "4822"] {
        let refusal = deployment.store.add_user(with_pin("Bob", &one, digits)).await;
        assert!(
            matches!(refusal, Err(StoreError::PinsLocked { .. })),
            "taken or not, nothing is said of it: {refusal:?}"
        );
    }
    deployment.store.add_user(new_user("Bob", &one)).await.unwrap();
    deployment
        .store
        .add_user(with_pin("Carl", &two, "4821"))
        .await
        .unwrap();

    deployment
        .raw("UPDATE pin_locks SET locked_until = '2026-01-01T00:00:00Z' WHERE scope = 'taken'")
        .await;
    deployment
        .store
        .add_user(with_pin("Dora", &one, "4822"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pin_stays_unique_when_users_change_and_move() {
    let deployment = TestDeployment::new().await;
    let (one, two) = (deployment.number(1).await, deployment.number(2).await);
    let ana = deployment
        .store
        .add_user(with_pin("Ana", &one, "1111"))
        .await
        .unwrap();
    let bob = deployment
        .store
        .add_user(with_pin("Bob", &two, "1111"))
        .await
        .unwrap();
    let patch = |pin: PinChange| UserPatch {
        numbers: Some(vec![one.clone(), two.clone()]),
        pin,
        ..UserPatch::default()
    };
    let kept = deployment.store.update_user(bob.id, patch(PinChange::Keep)).await;
    assert!(matches!(kept, Err(StoreError::PinNeeded)));
    let equal = deployment
        .store
        .update_user(bob.id, patch(PinChange::Set(pin("1111"))))
        .await;
    assert!(matches!(equal, Err(StoreError::PinTaken)));
    deployment
        .store
        .update_user(bob.id, patch(PinChange::Set(pin("2222"))))
        .await
        .unwrap();
    assert_eq!(
        deployment.store.users_by_pin(&one, &pin("2222")).await.unwrap(),
        [bob.id]
    );
    // One's own PIN may be set again, and be given up.
    let again = UserPatch {
        pin: PinChange::Set(pin("1111")),
        ..UserPatch::default()
    };
    deployment.store.update_user(ana.id, again).await.unwrap();
    let none = UserPatch {
        pin: PinChange::Clear,
        ..UserPatch::default()
    };
    deployment.store.update_user(ana.id, none).await.unwrap();
    assert!(
        deployment
            .store
            .users_by_pin(&one, &pin("1111"))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_handles_cannot_give_one_pin_to_two_users_at_once() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let other = deployment.another().await;
    let (one, two) = tokio::join!(
        deployment.store.add_user(with_pin("Ana", &number, "4821")),
        other.add_user(with_pin("Bob", &number, "4821")),
    );
    assert_eq!(
        usize::from(one.is_ok()) + usize::from(two.is_ok()),
        1,
        "{one:?} {two:?}"
    );
}

#[tokio::test]
async fn the_key_file_is_private_and_never_made_anew_while_a_pin_needs_it() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment
        .store
        .add_user(with_pin("Ana", &number, "4821"))
        .await
        .unwrap();
    let key = deployment.file().with_file_name("pepper.key");
    let right = std::fs::read(&key).unwrap();
    assert_eq!(right.len(), 32);
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );

    std::fs::remove_file(&key).unwrap();
    let lost = deployment.store.add_user(with_pin("Bob", &number, "4822")).await;
    assert!(matches!(lost, Err(StoreError::Pepper(_))));
    assert!(!key.exists());
    assert!(matches!(
        deployment.store.check().await,
        Err(StoreError::Pepper(_))
    ));

    std::fs::write(&key, [9; 32]).unwrap();
    let wrong = deployment.store.pin_is_of(ana.id, &pin("4821")).await;
    assert!(matches!(wrong, Err(StoreError::Pepper(_))));

    std::fs::write(&key, right).unwrap();
    assert!(deployment.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
    deployment.store.check().await.unwrap();
}
