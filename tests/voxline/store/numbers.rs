//! Dialed numbers.

use super::*;

#[tokio::test]
async fn a_number_is_added_once_and_shown_with_its_users() {
    let house = House::new().await;
    let number = house.number(1).await;
    let again = house.store.add_number(&number, None, None).await;
    assert!(matches!(again, Err(StoreError::NumberExists(_))));
    house.user("Ana", &number).await;
    let shown = serde_json::to_value(house.store.number(&number).await.unwrap().unwrap()).unwrap();
    assert_eq!(shown["number"], "+12025550101");
    assert_eq!(
        (&shown["region"], &shown["name"], &shown["users"]),
        (&json!("US"), &json!(null), &json!(1))
    );
    assert_eq!(house.store.numbers().await.unwrap().len(), 1);
    assert!(house.store.number(&super::number(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_unknown_number_is_refused_with_how_to_add_it_and_not_in_full() {
    let house = House::new().await;
    let refusal = house
        .store
        .add_user(new_user("Ana", &number(7)))
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("voxline number add"), "{refusal}");
    assert!(!refusal.contains("+12025550107"), "{refusal}");
    for result in [
        house.store.roster(&number(7), &model()).await.map(drop),
        house.store.roster_version(&number(7)).await.map(drop),
        house.store.users_of(&number(7)).await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::UnknownNumber(_))));
    }
}
