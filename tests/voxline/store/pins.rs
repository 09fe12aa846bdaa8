//! PINs and their key file.

use super::*;

fn with_pin(name: &str, number: &DialedNumber, digits: &str) -> NewUser {
    NewUser {
        pin: Some(pin(digits)),
        ..new_user(name, number)
    }
}

#[tokio::test]
async fn a_pin_is_one_users_on_a_number_and_the_refusal_does_not_say_whose() {
    let house = House::new().await;
    let (one, two) = (house.number(1).await, house.number(2).await);
    let ana = house.store.add_user(with_pin("Ana", &one, "4821")).await.unwrap();
    let refusal = house
        .store
        .add_user(with_pin("Bob", &one, "4821"))
        .await
        .unwrap_err();
    assert!(matches!(refusal, StoreError::PinTaken));
    assert!(!refusal.to_string().contains("Ana") && !refusal.to_string().contains(&ana.id.to_string()));
    let bob = house.store.add_user(with_pin("Bob", &one, "4822")).await.unwrap();
    let carl = house
        .store
        .add_user(with_pin("Carl", &two, "4821"))
        .await
        .unwrap();
    assert_eq!(
        house.store.user_by_pin(&one, &pin("4821")).await.unwrap(),
        Some(ana.id)
    );
    assert_eq!(
        house.store.user_by_pin(&one, &pin("4822")).await.unwrap(),
        Some(bob.id)
    );
    assert_eq!(
        house.store.user_by_pin(&two, &pin("4821")).await.unwrap(),
        Some(carl.id)
    );
    assert_eq!(house.store.user_by_pin(&two, &pin("4822")).await.unwrap(), None);
    assert!(house.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
    assert!(!house.store.pin_is_of(ana.id, &pin("4822")).await.unwrap());
}

#[tokio::test]
async fn a_pin_stays_unique_when_users_change_and_move() {
    let house = House::new().await;
    let (one, two) = (house.number(1).await, house.number(2).await);
    let ana = house.store.add_user(with_pin("Ana", &one, "1111")).await.unwrap();
    let bob = house.store.add_user(with_pin("Bob", &two, "1111")).await.unwrap();
    let patch = |pin: PinChange| UserPatch {
        numbers: Some(vec![one.clone(), two.clone()]),
        pin,
        ..UserPatch::default()
    };
    let kept = house.store.update_user(bob.id, patch(PinChange::Keep)).await;
    assert!(matches!(kept, Err(StoreError::PinNeeded)));
    let equal = house
        .store
        .update_user(bob.id, patch(PinChange::Set(pin("1111"))))
        .await;
    assert!(matches!(equal, Err(StoreError::PinTaken)));
    house
        .store
        .update_user(bob.id, patch(PinChange::Set(pin("2222"))))
        .await
        .unwrap();
    assert_eq!(
        house.store.user_by_pin(&one, &pin("2222")).await.unwrap(),
        Some(bob.id)
    );
    // One's own PIN may be set again, and be given up.
    let again = UserPatch {
        pin: PinChange::Set(pin("1111")),
        ..UserPatch::default()
    };
    house.store.update_user(ana.id, again).await.unwrap();
    let none = UserPatch {
        pin: PinChange::Clear,
        ..UserPatch::default()
    };
    house.store.update_user(ana.id, none).await.unwrap();
    assert_eq!(house.store.user_by_pin(&one, &pin("1111")).await.unwrap(), None);
}

#[tokio::test]
async fn two_handles_cannot_give_one_pin_to_two_users_at_once() {
    let house = House::new().await;
    let number = house.number(1).await;
    let other = Store::open(&house.file()).await.unwrap();
    let (one, two) = tokio::join!(
        house.store.add_user(with_pin("Ana", &number, "4821")),
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
    let house = House::new().await;
    let number = house.number(1).await;
    let ana = house
        .store
        .add_user(with_pin("Ana", &number, "4821"))
        .await
        .unwrap();
    let key = house.file().with_file_name("pepper.key");
    let right = std::fs::read(&key).unwrap();
    assert_eq!(right.len(), 32);
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );

    std::fs::remove_file(&key).unwrap();
    let lost = house.store.add_user(with_pin("Bob", &number, "4822")).await;
    assert!(matches!(lost, Err(StoreError::Pepper(_))));
    assert!(!key.exists());
    assert!(matches!(house.store.check().await, Err(StoreError::Pepper(_))));

    std::fs::write(&key, [9; 32]).unwrap();
    let wrong = house.store.pin_is_of(ana.id, &pin("4821")).await;
    assert!(matches!(wrong, Err(StoreError::Pepper(_))));

    std::fs::write(&key, right).unwrap();
    assert!(house.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
    house.store.check().await.unwrap();
}
