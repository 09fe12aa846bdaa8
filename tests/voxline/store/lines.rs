//! What is kept of a number's line.

use voxline::store::KeptLine;

use super::*;

const WEIGHTS: &str = "00ff";

fn kept(value: f64, callers: u64) -> KeptLine {
    KeptLine {
        mean: vec![value; 4],
        weight: callers as f64,
        callers,
    }
}

async fn fold(store: &Store, number: &DialedNumber, model: &ModelId, next: KeptLine) {
    store
        .fold_line(number, model, WEIGHTS, |_| Some(next))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_line_is_one_numbers_one_models_and_survives_closing() {
    let house = House::new().await;
    let (own, other) = (house.number(1).await, house.number(2).await);
    let versions = house.versions(&[own.clone(), other.clone()]).await;
    fold(&house.store, &own, &model(), kept(0.25, 16)).await;
    let now = house.versions(&[own.clone(), other.clone()]).await;
    assert!(now[0] > versions[0] && now[1] == versions[1]);
    house.store.close().await;
    let store = Store::open(&house.file()).await.unwrap();
    assert_eq!(
        store.line(&own, &model(), WEIGHTS).await.unwrap(),
        Some(kept(0.25, 16))
    );
    assert_eq!(store.line(&other, &model(), WEIGHTS).await.unwrap(), None);
    assert_eq!(store.line(&own, &model(), "other").await.unwrap(), None);
    assert_eq!(
        store.line(&own, &ModelId::new("other"), WEIGHTS).await.unwrap(),
        None
    );
    let told = store.number(&own).await.unwrap().unwrap();
    let line = told.line.clone().unwrap();
    assert_eq!((line.callers, line.since == line.updated_at), (16, true));
    let shown = serde_json::to_string(&told).unwrap();
    assert!(!shown.contains("mean") && !shown.contains("0.25"), "{shown}");
    assert_eq!(store.number(&other).await.unwrap().unwrap().line, None);
}

#[tokio::test]
async fn a_line_is_folded_into_what_is_there_and_keeps_its_beginning() {
    let house = House::new().await;
    let number = house.number(1).await;
    fold(&house.store, &number, &model(), kept(0.25, 16)).await;
    let first = house.store.number(&number).await.unwrap().unwrap().line.unwrap();
    let mut seen = None;
    let next = |before: Option<KeptLine>| {
        seen.clone_from(&before);
        Some(kept(0.5, 32))
    };
    house
        .store
        .fold_line(&number, &model(), WEIGHTS, next)
        .await
        .unwrap();
    assert_eq!(seen, Some(kept(0.25, 16)));
    let line = house.store.number(&number).await.unwrap().unwrap().line.unwrap();
    assert_eq!((line.callers, line.since), (32, first.since));
    // Nothing made of it: nothing changed.
    let nothing = |_: Option<KeptLine>| None;
    house
        .store
        .fold_line(&number, &model(), WEIGHTS, nothing)
        .await
        .unwrap();
    assert_eq!(
        house.store.line(&number, &model(), WEIGHTS).await.unwrap(),
        Some(kept(0.5, 32))
    );
}

#[tokio::test]
async fn another_model_begins_anew_and_the_old_mean_is_gone() {
    let house = House::new().await;
    let number = house.number(1).await;
    fold(&house.store, &number, &model(), kept(0.25, 16)).await;
    let other = ModelId::new("another");
    let mut seen = Some(kept(0.0, 1));
    let next = |before: Option<KeptLine>| {
        seen.clone_from(&before);
        Some(kept(0.5, 16))
    };
    house
        .store
        .fold_line(&number, &other, WEIGHTS, next)
        .await
        .unwrap();
    assert_eq!(seen, None);
    assert_eq!(house.store.line(&number, &model(), WEIGHTS).await.unwrap(), None);
    let line = house.store.number(&number).await.unwrap().unwrap().line.unwrap();
    assert_eq!((line.model.as_str(), line.callers), ("another", 16));
}

#[tokio::test]
async fn a_forgotten_line_is_gone_and_rosters_are_read_anew() {
    let house = House::new().await;
    let number = house.number(1).await;
    fold(&house.store, &number, &model(), kept(0.25, 16)).await;
    let version = house.store.roster_version(&number).await.unwrap();
    assert!(house.store.forget_line(&number).await.unwrap());
    assert!(house.store.roster_version(&number).await.unwrap() > version);
    assert_eq!(house.store.line(&number, &model(), WEIGHTS).await.unwrap(), None);
    assert!(!house.store.forget_line(&number).await.unwrap());
    let unknown = house.store.forget_line(&super::number(7)).await;
    assert!(matches!(unknown, Err(StoreError::UnknownNumber(_))));
}
