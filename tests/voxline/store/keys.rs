//! API keys.

use super::*;

#[tokio::test]
async fn a_key_works_until_it_is_revoked_and_is_never_stored() {
    let deployment = TestDeployment::new().await;
    let scopes = BTreeSet::from([Scope::Enroll, Scope::Identify]);
    let new = new_key(scopes.clone(), Some("console"));
    let (token, info) = deployment.store.create_key(new).await.unwrap();
    assert_eq!(
        deployment.store.keys().await.unwrap(),
        std::slice::from_ref(&info)
    );
    let access = deployment.store.key_for(&token).await.unwrap().unwrap();
    assert_eq!((access.key(), access.scopes()), (Some(info.id), &scopes));
    assert!(access.allows(Scope::Enroll) && !access.allows(Scope::Scores) && !access.allows(Scope::Admin));
    assert_eq!((access.tenant(), access.narrowed_to()), (TenantId::DEFAULT, None));
    assert!(!holds(&deployment.at_rest().await, token.reveal()));

    deployment.store.revoke_key(info.id).await.unwrap();
    let first = deployment.store.keys().await.unwrap()[0].revoked_at;
    deployment.store.revoke_key(info.id).await.unwrap();
    assert!(first.is_some());
    assert_eq!(deployment.store.keys().await.unwrap()[0].revoked_at, first);
    assert_eq!(deployment.store.key_for(&token).await.unwrap(), None);
}

#[tokio::test]
async fn an_admin_key_may_do_everything_and_a_made_up_one_nothing() {
    let deployment = TestDeployment::new().await;
    let (token, _) = deployment
        .store
        .create_key(new_key([Scope::Admin], None))
        .await
        .unwrap();
    let access = deployment.store.key_for(&token).await.unwrap().unwrap();
    assert!(
        [Scope::Enroll, Scope::Identify, Scope::Scores, Scope::Admin]
            .iter()
            .all(|s| access.allows(*s))
    );
    let almost = format!("{}A", &token.reveal()[..45]);
    for text in [
        "",
        "vx_",
        "vx_'; DROP TABLE api_keys; --",
        &"vx_".repeat(100_000),
        &almost,
    ] {
        if text != token.reveal() {
            assert_eq!(
                deployment.store.key_for(&Token::received(text)).await.unwrap(),
                None
            );
        }
    }
    let none = deployment.store.create_key(new_key([], None)).await;
    assert!(matches!(none, Err(StoreError::NoScope)));
    let unknown = deployment.store.revoke_key(voxline::units::KeyId::fresh()).await;
    assert!(matches!(unknown, Err(StoreError::UnknownKey(_))));
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted_at_most_once_a_minute() {
    let deployment = TestDeployment::new().await;
    let new = new_key([Scope::Identify], None);
    let (token, info) = deployment.store.create_key(new).await.unwrap();
    assert_eq!(info.last_used_at, None);
    let used = async || deployment.store.keys().await.unwrap()[0].last_used_at;
    deployment.store.key_for(&token).await.unwrap();
    let first = loop {
        if let Some(at) = used().await {
            break at;
        }
        tokio::task::yield_now().await;
    };
    for _ in 0..100 {
        deployment.store.key_for(&token).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(used().await, Some(first));
    deployment
        .raw("UPDATE api_keys SET last_used_at = '2020-01-01T00:00:00.000000Z'")
        .await;
    deployment.store.key_for(&token).await.unwrap();
    while used().await.is_some_and(|at| at < first) {
        tokio::task::yield_now().await;
    }
}
