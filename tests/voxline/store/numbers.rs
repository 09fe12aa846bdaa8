//! Dialed numbers.

use super::*;

#[tokio::test]
async fn a_number_is_added_once_and_shown_with_its_users() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let again = deployment.store.add_number(&number, None, None).await;
    assert!(matches!(again, Err(StoreError::NumberExists(_))));
    deployment.user("Ana", &number).await;
    let shown = serde_json::to_value(deployment.store.number(&number).await.unwrap().unwrap()).unwrap();
    assert_eq!(shown["number"], "+12025550101");
    assert_eq!(
        (&shown["region"], &shown["name"], &shown["users"]),
        (&json!("US"), &json!(null), &json!(1))
    );
    assert_eq!(deployment.store.numbers().await.unwrap().len(), 1);
    assert!(
        deployment
            .store
            .number(&super::number(2))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn an_unknown_number_is_refused_with_how_to_add_it_and_not_in_full() {
    let deployment = TestDeployment::new().await;
    let refusal = deployment
        .store
        .add_user(new_user("Ana", &number(7)))
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("voxline number add"), "{refusal}");
    assert!(!refusal.contains("+12025550107"), "{refusal}");
    for result in [
        deployment.store.roster(&number(7), &model()).await.map(drop),
        deployment.store.roster_version(&number(7)).await.map(drop),
        deployment.store.users_of(&number(7)).await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::UnknownNumber(_))));
    }
}

#[tokio::test]
async fn an_error_target_stays_until_changed_and_rosters_are_read_anew() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let promised = |known: &Number| (known.max_false_accept, known.max_wrong_name);
    let known = deployment.store.number(&number).await.unwrap().unwrap();
    assert_eq!(promised(&known), (None, None));
    let version = deployment.store.roster_version(&number).await.unwrap();
    let mut patch = NumberPatch {
        max_false_accept: ShareChange::Set(0.001),
        max_wrong_name: ShareChange::Set(0.01),
        ..NumberPatch::default()
    };
    let changed = deployment.store.update_number(&number, &patch).await.unwrap();
    assert_eq!(promised(&changed), (Some(0.001), Some(0.01)));
    assert!(deployment.store.roster_version(&number).await.unwrap() > version);
    patch = NumberPatch {
        max_false_accept: ShareChange::Keep,
        max_wrong_name: ShareChange::Usual,
        ..NumberPatch::default()
    };
    deployment.store.update_number(&number, &patch).await.unwrap();
    let known = deployment.store.numbers().await.unwrap().remove(0);
    assert_eq!(promised(&known), (Some(0.001), None));
    for share in [0.0, 0.6, -0.1, f64::NAN, f64::INFINITY] {
        patch.max_wrong_name = ShareChange::Set(share);
        let refused = deployment.store.update_number(&number, &patch).await;
        assert!(matches!(refused, Err(StoreError::BadText { .. })), "{share}");
    }
    let nobodys = deployment
        .store
        .update_number(&super::number(7), &NumberPatch::default())
        .await;
    assert!(matches!(nobodys, Err(StoreError::UnknownNumber(_))));
}

#[tokio::test]
async fn whose_number_callers_have_is_kept_until_it_is_changed() {
    use voxline::store::CallerIsForwarder;

    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let known = deployment.store.number(&number).await.unwrap().unwrap();
    assert_eq!(known.caller_is_forwarder, CallerIsForwarder::Auto);
    for rule in [
        CallerIsForwarder::Always,
        CallerIsForwarder::Never,
        CallerIsForwarder::Auto,
    ] {
        let patch = NumberPatch {
            caller_is_forwarder: Some(rule),
            ..NumberPatch::default()
        };
        let version = deployment.store.roster_version(&number).await.unwrap();
        deployment.store.update_number(&number, &patch).await.unwrap();
        assert!(deployment.store.roster_version(&number).await.unwrap() > version);
        // A patch of something else leaves it.
        let changed = deployment
            .store
            .update_number(&number, &NumberPatch::default())
            .await
            .unwrap();
        assert_eq!(changed.caller_is_forwarder, rule);
    }
}
